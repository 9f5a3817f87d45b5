//! Resources that depend on one that is deleted, by reference or by name.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use crate::resource::{Address, Kind, Level, ResourceRecord, StackState, resolve};

/// The state in which each record that names another one's thing by its plain name or ARN needs it, as if it referred to
/// it.
#[must_use]
pub fn needs_by_name(mut recorded: StackState) -> StackState {
    let known = |address: &str, attribute: &str| recorded.attribute(address, attribute);
    let specs: Vec<(Address, Kind, Value)> = recorded
        .resources
        .iter()
        .map(|(address, record)| (address.clone(), record.kind, resolve(&record.spec, &known)))
        .collect();
    let names = Names::of_all(&recorded, &specs);
    let mut found = Vec::new();
    for (address, kind, spec) in &specs {
        let mut named = BTreeSet::new();
        names.named_in(*kind, spec, &mut named);
        for named in named.into_iter().filter(|named| *named != address) {
            let already = recorded.resources.get(address).is_some_and(|user| user.needs.contains_key(named));
            if !already && !leads(&recorded, named, address) {
                found.push((address.clone(), named.clone()));
            }
        }
    }
    for (address, named) in found {
        if let Some(record) = recorded.resources.get_mut(&address) {
            record.needs.insert(named, Level::Usable);
        }
    }
    recorded
}

/// Everything that needs what goes, directly or through others, or whose step came after that of something that goes; each with one
/// of those that it needs.
pub fn dependents(recorded: &StackState, going: &BTreeSet<Address>) -> BTreeMap<Address, Address> {
    let mut by_need: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
    let mut by_step: BTreeMap<&str, Vec<&Address>> = BTreeMap::new();
    for (address, record) in &recorded.resources {
        for need in record.needs.keys() {
            by_need.entry(need).or_default().push(address);
        }
        for step in &record.after {
            by_step.entry(step).or_default().push(address);
        }
    }
    let mut found: BTreeMap<Address, Address> = BTreeMap::new();
    let mut open: VecDeque<&Address> = going.iter().collect();
    while let Some(gone) = open.pop_front() {
        // Those of a step are found once.
        let step = recorded.resources.get(gone).and_then(|record| by_step.remove(record.step.as_str()));
        for user in by_need.get(gone).into_iter().flatten().copied().chain(step.into_iter().flatten()) {
            if !going.contains(user) && !found.contains_key(user) {
                found.insert(user.clone(), gone.clone());
                open.push_back(user);
            }
        }
    }
    found
}

/// How others name things without a reference: [`Naming`](crate::resource::Naming) says it of each kind.
#[derive(Default)]
struct Names {
    /// Texts that stand for a thing wherever they are.
    anywhere: BTreeMap<String, BTreeSet<Address>>,
    /// Plain names, by the kind of the thing.
    plain: BTreeMap<Kind, BTreeMap<String, BTreeSet<Address>>>,
}

impl Names {
    fn of_all(recorded: &StackState, specs: &[(Address, Kind, Value)]) -> Self {
        let mut all = Self::default();
        for (address, _, spec) in specs {
            if let Some(record) = recorded.resources.get(address) {
                all.add(address, record, spec);
            }
        }
        all
    }

    fn add(&mut self, address: &Address, record: &ResourceRecord, spec: &Value) {
        let naming = &record.kind.facts().naming;
        let id = record.id.as_deref().filter(|_| naming.id);
        let attributes = naming.attributes.iter().filter_map(|key| record.attributes.get(*key)?.as_str());
        for text in id.into_iter().chain(attributes).filter(|text| text.len() > 3) {
            self.anywhere.entry(text.to_owned()).or_default().insert(address.clone());
        }
        if let Some(name) = spec.get("name").and_then(Value::as_str).filter(|_| naming.plain) {
            let names = self.plain.entry(record.kind).or_default();
            names.entry(name.to_owned()).or_default().insert(address.clone());
        }
    }

    fn named_in<'n>(&'n self, kind: Kind, spec: &Value, found: &mut BTreeSet<&'n Address>) {
        let naming = &kind.facts().naming;
        let mut text = |text: &str| {
            found.extend(self.anywhere.get(text).into_iter().flatten());
            if let Some(named) = &naming.others
                && let Some(names) = self.plain.get(named)
            {
                found.extend(names.get(text).into_iter().flatten());
            }
            for (named, names) in &self.plain {
                let Some(after) = named.facts().naming.host_after else { continue };
                // The name itself may hold dots, too.
                for (at, _) in text.match_indices(after).filter(|(at, _)| is_host(&text[at + after.len()..])) {
                    found.extend(names.get(&text[..at]).into_iter().flatten());
                }
            }
        };
        match naming.only_in.and_then(|only| spec.get(only)) {
            Some(part) => each_text(part, &mut text),
            None => each_text(spec, &mut text),
        }
    }
}

/// Whether a host name goes on so, after the name of a thing and the word of its service.
fn is_host(rest: &str) -> bool {
    rest.starts_with(['.', '-'])
}

fn each_text(value: &Value, seen: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => seen(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, seen)),
        Value::Object(fields) => fields.values().for_each(|field| each_text(field, seen)),
        _ => {}
    }
}

/// Whether one thing needs another, directly or through others.
fn leads(recorded: &StackState, from: &Address, to: &Address) -> bool {
    let mut open = vec![from];
    let mut seen = BTreeSet::new();
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(recorded.resources.get(at).into_iter().flat_map(|record| record.needs.keys()));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::ResourceStatus;

    fn record(kind: Kind, id: &str, spec: Value, needs: &[&str]) -> ResourceRecord {
        let needs = needs.iter().map(|need| (need.parse().expect("an address"), Level::Usable)).collect();
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
            origin: crate::resource::ResourceOrigin::Made,
        }
    }

    #[test]
    fn what_refers_to_it_or_names_it_depends_on_it() {
        let mut state = StackState::empty("s");
        let mut add = |address: &str, record: ResourceRecord| {
            state.resources.insert(address.parse().expect("an address"), record);
        };
        add("m.bucket.b", record(Kind::Bucket, "data", json!({"name": "data"}), &[]));
        add("m.bucket.c", record(Kind::Bucket, "data2", json!({"name": "data2"}), &[]));
        add("p.object.o", record(Kind::Object, "data/k", json!({"bucket": "data", "key": "k"}), &[]));
        add("p.object.q", record(Kind::Object, "data2/k", json!({"bucket": "data2", "key": "data"}), &["p.object.r"]));
        let origin = json!({"origins": [{"host": "data.s3.us-east-1.amazonaws.com"}]});
        add("c.distribution.d", record(Kind::Distribution, "E1", origin, &[]));
        add("r.records.x", record(Kind::Records, "Z1/x", json!({"zone_id": "Z1"}), &["c.distribution.d"]));
        let state = needs_by_name(state);
        let going = BTreeSet::from(["m.bucket.b".parse().expect("an address")]);
        let found: Vec<String> = dependents(&state, &going).keys().map(ToString::to_string).collect();
        assert_eq!(found, ["c.distribution.d", "p.object.o", "r.records.x"]);
    }

    /// What would go with each of these, in a stack of these records.
    fn with(records: Vec<(&str, ResourceRecord)>, going: &[&str]) -> Vec<String> {
        let mut state = StackState::empty("s");
        let at = |address: &str| -> Address { address.parse().expect("an address") };
        state.resources = records.into_iter().map(|(address, record)| (at(address), record)).collect();
        let going = going.iter().map(|address| at(address)).collect();
        dependents(&needs_by_name(state), &going).keys().map(ToString::to_string).collect()
    }

    #[test]
    fn an_id_names_something_when_it_is_too_long_to_be_a_word() {
        for (id, dependent) in [("E1", false), ("E12", false), ("E123", true), ("E12345", true)] {
            let policy = record(Kind::CachePolicy, id, json!({"name": "p"}), &[]);
            let user = record(Kind::Distribution, "D12345", json!({"comment": id}), &[]);
            let found = with(vec![("c.cache-policy.p", policy), ("c.distribution.d", user)], &["c.cache-policy.p"]);
            assert_eq!(!found.is_empty(), dependent, "{id}: {found:?}");
        }
    }

    #[test]
    fn a_host_name_that_only_begins_like_that_of_a_bucket_does_not_name_it() {
        for (host, dependent) in
            [("data.s3.amazonaws.com", true), ("data.s3-website.amazonaws.com", true), ("data.s3rver.example", false)]
        {
            let bucket = record(Kind::Bucket, "data", json!({"name": "data"}), &[]);
            let user = record(Kind::Distribution, "D12345", json!({"origins": [{"host": host}]}), &[]);
            let found = with(vec![("m.bucket.b", bucket), ("c.distribution.d", user)], &["m.bucket.b"]);
            assert_eq!(!found.is_empty(), dependent, "{host}: {found:?}");
        }
    }

    #[test]
    fn what_goes_itself_is_no_dependent_of_what_goes_with_it() {
        let records = || {
            vec![
                ("m.bucket.b", record(Kind::Bucket, "data", json!({"name": "data"}), &[])),
                ("m.object.o", record(Kind::Object, "data/k", json!({"bucket": "data", "key": "k"}), &["m.bucket.b"])),
            ]
        };
        assert_eq!(with(records(), &["m.bucket.b"]), ["m.object.o"]);
        assert!(with(records(), &["m.bucket.b", "m.object.o"]).is_empty());
    }

    #[test]
    fn a_name_adds_no_need_that_is_there_already_or_leads_back() {
        let mut state = StackState::empty("s");
        let [policy, d] = ["c.cache-policy.p", "c.distribution.d"].map(|at| at.parse::<Address>().expect("an address"));
        let mut user = record(Kind::Distribution, "D12345", json!({"comment": "P12345"}), &[]);
        user.needs.insert(policy.clone(), Level::Propagated);
        state.resources.insert(policy.clone(), record(Kind::CachePolicy, "P12345", json!({"comment": "D12345"}), &[]));
        state.resources.insert(d.clone(), user);
        let state = needs_by_name(state);
        assert_eq!(state.resources[&d].needs, BTreeMap::from([(policy.clone(), Level::Propagated)]));
        assert!(state.resources[&policy].needs.is_empty(), "it would go after what goes after it");
    }
}
