//! Moves: a resource gets another address. Of the real resource, only the ownership tags change.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::records::RecordSet;
use super::records::previous::{PreviousSets, keep, kept};
use super::{Address, Kind, ResourceRecord, ResourceStatus, StackState, token};

/// Where a moved resource was made. Its marks may still say so until they are written again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedAddress {
    /// The address under which it was made.
    pub address: Address,
    /// The idempotency token of its creation.
    pub token: String,
}

/// Some record sets go from one group to another in the same zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetMove {
    /// The group that they leave.
    pub from: Address,
    /// The group that owns them now.
    pub to: Address,
    /// The sets, as [`RecordSet::owned_key`] writes them.
    pub keys: BTreeSet<String>,
}

/// All moves of a run. They happen at the same time: two resources may swap their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moves {
    /// Old address to new address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub addresses: BTreeMap<Address, Address>,
    /// Record sets that change their group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<SetMove>,
}

/// The attribute of a group of record sets that names what it owns.
pub const OWNED_SETS: &str = "sets";

impl Moves {
    /// Whether nothing moves.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.sets.is_empty()
    }

    /// Those that lead to addresses which `wanted` accepts.
    #[must_use]
    pub fn leading_to(&self, wanted: impl Fn(&Address) -> bool) -> Self {
        let addresses = self.addresses.iter().filter(|(_, to)| wanted(to));
        Self {
            addresses: addresses.map(|(from, to)| (from.clone(), to.clone())).collect(),
            sets: self.sets.iter().filter(|one| wanted(&one.to)).cloned().collect(),
        }
    }

    /// The addresses from which something came to `to`, with the record sets when it is not the whole of it.
    pub fn sources_of(&self, to: &Address) -> Vec<(&Address, Option<&BTreeSet<String>>)> {
        let whole = self.addresses.iter().filter(|(_, goal)| *goal == to).map(|(from, _)| (from, None));
        let sets = self.sets.iter().filter(|one| one.to == *to).map(|one| (&one.from, Some(&one.keys)));
        whole.chain(sets).collect()
    }
}

impl StackState {
    /// The state after `moves`.
    #[must_use]
    pub fn moved(mut self, moves: &Moves) -> Self {
        if !moves.addresses.is_empty() {
            self.readdress(&moves.addresses);
        }
        for one in &moves.sets {
            self.move_sets(one);
        }
        self
    }

    /// The idempotency token of what stands, or comes next, at an address.
    pub fn token(&self, address: &Address) -> String {
        let made = self.resources.get(address).and_then(|record| record.made_at.as_ref());
        made.map_or_else(|| token(&self.stack, address, self.generation(address)), |made| made.token.clone())
    }

    fn readdress(&mut self, moves: &BTreeMap<Address, Address>) {
        let mut moving = Vec::new();
        for (from, to) in moves {
            let made = CreatedAddress { address: from.clone(), token: self.token(from) };
            let Some(mut record) = self.resources.remove(from) else { continue };
            record.made_at = Some(record.made_at.unwrap_or(made)).filter(|made| made.address != *to);
            self.generations.insert(from.clone(), record.generation.saturating_add(1));
            moving.push((to, record));
        }
        for (to, mut record) in moving {
            // References that a service saw once at this address are never used again.
            record.generation = record.generation.max(self.generations.get(to).copied().unwrap_or(0));
            if record.kind == Kind::Records {
                let zone = record.id.as_deref().and_then(|id| id.split_once('/')).map(|(zone, _)| zone.to_owned());
                record.id = zone.map(|zone| format!("{zone}/{}", to.name()));
            }
            self.resources.insert(to.clone(), record);
        }
        for record in self.resources.values_mut() {
            rename_references(&mut record.spec, moves);
            record.pending.iter_mut().for_each(|pending| rename_references(pending, moves));
            let renamed = |(need, level)| (moves.get(&need).cloned().unwrap_or(need), level);
            record.needs = std::mem::take(&mut record.needs).into_iter().map(renamed).collect();
        }
        for left in &mut self.pending_deletions {
            let renamed = |holder: Address| moves.get(&holder).cloned().unwrap_or(holder);
            left.held_by = std::mem::take(&mut left.held_by).into_iter().map(renamed).collect();
        }
    }

    fn move_sets(&mut self, one: &SetMove) {
        let Some(mut from) = self.resources.remove(&one.from) else { return };
        let (moving, remaining) = self.split(&from, &one.keys);
        let zone = from.id.as_deref().and_then(|id| id.split_once('/')).map(|(zone, _)| zone.to_owned());
        let new = || ResourceRecord {
            id: zone.map(|zone| format!("{zone}/{}", one.to.name())),
            generation: self.generations.get(&one.to).copied().unwrap_or(0),
            spec: json!({"zone_id": from.spec.get("zone_id").cloned().unwrap_or_default(), "sets": []}),
            attributes: BTreeMap::new(),
            standing: ResourceStatus::Present,
            pending: None,
            made_at: None,
            ..from.clone()
        };
        let mut to = self.resources.remove(&one.to).unwrap_or_else(new);
        to.needs.extend(from.needs.iter().map(|(need, level)| (need.clone(), *level)));
        to.needs.remove(&one.to);
        let mut held = sets(&to.spec);
        held.extend(moving);
        let mut keys = owned(&to, &|spec| self.resolved(spec));
        keys.extend(one.keys.iter().cloned());
        let (going, staying): (PreviousSets, PreviousSets) =
            kept(&from.attributes).into_iter().partition(|(key, _)| one.keys.contains(key));
        let mut earlier = kept(&to.attributes);
        earlier.extend(going);
        keep(&mut to.attributes, &earlier);
        keep(&mut from.attributes, &staying);
        self.write(&mut to, held, &keys);
        let keys: BTreeSet<String> = owned(&from, &|spec| self.resolved(spec)).difference(&one.keys).cloned().collect();
        self.write(&mut from, remaining, &keys);
        self.resources.insert(one.to.clone(), to);
        if keys.is_empty() {
            self.generations.insert(one.from.clone(), from.generation.saturating_add(1));
        } else {
            self.resources.insert(one.from.clone(), from);
        }
    }

    /// The sets of a group that are among `keys`, and the others.
    fn split(&self, group: &ResourceRecord, keys: &BTreeSet<String>) -> (Vec<Value>, Vec<Value>) {
        let among = |set: &Value| key(&self.resolved(set)).is_some_and(|key| keys.contains(&key));
        sets(&group.spec).into_iter().partition(among)
    }

    fn resolved(&self, spec: &Value) -> Value {
        super::resolve(spec, &|address, attribute| self.attribute(address, attribute))
    }

    fn write(&self, group: &mut ResourceRecord, mut held: Vec<Value>, keys: &BTreeSet<String>) {
        held.sort_by_key(|set| key(&self.resolved(set)));
        group.spec["sets"] = Value::Array(held);
        let names: BTreeSet<&str> = keys.iter().filter_map(|key| key.split(' ').next()).collect();
        group.attributes.insert("names".to_owned(), json!(names));
        group.attributes.insert(OWNED_SETS.to_owned(), json!(keys));
    }
}

fn sets(spec: &Value) -> Vec<Value> {
    spec.get("sets").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// The key of a record set given as data; none while its name is not known.
pub fn key(set: &Value) -> Option<String> {
    let set: RecordSet = serde::Deserialize::deserialize(set).ok()?;
    (!set.name.contains("${")).then(|| set.owned_key())
}

/// What a group of record sets owns: what it wrote down, or, in journals of older versions, what it asked for; and what an
/// update asked for whose end is not known.
pub fn owned(group: &ResourceRecord, resolved: &dyn Fn(&Value) -> Value) -> BTreeSet<String> {
    let keys_of =
        |spec: &Value| -> BTreeSet<String> { sets(spec).iter().filter_map(|set| key(&resolved(set))).collect() };
    let mut all = match group.attributes.get(OWNED_SETS).and_then(Value::as_array) {
        Some(keys) => keys.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        None => keys_of(&group.spec),
    };
    all.extend(group.pending.iter().flat_map(keys_of));
    all
}

/// Writes every reference to a moved address anew.
fn rename_references(value: &mut Value, moves: &BTreeMap<Address, Address>) {
    match value {
        Value::String(text) if text.contains("${") => *text = renamed(text, moves),
        Value::Array(items) => items.iter_mut().for_each(|item| rename_references(item, moves)),
        Value::Object(fields) => fields.values_mut().for_each(|field| rename_references(field, moves)),
        _ => {}
    }
}

/// One pass, so that two addresses may take each other's place.
fn renamed(text: &str, moves: &BTreeMap<Address, Address>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        out.push_str("${");
        let address = after.split_once('#').map(|(address, _)| address).filter(|address| !address.contains('}'));
        let goal = address.and_then(|address| moves.get(&address.parse::<Address>().ok()?));
        rest = match (address, goal) {
            (Some(address), Some(goal)) => {
                out.push_str(goal.as_str());
                &after[address.len()..]
            }
            _ => after,
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Level, ResourceOrigin};

    fn address(text: &str) -> Address {
        text.parse().expect("an address")
    }

    fn record(kind: Kind, id: &str, spec: Value) -> ResourceRecord {
        let needs = super::super::references(&spec).into_iter().map(|need| (need, Level::Usable)).collect();
        ResourceRecord {
            kind,
            id: Some(id.to_owned()),
            generation: 0,
            spec,
            attributes: BTreeMap::new(),
            needs,
            step: String::new(),
            after: std::collections::BTreeSet::new(),
            standing: ResourceStatus::Present,
            pending: None,
            made_at: None,
            origin: ResourceOrigin::Made,
        }
    }

    #[test]
    fn a_move_takes_references_and_needs_along() {
        let (a, b, policy) = (address("m.bucket.a"), address("m.bucket.b"), address("m.bucket-policy.p"));
        let mut state = StackState::empty("s");
        state.resources.insert(a.clone(), record(Kind::Bucket, "one", json!({"name": "one"})));
        state.resources.insert(b.clone(), record(Kind::Bucket, "two", json!({"name": "two"})));
        let spec = json!({"bucket": "${m.bucket.a#name}", "other": "x ${m.bucket.b#arn} ${#account}"});
        state.resources.insert(policy.clone(), record(Kind::BucketPolicy, "one", spec));
        let token = state.token(&a);
        let swapped = Moves { addresses: [(a.clone(), b.clone()), (b.clone(), a.clone())].into(), sets: Vec::new() };
        let after = state.clone().moved(&swapped);
        assert_eq!(after.resources[&b].id.as_deref(), Some("one"));
        assert_eq!(
            after.resources[&policy].spec,
            json!({"bucket": "${m.bucket.b#name}", "other": "x ${m.bucket.a#arn} ${#account}"})
        );
        assert_eq!(after.token(&b), token, "the token of its creation goes along");
        // Back again, it is where it was made.
        assert_eq!(after.moved(&swapped).resources[&a].made_at, None);
    }

    #[test]
    fn sets_leave_one_group_for_another_and_an_empty_group_is_gone() {
        let (g, h) = (address("routing.records.g"), address("routing.records.h"));
        let set = |name: &str| json!({"name": name, "type": "A", "ttl": 60, "values": ["192.0.2.1"]});
        let mut state = StackState::empty("s");
        let spec = json!({"zone_id": "Z1", "sets": [set("a.example.net"), set("c.example.net")]});
        state.resources.insert(g.clone(), record(Kind::Records, "Z1/g", spec));
        let one = |key: &str| SetMove { from: g.clone(), to: h.clone(), keys: [key.to_owned()].into() };
        let moves = Moves { sets: vec![one("c.example.net A")], ..Moves::default() };
        let after = state.moved(&moves);
        assert_eq!(after.resources[&g].spec["sets"], json!([set("a.example.net")]));
        assert_eq!(after.resources[&h].spec["sets"], json!([set("c.example.net")]));
        assert_eq!(after.resources[&h].id.as_deref(), Some("Z1/h"));
        assert_eq!(after.resources[&h].attributes["sets"], json!(["c.example.net A"]));
        let after = after.moved(&Moves { sets: vec![one("a.example.net A")], ..Moves::default() });
        assert!(!after.resources.contains_key(&g));
        assert_eq!(after.generation(&g), 1);
    }
}
