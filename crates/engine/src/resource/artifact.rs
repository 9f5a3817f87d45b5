//! Bytes that a run carries to the real resources: files by their hash. State and plans name them, they never hold them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the bytes lie.
#[derive(Clone, Debug)]
pub enum ArtifactSource {
    /// A file on this machine.
    File(PathBuf),
    /// Bytes made in this process (a zip, a pointer object).
    Memory(Arc<[u8]>),
}

/// The artifacts of a run, by SHA-256 in hex.
#[derive(Clone, Debug, Default)]
pub struct Artifacts {
    known: BTreeMap<String, (ArtifactSource, u64)>,
}

impl Artifacts {
    /// Adds a file that was hashed already.
    pub fn add_file(&mut self, sha256: &str, path: PathBuf, bytes: u64) {
        self.known.insert(sha256.to_owned(), (ArtifactSource::File(path), bytes));
    }

    /// Adds bytes; returns their hash.
    pub fn add_bytes(&mut self, bytes: Vec<u8>) -> String {
        let sha256 = sha256_hex(&bytes);
        let size = bytes.len() as u64;
        self.known.insert(sha256.clone(), (ArtifactSource::Memory(bytes.into()), size));
        sha256
    }

    /// Where the bytes of `sha256` lie.
    pub fn get(&self, sha256: &str) -> Option<&ArtifactSource> {
        self.known.get(sha256).map(|(source, _)| source)
    }

    /// Everything known: hash, source, size.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ArtifactSource, u64)> {
        self.known.iter().map(|(sha256, (source, size))| (sha256.as_str(), source, *size))
    }

    /// Takes over what another set knows.
    pub fn extend(&mut self, other: Self) {
        self.known.extend(other.known);
    }
}

/// SHA-256 in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}
