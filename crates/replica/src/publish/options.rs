//! What is published, where to, and how.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::store::ObjectStore;
use crate::trust::SigningKey;

/// A bucket that is published to, as a rule one in each region.
#[derive(Clone, Debug)]
pub struct PublishTarget {
    /// What it is called in messages and metrics: the region.
    pub name: String,
    /// Where objects go.
    pub store: Arc<dyn ObjectStore>,
}

/// Which snapshots are kept. The newest one always is, and whatever a kept one needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retention {
    /// Older ones go.
    pub age: Duration,
    /// Never fewer than this many, whatever their age.
    pub at_least: usize,
    /// Never more than this many.
    pub at_most: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_secs(7 * 24 * 3600), at_least: 2, at_most: 336 }
    }
}

/// How a database is published. [`PublishOptions::new`] has the defaults.
#[derive(Clone, Debug)]
pub struct PublishOptions {
    /// The primary's file.
    pub database: PathBuf,
    /// A folder for copies and for what is not delivered yet: as much room as the database, and `spool_limit`.
    pub scratch: PathBuf,
    /// All are written at the same time; one that is down does not hold the others up.
    pub targets: Vec<PublishTarget>,
    /// Signs what is published.
    pub key: Option<Arc<SigningKey>>,
    /// Who publishes: a name that another start of the same primary has, too (`host:path`).
    pub holder: String,
    /// Whether to publish although the lease of another holder has not ended.
    pub take_over: bool,
    /// How long a lease holds after the last sign of life.
    pub lease: Duration,
    /// What is kept.
    pub retention: Retention,
    /// Continuous: no more objects than one in this time.
    pub sync_interval: Duration,
    /// Continuous: a new snapshot after this time, when something has changed.
    pub snapshot_every: Duration,
    /// Continuous: a sign of life in this distance while nothing changes; `None`: not a single request then.
    pub heartbeat: Option<Duration>,
    /// A change that waits longer than this is a stall.
    pub stall_after: Duration,
    /// One call of a store.
    pub request_timeout: Duration,
    /// Continuous: the primary's WAL is emptied when it has grown to this.
    pub wal_limit: u64,
    /// Continuous: what waits for a target that is down; beyond that it is merged, or a snapshot takes its place.
    pub spool_limit: u64,
}

impl PublishOptions {
    /// The defaults.
    pub fn new(database: &Path, scratch: &Path, targets: Vec<PublishTarget>, holder: &str) -> Self {
        Self {
            database: database.to_owned(),
            scratch: scratch.to_owned(),
            targets,
            key: None,
            holder: holder.to_owned(),
            take_over: false,
            lease: Duration::from_secs(60),
            retention: Retention::default(),
            sync_interval: Duration::from_millis(100),
            snapshot_every: Duration::from_secs(24 * 3600),
            heartbeat: None,
            stall_after: Duration::from_secs(3),
            request_timeout: Duration::from_secs(10),
            wal_limit: 8 << 20,
            spool_limit: 256 << 20,
        }
    }
}
