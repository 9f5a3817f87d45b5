//! Settings that existed before a stack imported a resource: until a run changes one, the stack does not restore it.

use serde_json::{Map, Value};

use super::{Kind, ResourceRecord};

/// The attribute of an imported resource that holds its settings at that moment, as far as the plan spoke of them.
pub const IMPORTED_SETTINGS: &str = "imported_settings";

/// Nothing is wanted.
static NOTHING: Value = Value::Null;

impl ResourceRecord {
    /// What this stack stated, without the settings that a thing had when it was imported, that no run has changed since, and that
    /// `wanted` is silent about: the stack never set them, so it leaves them alone. `stated` is [`stated`](Self::stated), resolved
    /// as far as `wanted` is.
    #[must_use]
    pub fn without_imported(&self, mut stated: Value, wanted: &Value) -> Value {
        if let Some(imported) = self.attributes.get(IMPORTED_SETTINGS).filter(|_| self.is_imported()) {
            take_out(&mut stated, imported, wanted);
        }
        stated
    }
}

fn take_out(stated: &mut Value, imported: &Value, wanted: &Value) {
    match (stated, imported) {
        (Value::Object(stated), Value::Object(imported)) => stated.retain(|key, value| {
            let (imported, wanted) = (imported.get(key), wanted.get(key));
            match (imported, wanted) {
                (None, _) => true,
                // Tags are settings one by one.
                (Some(imported), None) if key == "tags" => {
                    take_out(value, imported, &NOTHING);
                    true
                }
                (Some(imported), None) => *value != *imported,
                (Some(imported), Some(wanted)) => {
                    take_out(value, imported, wanted);
                    true
                }
            }
        }),
        (Value::Array(stated), Value::Array(imported)) => {
            let wanted = wanted.as_array().map(Vec::as_slice).unwrap_or_default();
            for (at, member) in stated.iter_mut().enumerate() {
                if let Some((imported, wanted)) = counterpart(imported, member, at).zip(counterpart(wanted, member, at))
                {
                    take_out(member, imported, wanted);
                }
            }
        }
        _ => {}
    }
}

/// What an earlier run stated of the member that is there now: the one with the same name, where members have names, else
/// the one at its place.
pub fn counterpart<'v>(before: &'v [Value], found: &Value, at: usize) -> Option<&'v Value> {
    let name = ["id", "path", "code"].into_iter().find_map(|key| Some((key, found.get(key)?)));
    match name {
        Some((key, name)) => before.iter().find(|member| member.get(key) == Some(name)),
        None => before.get(at),
    }
}

/// The settings of what is `there` that the plan states, too.
pub fn in_both(plan: &Value, there: &Value) -> Value {
    match (plan, there) {
        (Value::Object(plan), Value::Object(there)) => {
            let both = plan.iter().filter_map(|(key, plan)| Some((key.clone(), in_both(plan, there.get(key)?))));
            Value::Object(both.collect::<Map<_, _>>())
        }
        (_, there) => there.clone(),
    }
}

/// The settings of an import without empty lists that the kind can do without. Imports of earlier versions wrote one where all rules
/// were those of others: it does not state that there are to be none.
pub fn without_empty_lists(kind: Kind, spec: &Value) -> Value {
    let mut spec = spec.clone();
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    let empty = spec.as_object().into_iter().flatten().filter(|(_, value)| is_empty(value));
    let empty: Vec<String> = empty.map(|(key, _)| key.clone()).collect();
    for key in empty {
        let mut less = spec.clone();
        if let Some(fields) = less.as_object_mut() {
            fields.remove(&key);
        }
        if (kind.facts().shape)(&less).is_none() {
            spec = less;
        }
    }
    spec
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::json;

    use super::super::{ResourceOrigin, ResourceStatus};
    use super::*;

    fn record(kind: Kind, origin: ResourceOrigin, spec: Value, imported: Value) -> ResourceRecord {
        ResourceRecord {
            kind,
            id: Some("x".to_owned()),
            generation: 0,
            spec,
            attributes: BTreeMap::from([(IMPORTED_SETTINGS.to_owned(), imported)]),
            needs: BTreeMap::new(),
            step: String::new(),
            after: BTreeSet::new(),
            standing: ResourceStatus::Present,
            pending: None,
            made_at: None,
            origin,
        }
    }

    #[test]
    fn what_was_set_before_an_import_is_not_ours_while_it_is_as_it_was() {
        let stated = json!({"name": "b", "versioning": true, "encryption": "aws:kms", "ownership": "ObjectWriter",
                            "tags": {"team": "search", "by": "us"}});
        let imported = json!({"name": "b", "versioning": true, "encryption": "AES256", "tags": {"team": "search"}});
        let of = |origin: ResourceOrigin, wanted: Value| {
            record(Kind::Bucket, origin, stated.clone(), imported.clone()).without_imported(stated.clone(), &wanted)
        };
        // The encryption was changed by a run, the ownership and one tag were set by one.
        let ours = json!({"name": "b", "encryption": "aws:kms", "ownership": "ObjectWriter", "tags": {"by": "us"}});
        assert_eq!(of(ResourceOrigin::Imported, json!({"name": "b"})), ours);
        let whole = json!({"name": "b", "versioning": false, "tags": {"team": "x"}});
        assert_eq!(of(ResourceOrigin::Imported, whole), stated, "what the plan speaks of is compared as before");
        assert_eq!(of(ResourceOrigin::Made, json!({"name": "b"})), stated, "what a stack made is its own");
    }

    #[test]
    fn members_with_names_are_compared_with_their_own_past() {
        let stated = json!({"origins": [{"id": "a", "path": "/x"}, {"id": "b", "path": "/y"}]});
        let imported = json!({"origins": [{"id": "b", "path": "/y"}, {"id": "a", "path": "/other"}]});
        let held = record(Kind::Distribution, ResourceOrigin::Imported, stated.clone(), imported);
        let wanted = json!({"origins": [{"id": "a"}, {"id": "b"}]});
        let ours = json!({"origins": [{"id": "a", "path": "/x"}, {"id": "b"}]});
        assert_eq!(held.without_imported(stated, &wanted), ours);
    }

    #[test]
    fn empty_lists_of_an_import_state_nothing_where_the_kind_can_do_without() {
        let bucket = json!({"name": "b", "region": "us-east-1", "cors": [], "lifecycle": []});
        let less = json!({"name": "b", "region": "us-east-1"});
        assert_eq!(without_empty_lists(Kind::Bucket, &bucket), less);
        let records = json!({"zone_id": "Z1", "sets": []});
        assert_eq!(without_empty_lists(Kind::Records, &records), records, "a group has sets");
        let both = in_both(
            &json!({"name": "b", "tags": {"a": "1"}}),
            &json!({"name": "c", "tags": {"a": "2", "b": "3"}, "x": 1}),
        );
        assert_eq!(both, json!({"name": "c", "tags": {"a": "2"}}));
    }
}
