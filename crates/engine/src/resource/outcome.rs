//! The outcome of a run, for reports, exit codes and messages.

use serde::Serialize;

use super::{Action, Address, Fault, Kind, Untrusted};

/// One step that is done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CompletedStep {
    /// Its address.
    pub address: Address,
    /// Its kind.
    pub kind: Kind,
    /// What was done.
    pub action: Action,
    /// What the service calls it.
    pub id: String,
    /// Milliseconds that it took.
    pub took_ms: u64,
}

/// How a run went.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunOutcome {
    /// What was done, in the order in which it was finished.
    pub done: Vec<CompletedStep>,
    /// What failed.
    pub failed: Vec<(Address, Fault)>,
    /// What was not begun, and why.
    pub skipped: Vec<(Address, Untrusted)>,
    /// What is put off to a later run, and why.
    pub deferred: Vec<(Address, Untrusted)>,
    /// It was asked to stop.
    pub stopped: bool,
}

impl RunOutcome {
    /// Whether all that was to do is done.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty() && !self.stopped
    }
}
