//! The state of a follower, stored in a folder next to the replica.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Position;
use crate::merkle::Root;
use crate::txid::Txid;

/// The format of the file.
const FORMAT: u32 = 1;
/// Bytes of the file.
const LONGEST: u64 = 64 << 10;
/// The beginning of a database, which SQLite changes by itself.
pub(super) const HEADER: usize = 100;
/// What of it may differ between the primary and a replica: the journal's mode, and the counters of changes.
const OWN: [std::ops::Range<usize>; 3] = [18..20, 24..28, 92..100];

/// A state that a replica may be in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct State {
    /// Its number.
    pub txid: Txid,
    /// The primary's turn in which it was published.
    pub epoch: u64,
    /// The root over the primary's pages.
    pub root: Root,
    /// Pages.
    pub pages: u32,
    /// Bytes of a page.
    pub page_size: u32,
    /// The beginning of the primary's first page, in hexadecimal digits.
    header: String,
}

impl State {
    /// A state whose first page is this one.
    pub fn new(txid: Txid, epoch: u64, root: Root, pages: u32, first: &[u8]) -> Self {
        let header = hex::encode(&first[..HEADER]);
        let page_size = u32::try_from(first.len()).unwrap_or(u32::MAX);
        Self { txid, epoch, root, pages, page_size, header }
    }

    /// The primary's first page, from the replica's.
    pub fn original(&self, first: &mut [u8]) {
        let mut header = [0; HEADER];
        if hex::decode_to_slice(&self.header, &mut header).is_ok() && first.len() > HEADER {
            OWN.iter().for_each(|range| first[range.clone()].copy_from_slice(&header[range.clone()]));
        }
    }
}

/// What is remembered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Memory {
    format: u32,
    /// Where the replica is, for others to read.
    pub position: Position,
    /// The state before the transaction that was under way when this was written, and the one after it. The database says which.
    pub states: Vec<State>,
    /// The newest head that was seen: an older one is a replay.
    pub head: Option<(u64, Txid)>,
}

impl Memory {
    /// Remembers this.
    pub fn new(position: Position, states: Vec<State>, head: Option<(u64, Txid)>) -> Self {
        Self { format: FORMAT, position, states, head }
    }

    /// Reads what is remembered of this replica.
    pub fn read(database: &Path) -> io::Result<Option<Self>> {
        let path = folder(database).join("state.json");
        let text = match fs::metadata(&path) {
            Err(none) if none.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(facts) if facts.len() > LONGEST => return Err(io::ErrorKind::FileTooLarge.into()),
            other => other.and_then(|_| fs::read(&path))?,
        };
        let memory: Self = serde_json::from_slice(&text)?;
        if memory.format != FORMAT {
            let what = format!("{} has format {}, and this version knows {FORMAT}", path.display(), memory.format);
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
        Ok(Some(memory))
    }

    /// Writes it, as a whole.
    pub fn write(&self, database: &Path) -> io::Result<()> {
        let folder = folder(database);
        let mut staged = tempfile::Builder::new().prefix(".state-").tempfile_in(&folder)?;
        staged.write_all(&serde_json::to_vec(self)?)?;
        staged.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        staged.as_file().sync_data()?;
        staged.persist(folder.join("state.json")).map(drop).map_err(|bad| bad.error)
    }
}

/// The folder beside a replica.
pub(super) fn folder(database: &Path) -> PathBuf {
    let name = database.file_name().map_or_else(|| "replica".into(), |name| name.to_string_lossy().into_owned());
    database.with_file_name(format!(".{name}.replica"))
}
