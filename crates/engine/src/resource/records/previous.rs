//! Record sets that existed before a group took them over: they are never deleted with it, they come back as they were.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{RecordSet, canonical};
use crate::resource::moves::{key, owned};
use crate::resource::{Attributes, ObservedResource, ResourceRecord};

/// The attribute of a group of record sets that keeps the sets which existed before: key to the set as it was.
pub const EARLIER_SETS: &str = "earlier_sets";

/// Sets that existed before, by their keys.
pub type PreviousSets = BTreeMap<String, RecordSet>;

/// The sets that attributes keep.
pub fn kept(attributes: &Attributes) -> PreviousSets {
    attributes.get(EARLIER_SETS).and_then(|all| Deserialize::deserialize(all).ok()).unwrap_or_default()
}

/// Writes them down; nothing when there are none.
pub fn keep(attributes: &mut Attributes, earlier: &PreviousSets) {
    if earlier.is_empty() {
        attributes.remove(EARLIER_SETS);
    } else {
        attributes.insert(EARLIER_SETS.to_owned(), json!(earlier));
    }
}

/// The sets that existed before the next change of a group: those that are known from before, and those that stand where
/// the group never wrote.
pub fn before_change(
    record: Option<&ResourceRecord>,
    found: &ObservedResource,
    resolved: &dyn Fn(&Value) -> Value,
) -> PreviousSets {
    let mut all = record.map(|record| kept(&record.attributes)).unwrap_or_default();
    // A create that was never answered wrote what stands as it asked for: it never takes the place of another set.
    if record.is_some_and(|record| record.id.is_none()) {
        return all;
    }
    let own: BTreeSet<String> = record.map(|record| owned(record, resolved)).unwrap_or_default();
    for set in sets(&found.spec) {
        let key = set.owned_key();
        if !own.contains(&key) {
            all.entry(key).or_insert(set);
        }
    }
    all
}

/// The sets of a group in its settings.
pub fn sets(spec: &Value) -> Vec<RecordSet> {
    let all = spec.get("sets").and_then(Value::as_array).into_iter().flatten();
    all.filter(|set| key(set).is_some()).filter_map(|set| Deserialize::deserialize(set).ok()).collect()
}

/// What comes back when these sets are wanted, and what is kept for later because a wanted set has its place.
pub fn coming_back(earlier: &PreviousSets, wanted: &[RecordSet]) -> (Vec<RecordSet>, PreviousSets) {
    let keys: BTreeSet<String> = wanted.iter().map(RecordSet::owned_key).collect();
    let (mut back, mut later) = (Vec::new(), PreviousSets::new());
    for (key, set) in earlier {
        if keys.contains(key) || wanted.iter().any(|wanted| conflict(wanted, set).is_some()) {
            later.insert(key.clone(), set.clone());
        } else {
            back.push(set.clone());
        }
    }
    (back, later)
}

fn differing_ttls(one: &RecordSet, other: &RecordSet) -> bool {
    matches!((one.ttl, other.ttl), (Some(one), Some(other)) if one != other)
}

/// Why a wanted set cannot stand where this one of others does.
pub fn conflict(wanted: &RecordSet, other: &RecordSet) -> Option<&'static str> {
    if canonical::name(&wanted.name) != canonical::name(&other.name) {
        return None;
    }
    let same_type = wanted.record_type == other.record_type;
    let cname = |set: &RecordSet| set.record_type == "CNAME";
    match (wanted.policy(), other.policy()) {
        _ if !same_type && (cname(wanted) || cname(other)) => Some("a CNAME is the only set at its name"),
        (ours, theirs) if same_type && (ours == "simple") != (theirs == "simple") => {
            Some("a name has no simple set next to routed ones")
        }
        (ours, theirs) if same_type && ours != theirs => Some("sets of one name and type have one routing policy"),
        ("weighted", _) if same_type && differing_ttls(wanted, other) => Some("weighted sets of one name have one TTL"),
        _ => None,
    }
}

/// What becomes of a group's sets when no plan wants it any longer.
#[derive(Debug, Default)]
pub struct SetRemoval {
    /// The keys of the sets that existed before.
    pub staying: Vec<String>,
    /// Some sets go, or come back as they were.
    pub has_work: bool,
}

/// What becomes of the sets of a group that goes.
pub fn fate(record: &ResourceRecord, found: &ObservedResource, resolved: &dyn Fn(&Value) -> Value) -> SetRemoval {
    let earlier = kept(&record.attributes);
    if earlier.is_empty() {
        return SetRemoval::default();
    }
    let own = owned(record, resolved);
    let there = sets(&found.spec);
    let asked: BTreeSet<String> = sets(&resolved(&record.spec)).iter().map(RecordSet::owned_key).collect();
    let is_as_it_was = |set: &RecordSet| earlier.get(&set.owned_key()).map(RecordSet::meaning) == Some(set.meaning());
    let missing = |key: &&String| !asked.contains(*key) && !there.iter().any(|set| set.owned_key() == **key);
    let has_work = there.iter().any(|set| own.contains(&set.owned_key()) && !is_as_it_was(set))
        || earlier.keys().any(|key| missing(&key));
    SetRemoval { staying: earlier.into_keys().collect(), has_work }
}

impl SetRemoval {
    /// The reason beside a deletion.
    pub fn words(&self) -> Option<String> {
        (!self.staying.is_empty()).then(|| {
            format!("record sets that existed before stay, or come back as they were: {}", self.staying.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Kind, Owner, ResourceOrigin, ResourceStatus};

    fn set(name: &str, value: &str) -> RecordSet {
        let values = vec![value.to_owned()];
        RecordSet { name: name.into(), record_type: "A".into(), ttl: Some(60), values, ..RecordSet::default() }
    }

    fn found(sets: &[RecordSet]) -> ObservedResource {
        let spec = json!({"zone_id": "Z1", "sets": sets});
        ObservedResource {
            id: "Z1/g".into(),
            spec,
            attributes: Attributes::new(),
            owner: Owner::Ours,
            extras: Vec::new(),
        }
    }

    fn record(sets: &[RecordSet], keys: &[&str], earlier: &[RecordSet]) -> ResourceRecord {
        let mut attributes = Attributes::from([("sets".to_owned(), json!(keys))]);
        keep(&mut attributes, &earlier.iter().map(|set| (set.owned_key(), set.clone())).collect());
        ResourceRecord {
            kind: Kind::Records,
            id: Some("Z1/g".into()),
            generation: 0,
            spec: json!({"zone_id": "Z1", "sets": sets}),
            attributes,
            needs: BTreeMap::new(),
            step: String::new(),
            after: std::collections::BTreeSet::new(),
            standing: ResourceStatus::Present,
            pending: None,
            made_at: None,
            origin: ResourceOrigin::Made,
        }
    }

    #[test]
    fn what_stands_where_the_group_never_wrote_existed_before() {
        let plain = |spec: &Value| spec.clone();
        let (a, b) = (set("a.example.net", "192.0.2.1"), set("b.example.net", "192.0.2.2"));
        let known = record(std::slice::from_ref(&a), &["a.example.net A"], &[]);
        let both = found(&[a.clone(), b.clone()]);
        assert_eq!(before_change(Some(&known), &both, &plain).into_keys().collect::<Vec<_>>(), ["b.example.net A"]);
        assert_eq!(before_change(None, &both, &plain).len(), 2);
        // A create that was cut off wrote them itself.
        let unanswered = ResourceRecord { id: None, standing: ResourceStatus::Creating, ..record(&[a, b], &[], &[]) };
        assert!(before_change(Some(&unanswered), &both, &plain).is_empty());
    }

    #[test]
    fn a_set_comes_back_unless_a_wanted_one_has_its_place() {
        let was = set("a.example.net", "192.0.2.9");
        let earlier: PreviousSets = [(was.owned_key(), was.clone())].into();
        let routed = |id: &str| RecordSet {
            set_identifier: Some(id.to_owned()),
            weight: Some(1),
            ..set("a.example.net", "192.0.2.1")
        };
        assert_eq!(coming_back(&earlier, &[routed("x")]).1, earlier, "a routed set has its place");
        assert_eq!(
            coming_back(&earlier, &[set("a.example.net", "192.0.2.1")]).1,
            earlier,
            "it is wanted with a new value"
        );
        assert_eq!(coming_back(&earlier, &[set("c.example.net", "192.0.2.1")]), (vec![was], PreviousSets::new()));
    }

    #[test]
    fn a_group_that_goes_leaves_what_existed_before() {
        let plain = |spec: &Value| spec.clone();
        let (a, was) = (set("a.example.net", "192.0.2.1"), set("a.example.net", "192.0.2.9"));
        let key = ["a.example.net A"];
        assert!(
            !fate(
                &record(std::slice::from_ref(&was), &key, std::slice::from_ref(&was)),
                &found(std::slice::from_ref(&was)),
                &plain
            )
            .has_work
        );
        assert!(
            fate(
                &record(std::slice::from_ref(&a), &key, std::slice::from_ref(&was)),
                &found(std::slice::from_ref(&a)),
                &plain
            )
            .has_work
        );
        assert!(
            !fate(&record(std::slice::from_ref(&a), &key, std::slice::from_ref(&was)), &found(&[]), &plain).has_work,
            "others deleted it"
        );
        assert!(!fate(&record(std::slice::from_ref(&a), &key, &[]), &found(std::slice::from_ref(&a)), &plain).has_work);
    }
}
