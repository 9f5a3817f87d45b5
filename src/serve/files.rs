//! Files of settings, keys and certificates: small texts.

use std::io;
use std::path::Path;

use crate::files;

/// Bytes of such a file at most.
const LONGEST: u64 = 4 << 20;

/// A whole file.
///
/// # Errors
/// It cannot be decoded as UTF-8, is not a regular file, or is larger than 4 MiB.
pub fn read_text(file: &Path) -> io::Result<String> {
    files::read_text(file, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_without_end_is_no_file_of_settings() {
        assert!(read_text(Path::new("/dev/zero")).unwrap_err().to_string().contains("regular file"));
        let large = tempfile::NamedTempFile::new().unwrap();
        large.as_file().set_len(LONGEST + 1).unwrap();
        assert!(read_text(large.path()).unwrap_err().to_string().contains("4 MiB"));
    }
}
