//! Where a journal lies: a directory or a bucket, behind one trait.

use std::collections::BTreeSet;
use std::time::SystemTime;

use async_trait::async_trait;

use super::entry::Entry;
use super::error::LedgerError;
use super::history::TypicalDurations;
use super::journal_copy::JournalCopy;
use super::lease::Lease;
use crate::resource::StackState;

/// What a store gives when it is opened.
#[derive(Clone, Debug, Default)]
pub struct LoadedJournal {
    /// What the entries before `entries` come to; none: `entries` are all there are.
    pub base: Option<StackState>,
    /// How long things took in the entries before.
    pub usual: TypicalDurations,
    /// Entries, oldest first.
    pub entries: Vec<Entry>,
}

/// Keeps the entries of one stack and its lease.
#[async_trait]
pub trait Store: Send + Sync {
    /// Where it lies, for a person.
    fn place(&self) -> String;

    /// The state with the entries that lead to it. None yet is not an error.
    async fn load(&self) -> Result<LoadedJournal, LedgerError>;

    /// Loads for writing under a lease: from now on whoever held it before cannot write.
    async fn claim(&self, lease: &Lease) -> Result<LoadedJournal, LedgerError>;

    /// All entries, oldest first.
    async fn history(&self) -> Result<Vec<Entry>, LedgerError> {
        Ok(self.load().await?.entries)
    }

    /// Adds entries; they are on disk (or in the bucket) when this returns.
    async fn append(&self, entries: &[Entry], lease: &Lease) -> Result<(), LedgerError>;

    /// Keeps a content apart from the journal, readable for the same user only. It is there when this returns.
    async fn keep(&self, _sha256: &str, _bytes: &[u8]) -> Result<(), LedgerError> {
        Ok(())
    }

    /// A content that was kept apart; none when it is not there.
    async fn kept(&self, _sha256: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(None)
    }

    /// Removes contents that were kept apart before a moment and that no line of a journal names. `named` are known to be needed.
    /// A bucket keeps all of them.
    async fn sweep(&self, _named: &BTreeSet<String>, _before: SystemTime, _lease: &Lease) -> Result<(), LedgerError> {
        Ok(())
    }

    /// All lines as they were written.
    async fn text(&self) -> Result<String, LedgerError>;

    /// Keeps the present journal beside it, whatever it is; gives the place.
    async fn keep_aside(&self) -> Result<String, LedgerError>;

    /// Puts another journal in the place of the present one, under the lease.
    async fn replace(&self, whole: &JournalCopy, lease: &Lease) -> Result<(), LedgerError>;

    /// After [`load`](Self::load): the older format that the next entry leaves behind, and where the journal of that format is
    /// kept then.
    fn older(&self) -> Option<(u32, String)> {
        None
    }

    /// Makes sure, without a lease, that of two writers one is refused here. A bucket may get an object for a moment.
    async fn probe(&self) -> Result<(), LedgerError> {
        Ok(())
    }

    /// The lease that lies there, whoever holds it.
    async fn lease(&self) -> Result<Option<Lease>, LedgerError>;

    /// Takes the lease; a stale one is taken over.
    async fn acquire(&self, lease: &Lease) -> Result<(), LedgerError>;

    /// Writes a later end; fails when it is not ours any longer.
    async fn renew(&self, lease: &Lease) -> Result<(), LedgerError>;

    /// Gives it back; one that is not ours is left alone.
    async fn release(&self, lease: &Lease) -> Result<(), LedgerError>;

    /// Takes it away from whoever holds it: the next write of that holder is refused.
    async fn break_lease(&self) -> Result<(), LedgerError>;
}
