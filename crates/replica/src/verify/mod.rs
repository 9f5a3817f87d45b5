//! Whether what was published is right.

mod replay;
mod sentinel;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::calls::Calls;
use crate::store::ObjectStore;
use crate::trust::Trust;
use crate::txid::Txid;

/// How a bucket is verified. [`VerifyOptions::new`] has the defaults.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// The bucket.
    pub store: Arc<dyn ObjectStore>,
    /// Whom it believes.
    pub trust: Trust,
    /// A folder for the copy that the newest chain is replayed into: as much room as the database. The copy is removed.
    pub scratch: PathBuf,
    /// The primary, to send a sentinel through: a row with a random value in the table `_akidb_replica_sentinel`, which is made there.
    pub sentinel: Option<PathBuf>,
    /// How long the sentinel may take.
    pub sentinel_timeout: Duration,
    /// One call of the store.
    pub request_timeout: Duration,
}

impl VerifyOptions {
    /// Without a sentinel; one would have 30 s.
    pub fn new(store: Arc<dyn ObjectStore>, trust: Trust, scratch: &Path) -> Self {
        Self {
            store,
            trust,
            scratch: scratch.to_owned(),
            sentinel: None,
            sentinel_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
        }
    }
}

/// What it comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum VerifyOutcome {
    /// The newest chain was replayed, and is right.
    Good,
    /// It is not: what is published cannot be trusted or restored.
    Bad(String),
    /// Nobody can tell: the store cannot be reached, nothing was published, the publisher is behind.
    Inconclusive(String),
}

/// How a sentinel went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sentinel {
    /// None was asked for.
    NotAsked,
    /// It came back after that time.
    Returned(Duration),
    /// It was written, and is not in what was published later. That is bad.
    Lost,
    /// Nothing was published after it in time.
    NotYet,
    /// It could not be written.
    Unwritten(String),
}

/// What was found.
#[derive(Clone, Debug)]
pub struct VerifyReport {
    /// What it comes to.
    pub verdict: VerifyOutcome,
    /// The newest state.
    pub txid: Option<Txid>,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// Objects that were replayed.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Whether signed Merkle roots proved every page.
    pub proven: bool,
    /// How the sentinel went.
    pub sentinel: Sentinel,
}

/// Replays the newest chain into a scratch file and checks it; sends a sentinel when asked to. What goes wrong is the verdict.
pub async fn verify(options: &VerifyOptions) -> VerifyReport {
    let calls = Calls::new(Arc::clone(&options.store), options.request_timeout);
    let mut report = VerifyReport {
        verdict: VerifyOutcome::Good,
        txid: None,
        published_at: None,
        objects: 0,
        bytes: 0,
        proven: false,
        sentinel: Sentinel::NotAsked,
    };
    let outcome = match &options.sentinel {
        None => replay::replay(&calls, options, &mut report).await.map(drop),
        Some(primary) => sentinel::round_trip(&calls, options, primary, &mut report).await,
    };
    if let Err(other) = outcome {
        report.verdict = other;
    }
    report
}
