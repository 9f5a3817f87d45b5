//! `akidb-model.json`: what a folder of the store is, where it came from, and the hash of each of its files.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::fault::ModelsFault;
use crate::files::{self, Below};
use crate::inference::folder::bounds::SETTINGS;

/// Its name in a folder.
pub const FILE: &str = "akidb-model.json";
/// The format that is written. A newer one is refused.
pub const FORMAT: u32 = 1;

/// Where a model came from.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Source {
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
}

/// The manifest.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format.
    pub format: u32,
    /// The model's name.
    pub name: String,
    /// Where it came from.
    pub source: Source,
    /// Its files.
    pub files: BTreeMap<Below, Digest>,
    /// When it was made.
    pub made: Timestamp,
    /// When every hash was right the last time.
    pub verified: Option<Timestamp>,
}

impl Manifest {
    /// A new one: its files were verified just now.
    pub fn new(name: &str, source: Source, files: BTreeMap<Below, Digest>) -> Self {
        let now = Timestamp::now();
        Self { format: FORMAT, name: name.to_owned(), source, files, made: now, verified: Some(now) }
    }

    /// Reads the manifest of a folder; none when it has none.
    ///
    /// # Errors
    /// When it cannot be read, is newer than this program, or names files outside of the folder.
    pub fn read(folder: &Path) -> Result<Option<Self>, ModelsFault> {
        let path = folder.join(FILE);
        let bad = |why: String| ModelsFault::File { path: path.clone(), source: io::Error::other(why) };
        let bytes = match files::read(&path, SETTINGS) {
            Err(none) if none.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(ModelsFault::file(&path))?,
        };
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let other = |why: serde_json::Error| bad(format!("it is not a manifest: {why}"));
        let Format { format } = serde_json::from_slice(&bytes).map_err(other)?;
        if format > FORMAT {
            return Err(bad(format!("its format {format} is newer than this akidb-edge, which knows {FORMAT}")));
        }
        serde_json::from_slice(&bytes).map(Some).map_err(other)
    }

    /// Writes it into a folder, whole or not at all.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, folder: &Path) -> Result<(), ModelsFault> {
        let path = folder.join(FILE);
        let fault = || ModelsFault::file(&path);
        let text = serde_json::to_string_pretty(self).map_err(|why| fault()(io::Error::other(why)))?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fault())?;
        io::Write::write_all(&mut file, format!("{text}\n").as_bytes()).map_err(fault())?;
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(readable).map_err(fault())?;
        file.as_file().sync_all().map_err(fault())?;
        file.persist(&path).map_err(|bad| fault()(bad.error))?;
        Ok(())
    }

    /// Whether it is of this commit.
    pub fn is_commit(&self, commit: &str) -> bool {
        matches!(&self.source, Source::Hub { commit: own, .. } if own == commit)
    }

    /// Bytes of all its files.
    pub fn size(&self) -> u64 {
        self.files.values().map(|digest| digest.size).sum()
    }
}
