//! Digests of a file: size, SHA-256, and its git blob hash.

use std::io::{self, Read};
use std::path::Path;

use akidb_edge_engine::files;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// Size and SHA-256 of a file.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Bytes.
    pub size: u64,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
}

/// What a file is to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ExpectedDigest {
    /// Its SHA-256: files of the large-file storage.
    Sha256(String),
    /// Git's hash of it as a blob: small files.
    GitBlob(String),
}

impl ExpectedDigest {
    /// In hex.
    pub fn hex(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::GitBlob(hex) => hex,
        }
    }
}

/// A file, read once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileBytes {
    /// Size and SHA-256.
    pub digest: Digest,
    git_blob: String,
}

impl FileBytes {
    /// Whether it is what was expected.
    pub fn is(&self, expected: &ExpectedDigest) -> bool {
        self.found(expected).eq_ignore_ascii_case(expected.hex())
    }

    /// The hash to compare with the expected one.
    pub fn found(&self, expected: &ExpectedDigest) -> &str {
        match expected {
            ExpectedDigest::Sha256(_) => &self.digest.sha256,
            ExpectedDigest::GitBlob(_) => &self.git_blob,
        }
    }
}

/// Reads a file from the disk. The caller is not on the runtime's own threads.
///
/// # Errors
/// When it cannot be read.
pub fn of_file(path: &Path) -> io::Result<FileBytes> {
    let mut file = files::open(path)?;
    let size = file.metadata()?.len();
    let (mut sha256, mut git) = (Sha256::new(), Sha1::new());
    git.update(format!("blob {size}\0"));
    let mut piece = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            break;
        }
        sha256.update(&piece[..read]);
        git.update(&piece[..read]);
    }
    let digest = Digest { size, sha256: hex::encode(sha256.finalize()) };
    Ok(FileBytes { digest, git_blob: hex::encode(git.finalize()) })
}

/// Size and SHA-256 of a file alone. The caller is not on the runtime's own threads.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_of_file(path: &Path) -> io::Result<Digest> {
    let (sha256, size) = files::hash(path)?;
    Ok(Digest { size, sha256 })
}

/// As [`of_file`], beside the runtime.
///
/// # Errors
/// When it cannot be read.
pub async fn of(path: &Path) -> io::Result<FileBytes> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || of_file(&path)).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_git_and_sha256sum_do() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("file");
        std::fs::write(&path, "hello\n").expect("a file");
        let read = of_file(&path).expect("it can be read");
        assert_eq!(read.digest.size, 6);
        assert!(read.is(&ExpectedDigest::GitBlob("ce013625030ba8dba906f756967f9e9ca394464a".to_owned())));
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert!(read.is(&ExpectedDigest::Sha256(sha256.to_owned())));
        assert!(!read.is(&ExpectedDigest::GitBlob(sha256.to_owned())));
        assert_eq!(sha256_of_file(&path).expect("it can be read"), read.digest);
    }
}
