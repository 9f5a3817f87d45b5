//! Metrics for the caller to print.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::txid::Txid;

/// What was published to one target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetMetrics {
    /// The newest state that lies there.
    pub txid: Txid,
    /// When something was published or found up to date there.
    pub last_success: Option<Timestamp>,
    /// The age of the oldest change that is not there yet; zero when all are.
    pub lag_seconds: f64,
    /// Bytes of objects that were written.
    pub bytes: u64,
    /// Objects of the chain that were written.
    pub files: u64,
    /// Objects since the newest snapshot.
    pub chain_length: u64,
    /// Calls of each kind: `PUT`, `GET`, `LIST`, `DELETE`.
    pub requests: BTreeMap<&'static str, u64>,
    /// Calls that failed.
    pub faults: u64,
    /// How often changes waited longer than they may.
    pub stalls: u64,
    /// Whether they do now.
    pub stalled: bool,
    /// Objects that were removed: too old or too many.
    pub removed: u64,
}

/// What a publisher does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PublishMetrics {
    /// By the name of the target.
    pub targets: BTreeMap<String, TargetMetrics>,
    /// Snapshots that did not pass their check, and were not published.
    pub verify_failures: u64,
    /// Snapshots that were taken.
    pub snapshots: u64,
    /// Bytes of the primary's WAL.
    pub wal_bytes: u64,
    /// The longest time that the primary's writers were kept waiting for, in seconds.
    pub longest_lock_seconds: f64,
    /// Whether publishing is paused.
    pub paused: bool,
}

/// What a follower does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FollowMetrics {
    /// The state of the replica.
    pub txid: Txid,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// When the replica was last known to be as new as the bucket.
    pub last_success: Option<Timestamp>,
    /// Bytes that were read.
    pub bytes: u64,
    /// Objects that were applied.
    pub files: u64,
    /// Objects that were refused: hash, signature, Merkle root or check.
    pub verify_failures: u64,
    /// Calls that failed.
    pub faults: u64,
    /// What the last look that failed said.
    pub last_fault: Option<String>,
    /// How often the replica was older than it may be.
    pub stalls: u64,
    /// Whether it is now.
    pub stalled: bool,
    /// Seconds that the last new state took to become visible to readers: the transaction of SQLite.
    pub swap_seconds: f64,
    /// Whether following is paused.
    pub paused: bool,
}

/// Numbers that one task changes and others read.
#[derive(Debug)]
pub struct Board<T>(Arc<Mutex<T>>);

impl<T> Clone for Board<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Default> Default for Board<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> Board<T> {
    /// The numbers as they are.
    pub fn read(&self) -> T {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn change<R>(&self, with: impl FnOnce(&mut T) -> R) -> R {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
