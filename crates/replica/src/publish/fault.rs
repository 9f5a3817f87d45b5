//! Why nothing was published.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::control::Pause;
use crate::store::StoreFault;

/// A primary that cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum PrimaryFault {
    /// It cannot be opened or read.
    #[error("the primary {} cannot be read: {source}", path.display())]
    Unread {
        /// Its file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Its file cannot be looked at.
    #[error("the primary {}: {source}", path.display())]
    File {
        /// Its file, or its WAL.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Its journal is not a WAL.
    #[error("the primary {} has journal_mode {mode}, and continuous publishing reads the WAL: run `PRAGMA journal_mode=WAL` in it, or publish at a period", path.display())]
    NoWal {
        /// Its file.
        path: PathBuf,
        /// What it has.
        mode: String,
    },
    /// A copy did not pass `integrity_check` or `foreign_key_check`.
    #[error("the primary {} is damaged, so nothing was published: {said}. Look at it with `PRAGMA {check}`", path.display())]
    Damaged {
        /// Its file.
        path: PathBuf,
        /// `integrity_check` or `foreign_key_check`.
        check: &'static str,
        /// Its first lines.
        said: String,
    },
    /// Its writers hold the lock for longer than this waits.
    #[error("the primary {} was locked for {waited_s} s by a writer or another publisher", path.display())]
    Busy {
        /// Its file.
        path: PathBuf,
        /// Seconds.
        waited_s: u64,
    },
    /// SQLite was compiled without the table of pages.
    #[error(
        "this build of SQLite has no sqlite_dbpage: build in the checkout, whose .cargo/config.toml asks for it, or set LIBSQLITE3_FLAGS=-DSQLITE_ENABLE_DBPAGE_VTAB"
    )]
    NoPages,
}

/// Why publishing ended, or did not begin.
#[derive(Debug, thiserror::Error)]
pub enum PublishFault {
    /// The primary.
    #[error(transparent)]
    Primary(#[from] PrimaryFault),
    /// A target did not do as asked.
    #[error("target {target}: {source}")]
    Store {
        /// Which one.
        target: String,
        /// What it says.
        source: StoreFault,
    },
    /// Another primary publishes there.
    #[error(
        "target {target}: {holder} publishes there, and its lease holds until {until}: stop it first, or take over with --take-over"
    )]
    Held {
        /// Which target.
        target: String,
        /// Who.
        holder: String,
        /// The end of the lease.
        until: Timestamp,
    },
    /// Another primary took over while this one was publishing. Nothing of this one was published since.
    #[error("target {target}: {holder} has taken over, so this publisher stops; nothing of it was published since")]
    Fenced {
        /// Which target.
        target: String,
        /// Who.
        holder: String,
    },
    /// Somebody paused it.
    #[error("target {target}: publishing was paused by {} at {}: {}. `replicate resume` lets it go on", pause.by, pause.at, pause.reason)]
    Paused {
        /// Which target.
        target: String,
        /// Who, when and why.
        pause: Pause,
    },
    /// What lies there was written by something else, or by a newer version.
    #[error("target {target}: {what}")]
    Foreign {
        /// Which target.
        target: String,
        /// What, and what to do.
        what: String,
    },
    /// A local file.
    #[error("{}: {source}", path.display())]
    Local {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is nowhere to publish to.
    #[error("there is no target to publish to")]
    NoTarget,
}
