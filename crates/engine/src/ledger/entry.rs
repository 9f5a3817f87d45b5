//! One entry of the journal and its possible contents.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::resource::{
    Action, Address, Attributes, Fault, Kind, Level, Moves, PendingDeletion, PlatformIdentity, ResourceOrigin,
    RunPurpose, RunStatus,
};

/// Version of the journal's format; a newer one is refused, an older one is upgraded as it is read.
///
/// | format | since | what changed |
/// |---|---|---|
/// | 1 | 0.1.0 | |
/// | 2 | 0.1.0 | each line ends with a checksum over it and the lines before it |
/// | 3 | 0.1.0 | resources move to other addresses (`moved`), groups of record sets name the sets that they own |
/// | 4 | 0.1.0 | in a bucket, a head with checkpoints and archived segments takes the place of one object for each write |
/// | 5 | 0.1.0 | an object of a Kubernetes cluster names its cluster (`cluster`), and not the machine of its server (`host`) |
pub const FORMAT: u32 = 5;

/// One entry. Entries are only ever added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Version of the format.
    pub v: u32,
    /// Position, from 1, without gaps.
    pub seq: u64,
    /// The run that wrote it.
    pub run: Uuid,
    /// When (UTC).
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

/// What is known of a resource when something is begun or done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceSnapshot {
    /// Its address.
    pub address: Address,
    /// Its kind.
    pub kind: Kind,
    /// Counts replacements.
    #[serde(default)]
    pub generation: u32,
    /// The settings with their references.
    pub spec: Value,
    /// What it needs.
    #[serde(default)]
    pub needs: BTreeMap<Address, Level>,
    /// The step that asked.
    #[serde(default)]
    pub step: String,
    /// Steps that it came after.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub after: BTreeSet<String>,
    /// How it came into the state, where the fact says so; else it follows from what was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<ResourceOrigin>,
    /// When something is begun: what is known of it from the look before (the record sets that existed).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub seen: Attributes,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum Fact {
    /// A run began.
    RunBegan {
        /// The revision that it makes.
        revision: u64,
        /// The verb with its main arguments.
        command: String,
        /// user@host.
        by: String,
        /// The account it talks to; empty when it talks to none.
        account: String,
        /// The stack; entries of earlier versions do not say it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        stack: String,
        /// Version of the tool.
        tool: String,
        /// The steps that are asked for by name, all of them.
        requested: BTreeSet<String>,
        /// The fallback that is in force.
        fallback: Option<String>,
        /// What it is for; entries of earlier versions do not say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        purpose: Option<RunPurpose>,
        /// Whom it talks to for the resources of this journal; entries of earlier versions do not say it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[serde(rename = "worlds")]
        platforms: Vec<PlatformIdentity>,
    },
    /// Something that is only looked up was found: later runs know it without asking.
    Learned {
        /// What.
        #[serde(flatten)]
        subject: ResourceSnapshot,
        /// What the service calls it.
        id: String,
        /// What it makes known.
        attributes: Attributes,
    },
    /// What the real resources have otherwise was taken into the state on a person's word: it is not a drift any longer.
    Accepted {
        /// What, with the settings as they are recorded from now on.
        #[serde(flatten)]
        subject: ResourceSnapshot,
        /// What the service calls it now.
        id: String,
        /// What it makes known now.
        attributes: Attributes,
        /// The fields that were taken.
        paths: Vec<String>,
    },
    /// Resources got other addresses: the plan was written another way, they are the same things. No call is made for it.
    Moved(Moves),
    /// A call that changes something is about to be made.
    Intended {
        /// What is done.
        action: Action,
        /// To what.
        #[serde(flatten)]
        subject: ResourceSnapshot,
        /// What the service calls it, when it exists.
        id: Option<String>,
    },
    /// It was done.
    Succeeded {
        /// What was done.
        action: Action,
        /// To what.
        #[serde(flatten)]
        subject: ResourceSnapshot,
        /// What the service calls it.
        id: String,
        /// What it makes known.
        attributes: Attributes,
        /// Milliseconds that it took.
        took_ms: u64,
    },
    /// It is gone.
    Removed {
        /// Its address.
        address: Address,
        /// What the service called it.
        id: String,
    },
    /// It is to go, but not now: it leaves its address and waits.
    SetAside(PendingDeletion),
    /// Something that was set aside is gone.
    Cleared {
        /// The address that it had.
        address: Address,
        /// What the service called it.
        id: String,
    },
    /// It was gone already, or is not business of ours any longer.
    Forgotten {
        /// Its address.
        address: Address,
    },
    /// The call failed for good: it did not take effect.
    Failed {
        /// What was tried.
        action: Action,
        /// Where.
        address: Address,
        /// Why.
        fault: Fault,
    },
    /// The run ended.
    RunEnded {
        /// How.
        ending: RunStatus,
        /// Calls that changed something.
        changes: u64,
    },
}

impl Fact {
    /// The one address that it is about, if it is about one.
    pub const fn address(&self) -> Option<&Address> {
        match self {
            Self::Learned { subject, .. }
            | Self::Accepted { subject, .. }
            | Self::Intended { subject, .. }
            | Self::Succeeded { subject, .. } => Some(&subject.address),
            Self::Removed { address, .. }
            | Self::Cleared { address, .. }
            | Self::Forgotten { address }
            | Self::Failed { address, .. } => Some(address),
            Self::SetAside(left) => Some(&left.address),
            Self::RunBegan { .. } | Self::Moved(_) | Self::RunEnded { .. } => None,
        }
    }
}
