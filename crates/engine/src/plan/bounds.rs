//! How much of a machine a plan may take: bytes of the files that are read as text, of what its variables become, and the
//! files of a folder.

use std::io;
use std::path::Path;

use crate::files;

/// Bytes of a plan, an inventory, a file of variables or of sums.
pub const LARGEST: u64 = 4 * 1024 * 1024;

/// Bytes of all texts of a plan, once its variables are filled in.
pub const LONGEST_FILLED: usize = 16 * 1024 * 1024;

/// Files and folders below one folder.
pub const MOST_FILES: usize = 100_000;

/// Objects of clusters that a plan may have.
pub const MOST_OBJECTS: usize = 5_000;

/// Levels of lists and mappings within each other.
pub const DEEPEST: usize = 64;

/// A text file that a plan consists of.
///
/// # Errors
/// When it cannot be read, is not a regular file or not UTF-8, or is larger than [`LARGEST`].
pub fn read_text(path: &Path) -> io::Result<String> {
    files::read_text(path, LARGEST)
}
