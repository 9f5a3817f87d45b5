//! Events of a publisher.

use std::time::Duration;

use crate::txid::Txid;

/// Why a whole snapshot is published and not only what changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// It was asked for: once, or at a period.
    Asked,
    /// Publishing begins, and nobody saw what happened before.
    Start,
    /// The last one is old enough.
    Age,
    /// The WAL began anew, and not by this publisher: something may have been missed.
    WalReset,
    /// Another file lies at the primary's path.
    Replaced,
    /// The pages have another size, or a single transaction changed very many.
    Rewritten,
    /// A target was down longer than its backlog could be kept for.
    Backlog,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum PublishEvent {
    /// A snapshot was taken and has passed its check.
    Snapshot {
        /// Why.
        reason: Reason,
        /// Which state.
        txid: Txid,
        /// Pages of the database.
        pages: u32,
        /// Bytes of the object.
        bytes: u64,
        /// From the begin to the end of the check.
        took: Duration,
    },
    /// A target has a new state.
    Published {
        /// Which target.
        target: String,
        /// Which state.
        txid: Txid,
        /// Bytes of the object.
        bytes: u64,
        /// From the commit (or the begin of the snapshot) to the store's answer.
        lag: Duration,
    },
    /// Nothing has changed since the last snapshot.
    Unchanged {
        /// Which target.
        target: String,
        /// Its state.
        txid: Txid,
    },
    /// A call failed, and is tried again.
    Retrying {
        /// Which target.
        target: String,
        /// What failed, and why.
        why: String,
        /// The pause before the next try.
        pause: Duration,
    },
    /// Changes wait longer than they may.
    Stalled {
        /// Which target.
        target: String,
        /// The age of the oldest one.
        lag: Duration,
        /// What the last call said.
        why: String,
    },
    /// A target has all changes again.
    CaughtUp {
        /// Which target.
        target: String,
        /// Its state.
        txid: Txid,
    },
    /// The WAL cannot be emptied: somebody reads an old state.
    WalHeld {
        /// Its bytes.
        bytes: u64,
    },
    /// Somebody paused publishing.
    Paused {
        /// Who, and why.
        by: String,
    },
    /// It goes on.
    Resumed,
    /// Objects were removed: too old or too many.
    Removed {
        /// Which target.
        target: String,
        /// How many.
        objects: usize,
    },
}

/// Hears what happens. Called from the publisher's own task: it returns at once.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: &PublishEvent);
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct IgnoreEvents;

impl Observer for IgnoreEvents {
    fn event(&self, _: &PublishEvent) {}
}
