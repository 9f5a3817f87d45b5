//! The state of a node, from the API server.

use std::collections::BTreeMap;

use serde_json::Value;

/// Its name.
pub fn name(node: &Value) -> Option<&str> {
    node.pointer("/metadata/name").and_then(Value::as_str)
}

/// Whether its kubelet reports that it can run pods: the condition `Ready` is `True`.
/// Source: <https://kubernetes.io/docs/reference/node/node-status/#condition>.
pub fn is_ready(node: &Value) -> bool {
    let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
    let says = |condition: &Value, field: &str, text: &str| condition.get(field).and_then(Value::as_str) == Some(text);
    conditions.into_iter().flatten().any(|one| says(one, "type", "Ready") && says(one, "status", "True"))
}

/// `ready`, `cordoned` or `not ready` of each node, by its name.
pub fn node_states(nodes: &[Value]) -> BTreeMap<String, &'static str> {
    nodes.iter().filter_map(|node| Some((name(node)?.to_owned(), state(node)))).collect()
}

fn state(node: &Value) -> &'static str {
    let cordoned = node.pointer("/spec/unschedulable").and_then(Value::as_bool).unwrap_or(false);
    match (is_ready(node), cordoned) {
        (true, false) => "ready",
        (true, true) => "cordoned",
        (false, _) => "not ready",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn states_are_words_of_our_own() {
        let node = |name: &str, ready: &str, cordoned: bool| {
            json!({"metadata": {"name": name}, "spec": {"unschedulable": cordoned}, "status": {"conditions": [
                {"type": "MemoryPressure", "status": "True"}, {"type": "Ready", "status": ready}]}})
        };
        let nodes = [node("a", "True", false), node("b", "True", true), node("c", "Unknown", true), json!({})];
        let expected = [("a", "ready"), ("b", "cordoned"), ("c", "not ready")];
        assert_eq!(node_states(&nodes), expected.map(|(name, state)| (name.to_owned(), state)).into());
    }
}
