//! Where a journal lies: a directory or a bucket, behind one trait.

use std::path::PathBuf;

use async_trait::async_trait;

use super::entry::Entry;
use super::fold::Contradiction;
use super::lease::Lease;

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

/// Keeps the entries of one stack and its lease.
#[async_trait]
pub trait Store: Send + Sync {
    /// Where it lies, for a person.
    fn place(&self) -> String;

    /// All entries, oldest first. None yet is no error.
    async fn load(&self) -> Result<Vec<Entry>, LedgerError>;

    /// Adds entries; they are on disk (or in the bucket) when this returns.
    async fn append(&self, entries: &[Entry], lease: &Lease) -> Result<(), LedgerError>;

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

/// Reads the lines of a journal. An unfinished last line (the power went) is left out; anything else that cannot be read
/// is refused.
///
/// # Errors
/// When a line is no entry, or of a newer format.
pub fn parse(place: &str, text: &str) -> Result<Vec<Entry>, LedgerError> {
    let mut entries = Vec::new();
    let finished = text.rfind('\n').map_or("", |end| &text[..end]);
    for (at, line) in finished.lines().enumerate() {
        let corrupt = |problem: String| LedgerError::Corrupt { place: place.to_owned(), line: at + 1, problem };
        let raw: serde_json::Value = serde_json::from_str(line).map_err(|bad| corrupt(bad.to_string()))?;
        let found = raw.get("v").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if found > u64::from(super::entry::FORMAT) {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            return Err(LedgerError::Newer { place: place.to_owned(), found, known: super::entry::FORMAT });
        }
        entries.push(serde_json::from_value(raw).map_err(|bad| corrupt(bad.to_string()))?);
    }
    Ok(entries)
}

/// Writes entries as lines.
pub fn lines(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        text.push_str(&serde_json::to_string(entry).unwrap_or_default());
        text.push('\n');
    }
    text
}
