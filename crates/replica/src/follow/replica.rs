//! A replica's database: changed page by page, within one transaction of SQLite, beneath whoever reads it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::FollowFault;
use super::state::{Memory, State, folder};
use super::write::{WAL_MODE, Write};
use crate::fetch::Fetched;
use crate::image::Image;
use crate::ltx::Decoder;
use crate::merkle::{Root, Tree, leaf};
use crate::txid::Txid;

/// How long the replica is waited for, when somebody else writes it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of the log that are not worth a checkpoint, and those that are worth cutting it.
const LOG: (u64, u64) = (4 << 20, 64 << 20);

/// An open replica.
pub(super) struct Replica {
    path: PathBuf,
    open: Connection,
    tree: Tree,
    state: Option<State>,
    /// Changes when somebody else writes.
    version: i64,
    /// Device and number of its file.
    file: Option<(u64, u64)>,
}

/// What a state has to come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    /// Its number.
    pub txid: Txid,
    /// The primary's turn.
    pub epoch: u64,
    /// The root that is claimed; without a proof, whatever it comes to.
    pub root: Option<Root>,
    /// Whether SQLite has to look at every page before readers see it.
    pub check: bool,
}

/// What was applied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Applied {
    /// Pages that were written.
    pub pages: u64,
    /// The transaction of SQLite, from its first page to its end.
    pub swap: Duration,
}

/// Why nothing was applied.
pub(super) enum ApplyFault {
    /// An object, or what came of it, is not right.
    Refused(String),
    /// It has to be built beside the replica and checked there: SQLite keeps in mind whether a database vacuums itself.
    Rebuild,
    /// The replica.
    Replica(FollowFault),
}

impl From<FollowFault> for ApplyFault {
    fn from(bad: FollowFault) -> Self {
        Self::Replica(bad)
    }
}

pub(super) fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> FollowFault + '_ {
    move |source| match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => FollowFault::Full { path: path.to_owned() },
        _ => FollowFault::Replica { path: path.to_owned(), source },
    }
}

pub(super) fn local(path: &Path) -> impl Fn(io::Error) -> FollowFault + '_ {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FollowFault::Full { path: path.to_owned() },
        _ => FollowFault::Local { path: path.to_owned(), source },
    }
}

fn file_at(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|facts| (facts.dev(), facts.ino()))
}

fn connect(path: &Path) -> Result<Connection, FollowFault> {
    let fault = sqlite(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = Connection::open_with_flags(path, flags).map_err(&fault)?;
    // Its log stays when this is the last connection: a reader on a read-only mount cannot make one.
    open.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(&fault)?;
    open.busy_timeout(PATIENCE).map_err(&fault)?;
    let set = "PRAGMA cache_size=-8192; PRAGMA temp_store=FILE; PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=NORMAL";
    open.execute_batch(set).map_err(&fault)?;
    if !crate::primary::has_pages(&open).map_err(&fault)? {
        return Err(FollowFault::NoPages);
    }
    let mode: String = open.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0)).map_err(&fault)?;
    if mode != "wal" {
        return Err(FollowFault::NoWal { path: path.to_owned(), mode });
    }
    Ok(open)
}

/// Whether a database vacuums itself, by its first page.
fn vacuums(first: &[u8]) -> bool {
    first[52..56] != [0; 4]
}

impl Replica {
    /// Puts a database that was built in a place where none lies. The log of a database that was removed goes first: SQLite would
    /// apply it to this one.
    pub fn install(path: &Path, built: &Path, page_size: u32) -> Result<(), FollowFault> {
        for left in crate::restore::build::files(path).skip(1) {
            match fs::remove_file(&left) {
                Err(bad) if bad.kind() != io::ErrorKind::NotFound => return Err(local(&left)(bad)),
                _ => {}
            }
        }
        let image = Image::open(built, page_size).map_err(local(built))?;
        // From here on it has a log, whatever the primary has: readers are never kept waiting.
        image.patch(18, &WAL_MODE).and_then(|()| image.settle()).map_err(local(built))?;
        fs::hard_link(built, path).or_else(|_| fs::rename(built, path)).map_err(local(path))
    }

    /// Opens a replica. What is remembered of it is compared with every page of it.
    pub fn open(path: &Path, memory: Option<&Memory>) -> Result<Self, FollowFault> {
        let fault = sqlite(path);
        let file = file_at(path);
        let open = connect(path)?;
        let beside = folder(path);
        fs::create_dir_all(&beside).map_err(local(&beside))?;
        let page_size: u32 = open.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(&fault)?;
        let tree = Tree::create(&beside, page_size).map_err(local(&beside))?;
        let mut own = Self { path: path.to_owned(), open, tree, state: None, version: 0, file };
        own.recall(memory)?;
        Ok(own)
    }

    /// Hashes every page, and finds out which of the remembered states this is.
    fn recall(&mut self, memory: Option<&Memory>) -> Result<(), FollowFault> {
        let fault = sqlite(&self.path);
        self.version = self.version_now().map_err(&fault)?;
        let mut asked = self.open.prepare("SELECT pgno, data FROM sqlite_dbpage ORDER BY pgno").map_err(&fault)?;
        let mut first = Vec::new();
        let leaves = asked.query_map([], |row| {
            let (number, page): (u32, _) = (row.get(0)?, row.get_ref(1)?);
            let page = page.as_blob()?;
            if number == 1 {
                first = page.to_vec();
            }
            Ok(leaf(number, page))
        });
        let leaves = leaves.map_err(&fault)?.map(|leaf| leaf.map_err(io::Error::other));
        self.tree.fill(leaves).map_err(local(&self.path))?;
        self.state = None;
        for state in memory.iter().flat_map(|memory| &memory.states) {
            if state.pages != self.tree.pages() || state.page_size as usize != first.len() {
                continue;
            }
            let mut original = first.clone();
            state.original(&mut original);
            let root = self.tree.change(&[(1, leaf(1, &original))], state.pages).and_then(|()| self.tree.root());
            if root.map_err(local(&self.path))? == state.root {
                self.state = Some(state.clone());
                break;
            }
        }
        Ok(())
    }

    /// The state that it is in; `None`: it is not one that was published, or nobody knows which.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// Whether its file is still the one that lies there.
    pub fn is_in_its_place(&self) -> bool {
        self.file.is_some() && file_at(&self.path) == self.file
    }

    fn version_now(&self) -> rusqlite::Result<i64> {
        self.open.query_row("PRAGMA data_version", [], |row| row.get(0))
    }

    /// Whether nobody else has written to it.
    pub fn is_untouched(&self) -> Result<bool, FollowFault> {
        Ok(self.version_now().map_err(sqlite(&self.path))? == self.version)
    }

    /// Applies increments that follow its state, all or none.
    pub fn follow(
        &mut self,
        objects: &mut [Fetched],
        goal: Goal,
        memory: RecordState<'_>,
    ) -> Result<Applied, ApplyFault> {
        self.transaction(goal, memory, |write| {
            for object in &mut *objects {
                let reader = object.reader().map_err(local(&write.path))?;
                let mut decoder = Decoder::new(reader).map_err(|bad| write.damaged(bad))?;
                write.same_size(decoder.header().page_size)?;
                let mut page = vec![0; decoder.header().page_size as usize];
                while let Some(number) = decoder.page(&mut page).map_err(|bad| write.damaged(bad))? {
                    write.page(number, &page)?;
                }
                let header = decoder.finish().map_err(|bad| write.damaged(bad))?;
                write.resize(header.commit)?;
            }
            Ok(())
        })
    }

    /// Makes it equal to a database that was built beside it, writing only the pages that differ.
    pub fn become_like(&mut self, built: &Image, goal: Goal, memory: RecordState<'_>) -> Result<Applied, ApplyFault> {
        self.transaction(goal, memory, |write| {
            write.same_size(built.page_size())?;
            let lock = crate::ltx::lock_page(built.page_size());
            for page in built.pages_in_order().map_err(local(&write.path))? {
                let (number, page) = page.map_err(local(&write.path))?;
                let known = write.tree.leaf(number).map_err(local(&write.path))?;
                if number == 1 || number != lock && known != Some(leaf(number, &page)) {
                    write.page(number, &page)?;
                }
            }
            write.resize(built.pages())
        })
    }

    fn transaction(
        &mut self,
        goal: Goal,
        memory: RecordState<'_>,
        fill: impl FnOnce(&mut Write<'_>) -> Result<(), ApplyFault>,
    ) -> Result<Applied, ApplyFault> {
        let path = self.path.clone();
        let begun = Instant::now();
        self.open.execute_batch("BEGIN IMMEDIATE").map_err(sqlite(&path))?;
        let done = self.calm().map_err(Into::into).and_then(|()| self.written(goal, memory, fill, begun));
        if done.is_err() {
            // Some faults have ended the transaction already.
            let _ = self.open.execute_batch("ROLLBACK");
            // The tree is ahead of the database.
            let known = self.state.take();
            let states = known.iter().cloned().collect();
            let position = super::Position::unknown();
            self.recall(Some(&Memory::new(position, states, None)))?;
        }
        done
    }

    /// At a commit, SQLite moves pages of a database that vacuums itself by then. Here it is told not to: pages come from the primary
    /// as they are. The setting is written to the first page, which is written last, as the primary has it.
    fn calm(&self) -> Result<(), FollowFault> {
        let mode: i64 = self.open.query_row("PRAGMA auto_vacuum", [], |row| row.get(0)).map_err(sqlite(&self.path))?;
        if mode == 1 {
            self.open.execute_batch("PRAGMA auto_vacuum=INCREMENTAL").map_err(sqlite(&self.path))
        } else {
            Ok(())
        }
    }

    fn first(&self) -> Result<Vec<u8>, FollowFault> {
        let ask = "SELECT data FROM sqlite_dbpage WHERE pgno = 1";
        self.open.query_row(ask, [], |row| row.get(0)).map_err(sqlite(&self.path))
    }

    fn written(
        &mut self,
        goal: Goal,
        memory: RecordState<'_>,
        fill: impl FnOnce(&mut Write<'_>) -> Result<(), ApplyFault>,
        begun: Instant,
    ) -> Result<Applied, ApplyFault> {
        let path = self.path.clone();
        let known = self.state.clone();
        let mut first = self.first()?;
        let vacuumed = vacuums(&first);
        if let Some(known) = &known {
            known.original(&mut first);
        }
        let highest = self.tree.pages();
        let put = self.open.prepare("INSERT INTO sqlite_dbpage(pgno, data) VALUES (?1, ?2)").map_err(sqlite(&path))?;
        // Pages that SQLite has read as a part of a B-tree keep what it worked out of them: those of the schema. They are forgotten before
        // they are written as plain pages. The first one is in use; see `reread_first`.
        self.open.execute_batch("PRAGMA shrink_memory").map_err(sqlite(&path))?;
        let (tree, leaves) = (&mut self.tree, Vec::new());
        let mut write = Write { path: path.clone(), put, tree, leaves, first, highest, written: 0 };
        fill(&mut write)?;
        let (pages, highest, first) = write.finish()?;
        self.reread_first()?;
        let root = self.tree.root().map_err(local(&path))?;
        if goal.root.is_some_and(|claimed| claimed != root) {
            let why = "the Merkle root of its pages differs from its proof";
            return Err(ApplyFault::Refused(why.to_owned()));
        }
        if goal.check && vacuums(&first) != vacuumed {
            return Err(ApplyFault::Rebuild);
        }
        if goal.check {
            self.sound()?;
        }
        if highest > self.tree.pages() {
            self.cut()?;
        }
        let state = State::new(goal.txid, goal.epoch, root, self.tree.pages(), &first);
        memory(known.as_ref(), &state)?;
        self.open.execute_batch("COMMIT").map_err(sqlite(&path))?;
        let swap = begun.elapsed();
        self.state = Some(state);
        if vacuums(&first) != vacuumed {
            self.open = connect(&path)?;
            self.version = self.version_now().map_err(sqlite(&path))?;
        }
        Ok(Applied { pages, swap })
    }

    /// Lets SQLite read the first page again: how many tables the schema has, and how many pages the database. It does that for a page
    /// that it puts back, so another value is written and put back; this pragma does not look at the schema. Without it, SQLite takes
    /// the tables of the former state for all there are, and their check reports the pages of a new one as never used.
    fn reread_first(&self) -> Result<(), FollowFault> {
        let again = "SAVEPOINT pages; PRAGMA application_id=1; ROLLBACK TO pages; RELEASE pages";
        self.open.execute_batch(again).map_err(sqlite(&self.path))
    }

    /// Asks SQLite about every page, as the transaction has left it.
    fn sound(&self) -> Result<(), ApplyFault> {
        let said: Result<String, _> = self.open.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
        match said {
            Ok(said) if said == "ok" => Ok(()),
            Ok(said) => Err(ApplyFault::Refused(format!("integrity_check: {said}"))),
            Err(bad) if bad.sqlite_error_code() == Some(ErrorCode::DiskFull) => Err(sqlite(&self.path)(bad).into()),
            Err(bad) => Err(ApplyFault::Refused(format!("integrity_check: {bad}"))),
        }
    }

    /// Cuts what is behind the last page. It has to be the last write: SQLite does it at the commit, unless something else is written.
    fn cut(&self) -> Result<(), FollowFault> {
        let pages = self.tree.pages();
        let cut = "INSERT INTO sqlite_dbpage(pgno, data) VALUES (?1, NULL)";
        self.open.execute(cut, [pages + 1]).map(drop).map_err(sqlite(&self.path))
    }

    /// Keeps the log short, as far as readers allow it.
    pub fn tidy(&self) -> Result<(), FollowFault> {
        let log = fs::metadata(crate::wal::Wal::beside(&self.path)).map_or(0, |facts| facts.len());
        let mode = match log {
            bytes if bytes < LOG.0 => return Ok(()),
            bytes if bytes < LOG.1 => CheckpointMode::PASSIVE,
            _ => CheckpointMode::TRUNCATE,
        };
        self.open.busy_timeout(Duration::from_millis(50)).map_err(sqlite(&self.path))?;
        let done = self.open.wal_checkpoint_v2(Some("main"), mode);
        self.open.busy_timeout(PATIENCE).map_err(sqlite(&self.path))?;
        match done {
            Err(bad)
                if !matches!(bad.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) =>
            {
                Err(sqlite(&self.path)(bad))
            }
            _ => Ok(()),
        }
    }
}

/// Remembers the states before and after a transaction, just before it is committed.
pub(super) type RecordState<'a> = &'a (dyn Fn(Option<&State>, &State) -> Result<(), FollowFault> + Sync);
