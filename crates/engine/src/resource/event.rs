//! Events that the engine reports while it works. The terminal is one listener; tests record them with another.

use serde::Serialize;

use super::{Action, Address, Fault, Kind, Untrusted};

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
    /// A step waits for a service or a device.
    Waiting {
        /// Its address.
        address: Address,
        /// The state that the service reports.
        state: Untrusted,
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
        id: Untrusted,
        /// Milliseconds that it took.
        took_ms: u64,
    },
    /// Something that a person must know or do, as soon as it is known.
    Notice {
        /// Its address.
        address: Address,
        /// What.
        text: Untrusted,
    },
    /// A step is put off to a later run.
    Deferred {
        /// Its address.
        address: Address,
        /// Why.
        reason: Untrusted,
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
        reason: Untrusted,
    },
    /// The run was asked to stop: no new step is started.
    Stopping,
}

/// Receives the events.
pub trait EventListener: Send + Sync {
    /// One event happened.
    fn tell(&self, event: &Event);
}

/// Ignores every event.
pub struct SilentListener;

impl EventListener for SilentListener {
    fn tell(&self, _: &Event) {}
}
