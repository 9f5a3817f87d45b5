//! The position of a replica.

use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::Memory;
use crate::txid::Txid;

/// Where a replica is. It is kept in a file beside the replica, for other processes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Position {
    /// Its state.
    pub txid: Txid,
    /// When that state was published, by the primary's clock.
    pub published_at: Timestamp,
    /// When the bucket was last seen to have nothing newer, by this machine's clock.
    pub seen_at: Timestamp,
    /// The last sign of life of the publisher, by its own clock, where it gives signs while nothing changes.
    pub alive_at: Option<Timestamp>,
}

/// A replica that is older than it may be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the replica is {} s old, and may be {} s: its state {txid} was published at {published_at}. `replicate status` shows what holds it up", staleness.as_secs(), allowed.as_secs())]
pub struct TooOld {
    /// Its state.
    pub txid: Txid,
    /// When it was published.
    pub published_at: Timestamp,
    /// Its age.
    pub staleness: Duration,
    /// What it may be.
    pub allowed: Duration,
}

impl Position {
    /// The position of a replica's file; `None` when no follower has written one.
    ///
    /// # Errors
    /// The file beside it cannot be read.
    pub fn of(database: &Path) -> io::Result<Option<Self>> {
        Ok(Memory::read(database)?.map(|memory| memory.position))
    }

    /// Of a replica that nothing is known of.
    pub(super) fn unknown() -> Self {
        let never = Timestamp::UNIX_EPOCH;
        Self { txid: Txid(0), published_at: never, seen_at: never, alive_at: None }
    }

    /// How old the replica may be: the time since it was last known to be as new as the primary. With a publisher that gives no signs
    /// of life that is as new as the bucket.
    pub fn staleness(&self, now: Timestamp) -> Duration {
        let known = self.alive_at.map_or(self.seen_at, |alive| alive.min(self.seen_at));
        // A clock that jumped back makes nothing fresh or old.
        now.duration_since(known).try_into().unwrap_or_default()
    }

    /// Whether a reader sees what was committed before that state was published: read-after-write.
    pub fn covers(&self, txid: Txid) -> bool {
        self.txid >= txid
    }

    /// Whether it is not too old.
    ///
    /// # Errors
    /// It is.
    pub fn require(&self, allowed: Duration, now: Timestamp) -> Result<(), TooOld> {
        let staleness = self.staleness(now);
        if staleness <= allowed {
            return Ok(());
        }
        Err(TooOld { txid: self.txid, published_at: self.published_at, staleness, allowed })
    }
}
