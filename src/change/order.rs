//! The order: which part of which change waits for which.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::resource::{Action, Address, Change, Changes, Kind, Level, has_references, resolve};

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
            nodes.insert((change.address.clone(), *part), Node::new(&change.address, *part));
        }
    }
    for kept in changes.items.values().filter(|change| change.action == Action::Keep) {
        if changes.needed_at(&kept.address) == Some(Level::Propagated) && kept.found.is_some()
            || is_unfinished(changes, kept)
        {
            nodes.insert((kept.address.clone(), Part::Await), Node::new(&kept.address, Part::Await));
        }
    }
    let present: BTreeSet<Key> = nodes.keys().cloned().collect();
    for node in nodes.values_mut() {
        node.after = must_wait(changes, node);
        node.after.retain(|key, _| present.contains(key));
    }
    // Two replacements may each want to go before the other: what would close a circle does not wait. A thing that goes
    // too early is refused by its service and goes with the next run; a circle would never begin.
    for (node, other) in goes_after(changes) {
        if !waits_for(&nodes, &other, &node)
            && let Some(node) = nodes.get_mut(&node)
        {
            node.after.insert(other, Level::Propagated);
        }
    }
    // S3 refuses to suspend versioning while a rule of the bucket replicates: the rule goes first.
    for (node, other) in rules_before_their_bucket(changes) {
        if nodes.contains_key(&node)
            && !waits_for(&nodes, &other, &node)
            && let Some(node) = nodes.get_mut(&node)
        {
            node.after.insert(other, Level::Usable);
        }
    }
    nodes.into_values().collect()
}

/// Buckets that change, after the replication rules that go.
fn rules_before_their_bucket(changes: &Changes) -> Vec<(Key, Key)> {
    let going = changes.acting().filter(|change| change.kind == Kind::Replication && change.action == Action::Delete);
    let pairs = going.flat_map(|rule| {
        let needs = rule.before.iter().flat_map(|record| record.needs.keys());
        let changed =
            needs.filter(|need| changes.items.get(*need).is_some_and(|bucket| bucket.action == Action::Update));
        changed.map(|bucket| ((bucket.clone(), Part::Put), (rule.address.clone(), Part::Remove)))
    });
    pairs.collect()
}

type Key = (Address, Part);

impl Node {
    fn new(address: &Address, part: Part) -> Self {
        Self { address: address.clone(), part, after: BTreeMap::new() }
    }
}

const fn parts(change: &Change) -> &'static [Part] {
    match change.action {
        Action::Keep => &[],
        Action::Create | Action::Adopt | Action::Update | Action::Move => &[Part::Put],
        Action::Delete | Action::Forget => &[Part::Remove],
        Action::Replace => &[Part::Put, Part::Remove],
    }
}

/// Whether others refer to something that it has not made known yet: a run was cut off while it waited for that.
fn is_unfinished(changes: &Changes, kept: &Change) -> bool {
    let Some(found) = &kept.found else { return false };
    let users = changes.acting().filter_map(|change| change.after.as_ref());
    users.filter(|resource| resource.needs.contains_key(&kept.address)).any(|resource| {
        let known = |address: &str, attribute: &str| {
            if address == kept.address.as_str() { found.attributes.get(attribute).cloned() } else { Some(Value::Null) }
        };
        has_references(&resolve(&resource.spec, &known))
    })
}

/// What a step cannot begin without.
fn must_wait(changes: &Changes, node: &Node) -> BTreeMap<Key, Level> {
    let mut after = BTreeMap::new();
    let change = &changes.items[&node.address];
    let replaced = change.action == Action::Replace;
    if node.part == Part::Put {
        for (need, level) in change.after.iter().flat_map(|resource| &resource.needs) {
            after.insert((need.clone(), Part::Put), *level);
            after.insert((need.clone(), Part::Await), *level);
        }
    } else if node.part == Part::Remove && replaced {
        // The new one first: what leaned on the old one moves over before that goes.
        after.insert((node.address.clone(), Part::Put), Level::Usable);
    }
    after
}

/// What goes, goes after everything that needed it has gone, and then after everything that has let it go.
fn goes_after(changes: &Changes) -> Vec<(Key, Key)> {
    let going: Vec<&Change> = changes.acting().filter(|change| parts(change).contains(&Part::Remove)).collect();
    let mut pairs = Vec::new();
    for part in [Part::Remove, Part::Put] {
        for change in &going {
            let users = changes.acting().filter(|other| other.address != change.address);
            let leans = |other: &&Change| leans_on(changes, other, &change.address);
            for user in users.filter(leans).filter(|other| parts(other).contains(&part)) {
                pairs.push(((change.address.clone(), Part::Remove), (user.address.clone(), part)));
            }
        }
    }
    pairs
}

/// Whether `node` comes after `other`, directly or through others.
fn waits_for(nodes: &BTreeMap<Key, Node>, node: &Key, other: &Key) -> bool {
    let mut open = vec![node];
    let mut seen = BTreeSet::new();
    while let Some(at) = open.pop() {
        if at == other {
            return true;
        }
        if seen.insert(at) {
            open.extend(nodes.get(at).into_iter().flat_map(|node| node.after.keys()));
        }
    }
    false
}

/// Whether something leans on what stands at an address. A published version of a function keeps the role of its function
/// for as long as it exists.
pub fn leans_on(changes: &Changes, user: &Change, address: &Address) -> bool {
    let Some(record) = &user.before else { return false };
    let needs = |change: &Change| change.before.as_ref().is_some_and(|record| record.needs.contains_key(address));
    let through_function = || {
        let functions = record.needs.keys().filter_map(|need| changes.items.get(need));
        functions.filter(|change| change.kind == Kind::Function).any(needs)
    };
    record.needs.contains_key(address) || user.kind == Kind::FunctionVersion && through_function()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{Origin, Record, Risk, Standing};

    fn change(at: &str, action: Action, needs: &[&str]) -> (Address, Change) {
        let address: Address = at.parse().expect("an address");
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == address.kind_name()).expect("a kind");
        let needs = needs.iter().map(|need| (need.parse().expect("an address"), Level::Usable)).collect();
        let before = Record {
            kind,
            id: Some("x".to_owned()),
            generation: 0,
            spec: json!({}),
            attributes: BTreeMap::new(),
            needs,
            step: String::new(),
            standing: Standing::Present,
            pending: None,
            made_at: None,
            origin: Origin::Made,
        };
        let change = Change {
            address: address.clone(),
            kind,
            action,
            fields: Vec::new(),
            moved_from: Vec::new(),
            risk: Risk::Safe,
            reason: None,
            origin: Origin::Made,
            after: None,
            before: Some(before),
            found: None,
        };
        (address, change)
    }

    #[test]
    fn a_role_goes_after_the_version_whose_function_had_it() {
        let items = BTreeMap::from([
            change("edge.role.f", Action::Delete, &[]),
            change("edge.function.f", Action::Update, &["edge.role.f"]),
            change("edge.function-version.f", Action::Replace, &["edge.function.f"]),
        ]);
        let nodes = nodes(&Changes { stack: "s".to_owned(), items, ..Changes::default() });
        let role = nodes.iter().find(|node| node.address.as_str() == "edge.role.f").expect("the role");
        let version = ("edge.function-version.f".parse().expect("an address"), Part::Remove);
        assert!(role.after.contains_key(&version), "{:?}", role.after);
    }
}
