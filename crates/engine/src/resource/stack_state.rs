//! The state of a stack: the fold of its journal.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Address, Attributes, CreatedAddress, Desired, Kind, Level, Resource, RunPurpose, Untrusted};

/// Where a recorded resource stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceStatus {
    /// The last call about it succeeded.
    Present,
    /// A create was begun and never answered: it may or may not exist.
    Creating,
    /// An update was begun and never answered.
    Updating,
    /// A delete was begun and never answered.
    Deleting,
}

/// How a resource came into the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceOrigin {
    /// This stack created it.
    #[default]
    Made,
    /// It carries the mark of this stack, and the journal did not know it: after a lost journal. A rollback forgets it, a
    /// destroy deletes it.
    Recovered,
    /// It existed before this stack took it in (`--adopt`, `state import`). It is deleted only when it is named.
    Imported,
}

impl ResourceOrigin {
    /// The word in a table.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Recovered => "recovered",
            Self::Imported => "imported",
        }
    }
}

/// One recorded resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceRecord {
    /// Its kind.
    pub kind: Kind,
    /// What the service calls it; unknown while a create is unanswered.
    pub id: Option<String>,
    /// Counts replacements; part of the idempotency token.
    pub generation: u32,
    /// The settings that were asked for, with their references.
    pub spec: Value,
    /// What it made known.
    pub attributes: Attributes,
    /// What it needs: deletions go the other way round.
    pub needs: BTreeMap<Address, Level>,
    /// The step that asked for it.
    pub step: String,
    /// Steps that it came after: what they made goes after it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub after: BTreeSet<String>,
    /// Where it stands.
    pub standing: ResourceStatus,
    /// Settings that updates asked for which were not answered, or failed after some of their calls: they may be there. They
    /// count as ours until an update succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Value>,
    /// Where it was made, when it has moved since and its marks have not been written again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<CreatedAddress>,
    /// How it came into the state.
    #[serde(default)]
    pub origin: ResourceOrigin,
}

impl ResourceRecord {
    /// Everything that this stack may have asked for: the settings of the last update that succeeded, and those of updates
    /// after it whose end is not known.
    pub fn stated(&self) -> Value {
        let mut all = self.spec.clone();
        if let Some(pending) = &self.pending {
            unite(&mut all, pending);
        }
        all
    }

    /// Whether it existed before this stack took it in: it is not deleted with the stack.
    pub fn is_imported(&self) -> bool {
        self.origin == ResourceOrigin::Imported
    }
}

/// Adds what `more` has and `all` lacks. Members of lists are told apart by their names, where they have any.
pub(crate) fn unite(all: &mut Value, more: &Value) {
    match (all, more) {
        (Value::Object(all), Value::Object(more)) => {
            for (key, value) in more {
                match all.get_mut(key) {
                    Some(held) => unite(held, value),
                    None => drop(all.insert(key.clone(), value.clone())),
                }
            }
        }
        (Value::Array(all), Value::Array(more)) => {
            for member in more {
                let name = ["id", "path", "code", "Sid"].into_iter().find_map(|key| Some((key, member.get(key)?)));
                let same = |held: &&mut Value| name.is_some_and(|(key, name)| held.get(key) == Some(name));
                if let Some(held) = all.iter_mut().find(same) {
                    unite(held, member);
                } else if !all.contains(member) {
                    all.push(member.clone());
                }
            }
        }
        _ => {}
    }
}

/// Something that is to go but would not yet: an old version, a replicated function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingDeletion {
    /// The address that it had.
    pub address: Address,
    /// Its kind.
    pub kind: Kind,
    /// What the service calls it.
    pub id: String,
    /// Its last settings, resolved enough to delete it.
    pub spec: Value,
    /// What it made known.
    pub attributes: Attributes,
    /// Why it is still there.
    pub reason: Untrusted,
    /// What leaned on it and must be gone first: a role outlives its function.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub held_by: BTreeSet<Address>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// All that was to do is done.
    Done,
    /// Some of it failed or was stopped; the next run goes on.
    Partial,
}

/// One run of the tool that changed something, or tried to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Number of the revision that it made, from 1.
    pub revision: u64,
    /// The verb with its main arguments.
    pub command: String,
    /// What it is for; none in journals of versions that did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<RunPurpose>,
    /// Who ran it: user@host.
    pub by: String,
    /// When it began (RFC 3339, UTC).
    pub at: String,
    /// How it ended; none while it runs or when it was killed.
    pub ending: Option<RunStatus>,
    /// Calls that changed something; of a run without an end, those that the journal says were finished.
    pub changes: u64,
    /// Of a run without an end: the addresses of calls that were announced and never answered.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unanswered: BTreeSet<Address>,
}

/// What the journal knows of a stack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StackState {
    /// Name of the stack.
    pub stack: String,
    /// Number of the last entry.
    pub sequence: u64,
    /// Account that the stack lives in, as first used.
    pub account: Option<String>,
    /// The resources by address.
    pub resources: BTreeMap<Address, ResourceRecord>,
    /// What is to go but would not yet.
    #[serde(rename = "leftovers")]
    pub pending_deletions: Vec<PendingDeletion>,
    /// The generation that the next thing at an address gets, where one has been and gone: references that a service
    /// saw once are never used again.
    #[serde(default)]
    pub generations: BTreeMap<Address, u32>,
    /// Addresses whose last call was refused for want of permissions or credentials, with the service's code. What was made
    /// by calls before that one may be there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<Address, Untrusted>,
    /// Steps that were asked for by name (a cutover) and stay in force.
    pub requested: BTreeSet<String>,
    /// Fallback in force, if any.
    pub fallback: Option<String>,
    /// All runs, oldest first.
    pub runs: Vec<RunSummary>,
    /// What resources of another stack make known, for references to them. Not a part of the state.
    #[serde(skip)]
    pub outside: BTreeMap<Address, Attributes>,
}

impl StackState {
    /// Nothing is known of `stack`.
    pub fn empty(stack: &str) -> Self {
        Self { stack: stack.to_owned(), ..Self::default() }
    }

    /// The same with the resources of another stack: for a run that spans both. Revisions, account and what is in force stay
    /// its own.
    #[must_use]
    pub fn joined(mut self, other: Self) -> Self {
        self.resources.extend(other.resources);
        self.pending_deletions.extend(other.pending_deletions);
        self.generations.extend(other.generations);
        self.refused.extend(other.refused);
        self
    }

    /// Number of the last revision; 0 before the first run.
    pub fn revision(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.revision)
    }

    /// The generation of what is, or is next, at an address.
    pub fn generation(&self, address: &Address) -> u32 {
        let next = self.generations.get(address).copied().unwrap_or(0);
        self.resources.get(address).map_or(next, |record| record.generation)
    }

    /// The graph that would give this state again: what a rollback aims at.
    pub fn as_desired(&self) -> Desired {
        let mut desired = Desired::new(&self.stack);
        for (address, record) in &self.resources {
            desired.resources.insert(
                address.clone(),
                Resource {
                    address: address.clone(),
                    kind: record.kind,
                    spec: record.spec.clone(),
                    needs: record.needs.clone(),
                    step: record.step.clone(),
                    after: record.after.clone(),
                    origin: String::new(),
                    sources: Vec::new(),
                },
            );
        }
        desired
    }

    /// The attribute of a recorded resource, or of one of another stack.
    pub fn attribute(&self, address: &str, attribute: &str) -> Option<Value> {
        let address: Address = address.parse().ok()?;
        let own = self.resources.get(&address).map(|record| &record.attributes);
        own.or_else(|| self.outside.get(&address))?.get(attribute).cloned()
    }
}
