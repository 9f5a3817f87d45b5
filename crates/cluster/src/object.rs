//! An object of a plan: the form that is sent, and the real object reduced to the fields of the plan. Pure.

use serde_json::{Map, Value, json};

use super::call::MANAGER;
use super::client_side::LAST_APPLIED;
use super::inventory::PART_OF;
use super::objects::is_terminating;
use super::readiness;
use crate::provider::ResourceContext;
use crate::resource::manifest::ManifestSpec;
use crate::resource::{IMPORTED, ORIGIN_TAG, Owner, UnmanagedField};

/// Says who made an object.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Says which address of which stack it stands for.
const ADDRESS: &str = "akidb.dev/address";
/// Says of an object that it existed before the stack that marked it: whatever becomes of the journal, it is not deleted with the stack.
const ORIGIN: &str = "akidb.dev/origin";

/// An object as it is, and as it would be after an apply.
#[derive(Clone, Debug)]
pub(crate) struct AppliedObject {
    /// As it is.
    pub now: Value,
    /// As the server would make it; none when it would refuse.
    pub then: Option<Value>,
}

/// What it is called: `CLUSTER:Kind/namespace/name`.
pub(crate) fn id(spec: &ManifestSpec) -> String {
    let namespace = spec.namespace.as_ref().map_or_else(String::new, |namespace| format!("{namespace}/"));
    format!("{}:{}/{namespace}{}", spec.cluster, spec.kind, spec.name)
}

/// Which address an object stands for.
fn mark(subject: &ResourceContext<'_>) -> String {
    format!("{}/{}", subject.stack, subject.address)
}

/// Whether an object, as it is there, says that it existed before the stack that marked it.
fn says_imported(now: &Value) -> bool {
    annotation(now, ORIGIN) == Some(IMPORTED)
}

fn annotation<'v>(object: &'v Value, key: &str) -> Option<&'v str> {
    object.pointer("/metadata/annotations")?.get(key)?.as_str()
}

/// The whole object with our marks. `set` is the ID of the stack's inventory, `live` what is there: what was imported stays so.
pub(crate) fn wanted(subject: &ResourceContext<'_>, spec: &ManifestSpec, set: &str, live: Option<&Value>) -> Value {
    let imported = subject.is_imported() || live.is_some_and(says_imported);
    let mut object = if spec.object.is_object() { spec.object.clone() } else { json!({}) };
    object["apiVersion"] = spec.api_version.clone().into();
    object["kind"] = spec.kind.clone().into();
    let mut metadata = map_of(object["metadata"].take());
    metadata.insert("name".to_owned(), spec.name.clone().into());
    if let Some(namespace) = &spec.namespace {
        metadata.insert("namespace".to_owned(), namespace.clone().into());
    }
    let mut labels = map_of(metadata.remove("labels").unwrap_or_default());
    // What the plan says, or whoever made it before, stands.
    if !imported {
        labels.entry(MANAGED_BY).or_insert_with(|| MANAGER.into());
    }
    labels.insert(PART_OF.to_owned(), set.into());
    metadata.insert("labels".to_owned(), labels.into());
    let mut annotations = map_of(metadata.remove("annotations").unwrap_or_default());
    annotations.insert(ADDRESS.to_owned(), mark(subject).into());
    if imported {
        annotations.insert(ORIGIN.to_owned(), IMPORTED.into());
    }
    metadata.insert("annotations".to_owned(), annotations.into());
    object["metadata"] = metadata.into();
    object
}

/// A map; empty for what is something else, which the API server would refuse in its place.
fn map_of(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Whose an object is.
pub(crate) fn owner(subject: &ResourceContext<'_>, now: &Value) -> Owner {
    let Some(says) = annotation(now, ADDRESS) else {
        return Owner::Foreign("it does not carry this stack's annotation".to_owned());
    };
    if says == mark(subject) {
        return Owner::Ours;
    }
    let (stack, address) = says.split_once('/').unwrap_or((says, "something"));
    // Begun at a former address and never answered: the plan has moved it since.
    let begun = subject.id.is_none() && subject.former.is_some_and(|former| former.as_str() == address);
    if begun && stack == subject.stack {
        return Owner::Ours;
    }
    // The journal knows it as ours, and another stack has taken it over: it is not touched.
    let taken_over = subject.id.is_some() && stack != subject.stack;
    let whose = if taken_over { Owner::Contested } else { Owner::Foreign };
    whose(format!("it is {address} of stack {stack}"))
}

/// What else the object says of itself.
pub(crate) fn extras(now: &Value) -> Vec<UnmanagedField> {
    let imported = says_imported(now).then(|| UnmanagedField {
        path: ORIGIN_TAG.to_owned(),
        value: IMPORTED.into(),
        theirs: true,
    });
    imported.into_iter().collect()
}

/// An object without what others keep about it: who set which field, and what `kubectl apply` was last given, which may hold the
/// content of a Secret.
pub(crate) fn without_bookkeeping(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
    }
    object
}

/// What is there, in the shape of what is wanted: where an apply would change nothing, it says what is wanted (the
/// server fills in defaults and writes quantities in its own way); elsewhere it says what is there.
fn as_wanted(wanted: &Value, now: &Value, then: &Value) -> Value {
    match (wanted, now, then) {
        (Value::Object(wanted), Value::Object(now), Value::Object(then)) => {
            let mut there = Map::new();
            for (key, now) in now {
                match (wanted.get(key), then.get(key)) {
                    (Some(wanted), Some(then)) => drop(there.insert(key.clone(), as_wanted(wanted, now, then))),
                    (None, Some(then)) if then == now => {}
                    _ => drop(there.insert(key.clone(), now.clone())),
                }
            }
            // What the server drops without a word (an empty list) is neither there nor missing.
            let dropped = wanted.iter().filter(|(key, _)| !now.contains_key(*key) && !then.contains_key(*key));
            there.extend(dropped.map(|(key, value)| (key.clone(), value.clone())));
            Value::Object(there)
        }
        (Value::Array(wanted), Value::Array(now), Value::Array(then))
            if wanted.len() == now.len() && now.len() == then.len() =>
        {
            let all = wanted.iter().zip(now).zip(then);
            Value::Array(all.map(|((wanted, now), then)| as_wanted(wanted, now, then)).collect())
        }
        (wanted, now, then) if now == then => wanted.clone(),
        (_, now, _) => now.clone(),
    }
}

/// The settings as they are.
pub(crate) fn found(spec: &ManifestSpec, seen: &AppliedObject) -> Value {
    let mut object = match &seen.then {
        Some(then) => as_wanted(&spec.object, &seen.now, then),
        None => seen.now.clone(),
    };
    if let (Some(all), Some(wanted)) = (object.as_object_mut(), spec.object.as_object()) {
        all.retain(|key, _| wanted.contains_key(key));
    }
    let lacks = if is_terminating(&seen.now) {
        Some("being deleted".to_owned())
    } else {
        readiness::lacks(&spec.ready, &seen.now)
    };
    let mut all = json!({
        "cluster": spec.cluster, "api_version": spec.api_version, "kind": spec.kind, "name": spec.name,
        "object": object, "ready": lacks.map_or_else(|| json!(spec.ready), Value::from),
    });
    if let Some(namespace) = &spec.namespace {
        all["namespace"] = namespace.clone().into();
    }
    // What this tool may do with it is in the plan alone.
    for (field, allowed) in [("force_conflicts", spec.force_conflicts), ("recreate", spec.recreate)] {
        if allowed {
            all[field] = true.into();
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, TAKEN_IN};

    #[test]
    fn defaults_and_quantities_are_no_difference() {
        let wanted = json!({"replicas": 3, "cpu": "1000m", "list": [{"name": "a"}], "env": []});
        let now = json!({"replicas": 3, "cpu": "1", "list": [{"name": "a", "policy": "Always"}], "filled": "in"});
        assert_eq!(as_wanted(&wanted, &now, &now), wanted);
    }

    #[test]
    fn what_an_apply_would_change_is_shown_as_it_is() {
        let wanted = json!({"replicas": 3, "image": "new", "gone": {}});
        let now = json!({"replicas": 5, "image": "old", "gone": {"a": 1}});
        let then = json!({"replicas": 3, "image": "new", "gone": {}});
        assert_eq!(as_wanted(&wanted, &now, &then), json!({"replicas": 5, "image": "old", "gone": {"a": 1}}));
    }

    /// The settings of a ConfigMap of the cluster `c`.
    fn config(object: &Value) -> (Value, ManifestSpec) {
        let spec = json!({"cluster": "c", "api_version": "v1", "kind": "ConfigMap", "namespace": "n", "name": "a",
            "object": object});
        let typed = serde_json::from_value(spec.clone()).expect("a spec");
        (spec, typed)
    }

    fn in_stack<R>(
        stack: &str,
        id: Option<&str>,
        imported: bool,
        spec: &Value,
        ask: impl FnOnce(&ResourceContext<'_>) -> R,
    ) -> R {
        let (address, mut attributes) = ("k.manifest.a".parse().expect("an address"), Attributes::new());
        attributes.extend(imported.then(|| (TAKEN_IN.to_owned(), json!(true))));
        ask(&ResourceContext {
            stack,
            address: &address,
            token: "",
            spec,
            id,
            attributes: &attributes,
            before: None,
            former: None,
            thorough: false,
            seen_absent: false,
        })
    }

    #[test]
    fn an_object_carries_our_marks_whatever_stands_in_it() {
        for object in
            [json!({"data": {"a": "b"}}), json!(null), json!({"metadata": 1}), json!({"metadata": {"labels": []}})]
        {
            let (spec, typed) = config(&object);
            in_stack("s", None, false, &spec, |subject| {
                let sent = wanted(subject, &typed, "applyset-x-v1", None);
                assert_eq!(sent["metadata"]["labels"][MANAGED_BY], "akidb-edge");
                assert_eq!(sent["metadata"]["labels"][PART_OF], "applyset-x-v1");
                assert_eq!(sent["metadata"]["annotations"][ORIGIN], json!(null));
                assert_eq!(owner(subject, &sent), Owner::Ours);
                assert_eq!(id(&typed), "c:ConfigMap/n/a");
            });
        }
    }

    #[test]
    fn what_was_imported_says_so_by_itself_and_goes_on_to() {
        let (spec, typed) = config(&json!({"metadata": {"labels": {"team": "search"}}}));
        let first = in_stack("s", None, true, &spec, |subject| wanted(subject, &typed, "x", None));
        assert!(extras(&first)[0].is_origin() && extras(&json!({"metadata": {}})).is_empty());
        assert_eq!(
            first["metadata"]["labels"],
            json!({"team": "search", PART_OF: "x"}),
            "who made it before stays named"
        );
        // The journal knows nothing of it any more: the object does.
        let again = in_stack("s", None, false, &spec, |subject| wanted(subject, &typed, "x", Some(&first)));
        assert_eq!(again, first);
    }

    #[test]
    fn a_label_of_the_plan_stands() {
        let (spec, typed) = config(&json!({"metadata": {"labels": {MANAGED_BY: "Helm"}}}));
        let sent = in_stack("s", None, false, &spec, |subject| wanted(subject, &typed, "x", None));
        assert_eq!(sent["metadata"]["labels"][MANAGED_BY], "Helm");
    }

    #[test]
    fn an_object_of_another_stack_is_told_with_its_address() {
        let (spec, typed) = config(&json!({}));
        let theirs = in_stack("other", None, false, &spec, |subject| wanted(subject, &typed, "x", None));
        let seen = |id: Option<&str>| in_stack("s", id, false, &spec, |subject| owner(subject, &theirs));
        let words = "it is k.manifest.a of stack other".to_owned();
        assert_eq!(seen(None), Owner::Foreign(words.clone()));
        assert_eq!(seen(Some("c:ConfigMap/n/a")), Owner::Contested(words));
        assert!(seen(None).is_marked() && seen(None).is_marked_by("other") && !seen(None).is_marked_by("s"));
    }

    #[test]
    fn what_others_keep_about_an_object_is_not_a_part_of_it() {
        let object =
            json!({"metadata": {"name": "a", "managedFields": [{}], "annotations": {LAST_APPLIED: "{}", "a": "b"}}});
        assert_eq!(without_bookkeeping(object), json!({"metadata": {"name": "a", "annotations": {"a": "b"}}}));
    }
}
