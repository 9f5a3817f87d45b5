//! How much of a machine a plan may take: bytes of the files that are read as text, of what its variables become, and the
//! files of a folder.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Bytes of a plan, an inventory, a file of variables or of sums.
pub const LARGEST: u64 = 4 * 1024 * 1024;

/// Bytes of all texts of a plan, once its variables are filled in.
pub const LONGEST_FILLED: usize = 16 * 1024 * 1024;

/// Files and folders below one folder.
pub const MOST_FILES: usize = 100_000;

/// Levels of lists and mappings within each other.
pub const DEEPEST: usize = 64;

/// A text file that a plan consists of.
///
/// # Errors
/// When it cannot be read, is not UTF-8, or is larger than [`LARGEST`].
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("it is larger than {} MiB", LARGEST >> 20)));
    }
    String::from_utf8(bytes).map_err(|bad| {
        let at = bad.utf8_error().valid_up_to();
        io::Error::new(io::ErrorKind::InvalidData, format!("it is not UTF-8 from byte {} on", at + 1))
    })
}

/// Whether the path, if there is something, is a file: a pipe or a device may give bytes without end, or none ever.
///
/// # Errors
/// What it is instead, or why it cannot be looked at.
pub fn need_file(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.is_file() { Ok(()) } else { Err(io::Error::other("it is not a regular file")) }
}
