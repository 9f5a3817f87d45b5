//! Which resources only change their address: what the plan wants under a new one is what the journal knows under another.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::resource::moves::{key, owned};
use crate::resource::{Address, Desired, Kind, Moves, Record, Remembered, Resource, SetMove, identity, resolve};

/// Kinds in the order in which their identities become known: those that are named in the plan, those that are named by a
/// resource of the first, and record sets, which may be named by a certificate.
const RANKS: usize = 3;

const fn rank(kind: Kind) -> usize {
    match kind {
        Kind::BucketPolicy | Kind::Replication | Kind::Object | Kind::FunctionVersion | Kind::Monitoring => 1,
        Kind::Records => 2,
        _ => 0,
    }
}

/// The moves that lead from what is remembered to what is wanted.
pub fn moves(desired: &Desired, remembered: &Remembered) -> Moves {
    let mut search = Search { desired, remembered, moves: Moves::default(), sources: BTreeMap::new() };
    for rank in 0..RANKS - 1 {
        search.whole(rank);
    }
    search.record_sets();
    search.moves
}

struct Search<'a> {
    desired: &'a Desired,
    remembered: &'a Remembered,
    moves: Moves,
    /// Wanted address to the address at which the journal knows the same thing.
    sources: BTreeMap<Address, Address>,
}

impl Search<'_> {
    /// Settings of the plan with what is known already: references lead to where the thing stands in the journal.
    fn wanted(&self, spec: &Value) -> Value {
        resolve(spec, &|address, attribute| {
            let address: Address = address.parse().ok()?;
            self.remembered.attribute(self.sources.get(&address)?.as_str(), attribute)
        })
    }

    fn held(&self, spec: &Value) -> Value {
        resolve(spec, &|address, attribute| self.remembered.attribute(address, attribute))
    }

    /// Matches what is wanted with what is known, kind by kind of one rank.
    fn whole(&mut self, of_rank: usize) {
        for kind in Kind::ALL.into_iter().filter(|kind| rank(*kind) == of_rank) {
            let known: BTreeMap<&Address, Option<String>> = self
                .remembered
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
        let held = self.remembered.resources.iter().filter(|(_, record)| record.kind == Kind::Records);
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
                !self.remembered.resources.contains_key(*to) && !self.moves.addresses.values().any(|taken| taken == *to)
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

/// The zone that a group stands in: the first part of its id.
fn zone_of(record: &Record) -> Option<String> {
    let of_id = record.id.as_deref().and_then(|id| id.split_once('/')).map(|(zone, _)| zone.to_owned());
    of_id.or_else(|| record.spec.get("zone_id").and_then(Value::as_str).map(str::to_owned))
}

/// The other group that takes a set over: the one that wants this very set, else one that wants its name and type while
/// the owner does not, else one that wants its name.
fn taker<'d>(owner: &Address, zone: &str, key: &str, groups: &[Group<'d>]) -> Option<&'d Address> {
    let mut parts = key.splitn(3, ' ');
    let (name, record_type) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let closeness: [&dyn Fn(&String) -> bool; 3] =
        [&|other| other == key, &|other| same_type(other, name, record_type), &|other| {
            other.split(' ').next() == Some(name)
        }];
    for is_close in closeness {
        let here: Vec<&Group<'d>> =
            groups.iter().filter(|group| group.zone == zone && group.keys.iter().any(is_close)).collect();
        if here.iter().any(|group| group.address == owner) {
            return None;
        }
        if let Some(first) = here.first() {
            return Some(first.address);
        }
    }
    None
}

fn same_type(key: &str, name: &str, record_type: &str) -> bool {
    let mut parts = key.splitn(3, ' ');
    parts.next() == Some(name) && parts.next() == Some(record_type)
}

/// Old address to new address: what the plan says, then what is recognized by its identity.
fn matched(
    known: &BTreeMap<&Address, Option<String>>,
    wanted: &BTreeMap<&Address, Option<String>>,
    said: &BTreeMap<Address, Address>,
) -> BTreeMap<Address, Address> {
    let mut moved: BTreeMap<Address, Address> = said
        .iter()
        .filter(|(from, to)| known.contains_key(from) && wanted.contains_key(to) && !wanted.contains_key(from))
        .filter(|(_, to)| !known.contains_key(to))
        .map(|(from, to)| (from.clone(), to.clone()))
        .collect();
    let stays = |address: &Address| {
        let here = known.get(address).and_then(Option::as_ref);
        here.is_some() && here == wanted.get(address).and_then(Option::as_ref)
    };
    for (to, identity) in wanted {
        if identity.is_none() || stays(to) || moved.values().any(|goal| goal == *to) {
            continue;
        }
        let same = |from: &&&Address| known[**from] == *identity && !stays(from) && !moved.contains_key(**from);
        if let Some(from) = known.keys().find(same) {
            moved.insert((*from).clone(), (*to).clone());
        }
    }
    moved
}

/// What stands at a goal and does not move itself goes to the address at which the chain of moves began: nothing in the
/// journal is overwritten.
fn make_room(known: &BTreeMap<&Address, Option<String>>, moved: &mut BTreeMap<Address, Address>) {
    let driven_out: Vec<Address> =
        moved.values().filter(|to| known.contains_key(to) && !moved.contains_key(*to)).cloned().collect();
    for address in driven_out {
        let mut start = address.clone();
        while let Some((from, _)) = moved.iter().find(|(_, to)| **to == start) {
            start.clone_from(from);
        }
        moved.insert(address, start);
    }
}
