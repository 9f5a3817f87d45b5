//! An object of a plan: what is sent, and what is there in the words of the plan. Pure.

use serde_json::{Map, Value, json};

use super::call::MANAGER;
use super::inventory::PART_OF;
use super::objects::is_terminating;
use super::readiness;
use crate::provider::ResourceContext;
use crate::resource::Owner;
use crate::resource::manifest::ManifestSpec;

/// Says who made an object.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Says which address of which stack it stands for.
const ADDRESS: &str = "akidb.dev/address";

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

/// The whole object with our marks; `set` is the ID of the stack's inventory.
pub(crate) fn wanted(subject: &ResourceContext<'_>, spec: &ManifestSpec, set: &str) -> Value {
    let mut object = if spec.object.is_object() { spec.object.clone() } else { json!({}) };
    object["apiVersion"] = spec.api_version.clone().into();
    object["kind"] = spec.kind.clone().into();
    let mut metadata = map_of(object["metadata"].take());
    metadata.insert("name".to_owned(), spec.name.clone().into());
    if let Some(namespace) = &spec.namespace {
        metadata.insert("namespace".to_owned(), namespace.clone().into());
    }
    let mut labels = map_of(metadata.remove("labels").unwrap_or_default());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.into());
    labels.insert(PART_OF.to_owned(), set.into());
    metadata.insert("labels".to_owned(), labels.into());
    let mut annotations = map_of(metadata.remove("annotations").unwrap_or_default());
    annotations.insert(ADDRESS.to_owned(), mark(subject).into());
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
    let says = now.pointer("/metadata/annotations").and_then(|all| all.get(ADDRESS)).and_then(Value::as_str);
    match says {
        Some(says) if says == mark(subject) => Owner::Ours,
        Some(says) => {
            // The journal knows it as ours, and another stack has taken it over: it is not touched.
            let stack = says.split_once('/').map_or(says, |(stack, _)| stack);
            let taken_over = subject.id.is_some() && stack != subject.stack;
            let whose = if taken_over { Owner::Contested } else { Owner::Foreign };
            whose(format!("it is {says} of another stack or address"))
        }
        None => Owner::Foreign("it does not carry this stack's annotation".to_owned()),
    }
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
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Attributes;

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

    #[test]
    fn an_object_carries_our_marks_whatever_stands_in_it() {
        for object in
            [json!({"data": {"a": "b"}}), json!(null), json!({"metadata": 1}), json!({"metadata": {"labels": []}})]
        {
            let spec = json!({"cluster": "c", "api_version": "v1", "kind": "ConfigMap", "namespace": "n", "name": "a",
                "object": object});
            let typed: ManifestSpec = serde_json::from_value(spec.clone()).expect("a spec");
            let (address, attributes) = ("k.manifest.a".parse().expect("an address"), Attributes::new());
            let subject = ResourceContext {
                stack: "s",
                address: &address,
                token: "",
                spec: &spec,
                id: None,
                attributes: &attributes,
                before: None,
                former: None,
                thorough: false,
                seen_absent: false,
            };
            let sent = wanted(&subject, &typed, "applyset-x-v1");
            assert_eq!(sent["metadata"]["labels"][MANAGED_BY], "akidb-edge");
            assert_eq!(sent["metadata"]["labels"][PART_OF], "applyset-x-v1");
            assert_eq!(owner(&subject, &sent), Owner::Ours);
            assert_eq!(id(&typed), "c:ConfigMap/n/a");
        }
    }
}
