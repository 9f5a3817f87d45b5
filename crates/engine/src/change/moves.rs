//! Moves: resources that are in the plan under a new address and in the journal under another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use crate::resource::moves::{key, owned};
use crate::resource::{
    Address, Desired, Kind, Moves, Resource, ResourceRecord, SetMove, StackState, identity, resolve,
};

/// Identities become known in this many rounds: [`Facts::identity_rank`](crate::resource::KindFacts::identity_rank).
const RANKS: usize = 3;

/// The moves that lead from what is recorded to what is wanted.
pub fn moves(desired: &Desired, recorded: &StackState) -> Moves {
    let mut search = Search { desired, recorded, moves: Moves::default(), sources: BTreeMap::new() };
    for rank in 0..RANKS - 1 {
        search.whole(rank);
    }
    search.record_sets();
    search.moves
}

struct Search<'a> {
    desired: &'a Desired,
    recorded: &'a StackState,
    moves: Moves,
    /// Wanted address to the address at which the journal knows the same thing.
    sources: BTreeMap<Address, Address>,
}

impl Search<'_> {
    /// Settings of the plan with what is known already: references lead to where the thing is in the journal.
    fn wanted(&self, spec: &Value) -> Value {
        resolve(spec, &|address, attribute| {
            let address: Address = address.parse().ok()?;
            self.recorded.attribute(self.sources.get(&address)?.as_str(), attribute)
        })
    }

    fn held(&self, spec: &Value) -> Value {
        resolve(spec, &|address, attribute| self.recorded.attribute(address, attribute))
    }

    /// Matches what is wanted with what is known, kind by kind of one rank.
    fn whole(&mut self, of_rank: usize) {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.facts().identity_rank == of_rank) {
            let known: BTreeMap<&Address, Option<String>> = self
                .recorded
                .resources
                .iter()
                .filter(|(_, record)| record.kind == kind)
                .map(|(address, record)| (address, identity(kind, &self.held(&record.spec))))
                .collect();
            let wanted: BTreeMap<&Address, Option<String>> = self
                .desired
                .resources
                .values()
                .filter(|resource| resource.kind == kind)
                .map(|resource| (&resource.address, identity(kind, &self.wanted(&resource.spec))))
                .collect();
            if !known.is_empty() && !wanted.is_empty() {
                let moved = matched(&known, &wanted, &self.desired.moved);
                self.settle(&known, &wanted, moved);
            }
        }
    }

    /// Takes over the moves of one kind, with the resources that they drive out.
    fn settle(
        &mut self,
        known: &BTreeMap<&Address, Option<String>>,
        wanted: &BTreeMap<&Address, Option<String>>,
        mut moved: BTreeMap<Address, Address>,
    ) {
        make_room(known, &mut moved);
        for address in wanted.keys().filter(|address| known.contains_key(*address)) {
            if !moved.contains_key(*address) {
                self.sources.insert((*address).clone(), (*address).clone());
            }
        }
        self.sources.extend(moved.iter().map(|(from, to)| (to.clone(), from.clone())));
        self.moves.addresses.extend(moved);
    }

    /// Groups of record sets: a set that one group gives up and another wants changes its group. So does a set that has to
    /// go for what another group wants at its name, so that both happen in one transaction.
    fn record_sets(&mut self) {
        let groups: Vec<Group> = self.desired.resources.values().filter_map(|resource| self.group(resource)).collect();
        let held = self.recorded.resources.iter().filter(|(_, record)| record.kind == Kind::Records);
        for (address, record) in held {
            let resolved = |spec: &Value| self.held(spec);
            let keys = owned(record, &resolved);
            let Some(zone) = zone_of(record) else { continue };
            let mut leaving: BTreeMap<&Address, BTreeSet<String>> = BTreeMap::new();
            for key in &keys {
                if let Some(taker) = taker(address, &zone, key, &groups) {
                    leaving.entry(taker).or_default().insert(key.clone());
                }
            }
            let forced = self.desired.moved.get(address).filter(|to| groups.iter().any(|group| group.address == *to));
            let all = leaving.iter().next().filter(|(_, gone)| leaving.len() == 1 && gone.len() == keys.len());
            // A set that another group wants goes there, whatever is said of the group.
            let goal = all.map(|(to, _)| *to).or(forced.filter(|_| leaving.is_empty()));
            // Two groups may become one: the second brings its sets to the first.
            let free = |to: &&Address| {
                !self.recorded.resources.contains_key(*to) && !self.moves.addresses.values().any(|taken| taken == *to)
            };
            match goal.filter(free) {
                Some(to) if !self.desired.resources.contains_key(address) => {
                    self.moves.addresses.insert(address.clone(), to.clone());
                }
                _ => {
                    let sets =
                        leaving.into_iter().map(|(to, keys)| SetMove { from: address.clone(), to: to.clone(), keys });
                    self.moves.sets.extend(sets);
                }
            }
        }
    }

    fn group<'d>(&self, resource: &'d Resource) -> Option<Group<'d>> {
        if resource.kind != Kind::Records {
            return None;
        }
        let spec = self.wanted(&resource.spec);
        let zone = spec.get("zone_id")?.as_str()?.to_owned();
        let keys = spec.get("sets")?.as_array()?.iter().filter_map(key).collect();
        Some(Group { address: &resource.address, zone, keys })
    }
}

/// A wanted group of record sets, as far as it is known.
struct Group<'d> {
    address: &'d Address,
    zone: String,
    keys: BTreeSet<String>,
}

/// The zone that a group is in: the first part of its id.
fn zone_of(record: &ResourceRecord) -> Option<String> {
    let of_id = record.id.as_deref().and_then(|id| id.split_once('/')).map(|(zone, _)| zone.to_owned());
    of_id.or_else(|| record.spec.get("zone_id").and_then(Value::as_str).map(str::to_owned))
}

/// The other group that takes a set over: the one that wants this very set, else one that wants its name and type while
/// the owner does not, else one that wants its name.
fn taker<'d>(owner: &Address, zone: &str, key: &str, groups: &[Group<'d>]) -> Option<&'d Address> {
    let name = key.split(' ').next().unwrap_or_default();
    let record_type = key.split(' ').nth(1).unwrap_or_default();
    let of_type = format!("{name} {record_type}");
    let closeness: [&dyn Fn(&Group<'d>) -> bool; 3] =
        [&|group| group.keys.contains(key), &|group| group.wants(&of_type), &|group| group.wants(name)];
    for is_close in closeness {
        let mut here = groups.iter().filter(|group| group.zone == zone && is_close(group)).peekable();
        let first = here.peek().map(|group| group.address);
        if here.any(|group| group.address == owner) {
            return None;
        }
        if first.is_some() {
            return first;
        }
    }
    None
}

impl Group<'_> {
    /// Whether it wants a set whose key begins with these words. Keys are sorted, so only those are looked at.
    fn wants(&self, words: &str) -> bool {
        let begins = self.keys.range(words.to_owned()..).take_while(|key| key.starts_with(words));
        begins.into_iter().any(|key| key[words.len()..].is_empty() || key[words.len()..].starts_with(' '))
    }
}

/// Old address to new address: what the plan says, then what is recognized by its identity. Where the journal has the very thing
/// that is wanted under a third address, that is the one which moves, whatever is said: to follow the word would replace one
/// thing and let go of the other.
fn matched(
    known: &BTreeMap<&Address, Option<String>>,
    wanted: &BTreeMap<&Address, Option<String>>,
    said: &BTreeMap<Address, Address>,
) -> BTreeMap<Address, Address> {
    let stays = |address: &Address| {
        let here = known.get(address).and_then(Option::as_ref);
        here.is_some() && here == wanted.get(address).and_then(Option::as_ref)
    };
    let is = |address: &Address, identity: &String| known.get(address).and_then(Option::as_ref) == Some(identity);
    let is_a_third = |from: &Address, to: &Address| {
        let identity = wanted.get(to).and_then(Option::as_ref).filter(|identity| !is(from, identity));
        identity.is_some_and(|identity| known.keys().any(|other| is(other, identity) && !stays(other)))
    };
    let moved: BTreeMap<Address, Address> = said
        .iter()
        .filter(|(from, to)| known.contains_key(from) && wanted.contains_key(to) && !wanted.contains_key(from))
        .filter(|(from, to)| !known.contains_key(to) && !is_a_third(from, to))
        .map(|(from, to)| (from.clone(), to.clone()))
        .collect();
    // Several may be alike (two health checks that ask the same): the first address of one goes to the first of the other.
    let mut free: BTreeMap<&String, VecDeque<&Address>> = BTreeMap::new();
    for (from, identity) in known.iter().filter(|(from, _)| !stays(from) && !moved.contains_key(**from)) {
        if let Some(identity) = identity {
            free.entry(identity).or_default().push_back(from);
        }
    }
    let taken: BTreeSet<Address> = moved.values().cloned().collect();
    let open = wanted.iter().filter(|(to, _)| !stays(to) && !taken.contains(**to));
    let found = open.filter_map(|(to, identity)| {
        let from = free.get_mut(identity.as_ref()?)?.pop_front()?;
        Some((from.clone(), (*to).clone()))
    });
    let found: Vec<(Address, Address)> = found.collect();
    moved.into_iter().chain(found).collect()
}

/// What is at a goal and does not move itself goes to the address at which the chain of moves began: nothing in the
/// journal is overwritten.
fn make_room(known: &BTreeMap<&Address, Option<String>>, moved: &mut BTreeMap<Address, Address>) {
    let origin: BTreeMap<Address, Address> = moved.iter().map(|(from, to)| (to.clone(), from.clone())).collect();
    let driven_out: Vec<Address> =
        moved.values().filter(|to| known.contains_key(to) && !moved.contains_key(*to)).cloned().collect();
    for address in driven_out {
        let mut start = &address;
        while let Some(from) = origin.get(start) {
            start = from;
        }
        moved.insert(address.clone(), start.clone());
    }
}

#[cfg(test)]
#[path = "moves_tests.rs"]
mod moves_tests;
#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{ResourceOrigin, ResourceStatus, references};

    pub(super) fn address(text: &str) -> Address {
        text.parse().expect("an address")
    }

    #[test]
    fn what_is_said_of_a_move_gives_way_to_the_very_thing_under_a_third_address() {
        let [k0, k1, k3] = ["models.bucket.k0", "models.bucket.k1", "models.bucket.k3"].map(address);
        let named = |name: &str| Some(name.to_owned());
        let wanted = BTreeMap::from([(&k0, named("b0"))]);
        let said = BTreeMap::from([(k3.clone(), k0.clone())]);
        let known = BTreeMap::from([(&k1, named("b0")), (&k3, named("b1"))]);
        assert_eq!(matched(&known, &wanted, &said), BTreeMap::from([(k1.clone(), k0.clone())]));
        // What is wanted is nowhere, or is the thing of which it is said: then that moves.
        for known in [BTreeMap::from([(&k3, named("b1"))]), BTreeMap::from([(&k1, named("b0")), (&k3, named("b0"))])] {
            assert_eq!(matched(&known, &wanted, &said), BTreeMap::from([(k3.clone(), k0.clone())]));
        }
    }

    pub(super) fn known(state: &mut StackState, at: &str, spec: Value, attributes: Value) {
        let address = address(at);
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == address.kind_name()).expect("a kind");
        let record = ResourceRecord {
            kind,
            id: Some("Z1/x".to_owned()),
            generation: 0,
            needs: references(&spec).into_iter().map(|need| (need, crate::resource::Level::Usable)).collect(),
            spec,
            attributes: serde::Deserialize::deserialize(attributes).expect("attributes"),
            step: String::new(),
            after: std::collections::BTreeSet::new(),
            standing: ResourceStatus::Present,
            pending: None,
            made_at: None,
            origin: ResourceOrigin::Made,
        };
        state.resources.insert(address, record);
    }

    pub(super) fn wanted(desired: &mut Desired, at: &str, spec: &Value) {
        let address = address(at);
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == address.kind_name()).expect("a kind");
        desired.add(Resource::new(address, kind, spec));
    }

    #[test]
    fn every_kind_that_has_an_identity_is_recognized_at_another_address() {
        let specs = [
            ("bucket", json!({"name": "b", "region": "us-east-1"})),
            ("role", json!({"name": "r"})),
            ("function", json!({"name": "f", "region": "us-east-1"})),
            ("zone", json!({"name": "example.net"})),
            ("certificate", json!({"region": "us-east-1", "domain": "example.net"})),
            (
                "health-check",
                json!({"protocol": "HTTPS", "host": "h", "port": 443, "path": "/", "interval_seconds": 30}),
            ),
            ("cache-policy", json!({"name": "p"})),
            ("origin-request-policy", json!({"name": "p"})),
            ("response-headers-policy", json!({"name": "p"})),
            ("origin-access", json!({"name": "p"})),
            ("bucket-policy", json!({"bucket": "b"})),
            ("replication", json!({"source": "b"})),
            ("object", json!({"bucket": "b", "key": "k"})),
            ("function-version", json!({"function": "f", "region": "r", "code_sha256": "s", "settings": "t"})),
            ("monitoring", json!({"distribution_id": "E1"})),
            ("queue", json!({"name": "q", "region": "us-east-1"})),
            ("file", json!({"host": "one", "path": "/etc/x"})),
            ("account", json!({"host": "one", "name": "edge", "what": "user"})),
            ("packages", json!({"host": "one", "packages": {"jq": ""}})),
            ("service", json!({"host": "one", "unit": "x.service"})),
            ("power-mode", json!({"host": "one"})),
            ("node", json!({"host": "one"})),
            ("image", json!({"host": "one", "reference": "r"})),
            (
                "manifest",
                json!({"cluster": "one", "api_version": "v1", "kind": "Service", "namespace": "n", "name": "s"}),
            ),
        ];
        for (kind, spec) in &specs {
            let (mut state, mut desired) = (StackState::empty("s"), Desired::new("s"));
            known(&mut state, &format!("a.{kind}.old"), spec.clone(), json!({}));
            wanted(&mut desired, &format!("a.{kind}.new"), spec);
            let found = moves(&desired, &state);
            assert_eq!(found.addresses.len(), 1, "{kind}: {found:?}");
        }
        let told: BTreeSet<&str> = specs.iter().map(|(kind, _)| *kind).collect();
        let silent: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).filter(|kind| !told.contains(kind)).collect();
        // Looked up and never made; always at one address; and record sets, which move one by one.
        assert_eq!(silent, ["load-balancer", "distribution", "records", "host", "cluster"]);
    }

    #[test]
    fn what_refers_to_a_moved_resource_moves_with_it_and_swaps_are_told_apart() {
        let (mut state, mut desired) = (StackState::empty("s"), Desired::new("s"));
        for (key, name) in [("x", "one"), ("y", "two")] {
            known(&mut state, &format!("m.bucket.{key}"), json!({"name": name}), json!({"name": name}));
            let policy = json!({"bucket": format!("${{m.bucket.{key}#name}}")});
            known(&mut state, &format!("m.bucket-policy.{key}"), policy.clone(), json!({}));
            wanted(&mut desired, &format!("m.bucket-policy.{key}"), &policy);
        }
        wanted(&mut desired, "m.bucket.x", &json!({"name": "two"}));
        wanted(&mut desired, "m.bucket.y", &json!({"name": "one"}));
        let found = moves(&desired, &state);
        let told: Vec<String> = found.addresses.iter().map(|(from, to)| format!("{from} {to}")).collect();
        assert_eq!(
            told,
            [
                "m.bucket-policy.x m.bucket-policy.y",
                "m.bucket-policy.y m.bucket-policy.x",
                "m.bucket.x m.bucket.y",
                "m.bucket.y m.bucket.x"
            ]
        );
    }

    #[test]
    fn what_stands_at_the_goal_is_not_overwritten() {
        let (mut state, mut desired) = (StackState::empty("s"), Desired::new("s"));
        known(&mut state, "m.bucket.x", json!({"name": "one"}), json!({}));
        known(&mut state, "m.bucket.y", json!({"name": "two"}), json!({}));
        wanted(&mut desired, "m.bucket.x", &json!({"name": "two"}));
        let after = state.clone().moved(&moves(&desired, &state));
        let names: Vec<(&str, &Value)> =
            after.resources.iter().map(|(address, record)| (address.as_str(), &record.spec["name"])).collect();
        assert_eq!(names, [("m.bucket.x", &json!("two")), ("m.bucket.y", &json!("one"))]);
    }
}
