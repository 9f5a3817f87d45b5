//! Objects that were last applied client-side, by `kubectl apply`: their fields become ours, as `kubectl apply
//! --server-side` and client-go's `csaupgrade` do it. Without that a field that is taken out of the plan would stay, held by
//! a manager that nobody uses any longer.

use serde_json::{Map, Value, json};

use super::call::{ApiCall, MANAGER};
use super::objects::{ClusterObject, text};
use crate::resource::Fault;

/// The manager of `kubectl apply` without `--server-side`.
pub(crate) const CLIENT_SIDE: &str = "kubectl-client-side-apply";
/// What `kubectl apply` records on an object.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Migrates an object, when it needs that. `adopted`: also where server-side apply has been used since.
///
/// # Errors
/// When it was changed meanwhile (class `Stale`), or the server refuses.
pub(crate) async fn migrate(at: &ClusterObject, live: &Value, adopted: bool) -> Result<(), Fault> {
    let Some(patch) = patch(live, adopted) else { return Ok(()) };
    let call = ApiCall::steps("migrate", &at.path, &patch);
    at.connection.ask(&call).await.map(drop).map_err(|refused| refused.fault("migrate", &at.about))
}

/// Whether an apply would make client-side fields ours.
pub(crate) fn becomes_ours(live: &Value, adopted: bool) -> bool {
    patch(live, adopted).is_some()
}

/// The JSON patch that makes client-side fields ours; none when there are none, or server-side ones are ours already.
fn patch(live: &Value, adopted: bool) -> Option<Value> {
    let entries = live.pointer("/metadata/managedFields")?.as_array()?;
    let is_client_side = |one: &&Value| {
        text(one, "/manager") == CLIENT_SIDE
            && text(one, "/operation") == "Update"
            && text(one, "/subresource").is_empty()
    };
    let is_ours = |one: &&Value| {
        text(one, "/manager") == MANAGER && text(one, "/operation") == "Apply" && text(one, "/subresource").is_empty()
    };
    let recorded = live.pointer("/metadata/annotations").and_then(|all| all.get(LAST_APPLIED)).is_some();
    if !recorded || !entries.iter().any(|one| is_client_side(&one)) {
        return None;
    }
    let ours = entries.iter().find(is_ours);
    if ours.is_some() && !adopted {
        return None;
    }
    let merged = entries.iter().filter(|one| is_client_side(one) || is_ours(one));
    let mut fields = Value::Object(Map::new());
    merged.filter_map(|one| one.get("fieldsV1")).for_each(|more| unite(&mut fields, more));
    if let Some(annotations) = fields.pointer_mut("/f:metadata/f:annotations").and_then(Value::as_object_mut) {
        annotations.remove(&format!("f:{LAST_APPLIED}"));
    }
    let model = ours.or_else(|| entries.iter().find(is_client_side))?;
    let mut own = model.clone();
    own["manager"] = MANAGER.into();
    own["operation"] = "Apply".into();
    own["fieldsV1"] = fields;
    let others = entries.iter().filter(|one| !is_client_side(one) && !is_ours(one)).cloned();
    let all: Vec<Value> = std::iter::once(own).chain(others).collect();
    let key = LAST_APPLIED.replace('/', "~1");
    Some(json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": all},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": live.pointer("/metadata/resourceVersion")?},
        {"op": "remove", "path": format!("/metadata/annotations/{key}")},
    ]))
}

/// The union of two sets of fields (`fieldsV1`: maps of maps).
fn unite(all: &mut Value, more: &Value) {
    let (Some(all), Some(more)) = (all.as_object_mut(), more.as_object()) else { return };
    for (key, more) in more {
        unite(all.entry(key.clone()).or_insert_with(|| Value::Object(Map::new())), more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    fn object(entries: Value) -> Value {
        json!({"metadata": {"resourceVersion": "7", "managedFields": entries,
            "annotations": {LAST_APPLIED: "{}"}}})
    }

    fn client_side() -> Value {
        entry(
            CLIENT_SIDE,
            "Update",
            json!({"f:data": {"f:a": {}}, "f:metadata": {"f:annotations": {".": {}, format!("f:{LAST_APPLIED}"): {}}}}),
        )
    }

    #[test]
    fn client_side_fields_become_ours_and_others_stay() {
        let other = entry("kubectl-edit", "Update", json!({"f:data": {"f:b": {}}}));
        let patch = patch(&object(json!([client_side(), other.clone()])), false).expect("a patch");
        let wanted =
            entry(MANAGER, "Apply", json!({"f:data": {"f:a": {}}, "f:metadata": {"f:annotations": {".": {}}}}));
        assert_eq!(patch[0]["value"], json!([wanted, other]));
        assert_eq!(patch[1], json!({"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}));
        assert_eq!(patch[2]["path"], "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration");
    }

    #[test]
    fn what_is_ours_is_united_only_when_it_is_adopted() {
        let ours = entry(MANAGER, "Apply", json!({"f:data": {"f:c": {}}}));
        let both = object(json!([client_side(), ours]));
        assert_eq!(patch(&both, false), None);
        let patch = patch(&both, true).expect("a patch");
        assert_eq!(patch[0]["value"][0]["fieldsV1"]["f:data"], json!({"f:a": {}, "f:c": {}}));
    }

    #[test]
    fn without_client_side_fields_nothing_is_sent() {
        assert_eq!(patch(&object(json!([entry("nimbus", "Apply", json!({}))])), true), None);
        assert_eq!(patch(&json!({"metadata": {}}), true), None);
    }
}
