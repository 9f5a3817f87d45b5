//! What the deletion of an object waits for: its finalizers, and of a namespace what is left in it. Pure.

use serde_json::Value;

use super::objects::text;
use super::readiness::shown;

/// What helps.
pub(crate) const NEXT: &str = "the controller that set a finalizer removes it when its work is done: check that the \
                               controller runs, and that no pod uses a volume that is to be deleted; then run the \
                               same command again";
/// The conditions of a namespace that say why it is still there.
const REMAINING: [&str; 5] = [
    "NamespaceContentRemaining",
    "NamespaceFinalizersRemaining",
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceDeletionContentFailure",
];

/// The finalizers of an object that is being deleted, and what its namespace controller says; none when it says nothing.
pub(crate) fn waits_for(left: &Value) -> Option<String> {
    let of = |path: &str| left.pointer(path).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let names: Vec<&str> = of("/metadata/finalizers").chain(of("/spec/finalizers")).collect();
    let finalizers = match names.as_slice() {
        [] => None,
        [one] => Some(format!("its finalizer is {one}")),
        all => Some(format!("its finalizers are {}", all.join(", "))),
    };
    let conditions = left.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let remaining = conditions.filter(|one| REMAINING.contains(&text(one, "/type")) && text(one, "/status") == "True");
    let said = finalizers.into_iter().chain(remaining.map(|one| text(one, "/message").to_owned()));
    let said = said.collect::<Vec<_>>().join("; ");
    (!said.is_empty()).then(|| shown(&said))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finalizers_are_named() {
        let claim = json!({"metadata": {"finalizers": ["kubernetes.io/pvc-protection"]}});
        assert_eq!(waits_for(&claim).as_deref(), Some("its finalizer is kubernetes.io/pvc-protection"));
        let two = json!({"metadata": {"finalizers": ["foregroundDeletion", "lab.example.com/hold\u{1b}[2J"]}});
        let words = waits_for(&two).expect("words");
        assert!(words.starts_with("its finalizers are foregroundDeletion, lab.example.com/hold"), "{words}");
        assert!(!words.contains('\u{1b}'), "{words:?}");
        assert_eq!(waits_for(&json!({"metadata": {}})), None);
    }

    #[test]
    fn a_namespace_says_what_is_left_in_it() {
        let condition =
            |name: &str, status: &str, message: &str| json!({"type": name, "status": status, "message": message});
        let namespace = json!({"spec": {"finalizers": ["kubernetes"]}, "status": {"conditions": [
            condition("NamespaceContentRemaining", "True", "configmaps. has 1 resource instances"),
            condition("NamespaceFinalizersRemaining", "False", "not this"), condition("Other", "True", "nor this")]}});
        let words = waits_for(&namespace).expect("words");
        assert_eq!(words, "its finalizer is kubernetes; configmaps. has 1 resource instances");
    }
}
