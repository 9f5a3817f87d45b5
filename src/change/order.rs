//! The order: which part of which change waits for which.

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::{Action, Address, Change, Changes, Level};

/// What is done at an address: something comes, or something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// It is made, changed or taken up.
    Put,
    /// It goes.
    Remove,
    /// It is there and stays; others wait until it works everywhere.
    Await,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its address.
    pub address: Address,
    /// What is done.
    pub part: Part,
    /// What must have come so far before.
    pub after: BTreeMap<(Address, Part), Level>,
}

/// The steps of a run with what they wait for: things come after what they need, and go before it.
pub fn nodes(changes: &Changes) -> Vec<Node> {
    let mut nodes = BTreeMap::new();
    for change in changes.acting() {
        for part in parts(change) {
            let after = BTreeMap::new();
            let node = Node { address: change.address.clone(), part: *part, after };
            nodes.insert((change.address.clone(), *part), node);
        }
    }
    for kept in changes.items.values().filter(|change| change.action == Action::Keep && change.found.is_some()) {
        if changes.needed_at(&kept.address) == Some(Level::Propagated) {
            let node = Node { address: kept.address.clone(), part: Part::Await, after: BTreeMap::new() };
            nodes.insert((kept.address.clone(), Part::Await), node);
        }
    }
    let present: BTreeSet<(Address, Part)> = nodes.keys().cloned().collect();
    for node in nodes.values_mut() {
        node.after = waits(changes, node, &present);
    }
    nodes.into_values().collect()
}

const fn parts(change: &Change) -> &'static [Part] {
    match change.action {
        Action::Keep => &[],
        Action::Create | Action::Adopt | Action::Update => &[Part::Put],
        Action::Delete | Action::Forget => &[Part::Remove],
        Action::Replace => &[Part::Put, Part::Remove],
    }
}

fn waits(changes: &Changes, node: &Node, present: &BTreeSet<(Address, Part)>) -> BTreeMap<(Address, Part), Level> {
    let mut after = BTreeMap::new();
    let change = &changes.items[&node.address];
    let create_first = change.kind.facts().create_first;
    if node.part == Part::Await {
        return after;
    }
    if node.part == Part::Put {
        for (need, level) in change.after.iter().flat_map(|resource| &resource.needs) {
            after.insert((need.clone(), Part::Put), *level);
            after.insert((need.clone(), Part::Await), *level);
        }
        if change.action == Action::Replace && !create_first {
            after.insert((node.address.clone(), Part::Remove), Level::Usable);
        }
    } else {
        if change.action == Action::Replace && create_first {
            after.insert((node.address.clone(), Part::Put), Level::Usable);
        }
        // It goes after everything that needed it has gone or has let it go.
        for other in changes.acting().filter(|other| other.address != node.address && leans_on(other, &node.address)) {
            for part in parts(other) {
                // What is made anew before its old self goes cannot wait for that.
                let circular = change.action == Action::Replace && !create_first && *part == Part::Put;
                if !circular {
                    after.insert((other.address.clone(), *part), Level::Propagated);
                }
            }
        }
    }
    after.retain(|key, _| present.contains(key));
    after
}

fn leans_on(change: &Change, address: &Address) -> bool {
    change.before.as_ref().is_some_and(|record| record.needs.contains_key(address))
}
