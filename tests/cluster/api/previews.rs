//! What an apply would meet, told before it: fields of others, fields that can never change, fields that an adoption takes away.

use akidb_edge_engine::resource::{Expected, FieldChange, Preview};

use super::*;

impl Stack {
    async fn found(&self, object: &Object) -> ObservedResource {
        self.read(object).await.expect("read").expect("it is there")
    }

    /// What an update to these settings would do.
    async fn preview(&self, object: &Object) -> Preview {
        let (attributes, found) = (Attributes::new(), self.found(object).await);
        let subject = self.subject(object, &attributes, false);
        let before = self.plane.changes(self.name);
        let preview = self.objects.preview(&subject, &found).await.expect("an answer");
        assert_eq!(self.plane.changes(self.name), before, "a preview changes nothing");
        preview
    }

    #[track_caller]
    fn refused(preview: Preview) -> Fault {
        match preview.expected {
            Expected::Refused(fault) => fault,
            other => panic!("it is not refused: {other:?}"),
        }
    }

    /// Makes it again, as a run does after the preview was shown; gives what was found before.
    async fn recreate(&self, object: &Object) -> ObservedResource {
        let (attributes, found) = (Attributes::new(), self.found(object).await);
        self.objects.recreate(&self.subject(object, &attributes, false), &found).await.expect("made again");
        found
    }

    fn uid(&self, what: &str) -> Value {
        self.live(what)["metadata"]["uid"].clone()
    }
}

fn reason(preview: &Preview) -> String {
    match &preview.expected {
        Expected::Recreate(why) => why.line(),
        other => panic!("it is not made again: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_told_before_and_taken_over_where_the_plan_allows_it() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("held").await else { return };
    let mut web = stack.deployment("web", 1, json!({}));
    stack.put(&web).await.expect("made");
    stack.plane.kubectl("scale deployment web --replicas 3 --namespace held");
    let fault = Stack::refused(stack.preview(&web).await);
    assert_eq!((fault.class, fault.code.line().as_str()), (FaultClass::Refused, "Conflict"), "{fault}");
    assert!(fault.message.text().contains(".spec.replicas"), "{fault}");
    assert!(fault.next_step.is_some_and(|next| next.line().contains("force_conflicts")));
    // Equal values are not a conflict.
    let same = stack.deployment("web", 3, json!({"terminationGracePeriodSeconds": 7}));
    assert_eq!(stack.preview(&same).await, Preview::default());

    web.spec["force_conflicts"] = true.into();
    let preview = stack.preview(&web).await;
    assert_eq!(preview.expected, Expected::InPlace);
    assert!(preview.note.is_some_and(|note| note.line().contains("takes over .spec.replicas of \"kubectl\"")));
    stack.put(&web).await.expect("taken over");
    assert_eq!(stack.live("deployment web")["spec"]["replicas"], 1);
    assert_eq!(stack.put(&web).await.expect("read"), None, "what the plan allows is not a difference");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_change_is_told_before_and_made_again() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("fixed").await else { return };
    let deployment = |name: &str| {
        let labels = json!({"app": name});
        let pod = json!({"containers": [{"name": "app", "image": "registry.k8s.io/pause:3.10"}]});
        let spec = json!({"replicas": 1, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod}});
        stack.object("apps/v1", "Deployment", "web", json!({"spec": spec}))
    };
    stack.put(&deployment("one")).await.expect("made");
    let (changed, first) = (deployment("two"), stack.uid("deployment web"));
    assert!(reason(&stack.preview(&changed).await).contains("spec.selector of a Deployment can never change"));
    let refused = stack.put(&changed).await.expect_err("not in place");
    assert_eq!(refused.code.line(), "Immutable", "{refused}");
    let found = stack.recreate(&changed).await;
    let second = stack.uid("deployment web");
    assert_ne!(first, second);
    // The answer was lost, and it is tried again: what is there by then is the new one.
    let attributes = Attributes::new();
    stack.objects.recreate(&stack.subject(&changed, &attributes, false), &found).await.expect("there already");
    assert_eq!(stack.uid("deployment web"), second);

    // What is wrong by itself is refused, and nothing is deleted for it.
    let mut broken = deployment("three");
    broken.spec["object"]["spec"]["template"]["spec"]["containers"][0]["name"] = "Not A Name".into();
    let fault = Stack::refused(stack.preview(&broken).await);
    assert!(fault.message.text().contains("containers[0].name"), "{fault}");

    let job = |image: &str| {
        let pod = json!({"restartPolicy": "Never", "containers": [{"name": "work", "image": image}]});
        stack.object("batch/v1", "Job", "load", json!({"spec": {"template": {"spec": pod}}}))
    };
    stack.put(&job("busybox:1")).await.expect("made");
    assert!(reason(&stack.preview(&job("busybox:2")).await).contains("spec.template of a Job"));

    let binding = |role: &str| {
        let subjects = json!([{"kind": "ServiceAccount", "name": "default", "namespace": "fixed"}]);
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role});
        let rest = json!({"subjects": subjects, "roleRef": role});
        stack.object("rbac.authorization.k8s.io/v1", "RoleBinding", "view", rest)
    };
    stack.put(&binding("view")).await.expect("made");
    assert!(reason(&stack.preview(&binding("edit")).await).contains("roleRef"));
    stack.recreate(&binding("edit")).await;
    assert_eq!(stack.live("rolebinding view")["roleRef"]["name"], "edit");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_data_is_made_again_only_where_the_plan_allows_it() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("stateful").await else { return };
    let claim = |class: &str| {
        let spec = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": class,
            "resources": {"requests": {"storage": "1Gi"}}});
        stack.object("v1", "PersistentVolumeClaim", "data", json!({"spec": spec}))
    };
    stack.put(&claim("one")).await.expect("made");
    let set = |service: &str| {
        let labels = json!({"app": "db"});
        let pod = json!({"containers": [{"name": "app", "image": "registry.k8s.io/pause:3.10"}]});
        let template = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}}}});
        let spec = json!({"serviceName": service, "replicas": 0, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod}, "volumeClaimTemplates": [template]});
        stack.object("apps/v1", "StatefulSet", "db", json!({"spec": spec}))
    };
    stack.put(&set("a")).await.expect("made");
    for mut changed in [claim("two"), set("b")] {
        let fault = Stack::refused(stack.preview(&changed).await);
        assert_eq!((fault.class, fault.code.line().as_str()), (FaultClass::Refused, "Immutable"), "{fault}");
        assert!(fault.next_step.is_some_and(|next| next.line().contains("recreate: [")));
        changed.spec["recreate"] = true.into();
        assert!(reason(&stack.preview(&changed).await).contains("can never change"));
        stack.recreate(&changed).await;
        assert_eq!(stack.put(&changed).await.expect("read"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adoption_shows_what_it_takes_away_and_takes_over() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("adopting").await else { return };
    stack.plane.person_applies(&json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "old", "namespace": "adopting", "labels": {"by": "hand"}}, "data": {"a": "1", "b": "2"}}));
    let patch = r#"{"data": {"a": "5"}}"#;
    let by_another =
        ["patch", "configmap", "old", "-n", "adopting", "--type=merge", "--field-manager=other", "-p", patch];
    let (well, said) = stack.plane.kubectl_with(&by_another, "");
    assert!(well, "{said}");
    let preview = stack.preview(&stack.config("old", json!({"a": "3"}))).await;
    let gone =
        |path: &str, old: &str| FieldChange { path: path.to_owned(), old: Some(old.into()), new: None, drifted: false };
    assert_eq!(preview.also, [gone("object.data.b", "2"), gone("object.metadata.labels.by", "hand")]);
    assert_eq!(preview.expected, Expected::InPlace);
    assert!(preview.note.is_some_and(|note| note.line().contains(".data.a of \"other\"")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_waits_names_its_finalizer() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("waiting").await else { return };
    let mut held = stack.config("held", json!({"a": "1"}));
    held.spec["object"]["metadata"] = json!({"finalizers": ["lab.example.com/hold"]});
    stack.put(&held).await.expect("made");
    let attributes = Attributes::new();
    let waits = stack.objects.delete(&stack.subject(&held, &attributes, false)).await.expect_err("it is held");
    assert_eq!((waits.class, waits.code.line().as_str()), (FaultClass::Retry, "Terminating"), "{waits}");
    assert!(waits.message.text().contains("its finalizer is lab.example.com/hold"), "{waits}");
    let release = r#"{"metadata": {"finalizers": null}}"#;
    let patch = ["patch", "configmap", "held", "-n", "waiting", "--type=merge", "-p", release];
    let (well, said) = stack.plane.kubectl_with(&patch, "");
    assert!(well, "{said}");
    stack.remove(&held).await;
}
