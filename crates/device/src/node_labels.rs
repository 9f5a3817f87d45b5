//! Labels and taints of a node, which k3s gives to a new node only: as merge patches.

use serde_json::{Map, Value, json};

use crate::resource::node::NodeSpec;
use crate::resource::{FieldChange, syntax_check};

/// `key=value:Effect` of each taint that a plan may set, without those that the cluster sets by itself.
pub fn taints(node: &Value) -> Vec<String> {
    all_taints(node).filter_map(written).collect()
}

/// The patch that sets the labels of these changes and takes away those that the plan has given up; none when no label changes.
pub fn label_patch(spec: &NodeSpec, fields: &[FieldChange]) -> Option<Value> {
    let mut labels = Map::new();
    for key in fields.iter().filter_map(|field| field.path.strip_prefix("labels.")) {
        labels.insert(key.to_owned(), spec.labels.get(key).cloned().into());
    }
    if fields.iter().any(|field| field.path == "labels") {
        labels.extend(spec.labels.iter().map(|(key, value)| (key.clone(), value.clone().into())));
    }
    (!labels.is_empty()).then(|| json!({"metadata": {"labels": labels}}))
}

/// The patch that makes the taints of a node those of the plan; none when they are. Taints are a list, which a merge patch sets
/// as a whole: those of the cluster are kept, and the resource version makes the API server refuse it when the node changed
/// since it was read.
pub fn taint_patch(spec: &NodeSpec, node: &Value) -> Option<Value> {
    let there: Vec<&Value> = all_taints(node).collect();
    let wanted: Vec<Value> = spec.taints.iter().filter_map(|taint| read(taint)).collect();
    let texts: Vec<String> = wanted.iter().filter_map(written).collect();
    // A node has one taint for each key and effect.
    let same = |one: &Value, other: &Value| ["key", "effect"].iter().all(|field| one.get(field) == other.get(field));
    let stays = |taint: &Value| match written(taint) {
        Some(text) => texts.contains(&text),
        None => !wanted.iter().any(|one| same(one, taint)),
    };
    let mut taints: Vec<Value> = there.iter().filter(|taint| stays(taint)).map(|taint| (*taint).clone()).collect();
    let kept = taints.len();
    for taint in wanted {
        if !taints.iter().any(|one| same(one, &taint)) {
            taints.push(taint);
        }
    }
    if kept == there.len() && taints.len() == kept {
        return None;
    }
    let version = node.pointer("/metadata/resourceVersion");
    Some(json!({"metadata": {"resourceVersion": version}, "spec": {"taints": taints}}))
}

fn all_taints(node: &Value) -> impl Iterator<Item = &Value> {
    node.pointer("/spec/taints").and_then(Value::as_array).into_iter().flatten()
}

/// A taint as a plan writes it; none for what the cluster sets by itself.
fn written(taint: &Value) -> Option<String> {
    let text = |field: &str| taint.get(field).and_then(Value::as_str).unwrap_or_default();
    let whole = format!("{}={}:{}", text("key"), text("value"), text("effect"));
    (!text("key").starts_with("node.kubernetes.io/") && syntax_check::taint(&whole)).then_some(whole)
}

/// A taint as the API has it.
fn read(taint: &str) -> Option<Value> {
    let (pair, effect) = taint.rsplit_once(':')?;
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    let mut fields = json!({"key": key, "effect": effect});
    if !value.is_empty() {
        fields["value"] = value.into();
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(labels: &Value, taints: &[&str]) -> NodeSpec {
        serde_json::from_value(json!({
            "host": "a", "role": "agent", "version": "v1", "server": "s", "server_url": "https://s:6443",
            "labels": labels, "taints": taints,
        }))
        .expect("a node")
    }

    fn change(path: &str) -> FieldChange {
        FieldChange { path: path.to_owned(), old: None, new: None, drifted: false }
    }

    #[test]
    fn a_label_that_is_given_up_is_null() {
        let spec = spec(&json!({"tier": "edge", "zone": "a"}), &[]);
        let patch = label_patch(&spec, &[change("labels.tier"), change("labels.former"), change("version")]);
        assert_eq!(patch, Some(json!({"metadata": {"labels": {"tier": "edge", "former": null}}})));
        let all = label_patch(&spec, &[change("labels")]);
        assert_eq!(all, Some(json!({"metadata": {"labels": {"tier": "edge", "zone": "a"}}})));
        assert_eq!(label_patch(&spec, &[change("taints")]), None);
    }

    #[test]
    fn taints_of_the_cluster_stay() {
        let away = json!({"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"});
        let gpu = json!({"key": "gpu", "value": "yes", "effect": "NoSchedule"});
        let old = json!({"key": "old", "effect": "NoSchedule"});
        let node = json!({"metadata": {"resourceVersion": "7"}, "spec": {"taints": [gpu, away, old]}});
        assert_eq!(taints(&node), ["gpu=yes:NoSchedule", "old=:NoSchedule"]);
        let patch = |taints: &[&str]| taint_patch(&spec(&json!({}), taints), &node);
        let expected = |taints: Value| Some(json!({"metadata": {"resourceVersion": "7"}, "spec": {"taints": taints}}));
        assert_eq!(patch(&["gpu=yes:NoSchedule"]), expected(json!([gpu, away])));
        let other = json!({"key": "gpu", "value": "no", "effect": "NoSchedule"});
        assert_eq!(patch(&["gpu=no:NoSchedule", "old:NoSchedule"]), expected(json!([away, old, other])));
        assert_eq!(patch(&["gpu=yes:NoSchedule", "old:NoSchedule"]), None);
        assert_eq!(patch(&[]), expected(json!([away])));
    }
}
