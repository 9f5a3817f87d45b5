//! Where a journal lies: a directory or a bucket, behind one trait.

use std::path::PathBuf;

use async_trait::async_trait;

use super::entry::Entry;
use super::fold::Contradiction;
use super::history::Usual;
use super::lease::Lease;
use crate::resource::Remembered;

/// What went wrong with a journal or its lease: what failed, why, and the next step.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Somebody else holds the lease.
    #[error(
        "the stack is being changed by {}@{} (process {}, `{}`) since {:.0}; the lease ends at {:.0}",
        .0.user, .0.host, .0.pid, .0.command, .0.since, .0.expires
    )]
    Locked(Box<Lease>),
    /// The lease was lost: nothing more may be done.
    #[error("the lease on the stack was lost: {0}; nothing more was begun. Run the same command again")]
    LeaseLost(String),
    /// The journal cannot be read.
    #[error("the journal {place} cannot be read at line {line}: {problem}")]
    Corrupt {
        /// Where it lies.
        place: String,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A newer version wrote it.
    #[error("the journal {place} has format {found}, this version knows {known}: use a newer akidb-edge")]
    Newer {
        /// Where it lies.
        place: String,
        /// The format found.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// Its entries contradict each other.
    #[error("the journal {place} contradicts itself: {source}")]
    Contradicts {
        /// Where it lies.
        place: String,
        /// How.
        source: Contradiction,
    },
    /// A process holds the guard of the state and does not go on.
    #[error("{0}: another process of this machine is writing here and does not go on; it may be stopped")]
    Guarded(PathBuf),
    /// The file system is full.
    #[error("{path}: the file system is full: {needed} more bytes must fit for the next entries of the journal")]
    Full {
        /// The file.
        path: PathBuf,
        /// Bytes that did not fit.
        needed: usize,
    },
    /// An entry before this one could not be written.
    #[error("the journal {0} could not be written before; nothing more is begun")]
    Broken(String),
    /// The file system refused.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bucket refused.
    #[error("s3 {operation} on {place}: {problem}")]
    Bucket {
        /// The call.
        operation: &'static str,
        /// Bucket and key.
        place: String,
        /// Why.
        problem: String,
    },
}

/// What a store gives when it is opened.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// What the entries before `entries` come to; none: `entries` are all there are.
    pub base: Option<Remembered>,
    /// How long things took in the entries before.
    pub usual: Usual,
    /// Entries, oldest first.
    pub entries: Vec<Entry>,
}

/// Keeps the entries of one stack and its lease.
#[async_trait]
pub trait Store: Send + Sync {
    /// Where it lies, for a person.
    fn place(&self) -> String;

    /// The state with the entries that lead to it. None yet is no error.
    async fn load(&self) -> Result<Loaded, LedgerError>;

    /// All entries, oldest first.
    async fn history(&self) -> Result<Vec<Entry>, LedgerError> {
        Ok(self.load().await?.entries)
    }

    /// Adds entries; they are on disk (or in the bucket) when this returns.
    async fn append(&self, entries: &[Entry], lease: &Lease) -> Result<(), LedgerError>;

    /// After [`load`](Self::load): the older format that the next entry leaves behind, and where the journal of that format is
    /// kept then.
    fn older(&self) -> Option<(u32, String)> {
        None
    }

    /// The lease that lies there, whoever holds it.
    async fn lease(&self) -> Result<Option<Lease>, LedgerError>;

    /// Takes the lease; a stale one is taken over.
    async fn acquire(&self, lease: &Lease) -> Result<(), LedgerError>;

    /// Writes a later end; fails when it is not ours any more.
    async fn renew(&self, lease: &Lease) -> Result<(), LedgerError>;

    /// Gives it back; one that is not ours is left alone.
    async fn release(&self, lease: &Lease) -> Result<(), LedgerError>;

    /// Takes it away from whoever holds it.
    async fn break_lease(&self) -> Result<(), LedgerError>;
}
