//! The purpose of a run, as data: nothing depends on the text of its command.

use serde::{Deserialize, Serialize};

/// What a run is for. Its first line in the journal says it, and so does its lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum RunPurpose {
    /// Makes a stack, or devices, what a plan says.
    Deploy,
    /// Makes record sets of a plan, or sends a name to the distribution.
    Route,
    /// Puts a fallback of a plan in force.
    Fallback,
    /// Goes back.
    Rollback {
        /// To this revision, which was named; none: the last run is undone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<u64>,
    },
    /// Removes a stack, or what was brought to devices.
    Destroy,
    /// Sets power modes of devices.
    Power,
    /// Takes resources into the state.
    Import,
    /// Takes what the real resources have otherwise into the state.
    Accept,
    /// Lets resources out of the state.
    Forget,
    /// Gives resources other addresses.
    Move,
    /// Another purpose: one that a newer version knows, or that a command of an older version does not tell.
    #[default]
    #[serde(other)]
    Other,
}
