//! Changes: the difference between the real resources and the plan, as a closed list.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::graph::owning_stack;
use super::{
    Address, Attributes, Kind, Moves, ObservedResource, PendingDeletion, Resource, ResourceOrigin, ResourceRecord,
};

/// What is to be done with one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It matches the plan.
    Keep,
    /// It is made.
    Create,
    /// It is ours, but the journal does not know it: adopted, then changed where it differs.
    Adopt,
    /// It is changed in place.
    Update,
    /// It stays what it is and gets another address; only its marks are written again.
    Move,
    /// A new one is made and the old one goes.
    Replace,
    /// It is deleted, and made again under its name: some of it can never change.
    Recreate,
    /// It goes.
    Delete,
    /// It is gone already; only the journal learns it.
    Forget,
}

impl Action {
    /// The mark in front of a line.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Keep => " ",
            Self::Create => "+",
            Self::Adopt => ">",
            Self::Update => "~",
            Self::Move => "→",
            Self::Replace => "±",
            Self::Recreate => "∓",
            Self::Delete => "-",
            Self::Forget => "?",
        }
    }

    /// The word in a line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Create => "create",
            Self::Adopt => "adopt",
            Self::Update => "update",
            Self::Move => "move",
            Self::Replace | Self::Recreate => "replace",
            Self::Delete => "delete",
            Self::Forget => "forget",
        }
    }

    /// The action as journals have it, whose address and name stay the same: readers of earlier versions know no other.
    #[must_use]
    pub const fn in_journal(self) -> Self {
        match self {
            Self::Recreate => Self::Update,
            other => other,
        }
    }
}

/// How much a change may hurt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Nobody notices.
    Safe,
    /// A short effect while it takes hold.
    Brief,
    /// Another state may know the resource, too: two states would change it.
    SharedStack,
    /// Users notice.
    Disruptive,
    /// Data is gone afterwards.
    DestroysData,
}

impl Risk {
    /// The words in a line.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Brief => "brief",
            Self::SharedStack => "shared stack",
            Self::Disruptive => "disruptive",
            Self::DestroysData => "destroys data",
        }
    }
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Dotted path in the spec.
    pub path: String,
    /// What is there now; none when it is not set.
    pub old: Option<Value>,
    /// What the plan wants; none when it goes back to the default. May hold references not known yet.
    pub new: Option<Value>,
    /// The real resource differs from the recorded state: somebody else changed it.
    pub drifted: bool,
}

/// Where something that is kept stood before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousAddress {
    /// The former address.
    pub address: Address,
    /// The record sets that came from there; empty when all of the resource did.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sets: BTreeSet<String>,
}

/// What is to be done with one address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The address.
    pub address: Address,
    /// Its kind.
    pub kind: Kind,
    /// What is done.
    pub action: Action,
    /// The fields that differ.
    pub fields: Vec<FieldChange>,
    /// How much it may hurt.
    pub risk: Risk,
    /// The addresses that it, or some of its record sets, had before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved_from: Vec<PreviousAddress>,
    /// Why, when it is not obvious.
    pub reason: Option<String>,
    /// How it came into the state; of what is new, how it comes there by this change.
    #[serde(default)]
    pub origin: ResourceOrigin,
    /// What is wanted, with references.
    pub after: Option<Resource>,
    /// What is recorded.
    pub before: Option<ResourceRecord>,
    /// What was found.
    pub found: Option<ObservedResource>,
}

impl PendingDeletion {
    /// How much its deletion may hurt.
    pub fn risk(&self) -> Risk {
        if self.kind.data(&self.spec).is_some() { Risk::DestroysData } else { Risk::Disruptive }
    }
}

/// All that is to be done in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// Name of the stack.
    pub stack: String,
    /// The stack of the devices in it, when that is another one than `stack`: the run spans both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<String>,
    /// The changes by address; kept ones too, so that their attributes are known.
    pub items: BTreeMap<Address, Change>,
    /// Deletions left over from earlier runs.
    #[serde(rename = "leftovers")]
    pub pending_deletions: Vec<PendingDeletion>,
    /// Addresses that change while the things behind them stay.
    #[serde(default, skip_serializing_if = "Moves::is_empty")]
    pub moves: Moves,
    /// What resources of a stack beyond this run make known, for references to them.
    #[serde(skip)]
    pub outside: BTreeMap<Address, Attributes>,
}

impl Changes {
    /// The stack that an address belongs to: its journal knows it, and its marks name it.
    pub fn stack_of(&self, address: &Address) -> &str {
        owning_stack(&self.stack, self.devices.as_deref(), address)
    }

    /// What of it belongs to one stack.
    #[must_use]
    pub fn of_stack(&self, stack: &str) -> Self {
        let own = |address: &Address| self.stack_of(address) == stack;
        let items = self.items.iter().filter(|(address, _)| own(address));
        Self {
            stack: stack.to_owned(),
            devices: None,
            items: items.map(|(address, change)| (address.clone(), change.clone())).collect(),
            pending_deletions: self.pending_deletions.iter().filter(|left| own(&left.address)).cloned().collect(),
            moves: self.moves.leading_to(own),
            outside: self.outside.clone(),
        }
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.pending_deletions.is_empty()
            && self.moves.is_empty()
            && self.items.values().all(|change| change.action == Action::Keep)
    }

    /// The changes that do something.
    pub fn acting(&self) -> impl Iterator<Item = &Change> {
        self.items.values().filter(|change| change.action != Action::Keep)
    }

    /// The worst that it may do.
    pub fn risk(&self) -> Risk {
        let changes = self.acting().map(|change| change.risk);
        changes.chain(self.pending_deletions.iter().map(PendingDeletion::risk)).max().unwrap_or(Risk::Safe)
    }

    /// How many of each action.
    pub fn counts(&self) -> BTreeMap<Action, usize> {
        let mut counts = BTreeMap::new();
        for change in self.acting() {
            *counts.entry(change.action).or_insert(0) += 1;
        }
        counts
    }

    /// Whether others in this run need something: by name, or because their step comes after its.
    pub fn is_needed(&self, needed: &Resource) -> bool {
        self.acting()
            .filter_map(|change| change.after.as_ref())
            .any(|resource| resource.needs.contains_key(&needed.address) || resource.after.contains(&needed.step))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Untrusted;
    use super::*;

    fn at(text: &str) -> Address {
        text.parse().expect("an address")
    }

    #[test]
    fn what_belongs_to_a_stack_is_told_by_the_address() {
        let left = |address: &str, kind: Kind| PendingDeletion {
            address: at(address),
            kind,
            id: "x".to_owned(),
            spec: Value::Null,
            attributes: Attributes::new(),
            reason: Untrusted::default(),
            held_by: BTreeSet::new(),
        };
        let pending_deletions = vec![left("models.bucket.a", Kind::Bucket), left("jetson.file.a-x", Kind::File)];
        let addresses = [("models.bucket.old", "models.bucket.a"), ("jetson.file.a-y", "jetson.file.a-x")];
        let addresses = addresses.into_iter().map(|(from, to)| (at(from), at(to))).collect();
        let moves = Moves { addresses, sets: Vec::new() };
        let both = Changes {
            stack: "s".to_owned(),
            devices: Some("s-devices".to_owned()),
            pending_deletions,
            moves,
            ..Changes::default()
        };
        for (stack, own) in [("s", "models.bucket.a"), ("s-devices", "jetson.file.a-x")] {
            let part = both.of_stack(stack);
            let left: Vec<&str> = part.pending_deletions.iter().map(|left| left.address.as_str()).collect();
            let moved: Vec<&str> = part.moves.addresses.values().map(Address::as_str).collect();
            assert_eq!((part.stack.as_str(), left, moved), (stack, vec![own], vec![own]));
        }
        let alone = Changes { devices: None, ..both };
        assert_eq!(alone.of_stack("s").pending_deletions.len(), 2, "one stack has all of it");
    }
}
