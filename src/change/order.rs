//! The order: which part of which change waits for which.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::resource::{Action, Address, Change, Changes, Kind, Level, Resource, has_references, resolve};

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
    pub after: BTreeMap<Key, Level>,
    /// What must have been reached before.
    pub barriers: BTreeSet<Barrier>,
}

/// A part of a change.
pub type Key = (Address, Part);

/// Something that many steps of a run wait for together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Barrier {
    /// Everything of a step of the plan is usable.
    Made(String),
    /// Everything that came after a step of the plan has gone, or has been changed everywhere.
    Released(String),
}

impl Barrier {
    /// How far its members must have come.
    pub fn level(&self) -> Level {
        match self {
            Self::Made(_) => Level::Usable,
            Self::Released(_) => Level::Propagated,
        }
    }
}

/// The steps of a run with what they wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The steps, sorted.
    pub nodes: Vec<Node>,
    /// The members of each barrier that somebody waits for.
    pub barriers: BTreeMap<Barrier, BTreeSet<Key>>,
}

/// The steps of a run: things come after what they need, and go before it.
pub fn order(changes: &Changes) -> Order {
    let mut graph = Graph::new(changes);
    graph.come(changes);
    let guarded: Vec<Edge> = goes_after(changes).into_iter().chain(rules_before_their_bucket(changes)).collect();
    let mut whole = graph.clone();
    guarded.iter().for_each(|edge| whole.add(edge));
    if whole.is_circular() {
        // Two replacements may each want to go before the other: what would close a circle does not wait. A thing that goes
        // too early is refused by its service and goes with the next run; a circle would never begin.
        for edge in &guarded {
            if !graph.waits_for(&edge.on, &edge.who) {
                graph.add(edge);
            }
        }
        return graph.finished();
    }
    whole.finished()
}

/// Who waits, on what, and until it has come how far.
#[derive(Clone, Debug)]
struct Edge {
    who: At,
    on: At,
    level: Level,
}

/// A place in the order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Node(Key),
    Barrier(Barrier),
}

#[derive(Clone, Debug)]
struct Graph {
    nodes: BTreeMap<Key, Node>,
    barriers: BTreeMap<Barrier, BTreeSet<Key>>,
}

impl Graph {
    /// The steps, none of which waits for anything.
    fn new(changes: &Changes) -> Self {
        let mut nodes = BTreeMap::new();
        let mut add = |address: &Address, part: Part| {
            let node = Node { address: address.clone(), part, after: BTreeMap::new(), barriers: BTreeSet::new() };
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
                add(&kept.address, Part::Await);
            }
        }
        Self { nodes, barriers: BTreeMap::new() }
    }

    /// What cannot begin without something else.
    fn come(&mut self, changes: &Changes) {
        let mut edges = Vec::new();
        let mut wanted: BTreeSet<&str> = BTreeSet::new();
        for (key, node) in &self.nodes {
            let change = &changes.items[&node.address];
            let who = At::Node(key.clone());
            if node.part == Part::Put {
                for (need, level) in change.after.iter().flat_map(|resource| &resource.needs) {
                    for part in [Part::Put, Part::Await] {
                        edges.push(Edge { who: who.clone(), on: At::Node((need.clone(), part)), level: *level });
                    }
                }
                for step in change.after.iter().flat_map(|resource| &resource.after) {
                    wanted.insert(step);
                    let on = At::Barrier(Barrier::Made(step.clone()));
                    edges.push(Edge { who: who.clone(), on, level: Level::Usable });
                }
            } else if node.part == Part::Remove && change.action == Action::Replace {
                // The new one first: what leaned on the old one moves over before that goes.
                let on = At::Node((node.address.clone(), Part::Put));
                edges.push(Edge { who, on, level: Level::Usable });
            }
        }
        for ((address, part), _) in self.nodes.iter().filter(|((_, part), _)| *part != Part::Remove) {
            let step = changes.items[address].after.as_ref().map(|resource| resource.step.as_str());
            if let Some(step) = step.filter(|step| wanted.contains(step)) {
                let who = At::Barrier(Barrier::Made(step.to_owned()));
                edges.push(Edge { who, on: At::Node((address.clone(), *part)), level: Level::Usable });
            }
        }
        edges.iter().for_each(|edge| self.add(edge));
    }

    /// Adds an edge; nobody waits for what this run does not do.
    fn add(&mut self, edge: &Edge) {
        match (&edge.who, &edge.on) {
            (At::Node(who), At::Node(on)) if self.nodes.contains_key(on) => {
                if let Some(node) = self.nodes.get_mut(who) {
                    node.after.insert(on.clone(), edge.level);
                }
            }
            (At::Node(who), At::Barrier(on)) => {
                if let Some(node) = self.nodes.get_mut(who) {
                    node.barriers.insert(on.clone());
                }
            }
            (At::Barrier(who), At::Node(on)) if self.nodes.contains_key(on) => {
                self.barriers.entry(who.clone()).or_default().insert(on.clone());
            }
            _ => {}
        }
    }

    /// What a place waits for, directly.
    fn before(&self, at: &At) -> Vec<At> {
        match at {
            At::Node(key) => {
                let node = self.nodes.get(key).into_iter();
                node.flat_map(|node| {
                    let barriers = node.barriers.iter().cloned().map(At::Barrier);
                    node.after.keys().cloned().map(At::Node).chain(barriers)
                })
                .collect()
            }
            At::Barrier(barrier) => self.barriers.get(barrier).into_iter().flatten().cloned().map(At::Node).collect(),
        }
    }

    /// Whether `at` comes after `other`, directly or through others.
    fn waits_for(&self, at: &At, other: &At) -> bool {
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
    fn is_circular(&self) -> bool {
        let places = self.nodes.keys().cloned().map(At::Node).chain(self.barriers.keys().cloned().map(At::Barrier));
        let mut waits: BTreeMap<At, usize> = BTreeMap::new();
        let mut users: BTreeMap<At, Vec<At>> = BTreeMap::new();
        for place in places {
            let before = self.before(&place);
            // A barrier that has no members is reached from the start.
            let before = before
                .into_iter()
                .filter(|on| !matches!(on, At::Barrier(barrier) if !self.barriers.contains_key(barrier)));
            let count = before.map(|on| users.entry(on).or_default().push(place.clone())).count();
            waits.insert(place, count);
        }
        let mut free: Vec<At> = waits.iter().filter(|(_, count)| **count == 0).map(|(at, _)| at.clone()).collect();
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

    fn finished(self) -> Order {
        Order { nodes: self.nodes.into_values().collect(), barriers: self.barriers }
    }
}

/// Buckets that change, after the replication rules that go: S3 refuses to suspend versioning while a rule of the bucket replicates.
fn rules_before_their_bucket(changes: &Changes) -> Vec<Edge> {
    let going = changes.acting().filter(|change| change.kind == Kind::Replication && change.action == Action::Delete);
    let edges = going.flat_map(|rule| {
        let needs = rule.before.iter().flat_map(|record| record.needs.keys());
        let changed =
            needs.filter(|need| changes.items.get(*need).is_some_and(|bucket| bucket.action == Action::Update));
        changed.map(|bucket| Edge {
            who: At::Node((bucket.clone(), Part::Put)),
            on: At::Node((rule.address.clone(), Part::Remove)),
            level: Level::Usable,
        })
    });
    edges.collect()
}

const fn parts(change: &Change) -> &'static [Part] {
    match change.action {
        Action::Keep => &[],
        Action::Create | Action::Adopt | Action::Update | Action::Move => &[Part::Put],
        Action::Delete | Action::Forget => &[Part::Remove],
        Action::Replace => &[Part::Put, Part::Remove],
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

/// What goes, goes after everything that needed it has gone, and then after everything that has let it go.
fn goes_after(changes: &Changes) -> Vec<Edge> {
    let going =
        |address: &Address| changes.items.get(address).is_some_and(|change| parts(change).contains(&Part::Remove));
    let mut edges = Vec::new();
    for part in [Part::Remove, Part::Put] {
        for user in changes.acting().filter(|change| parts(change).contains(&part)) {
            let on = At::Node((user.address.clone(), part));
            for need in leaned_on(changes, user).into_iter().filter(|need| *need != &user.address && going(need)) {
                let who = At::Node((need.clone(), Part::Remove));
                edges.push(Edge { who, on: on.clone(), level: Level::Propagated });
            }
            for step in user.before.iter().flat_map(|record| &record.after) {
                let who = At::Barrier(Barrier::Released(step.clone()));
                edges.push(Edge { who, on: on.clone(), level: Level::Propagated });
            }
        }
    }
    let mut released: Vec<Edge> = Vec::new();
    for change in changes.acting().filter(|change| going(&change.address)) {
        let step = change.before.as_ref().map(|record| record.step.clone());
        let own = change.before.as_ref().is_some_and(|record| record.after.contains(&record.step));
        if let Some(step) = step.filter(|step| !step.is_empty() && !own) {
            let who = At::Node((change.address.clone(), Part::Remove));
            released.push(Edge { who, on: At::Barrier(Barrier::Released(step)), level: Level::Propagated });
        }
    }
    // First the members: whether somebody may wait for a barrier depends on them.
    edges.extend(released);
    edges
}

/// What something leans on as it stands. A published version of a function keeps the role of its function for as long as it
/// exists.
fn leaned_on<'c>(changes: &'c Changes, user: &'c Change) -> BTreeSet<&'c Address> {
    let needs = |change: &'c Change| change.before.iter().flat_map(|record| record.needs.keys());
    let mut all: BTreeSet<&Address> = needs(user).collect();
    if user.kind == Kind::FunctionVersion {
        let functions = needs(user).filter_map(|need| changes.items.get(need));
        all.extend(functions.filter(|change| change.kind == Kind::Function).flat_map(needs));
    }
    all
}

/// Whether something leans on what stands at an address: by a need, or because its step came after that of the other.
pub fn leans_on(changes: &Changes, user: &Change, address: &Address) -> bool {
    let step = changes.items.get(address).and_then(|change| Some(change.before.as_ref()?.step.as_str()));
    let by_step = || step.is_some_and(|step| user.before.as_ref().is_some_and(|record| record.after.contains(step)));
    leaned_on(changes, user).contains(address) || by_step()
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
            after: std::collections::BTreeSet::new(),
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
        let order = order(&Changes { stack: "s".to_owned(), items, ..Changes::default() });
        let role = order.nodes.iter().find(|node| node.address.as_str() == "edge.role.f").expect("the role");
        let version = ("edge.function-version.f".parse().expect("an address"), Part::Remove);
        assert!(role.after.contains_key(&version), "{:?}", role.after);
    }
}
