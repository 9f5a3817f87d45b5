//! The primary: a database that others write while it is read here.
//!
//! The write-ahead log is read as a file. So that no frame of it is overwritten before it was read, one connection always has a read
//! transaction open (the pin). SQLite begins the log anew only when every frame was copied into the database and no reader uses the log.
//! A pin that was taken while frames were not all copied uses the log, and no new begin is possible. One that was taken when all
//! were copied reads the database alone; it then keeps frames from being copied, so the log can begin anew once at most, and only
//! from the very state that the pin sees. Pins overlap: the next one is taken before the last one ends.

mod capture;
mod copy;
mod increment;

pub(crate) use capture::{Capture, Outlook};
pub(crate) use copy::{Snapshot, SnapshotTask, has_pages};
pub(crate) use increment::{Hashing, Segment, spool_file};

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::publish::PrimaryFault;
use crate::wal::Wal;

/// How long a connection waits for a lock that somebody holds for a moment.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the log is looked at, while it begins anew in between.
const LOOKS: usize = 100;
/// How long the lock of writers is waited for, before it is tried again at the next occasion.
const FOR_WRITERS: Duration = Duration::from_millis(500);

/// The connections to a primary.
pub(crate) struct Primary {
    path: PathBuf,
    file: (u64, u64),
    pins: [Connection; 2],
    active: usize,
    writer: Connection,
    checkpoints: Connection,
    longest_lock: Duration,
}

/// Which file lies there.
fn file_at(path: &Path) -> Result<(u64, u64), PrimaryFault> {
    let facts = std::fs::metadata(path).map_err(|source| PrimaryFault::File { path: path.to_owned(), source })?;
    Ok((facts.dev(), facts.ino()))
}

fn unread(path: &Path) -> impl Fn(rusqlite::Error) -> PrimaryFault + '_ {
    move |source| PrimaryFault::Unread { path: path.to_owned(), source }
}

/// Opens a connection that makes no checkpoint of its own accord.
pub(crate) fn connect(path: &Path) -> Result<Connection, PrimaryFault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let open = Connection::open_with_flags(path, flags)?;
        // The last connection to a database copies its log and removes it, by its name. By then that may be the log of another
        // database, which was put in its place.
        open.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        open.busy_timeout(PATIENCE)?;
        open.execute_batch("PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-2000; PRAGMA temp_store=FILE")?;
        open.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(open)
    };
    open().map_err(unread(path))
}

/// Begins a transaction that sees what is committed now.
fn begin_reading(open: &Connection) -> rusqlite::Result<()> {
    open.execute_batch("BEGIN")?;
    open.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

fn end(open: &Connection) -> rusqlite::Result<()> {
    open.execute_batch("ROLLBACK")
}

impl Primary {
    /// Opens it, and pins its log. It has to have one.
    pub fn open(path: &Path) -> Result<Self, PrimaryFault> {
        let file = file_at(path)?;
        let pins = [connect(path)?, connect(path)?];
        let mode: String = pins[0].query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(unread(path))?;
        if mode != "wal" {
            return Err(PrimaryFault::NoWal { path: path.to_owned(), mode });
        }
        copy::needs_pages(&pins[0])?;
        let (writer, checkpoints) = (connect(path)?, connect(path)?);
        writer.busy_timeout(FOR_WRITERS).map_err(unread(path))?;
        begin_reading(&pins[0]).map_err(unread(path))?;
        let path = path.to_owned();
        Ok(Self { path, file, pins, active: 0, writer, checkpoints, longest_lock: Duration::ZERO })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is still the file that was opened.
    pub fn is_same_file(&self) -> Result<bool, PrimaryFault> {
        Ok(file_at(&self.path)? == self.file)
    }

    /// The longest time that writers had to wait for this one.
    pub fn longest_lock(&self) -> Duration {
        self.longest_lock
    }

    /// Takes a new pin, keeping the former one: whatever is committed between the two can still be read.
    fn pin_besides(&self) -> Result<(), PrimaryFault> {
        begin_reading(&self.pins[1 - self.active]).map_err(unread(&self.path))
    }

    /// Gives the former pin back. Everything that the new one sees was read.
    fn let_former_go(&mut self) -> Result<(), PrimaryFault> {
        let next = 1 - self.active;
        let former = std::mem::replace(&mut self.active, next);
        end(&self.pins[former]).map_err(unread(&self.path))
    }

    /// Copies frames into the database, as far as readers allow it, without keeping anybody waiting.
    fn checkpoint(&self) -> Result<(), PrimaryFault> {
        match self.checkpoints.wal_checkpoint_v2(Some("main"), CheckpointMode::PASSIVE) {
            // Somebody else makes one.
            Err(busy) if is_busy(&busy) => Ok(()),
            other => other.map(drop).map_err(unread(&self.path)),
        }
    }

    /// The log, and how many frames of it are committed. Both are of the same filling, but when the log just begins anew: then there
    /// are fewer frames than before, and the file says so with the first of them.
    fn seen(&self) -> Result<(Option<Wal>, u64), PrimaryFault> {
        let path = Wal::beside(&self.path);
        let file = |source| PrimaryFault::File { path: path.clone(), source };
        for _ in 0..LOOKS {
            let wal = Wal::open(&path).map_err(file)?;
            let frames = match self.checkpoints.wal_checkpoint_v2(Some("main"), CheckpointMode::NOOP) {
                Err(busy) if is_busy(&busy) => continue,
                other => other.map_err(unread(&self.path))?.0,
            };
            let Ok(frames) = u64::try_from(frames) else {
                return Err(PrimaryFault::NoWal { path: self.path.clone(), mode: "another one by now".to_owned() });
            };
            let still = wal.as_ref().map_or(Ok(true), Wal::is_current).map_err(file)?;
            // A log that is made in this moment has frames before it is seen.
            if still && (wal.is_some() || frames == 0) {
                return Ok((wal, frames));
            }
        }
        Err(PrimaryFault::Busy { path: self.path.clone(), waited_s: 0 })
    }

    /// Keeps writers waiting, when they let go of the lock in time.
    fn lock(&self) -> Result<bool, PrimaryFault> {
        match self.writer.execute_batch("BEGIN IMMEDIATE") {
            Err(busy) if is_busy(&busy) => Ok(false),
            other => other.map(|()| true).map_err(unread(&self.path)),
        }
    }

    /// Lets writers go on, who have waited since then.
    fn unlock(&mut self, since: Instant) -> Result<(), PrimaryFault> {
        let ended = end(&self.writer).map_err(unread(&self.path));
        self.longest_lock = self.longest_lock.max(since.elapsed());
        ended
    }
}

fn is_busy(bad: &rusqlite::Error) -> bool {
    matches!(bad.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

#[cfg(test)]
mod tests;
