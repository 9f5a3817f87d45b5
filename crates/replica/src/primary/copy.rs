//! Copies a database while others write to it, checks the copy, and creates a snapshot.

use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::increment::{Hashing, Segment, spool_file};
use super::{begin_reading, connect, end, unread};
use crate::image::{Image, check};
use crate::ltx::{Encoder, Header, LtxFault, lock_page};
use crate::merkle::{Tree, leaf};
use crate::publish::PrimaryFault;
use crate::txid::Txid;

/// Pages that are copied at once.
const STEP: i32 = 1024;
/// Without a WAL, writers get a turn between the steps.
const TURN: Duration = Duration::from_millis(5);
/// Without a WAL, a copy that writers came in between of is made again this often; then they wait.
const TRIES: usize = 5;

/// A state of a primary that is held for a copy.
pub(crate) struct SnapshotTask {
    open: Connection,
    path: PathBuf,
    /// Without a WAL nothing is held: that would keep writers waiting for as long as the copy takes.
    held: bool,
    txid: Txid,
    at: Timestamp,
}

/// A copy that has passed its checks.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Its file, to be published.
    pub segment: Segment,
    /// The hashes over it.
    pub tree: Tree,
    /// From the begin of the copy to the end of the check.
    pub took: Duration,
}

/// Whether SQLite has the table of its pages.
pub(crate) fn has_pages(open: &Connection) -> rusqlite::Result<bool> {
    let ask = "SELECT count(*) FROM pragma_module_list WHERE name = 'sqlite_dbpage'";
    open.query_row(ask, [], |row| row.get::<_, i64>(0)).map(|count| count > 0)
}

pub(super) fn needs_pages(open: &Connection) -> Result<(), PrimaryFault> {
    match has_pages(open) {
        Ok(true) => Ok(()),
        _ => Err(PrimaryFault::NoPages),
    }
}

impl SnapshotTask {
    /// Holds the present state.
    pub fn begin(path: &Path) -> Result<Self, PrimaryFault> {
        let open = connect(path)?;
        needs_pages(&open)?;
        let mode: String = open.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(unread(path))?;
        let held = mode == "wal";
        if held {
            begin_reading(&open).map_err(unread(path))?;
        }
        Ok(Self { open, path: path.to_owned(), held, txid: Txid(0), at: Timestamp::now() })
    }

    /// Says which state it is.
    pub fn numbered(mut self, txid: Txid, at: Timestamp) -> Self {
        (self.txid, self.at) = (txid, at);
        self
    }

    /// Copies and checks it. The copy lies in `scratch` meanwhile, the hashes over it in `trees`, and the file in `spool`.
    pub fn run(self, scratch: &Path, trees: &Path, spool: &Path) -> Result<Snapshot, PrimaryFault> {
        let begun = Instant::now();
        let local = |source| PrimaryFault::File { path: scratch.to_owned(), source };
        let folder = tempfile::Builder::new().prefix(".copy-").tempdir_in(scratch).map_err(local)?;
        let copy = folder.path().join("copy");
        let (page_size, first) = self.copy(&copy)?;
        let Self { open, path, txid, at, .. } = self;
        // Whatever was held can go.
        drop(open);
        let mut image = Image::open(&copy, page_size).map_err(local)?;
        // SQLite's copy has another schema cookie than the original: two schemas could come to have the same one.
        image.replace(1, &first).map_err(local)?;
        let (segment, tree) = std::thread::scope(|both| {
            let encoded = both.spawn(|| encode(&image, txid, at, trees, spool));
            passes(&copy, &path)?;
            let encoded = encoded.join().unwrap_or_else(|_| Err(io::Error::other("the file was not made").into()));
            encoded.map_err(|bad| local(io::Error::other(bad.to_string())))
        })?;
        Ok(Snapshot { segment, tree, took: begun.elapsed() })
    }

    /// Copies; the size of a page, and the first one as it is in the original.
    fn copy(&self, to: &Path) -> Result<(u32, Vec<u8>), PrimaryFault> {
        let fault = unread(&self.path);
        if self.held {
            return self.copied(to, None).map_err(fault);
        }
        for _ in 0..TRIES {
            let before = self.version().map_err(&fault)?;
            self.copied(to, Some(TURN)).map_err(&fault)?;
            begin_reading(&self.open).map_err(&fault)?;
            let found = self.first();
            let after = self.version();
            end(&self.open).map_err(&fault)?;
            if before == after.map_err(&fault)? {
                return found.map_err(fault);
            }
        }
        begin_reading(&self.open).map_err(&fault)?;
        self.copied(to, None).map_err(fault)
    }

    /// Changes when somebody else commits.
    fn version(&self) -> rusqlite::Result<i64> {
        self.open.query_row("PRAGMA data_version", [], |row| row.get(0))
    }

    fn copied(&self, to: &Path, turn: Option<Duration>) -> rusqlite::Result<(u32, Vec<u8>)> {
        let _ = std::fs::remove_file(to);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut copy = Connection::open_with_flags(to, flags)?;
        copy.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE")?;
        let backup = Backup::new(&self.open, &mut copy)?;
        while !matches!(backup.step(STEP)?, StepResult::Done) {
            if let Some(turn) = turn {
                std::thread::park_timeout(turn);
            }
        }
        drop(backup);
        self.first()
    }

    fn first(&self) -> rusqlite::Result<(u32, Vec<u8>)> {
        let page: Vec<u8> =
            self.open.query_row("SELECT data FROM sqlite_dbpage WHERE pgno = 1", [], |row| row.get(0))?;
        Ok((u32::try_from(page.len()).unwrap_or(u32::MAX), page))
    }
}

fn passes(copy: &Path, primary: &Path) -> Result<(), PrimaryFault> {
    match check(copy, true).map_err(unread(primary))? {
        None => Ok(()),
        Some(failed) => Err(PrimaryFault::Damaged { path: primary.to_owned(), check: failed.check, said: failed.said }),
    }
}

/// Makes the file, and the hashes, of all pages.
fn encode(image: &Image, txid: Txid, at: Timestamp, trees: &Path, spool: &Path) -> Result<(Segment, Tree), LtxFault> {
    let (page_size, pages) = (image.page_size(), image.pages());
    let timestamp = at.as_millisecond();
    let header = Header { no_checksum: true, page_size, commit: pages, min: Txid(1), max: txid, timestamp, before: 0 };
    let (file, path) = spool_file(spool)?;
    let mut encoder = Encoder::new(Hashing::new(BufWriter::with_capacity(256 << 10, file)), header)?;
    let mut tree = Tree::create(trees, page_size)?;
    let lock = lock_page(page_size);
    let written = image.pages_in_order()?.map(|page| {
        let (number, page) = page?;
        if number != lock {
            encoder.page(number, &page).map_err(|bad| io::Error::other(bad.to_string()))?;
        }
        Ok(leaf(number, &page))
    });
    tree.fill(written)?;
    let (out, size) = encoder.finish()?;
    let root = tree.root()?;
    let segment = Segment {
        min: Txid(1),
        max: txid,
        path,
        size,
        sha256: out.finish(),
        pages,
        page_size,
        root,
        before: None,
        at,
        captured: Instant::now(),
        page_bytes: u64::from(pages) * u64::from(page_size),
    };
    Ok((segment, tree))
}
