//! The order while it is computed: a graph of steps and barriers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Barrier, ChangePart, OrderNode, PartKey, RunOrder, parts};
use crate::resource::{Action, Address, Change, Changes, Level, Resource, has_references, resolve};

/// Who waits, on what, and until it has come how far.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) who: Milestone,
    pub(super) on: Milestone,
    pub(super) level: Level,
}

/// A place in the order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Milestone {
    Node(PartKey),
    Barrier(Barrier),
}

#[derive(Clone, Debug)]
pub(super) struct Graph {
    nodes: BTreeMap<PartKey, OrderNode>,
    barriers: BTreeMap<Barrier, BTreeSet<PartKey>>,
}

impl Graph {
    /// The steps, none of which waits for anything.
    pub(super) fn new(changes: &Changes) -> Self {
        let mut nodes = BTreeMap::new();
        let mut add = |address: &Address, part: ChangePart| {
            let node = OrderNode { address: address.clone(), part, after: BTreeMap::new(), barriers: BTreeSet::new() };
            nodes.insert((address.clone(), part), node);
        };
        for change in changes.acting() {
            parts(change).iter().for_each(|part| add(&change.address, *part));
        }
        let users = users(changes);
        for kept in changes.items.values().filter(|change| change.action == Action::Keep) {
            let users = users.get(&kept.address).map_or(&[][..], Vec::as_slice);
            let everywhere = users.iter().any(|user| user.needs.get(&kept.address) == Some(&Level::Propagated));
            if everywhere && kept.found.is_some() || is_unfinished(users, kept) {
                add(&kept.address, ChangePart::Await);
            }
        }
        Self { nodes, barriers: BTreeMap::new() }
    }

    /// What cannot begin without something else.
    pub(super) fn come(&mut self, changes: &Changes) {
        let mut edges = Vec::new();
        let mut wanted: BTreeSet<&str> = BTreeSet::new();
        for (key, node) in &self.nodes {
            let change = &changes.items[&node.address];
            let who = Milestone::Node(key.clone());
            if node.part == ChangePart::Put {
                for (need, level) in change.after.iter().flat_map(|resource| &resource.needs) {
                    for part in [ChangePart::Put, ChangePart::Await] {
                        edges.push(Edge { who: who.clone(), on: Milestone::Node((need.clone(), part)), level: *level });
                    }
                }
                for step in change.after.iter().flat_map(|resource| &resource.after) {
                    wanted.insert(step);
                    let on = Milestone::Barrier(Barrier::Made(step.clone()));
                    edges.push(Edge { who: who.clone(), on, level: Level::Usable });
                }
            } else if node.part == ChangePart::Remove && change.action == Action::Replace {
                // The new one first: what leaned on the old one moves over before that goes.
                let on = Milestone::Node((node.address.clone(), ChangePart::Put));
                edges.push(Edge { who, on, level: Level::Usable });
            }
        }
        for ((address, part), _) in self.nodes.iter().filter(|((_, part), _)| *part != ChangePart::Remove) {
            let step = changes.items[address].after.as_ref().map(|resource| resource.step.as_str());
            if let Some(step) = step.filter(|step| wanted.contains(step)) {
                let who = Milestone::Barrier(Barrier::Made(step.to_owned()));
                edges.push(Edge { who, on: Milestone::Node((address.clone(), *part)), level: Level::Usable });
            }
        }
        edges.iter().for_each(|edge| self.add(edge));
    }

    /// Adds an edge; nobody waits for what this run does not do.
    pub(super) fn add(&mut self, edge: &Edge) {
        match (&edge.who, &edge.on) {
            (Milestone::Node(who), Milestone::Node(on)) if self.nodes.contains_key(on) => {
                if let Some(node) = self.nodes.get_mut(who) {
                    node.after.insert(on.clone(), edge.level);
                }
            }
            (Milestone::Node(who), Milestone::Barrier(on)) => {
                if let Some(node) = self.nodes.get_mut(who) {
                    node.barriers.insert(on.clone());
                }
            }
            (Milestone::Barrier(who), Milestone::Node(on)) if self.nodes.contains_key(on) => {
                self.barriers.entry(who.clone()).or_default().insert(on.clone());
            }
            _ => {}
        }
    }

    /// What a place waits for, directly.
    fn before(&self, at: &Milestone) -> Vec<Milestone> {
        match at {
            Milestone::Node(key) => {
                let node = self.nodes.get(key).into_iter();
                node.flat_map(|node| {
                    let barriers = node.barriers.iter().cloned().map(Milestone::Barrier);
                    node.after.keys().cloned().map(Milestone::Node).chain(barriers)
                })
                .collect()
            }
            Milestone::Barrier(barrier) => {
                self.barriers.get(barrier).into_iter().flatten().cloned().map(Milestone::Node).collect()
            }
        }
    }

    /// Whether `at` comes after `other`, directly or through others.
    pub(super) fn waits_for(&self, at: &Milestone, other: &Milestone) -> bool {
        let mut open = vec![at.clone()];
        let mut seen = BTreeSet::new();
        while let Some(at) = open.pop() {
            if at == *other {
                return true;
            }
            if !seen.contains(&at) {
                open.extend(self.before(&at));
                seen.insert(at);
            }
        }
        false
    }

    /// Whether some places wait for each other: they are what is left when everything that waits for nothing is taken out.
    pub(super) fn is_circular(&self) -> bool {
        let places = self
            .nodes
            .keys()
            .cloned()
            .map(Milestone::Node)
            .chain(self.barriers.keys().cloned().map(Milestone::Barrier));
        let mut waits: BTreeMap<Milestone, usize> = BTreeMap::new();
        let mut users: BTreeMap<Milestone, Vec<Milestone>> = BTreeMap::new();
        for place in places {
            let before = self.before(&place);
            // A barrier that has no members is reached from the start.
            let before = before
                .into_iter()
                .filter(|on| !matches!(on, Milestone::Barrier(barrier) if !self.barriers.contains_key(barrier)));
            let count = before.map(|on| users.entry(on).or_default().push(place.clone())).count();
            waits.insert(place, count);
        }
        let mut free: Vec<Milestone> =
            waits.iter().filter(|(_, count)| **count == 0).map(|(at, _)| at.clone()).collect();
        let mut left = waits.len();
        while let Some(at) = free.pop() {
            left -= 1;
            for user in users.remove(&at).unwrap_or_default() {
                let count = waits.entry(user.clone()).or_default();
                *count -= 1;
                if *count == 0 {
                    free.push(user);
                }
            }
        }
        left > 0
    }

    pub(super) fn finished(self) -> RunOrder {
        RunOrder { nodes: self.nodes.into_values().collect(), barriers: self.barriers }
    }
}

/// What needs each address in this run.
fn users(changes: &Changes) -> BTreeMap<&Address, Vec<&Resource>> {
    let mut users: BTreeMap<&Address, Vec<&Resource>> = BTreeMap::new();
    for resource in changes.acting().filter_map(|change| change.after.as_ref()) {
        for need in resource.needs.keys() {
            users.entry(need).or_default().push(resource);
        }
    }
    users
}

/// Whether others refer to something that it has not made known yet: a run was cut off while it waited for that.
fn is_unfinished(users: &[&Resource], kept: &Change) -> bool {
    let Some(found) = &kept.found else { return false };
    users.iter().any(|resource| {
        let known = |address: &str, attribute: &str| {
            if address == kept.address.as_str() { found.attributes.get(attribute).cloned() } else { Some(Value::Null) }
        };
        has_references(&resolve(&resource.spec, &known))
    })
}
