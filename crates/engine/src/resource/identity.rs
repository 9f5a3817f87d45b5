//! What identifies the real resource, independent of its address in a plan.

use serde_json::Value;

use super::manifest::api_group;
use super::{Kind, has_references};

/// The settings that make two resources of a kind the same thing. Empty where nothing but the id tells: such a resource
/// keeps its address, or the plan says where it went (`moved`).
pub fn identity_paths(kind: Kind) -> &'static [&'static str] {
    let facts = kind.facts();
    facts.same_by.unwrap_or(facts.identity)
}

/// The identity of a resource with these settings, as a text that can be compared within its kind; none while a part of
/// it is not known or for kinds without one.
pub fn identity(kind: Kind, spec: &Value) -> Option<String> {
    let paths = identity_paths(kind);
    if paths.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    for path in paths {
        let value = spec.get(path).cloned().unwrap_or(Value::Null);
        if has_references(&value) {
            return None;
        }
        parts.push(normal(kind, path, value));
    }
    Some(Value::Array(parts).to_string())
}

/// Domain names are the same in upper and lower case, and a list of them is a set. Of an API version, only the group counts.
fn normal(kind: Kind, path: &str, value: Value) -> Value {
    let facts = kind.facts();
    if facts.api_versions.contains(&path) {
        return value.as_str().map_or(Value::Null, |version| Value::from(api_group(version)));
    }
    if !facts.domain_names.contains(&path) {
        return value;
    }
    match value {
        Value::String(text) => Value::String(text.trim_end_matches('.').to_lowercase()),
        Value::Array(names) => {
            let mut names: Vec<String> = names.iter().filter_map(Value::as_str).map(str::to_lowercase).collect();
            names.sort();
            names.dedup();
            names.into()
        }
        Value::Null => Value::Array(Vec::new()),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_compared_as_their_service_compares_them() {
        let one = json!({"region": "us-east-1", "domain": "A.example.com", "alternative_names": ["c.d", "b.c"]});
        let other = json!({"region": "us-east-1", "domain": "a.example.com", "alternative_names": ["b.c", "c.d"]});
        assert_eq!(identity(Kind::Certificate, &one), identity(Kind::Certificate, &other));
        assert_ne!(identity(Kind::Bucket, &json!({"name": "a"})), identity(Kind::Bucket, &json!({"name": "b"})));
    }

    #[test]
    fn another_version_of_an_api_is_the_same_object() {
        let object = |version: &str| {
            let spec =
                json!({"cluster": "west", "api_version": version, "kind": "Service", "namespace": "n", "name": "a"});
            identity(Kind::Manifest, &spec)
        };
        assert_eq!(object("apps/v1"), object("apps/v1beta1"));
        assert_ne!(object("v1"), object("serving.knative.dev/v1"), "another group is another object");
    }

    #[test]
    fn what_is_not_known_yet_has_no_identity() {
        assert_eq!(identity(Kind::BucketPolicy, &json!({"bucket": "${a.bucket.b#name}"})), None);
        assert_eq!(identity(Kind::Distribution, &json!({"comment": "x"})), None);
    }
}
