use serde_json::json;

use super::*;

fn object(namespace: &str, name: &str) -> Value {
    let mut object = json!({"metadata": {"name": name}});
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = namespace.into();
    }
    object
}

fn keys(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|key| (*key).to_owned()).collect()
}

#[test]
fn what_goes_in_the_same_run_is_told_by_group_kind_and_place() {
    let keys = keys(&["west:Service./n/a", "west:Gadget.lab.example.com/n/big", "west:ConfigMap.//d"]);
    let going = DepartingObjects { cluster: "west", keys: &keys };
    assert!(going.has("", "Service", &object("n", "a")));
    assert!(!going.has("serving.knative.dev", "Service", &object("n", "a")), "another group");
    assert!(!going.has("", "Service", &object("other", "a")) && !going.has("", "Service", &object("n", "b")));
    assert!(
        !DepartingObjects { cluster: "east", keys: &keys }.has("", "Service", &object("n", "a")),
        "another cluster"
    );
    assert!(going.has("lab.example.com", "Gadget", &object("", "big")), "its kind has no namespace");
    assert!(!going.has("lab.example.com", "Gadget", &object("", "bi")));
    assert!(going.has("", "ConfigMap", &object("default", "d")) && !going.has("", "ConfigMap", &object("n", "d")));
}

#[test]
fn what_a_going_object_owns_goes_with_it() {
    let keys = keys(&["west:Gadget.lab.example.com/n/a", "west:ClusterGadget.lab.example.com//c"]);
    let going = DepartingObjects { cluster: "west", keys: &keys };
    let owned = |namespace: &str, kind: &str, name: &str| {
        let mut object = object(namespace, "owned");
        object["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "lab.example.com/v1", "kind": kind, "name": name, "uid": "u"}]);
        object
    };
    assert!(going.has_owner(&owned("n", "Gadget", "a")) && going.has_owner(&owned("n", "ClusterGadget", "c")));
    assert!(!going.has_owner(&owned("other", "Gadget", "a")) && !going.has_owner(&object("n", "a")));
}

#[test]
fn by_products_are_not_lost() {
    assert!(is_by_product("", "ConfigMap", &object("n", "kube-root-ca.crt")));
    assert!(is_by_product("", "ServiceAccount", &object("n", "default")));
    assert!(!is_by_product("", "ConfigMap", &object("n", "default")));
    let mut pod = object("n", "web-1");
    pod["metadata"]["ownerReferences"] = json!([]);
    assert!(!is_by_product("", "Pod", &pod));
    pod["metadata"]["ownerReferences"] = json!([{"kind": "ReplicaSet", "name": "web"}]);
    assert!(is_by_product("", "Pod", &pod));
    assert!(
        is_passing("", "Event") && is_passing("events.k8s.io", "Event") && is_passing("coordination.k8s.io", "Lease")
    );
    assert!(!is_passing("", "Secret") && !is_passing("lab.example.com", "Event"));
}

#[test]
fn what_is_lost_is_grouped_and_bounded() {
    let mut lost = LostObjects::default();
    assert_eq!(lost.words(), None);
    for name in ["a", "b", "c", "d"] {
        lost.add("ConfigMap", &object("n", name));
    }
    lost.add("Deployment.apps", &object("n", "web"));
    lost.add("Deployment.apps", &object("n", "web"));
    let words = "4 ConfigMap, 1 Deployment.apps: ConfigMap/n/a, ConfigMap/n/b, ConfigMap/n/c, Deployment/n/web, ...";
    assert_eq!(lost.words().as_deref(), Some(words));
    lost.add_unlisted("Secret".to_owned());
    assert_eq!(lost.words(), Some(format!("{words}; Secret could not be listed")));
    let mut blind = LostObjects::default();
    blind.add_unlisted("Secret".to_owned());
    blind.add_unlisted("custom.example.com/v1".to_owned());
    assert_eq!(blind.words().as_deref(), Some("Secret, custom.example.com/v1 could not be listed"));
}

#[test]
fn there_may_be_any_number() {
    let (mut lost, mut other) = (LostObjects::default(), LostObjects::default());
    for number in 0..=MOST {
        lost.add("Gadget.lab.example.com", &object("", &format!("g-{number:04}")));
    }
    for number in 0..20 {
        other.add_unlisted(format!("Kind{number:02}"));
        other.add(&format!("Kind{number:02}"), &object("", "x"));
    }
    lost.merge(other);
    let words = lost.words().expect("words");
    assert!(words.starts_with("more than 2,000 objects: Gadget/g-0000, Gadget/g-0001, Gadget/g-0002, "), "{words}");
    assert!(words.ends_with("Kind07 and 12 more kinds could not be listed") && words.len() < 400, "{words}");
}
