//! What the engine tells while it works. Terminal, JSON and recording listeners are siblings behind one door.

use serde::Serialize;

use super::{Action, Address, Fault, Kind};

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A step begins.
    Started {
        /// Its address.
        address: Address,
        /// Its kind.
        kind: Kind,
        /// What is done.
        action: Action,
        /// Seconds that it usually takes.
        usual_seconds: u32,
    },
    /// A step waits for the world.
    Waiting {
        /// Its address.
        address: Address,
        /// What the service says of it.
        state: String,
    },
    /// A call is tried again.
    Retrying {
        /// Its address.
        address: Address,
        /// Which try comes.
        attempt: u32,
        /// Milliseconds until then.
        after_ms: u64,
        /// Why.
        fault: Fault,
    },
    /// A step is done.
    Finished {
        /// Its address.
        address: Address,
        /// Its kind.
        kind: Kind,
        /// What was done.
        action: Action,
        /// What the service calls it.
        id: String,
        /// Milliseconds that it took.
        took_ms: u64,
    },
    /// Something that a person must know or do, as soon as it is known.
    Notice {
        /// Its address.
        address: Address,
        /// What.
        text: String,
    },
    /// A step is put off to a later run.
    Deferred {
        /// Its address.
        address: Address,
        /// Why.
        reason: String,
    },
    /// A step failed.
    Failed {
        /// Its address.
        address: Address,
        /// What was tried.
        action: Action,
        /// Why.
        fault: Fault,
    },
    /// A step was not begun, because one that it needs failed or the run was stopped.
    Skipped {
        /// Its address.
        address: Address,
        /// Why.
        reason: String,
    },
    /// The run was asked to stop: nothing new is begun.
    Stopping,
}

/// Takes the events.
pub trait Listener: Send + Sync {
    /// One event happened.
    fn tell(&self, event: &Event);
}

/// Tells nobody.
pub struct Silent;

impl Listener for Silent {
    fn tell(&self, _: &Event) {}
}
