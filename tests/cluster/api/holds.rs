//! What is lost with a namespace, a definition or a claim, before any of them is deleted.

use std::collections::BTreeSet;

use akidb_edge_engine::resource::manifest::key_of;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::*;

impl Stack {
    /// What would be lost with an object when these go in the same run.
    async fn lost_with(&self, object: &Object, going: &[&Object]) -> Option<String> {
        let attributes = Attributes::new();
        let keys: BTreeSet<String> = going.iter().filter_map(|one| key_of(&one.spec)).collect();
        assert_eq!(keys.len(), going.len());
        self.objects.data(&self.subject(object, &attributes, false), &keys).await.expect("an answer")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_in_a_namespace_is_named_and_by_products_are_not() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("holding").await else { return };
    let namespace = stack.namespace();
    let (settings, web) = (stack.config("settings", json!({"a": "1"})), stack.deployment("web", 1, json!({})));
    let service = stack.object(
        "v1",
        "Service",
        "web",
        json!({"spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "protocol": "TCP"}]}}),
    );
    for object in [&settings, &web, &service] {
        stack.put(object).await.expect("made");
    }
    stack.settle(&web).await.expect("usable");
    stack.plane.kubectl("wait --for=create endpointslice -l kubernetes.io/service-name=web -n holding --timeout=60s");
    stack.plane.kubectl("wait --for=create configmap/kube-root-ca.crt -n holding --timeout=60s");
    stack.plane.kubectl("wait --for=create serviceaccount/default -n holding --timeout=60s");
    let all = [&namespace, &settings, &web, &service];
    assert_eq!(stack.lost_with(&namespace, &all).await, None, "all of it is ours and goes, or is made by controllers");

    // Ours, too, is lost where it does not go in the same run.
    let words = stack.lost_with(&namespace, &[&namespace, &web, &service]).await;
    assert_eq!(words.as_deref(), Some("1 ConfigMap: ConfigMap/holding/settings"));

    stack.plane.kubectl("create secret generic token --from-literal a=secret-value -n holding");
    stack.plane.kubectl("create configmap theirs --from-literal a=1 -n holding");
    stack.plane.kubectl("create deployment web-of-others --image busybox:1 -n holding");
    let words = stack.lost_with(&namespace, &all).await.expect("words");
    let wanted = "1 ConfigMap, 1 Deployment.apps, 1 Secret: ConfigMap/holding/theirs, Deployment/holding/web-of-others, \
                  Secret/holding/token";
    assert_eq!(words, wanted);

    // Found by what it lacks: `ready` is not a setting then.
    let mut found = stack.namespace();
    found.spec["ready"] = "being deleted".into();
    assert_eq!(stack.lost_with(&found, &all).await.as_deref(), Some(wanted));

    // What goes already is not lost by this run.
    stack.plane.person_applies(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held",
        "namespace": "holding", "finalizers": ["lab.example.com/hold"]}}));
    stack.plane.kubectl("delete namespace holding --wait=false");
    assert_eq!(stack.lost_with(&namespace, &[]).await, None);
    let release = r#"{"metadata": {"finalizers": null}}"#;
    let (well, said) =
        stack.plane.kubectl_with(&["patch", "configmap", "held", "-n", "holding", "--type=merge", "-p", release], "");
    assert!(well, "{said}");
    stack.remove(&namespace).await;
    assert_eq!(stack.lost_with(&namespace, &[]).await, None, "what is gone holds nothing");
}

/// A person who sees all kinds of a namespace but its Secrets.
fn by_one_who_sees_no_secrets(stack: &Stack) -> Stack {
    let name = stack.name;
    let groups = ["apps", "autoscaling", "batch", "networking.k8s.io", "policy", "rbac.authorization.k8s.io"];
    let groups = groups.into_iter().chain(["resource.k8s.io", "storage.k8s.io", "lab.example.com"]);
    let core = [
        "configmaps",
        "limitranges",
        "namespaces",
        "persistentvolumeclaims",
        "pods",
        "podtemplates",
        "replicationcontrollers",
        "resourcequotas",
        "serviceaccounts",
        "services",
    ];
    stack.plane.person_applies(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": name}, "rules": [
            {"apiGroups": [""], "resources": core, "verbs": ["get", "list"]},
            {"apiGroups": groups.collect::<Vec<_>>(), "resources": ["*"], "verbs": ["get", "list"]}]}));
    stack.plane.kubectl(&format!("create serviceaccount reader -n {name}"));
    stack
        .plane
        .kubectl(&format!("create clusterrolebinding {name} --clusterrole={name} --serviceaccount={name}:reader"));
    let token = stack.plane.kubectl(&format!("create token reader -n {name}")).trim().to_owned();
    let config = json!({"apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "lab", "cluster": {"server": format!("https://127.0.0.1:{}", stack.plane.port()),
            "certificate-authority-data": BASE64_STANDARD.encode(stack.plane.tls("server-ca.crt"))}}],
        "users": [{"name": "reader", "user": {"token": token}}],
        "contexts": [{"name": "default", "context": {"cluster": "lab", "user": "reader"}}]});
    let file = std::env::temp_dir().join(format!("akidb-edge-reader-{}.json", std::process::id()));
    std::fs::write(&file, config.to_string()).expect("a file");
    let file = file.display().to_string();
    let clusters = Clusters::new(BTreeMap::new()).with_kubeconfig("lab", "default", Some(&file));
    Stack::over(Arc::clone(&stack.plane), clusters, name)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_listed_is_said() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("unseen").await else { return };
    let reader = by_one_who_sees_no_secrets(&stack);
    let namespace = stack.namespace();
    stack.plane.kubectl("wait --for=create serviceaccount/default -n unseen --timeout=60s");
    let words = reader.lost_with(&namespace, &[&namespace]).await.expect("words");
    let wanted = "1 ServiceAccount: ServiceAccount/unseen/reader; ";
    assert!(words.starts_with(wanted), "{words}");
    assert!(words.contains("Secret") && words.ends_with(" could not be listed"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_others_are_lost_with_their_definition() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("defined").await else { return };
    let definition = stack.object(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "crates.held.example.com",
        json!({"spec": {"group": "held.example.com", "scope": "Namespaced",
            "names": {"kind": "Crate", "plural": "crates", "singular": "crate"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}]}}),
    );
    stack.put(&definition).await.expect("made");
    stack.settle(&definition).await.expect("served");
    let own = stack.object("held.example.com/v1", "Crate", "own", json!({}));
    stack.put(&own).await.expect("made");
    assert_eq!(stack.lost_with(&definition, &[&definition, &own]).await, None);
    let words = stack.lost_with(&definition, &[&definition]).await;
    assert_eq!(words.as_deref(), Some("1 Crate.held.example.com: Crate/defined/own"));
    let live = stack.live("crate own");
    let owner =
        json!([{"apiVersion": "held.example.com/v1", "kind": "Crate", "name": "own", "uid": live["metadata"]["uid"]}]);
    stack.plane.person_applies(&json!({"apiVersion": "held.example.com/v1", "kind": "Crate",
        "metadata": {"name": "part", "namespace": "defined", "ownerReferences": owner}}));
    assert_eq!(stack.lost_with(&definition, &[&definition, &own]).await, None, "the garbage collector deletes it");
    stack.plane.person_applies(&json!({"apiVersion": "held.example.com/v1", "kind": "Crate",
        "metadata": {"name": "theirs", "namespace": "default"}}));
    let words = stack.lost_with(&definition, &[&definition, &own]).await;
    assert_eq!(words.as_deref(), Some("1 Crate.held.example.com: Crate/default/theirs"));
    // A namespace knows the kind, too.
    let words = stack.lost_with(&stack.namespace(), &[]).await;
    assert_eq!(words.as_deref(), Some("1 Crate.held.example.com: Crate/defined/own"));
    stack.remove(&definition).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_bound_has_the_data_of_its_volume() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("claiming").await else { return };
    let claim = stack.object(
        "v1",
        "PersistentVolumeClaim",
        "data",
        json!({"spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "volumeName": "akidb-edge-claiming",
            "resources": {"requests": {"storage": "1Gi"}}}}),
    );
    stack.put(&claim).await.expect("made");
    assert_eq!(stack.lost_with(&claim, &[&claim]).await, None, "it has no volume yet");
    stack.plane.person_applies(&json!({"apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": "akidb-edge-claiming"}, "spec": {"accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"}, "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": "/tmp/akidb-edge-claiming"}}}));
    stack.plane.kubectl("wait --for=jsonpath={.status.phase}=Bound pvc/data -n claiming --timeout=60s");
    assert_eq!(stack.lost_with(&claim, &[&claim]).await.as_deref(), Some("akidb-edge-claiming (1Gi)"));
    stack.remove(&claim).await;
    stack.plane.kubectl("delete persistentvolume akidb-edge-claiming");
}
