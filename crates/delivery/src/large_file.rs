//! Pointers of git's large-file storage: small texts that stand where a clone without `git lfs` has no content.

use std::io::{self, Read};
use std::path::Path;

use akidb_edge_engine::files;

/// How such a text begins (git-lfs specification, "The Pointer").
const BEGINS: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// A file holds the pointer of git's large-file storage, not the content.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "it is a pointer of git's large-file storage (LFS), not the file: run git lfs pull in the clone it comes from, or akidb-edge \
     models pull"
)]
pub struct PointerFile;

/// Whether a file is such a pointer.
///
/// # Errors
/// It cannot be read.
pub fn is_pointer(path: &Path) -> io::Result<bool> {
    let mut file = files::open(path)?;
    let mut begin = [0; BEGINS.len()];
    match file.read_exact(&mut begin) {
        Ok(()) => Ok(begin == *BEGINS),
        Err(short) if short.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(bad) => Err(bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_told_from_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.onnx");
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
        for (content, expected) in
            [(pointer, true), ("version https://git", false), ("", false), ("\u{8}\u{7}onnx", false)]
        {
            std::fs::write(&path, content).expect("a file");
            assert_eq!(is_pointer(&path).expect("it can be read"), expected, "{content:?}");
        }
    }
}
