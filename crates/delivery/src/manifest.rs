//! `akidb-model.json`: what a folder of the store is, where it came from, and the hash of each of its files.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use akidb_edge_engine::files::{self, RelativePath};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::{self, Digest};
use crate::disk::FileFault;

/// Its name in a folder.
pub const FILE: &str = "akidb-model.json";
/// The format that is written. A newer one is refused.
pub const FORMAT: u32 = 1;
/// Bytes that it may have.
const LONGEST: u64 = 16 << 20;

/// Where a model came from.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ModelOrigin {
    /// A repository of a hub.
    Hub {
        /// `OWNER/NAME`.
        repo: String,
        /// The branch or tag that was asked for.
        revision: String,
        /// What it was then.
        commit: String,
    },
    /// A folder of this machine.
    Import {
        /// The folder's name.
        folder: String,
    },
    /// Model sync of a server.
    Sync {
        /// The bucket or folder.
        from: String,
        /// What the version is called there.
        version: String,
    },
}

/// The manifest.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format.
    pub format: u32,
    /// The model's name.
    pub name: String,
    /// Where it came from.
    pub source: ModelOrigin,
    /// Its files.
    pub files: BTreeMap<RelativePath, Digest>,
    /// When it was made.
    pub made: Timestamp,
    /// When every hash was right the last time.
    pub verified: Option<Timestamp>,
}

/// Why a file is not as the manifest says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Damage {
    /// Nothing is there.
    Absent,
    /// A link, a folder or a device.
    NotPlain,
    /// Another size.
    Size {
        /// Its bytes.
        found: u64,
        /// Bytes of the manifest.
        said: u64,
    },
    /// Other bytes.
    Hash {
        /// Their SHA-256.
        found: String,
        /// SHA-256 of the manifest.
        said: String,
    },
    /// What the system says.
    Unread(String),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => write!(f, "is not there"),
            Self::NotPlain => write!(f, "is not a plain file"),
            Self::Size { found, said } => write!(f, "has {found} bytes instead of {said}"),
            Self::Hash { found, said } => write!(f, "has the SHA-256 {found} instead of {said}"),
            Self::Unread(why) => write!(f, "cannot be read: {why}"),
        }
    }
}

impl Manifest {
    /// A new one: its files were verified just now.
    pub fn new(name: &str, source: ModelOrigin, files: BTreeMap<RelativePath, Digest>) -> Self {
        let now = Timestamp::now();
        Self { format: FORMAT, name: name.to_owned(), source, files, made: now, verified: Some(now) }
    }

    /// Reads the manifest of a folder; none when it has none.
    ///
    /// # Errors
    /// When it cannot be read, is newer than this program, or names files outside of the folder.
    pub fn read(folder: &Path) -> Result<Option<Self>, FileFault> {
        let path = folder.join(FILE);
        let bad = |why: String| FileFault { path: path.clone(), source: io::Error::other(why) };
        let bytes = match files::read(&path, LONGEST) {
            Err(none) if none.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(FileFault::of(&path))?,
        };
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let other = |why: serde_json::Error| bad(format!("it is not a manifest: {why}"));
        let Format { format } = serde_json::from_slice(&bytes).map_err(other)?;
        if format > FORMAT {
            return Err(bad(format!("its format {format} is newer than this akidb-edge, which reads up to {FORMAT}")));
        }
        serde_json::from_slice(&bytes).map(Some).map_err(other)
    }

    /// Writes it into a folder, whole or not at all.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, folder: &Path) -> Result<(), FileFault> {
        let path = folder.join(FILE);
        let fault = || FileFault::of(&path);
        let text = serde_json::to_string_pretty(self).map_err(|why| fault()(io::Error::other(why)))?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fault())?;
        file.write_all(format!("{text}\n").as_bytes()).map_err(fault())?;
        file.as_file().set_permissions(PermissionsExt::from_mode(0o644)).map_err(fault())?;
        file.as_file().sync_all().map_err(fault())?;
        file.persist(&path).map_err(|bad| fault()(bad.error))?;
        Ok(())
    }

    /// Whether it is of this commit.
    pub fn is_commit(&self, commit: &str) -> bool {
        matches!(&self.source, ModelOrigin::Hub { commit: own, .. } if own == commit)
    }

    /// Whether model sync brought the folder.
    pub fn is_synced(&self) -> bool {
        matches!(self.source, ModelOrigin::Sync { .. })
    }

    /// Bytes of all its files.
    pub fn size(&self) -> u64 {
        self.files.values().map(|digest| digest.size).sum()
    }

    /// The first file of the folder whose size is another one, without reading any.
    pub fn mismatch(&self, folder: &Path) -> Option<&RelativePath> {
        let differs = |(file, digest): &(&RelativePath, &Digest)| {
            fs::symlink_metadata(file.at(folder)).map_or(true, |facts| !facts.is_file() || facts.len() != digest.size)
        };
        self.files.iter().find(differs).map(|(file, _)| file)
    }

    /// The files of the folder that are not as it says. Reads all of them.
    pub fn damaged(&self, folder: &Path) -> Vec<(RelativePath, Damage)> {
        let damage = |(file, digest): (&RelativePath, &Digest)| {
            Some((file.clone(), damage(&file.at(folder), &digest.sha256, Some(digest.size))?))
        };
        self.files.iter().filter_map(damage).collect()
    }
}

/// What is wrong with a file, when its hash and perhaps its size are known.
pub fn damage(path: &Path, sha256: &str, size: Option<u64>) -> Option<Damage> {
    let facts = match fs::symlink_metadata(path) {
        Err(none) if none.kind() == io::ErrorKind::NotFound => return Some(Damage::Absent),
        Err(bad) => return Some(Damage::Unread(bad.to_string())),
        Ok(facts) => facts,
    };
    if !facts.is_file() {
        return Some(Damage::NotPlain);
    }
    if let Some(said) = size.filter(|size| *size != facts.len()) {
        return Some(Damage::Size { found: facts.len(), said });
    }
    match digest::sha256_of_file(path) {
        Err(bad) => Some(Damage::Unread(bad.to_string())),
        Ok(read) if read.sha256.eq_ignore_ascii_case(sha256) => None,
        Ok(read) => Some(Damage::Hash { found: read.sha256, said: sha256.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_is_damage_and_another_size_is_seen_without_reading() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        fs::write(&path, "hello").expect("a file");
        let files = [(RelativePath::parse("a").expect("a path"), digest::sha256_of_file(&path).expect("a digest"))];
        let manifest = Manifest::new(
            "m",
            ModelOrigin::Sync { from: "file:x".into(), version: "1".into() },
            files.into_iter().collect(),
        );
        manifest.write(folder.path()).expect("it is written");
        let read = Manifest::read(folder.path()).expect("it can be read").expect("it is there");
        assert_eq!(read, manifest);
        assert!(read.damaged(folder.path()).is_empty() && read.mismatch(folder.path()).is_none());
        fs::write(&path, "hellO").expect("a file");
        assert!(read.mismatch(folder.path()).is_none());
        assert!(
            matches!(read.damaged(folder.path()).as_slice(), [(file, Damage::Hash { .. })] if file.as_str() == "a")
        );
        fs::write(&path, "hell").expect("a file");
        assert_eq!(read.mismatch(folder.path()).map(RelativePath::as_str), Some("a"));
        assert_eq!(read.damaged(folder.path())[0].1, Damage::Size { found: 4, said: 5 });
        fs::remove_file(&path).expect("it goes");
        assert_eq!(read.damaged(folder.path())[0].1, Damage::Absent);
    }
}
