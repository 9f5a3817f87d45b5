//! Why a replica was not changed.

use std::io;
use std::path::PathBuf;

use crate::control::Pause;
use crate::store::StoreFault;

/// Why a replica stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum FollowFault {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// Nothing was published there.
    #[error("{store}: nothing was published there yet")]
    Empty {
        /// The store's name.
        store: String,
    },
    /// An object is not what it has to be. It was not applied.
    #[error("{store}: {key} is refused: {why}")]
    Refused {
        /// The store's name.
        store: String,
        /// The object.
        key: String,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The replica's file.
    #[error("the replica {}: {source}", path.display())]
    Replica {
        /// Its file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Somebody keeps it from having a WAL.
    #[error("the replica {} has journal_mode {mode} and is in use, so it cannot be changed beneath its readers: stop them once, or remove it", path.display())]
    NoWal {
        /// Its file.
        path: PathBuf,
        /// What it has.
        mode: String,
    },
    /// No room for it.
    #[error("the replica {}: the disk is full, so it stays as it is", path.display())]
    Full {
        /// Its file.
        path: PathBuf,
    },
    /// A file beside it.
    #[error("{}: {source}", path.display())]
    Local {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Open connections cannot live through that.
    #[error("the replica {} has pages of {here} bytes, and the primary of {there}: stop its readers and remove it, then it is made anew", path.display())]
    PageSize {
        /// Its file.
        path: PathBuf,
        /// Bytes of its pages.
        here: u32,
        /// Bytes of the primary's pages.
        there: u32,
    },
    /// Somebody paused it.
    #[error("following was paused by {} at {}: {}. `replicate resume` lets it go on", .0.by, .0.at, .0.reason)]
    Paused(Pause),
    /// SQLite was compiled without the table of pages.
    #[error(
        "this build of SQLite has no sqlite_dbpage: build in the checkout, whose .cargo/config.toml asks for it, or set LIBSQLITE3_FLAGS=-DSQLITE_ENABLE_DBPAGE_VTAB"
    )]
    NoPages,
}
