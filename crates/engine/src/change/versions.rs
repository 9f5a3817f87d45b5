//! Versions of models: those before the current one stay in their bucket for a rollback, as many as the plan keeps.
//!
//! The objects of a version carry hashes in their addresses, so that a new version is new resources. What the plan does not name
//! any more would be deleted; here it is told which of it stays. The pointer's metadata says the order of the versions.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::resource::model_layout::{CURRENT, KEEP, MANIFEST, VERSIONS};
use crate::resource::{Address, Desired, Kind, Resource, ResourceRecord, StackState};

/// What is wanted, with the versions of models that stay.
pub(super) struct RetainedVersions<'d> {
    /// The graph; its pointers name the kept versions.
    pub desired: Cow<'d, Desired>,
    /// Objects of kept versions that the plan does not name.
    pub addresses: BTreeSet<Address>,
}

/// Adds the versions that are kept to what is wanted.
pub(super) fn kept<'d>(desired: &'d Desired, recorded: &StackState) -> RetainedVersions<'d> {
    let mut kept = RetainedVersions { desired: Cow::Borrowed(desired), addresses: BTreeSet::new() };
    for pointer in desired.resources.values() {
        let Some(record) = recorded.resources.get(&pointer.address) else { continue };
        let wanted = versions(&pointer.spec);
        let Some(current) = wanted.first().filter(|_| is_same_object(pointer, record)) else { continue };
        let mut history = wanted.clone();
        history.extend(versions(&record.spec).into_iter().filter(|version| !wanted.contains(version)));
        history.retain(|version| version == current || objects(pointer, version, recorded).is_some());
        history.truncate(1 + keep(&pointer.spec));
        let former = history.iter().filter_map(|version| objects(pointer, version, recorded)).flatten();
        kept.addresses.extend(former.filter(|address| !desired.resources.contains_key(address)));
        if history != wanted
            && let Some(pointer) = kept.desired.to_mut().resources.get_mut(&pointer.address)
        {
            pointer.spec["metadata"][VERSIONS] = json!(history.join(" "));
        }
    }
    kept
}

/// The versions that the metadata of a pointer names, the current one first; empty for everything else.
fn versions(spec: &Value) -> Vec<String> {
    let named = spec.get("metadata").and_then(|metadata| metadata.get(VERSIONS)).and_then(Value::as_str);
    named.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// How many versions before the current one are kept.
fn keep(spec: &Value) -> usize {
    let said = spec.get("metadata").and_then(|metadata| metadata.get(KEEP)).and_then(Value::as_str);
    said.and_then(|said| said.parse().ok()).unwrap_or_default()
}

/// Whether a pointer stands where the journal has it: in another bucket there are no versions yet.
fn is_same_object(pointer: &Resource, record: &ResourceRecord) -> bool {
    let same = |setting: &str| pointer.spec.get(setting) == record.spec.get(setting);
    record.kind == Kind::Object && same("bucket") && same("key")
}

/// The manifest of a version and its files, where the journal knows them.
fn objects(pointer: &Resource, version: &str, recorded: &StackState) -> Option<Vec<Address>> {
    let stem = pointer.address.name().strip_suffix(CURRENT)?;
    let address: Address =
        format!("{}.{}.{stem}{MANIFEST}{version}", pointer.address.area(), Kind::Object.name()).parse().ok()?;
    let manifest = recorded.resources.get(&address).filter(|record| record.id.is_some())?;
    let files = manifest.needs.keys().filter(|need| need.kind_name() == Kind::Object.name());
    let files: Vec<Address> = files.cloned().collect();
    let all_there = files.iter().all(|file| recorded.resources.get(file).is_some_and(|record| record.id.is_some()));
    all_there.then(|| files.into_iter().chain([address]).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::change::{DiffScope, diff};
    use crate::resource::{
        Action, Attributes, Level, Observed, ObservedResource, Owner, ResourceOrigin, ResourceStatus,
    };

    fn at(name: &str) -> Address {
        Address::new("models", Kind::Object, name)
    }

    fn object(name: &str, key: &str, metadata: &Value) -> Resource {
        let spec = json!({
            "bucket": "b", "region": "us-east-1", "key": key, "sha256": name, "bytes": 1, "content_type": "x", "metadata": metadata,
        });
        Resource::new(at(name), Kind::Object, &spec)
    }

    /// The graph of a plan whose model has one file for each version beside a shared one.
    fn plan(version: &str, keep: u32) -> Desired {
        let mut desired = Desired::new("s");
        let shared = desired.add(object("m-config", "config", &json!({})));
        let graph = desired.add(object(&format!("m-graph-{version}"), &format!("graph-{version}"), &json!({})));
        let name = format!("m-manifest-{version}");
        let manifest = object(&name, &name, &json!({}));
        let manifest = manifest.needing(shared, Level::Usable).needing(graph, Level::Usable);
        let manifest = desired.add(manifest);
        let metadata = json!({VERSIONS: version, KEEP: keep.to_string()});
        desired.add(object("m-current", "current.json", &metadata).needing(manifest, Level::Usable));
        desired
    }

    /// A run of a plan: what was changed, and what is recorded afterwards.
    fn run(desired: &Desired, state: &mut StackState) -> BTreeMap<String, Action> {
        let seen = state.resources.iter().map(|(address, record)| {
            let found = ObservedResource {
                id: address.to_string(),
                spec: record.spec.clone(),
                attributes: Attributes::new(),
                owner: Owner::Ours,
                extras: Vec::new(),
            };
            (address.clone(), Ok(Some(found)))
        });
        let observed = Observed { seen: seen.collect(), ..Observed::default() };
        let changes = diff(desired, state, &observed, &DiffScope::default()).unwrap_or_else(|bad| panic!("{bad:?}"));
        let mut acted = BTreeMap::new();
        for change in changes.acting() {
            acted.insert(change.address.name().to_owned(), change.action);
            match &change.after {
                Some(resource) => drop(state.resources.insert(change.address.clone(), record(resource))),
                None => drop(state.resources.remove(&change.address)),
            }
        }
        acted
    }

    fn record(resource: &Resource) -> ResourceRecord {
        ResourceRecord {
            kind: resource.kind,
            id: Some(resource.address.to_string()),
            generation: 0,
            spec: resource.spec.clone(),
            attributes: Attributes::new(),
            needs: resource.needs.clone(),
            step: String::new(),
            after: BTreeSet::new(),
            standing: ResourceStatus::Present,
            pending: None,
            made_at: None,
            origin: ResourceOrigin::Made,
        }
    }

    fn graphs(state: &StackState) -> Vec<&str> {
        let names = state.resources.keys().map(Address::name);
        names.filter_map(|name| name.strip_prefix("m-graph-")).collect()
    }

    #[test]
    fn the_version_before_stays_and_older_ones_go() {
        let mut state = StackState::empty("s");
        run(&plan("a", 1), &mut state);
        let second = run(&plan("b", 1), &mut state);
        assert!(second.values().all(|action| *action != Action::Delete), "{second:?}");
        assert_eq!(graphs(&state), ["a", "b"]);
        assert_eq!(versions(&state.resources[&at("m-current")].spec), ["b", "a"]);
        assert!(run(&plan("b", 1), &mut state).is_empty(), "the same plan changes nothing");
        let third = run(&plan("c", 1), &mut state);
        assert_eq!((third["m-graph-a"], third["m-manifest-a"]), (Action::Delete, Action::Delete));
        assert!(!third.contains_key("m-config"), "a file that a later version has stays");
        assert_eq!(graphs(&state), ["b", "c"]);
    }

    #[test]
    fn a_way_back_finds_the_version_before_in_place() {
        let mut state = StackState::empty("s");
        run(&plan("a", 2), &mut state);
        let then = state.as_desired();
        run(&plan("b", 2), &mut state);
        let back = run(&then, &mut state);
        assert_eq!(back.into_iter().collect::<Vec<_>>(), [("m-current".to_owned(), Action::Update)]);
        assert_eq!(versions(&state.resources[&at("m-current")].spec), ["a", "b"]);
    }

    #[test]
    fn a_stack_that_goes_keeps_nothing_and_so_does_a_plan_that_keeps_none() {
        let mut state = StackState::empty("s");
        run(&plan("a", 1), &mut state);
        run(&plan("b", 1), &mut state);
        let mut none = state.clone();
        assert_eq!(run(&plan("b", 0), &mut none)["m-graph-a"], Action::Delete);
        assert_eq!(graphs(&none), ["b"]);
        run(&Desired::new("s"), &mut state);
        assert!(state.resources.is_empty(), "{:?}", state.resources.keys());
    }

    #[test]
    fn a_model_in_another_place_starts_without_the_versions_of_the_former_one() {
        for (setting, value) in [("bucket", "other"), ("key", "other/current.json")] {
            let mut state = StackState::empty("s");
            run(&plan("a", 1), &mut state);
            let mut moved = plan("b", 1);
            let pointer = moved.resources.get_mut(&at("m-current")).expect("the pointer");
            pointer.spec[setting] = json!(value);
            run(&moved, &mut state);
            assert_eq!(versions(&state.resources[&at("m-current")].spec), ["b"], "{setting}");
            assert_eq!(graphs(&state), ["b"], "{setting}");
        }
    }
}
