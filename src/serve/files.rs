//! Files of settings, keys and certificates: small texts.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes of such a file at most.
const LONGEST: u64 = 4 << 20;

/// A whole file.
///
/// # Errors
/// It cannot be read, is no text or no plain file, or is larger than 4 MiB: a pipe would be waited for, and a device read without
/// end.
pub fn read_text(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    File::open(file)?.take(LONGEST + 1).read_to_string(&mut text)?;
    match text.len() as u64 > LONGEST {
        true => Err(io::Error::other("it is larger than 4 MiB")),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_without_end_is_no_file_of_settings() {
        assert!(read_text(Path::new("/dev/zero")).unwrap_err().to_string().contains("plain"));
        let large = tempfile::NamedTempFile::new().unwrap();
        large.as_file().set_len(LONGEST + 1).unwrap();
        assert!(read_text(large.path()).unwrap_err().to_string().contains("4 MiB"));
    }
}
