//! Which fields go with the manager that held them: `kubectl apply` set them, the plan does not have them, and nobody else holds them.
//! Pure, over the sets of fields that an API server keeps (`fieldsV1`).

use serde_json::{Map, Value};

use super::call::MANAGER;
use super::client_side::CLIENT_SIDE;
use super::objects::text;
use crate::resource::FieldChange;

/// Fields that are shown.
const MOST: usize = 50;

/// A set of fields: of the manager that goes, of ours after the apply, of all others.
#[derive(Clone, Copy)]
struct Sets<'s> {
    going: &'s Map<String, Value>,
    ours: Option<&'s Value>,
    others: &'s [&'s Value],
}

/// The fields that an apply takes away from an object, as it is now (`live`). `then` is what the apply would make of it.
pub(crate) fn fields(live: &Value, then: &Value) -> Vec<FieldChange> {
    let ours = entries(then).find(|one| is_ours(one)).and_then(|one| one.get("fieldsV1"));
    let stay = entries(live).filter(|one| !is_client_side(one) && !is_ours(one));
    let others: Vec<&Value> = stay.filter_map(|one| one.get("fieldsV1")).collect();
    let mut dropped = Vec::new();
    for going in entries(live).filter(|one| is_client_side(one)) {
        if let Some(going) = going.get("fieldsV1").and_then(Value::as_object) {
            walk(Sets { going, ours, others: &others }, live, "object", &mut dropped);
        }
    }
    dropped.truncate(MOST);
    dropped
}

fn entries(object: &Value) -> impl Iterator<Item = &Value> {
    object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten()
}

fn is_client_side(entry: &Value) -> bool {
    text(entry, "/manager") == CLIENT_SIDE && text(entry, "/subresource").is_empty()
}

fn is_ours(entry: &Value) -> bool {
    text(entry, "/manager") == MANAGER && text(entry, "/operation") == "Apply" && text(entry, "/subresource").is_empty()
}

fn walk(sets: Sets<'_>, value: &Value, path: &str, dropped: &mut Vec<FieldChange>) {
    for (key, below) in sets.going {
        let Some((name, value)) = member(key, value) else { continue };
        let path = format!("{path}.{name}");
        let ours = sets.ours.and_then(|ours| ours.get(key));
        let others: Vec<&Value> = sets.others.iter().filter_map(|other| other.get(key)).collect();
        let Some(going) = below.as_object().filter(|going| !going.is_empty()) else {
            // A field of somebody else stays, whatever is below it there.
            if ours.is_none() && others.is_empty() && !is_bookkeeping(&path) {
                dropped.push(FieldChange { path, old: Some(value.clone()), new: None, drifted: false });
            }
            continue;
        };
        if ours.is_none() && others.is_empty() && !is_bookkeeping(&path) && !path.starts_with("object.metadata") {
            dropped.push(FieldChange { path, old: Some(value.clone()), new: None, drifted: false });
        } else {
            walk(Sets { going, ours, others: &others }, value, &path, dropped);
        }
    }
}

/// What a key of a set stands for below a value: `f:NAME` a field, `k:{…}` the member of a list with these keys, `v:…` a member that
/// is this value; `.` is the value itself.
fn member<'v>(key: &str, value: &'v Value) -> Option<(String, &'v Value)> {
    let (sort, rest) = key.split_once(':')?;
    match sort {
        "f" => Some((rest.to_owned(), value.get(rest)?)),
        "k" => {
            let keys: Map<String, Value> = serde_json::from_str(rest).ok()?;
            let is_it = |item: &&Value| keys.iter().all(|(key, wanted)| item.get(key) == Some(wanted));
            let item = value.as_array()?.iter().find(is_it)?;
            let words = keys.values().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            Some((format!("[{}]", words.collect::<Vec<_>>().join(",")), item))
        }
        "v" => {
            let wanted: Value = serde_json::from_str(rest).ok()?;
            let item = value.as_array()?.iter().find(|item| **item == wanted)?;
            Some((format!("[{rest}]"), item))
        }
        _ => None,
    }
}

/// What `kubectl apply` was last given goes with it, and is nobody's setting.
fn is_bookkeeping(path: &str) -> bool {
    path.starts_with("object.metadata.annotations.kubectl.kubernetes.io/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "fieldsV1": fields})
    }

    fn told(live: &Value, then: &Value) -> Vec<String> {
        let told = |one: FieldChange| format!("{} {}", one.path, one.old.expect("a value"));
        fields(live, then).into_iter().map(told).collect()
    }

    #[test]
    fn what_only_kubectl_apply_held_goes() {
        let last = "kubectl.kubernetes.io/last-applied-configuration";
        let client = entry(
            CLIENT_SIDE,
            "Update",
            json!({"f:data": {".": {}, "f:a": {}, "f:b": {}, "f:c": {}},
                   "f:metadata": {"f:annotations": {".": {}, format!("f:{last}"): {}}, "f:labels": {".": {}, "f:by": {}}}}),
        );
        let other = entry("kubectl-edit", "Update", json!({"f:data": {"f:c": {}}}));
        let live = json!({"data": {"a": "1", "b": "2", "c": "3"},
            "metadata": {"annotations": {last: "{}"}, "labels": {"by": "hand"}, "managedFields": [client, other]}});
        let ours = entry(MANAGER, "Apply", json!({"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {"f:x": {}}}}));
        let then = json!({"metadata": {"managedFields": [ours]}});
        assert_eq!(told(&live, &then), ["object.data.b \"2\"", "object.metadata.labels.by \"hand\""]);
        assert_eq!(told(&json!({"metadata": {}}), &then), Vec::<String>::new());
    }

    #[test]
    fn members_of_lists_are_told_by_their_keys() {
        let env = |names: &[&str]| {
            let members =
                names.iter().map(|name| (format!("k:{}", json!({"name": name})), json!({".": {}, "f:value": {}})));
            json!({"f:spec": {"f:env": members.collect::<Map<_, _>>(), "f:finalizers": {"v:\"x\"": {}}}})
        };
        let live = json!({"spec": {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], "finalizers": ["x"]},
            "metadata": {"managedFields": [entry(CLIENT_SIDE, "Update", env(&["A", "B"]))]}});
        let mut ours = env(&["A"]);
        ours["f:spec"]["f:finalizers"] = json!({"v:\"y\"": {}});
        let then = json!({"metadata": {"managedFields": [entry(MANAGER, "Apply", ours)]}});
        let wanted = [
            "object.spec.env.[B] {\"name\":\"B\",\"value\":\"2\"}".to_owned(),
            "object.spec.finalizers.[\"x\"] \"x\"".to_owned(),
        ];
        assert_eq!(told(&live, &then), wanted);
    }
}
