//! The providers of Kubernetes objects against a real API server, with a person beside them who uses kubectl. Needs the
//! control plane (`tests/lab/kubernetes/build`); skipped with a message otherwise.

mod holds;
mod previews;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use akidb_edge_cluster::{Clusters, providers};
use akidb_edge_engine::change::compare;
use akidb_edge_engine::provider::cluster::{
    ByteStream, ClusterAccess, ClusterApi, Credentials, DrainOptions, DrainOutcome, Login,
};
use akidb_edge_engine::provider::{Applied, DeleteOutcome, Progress, Provider, ResourceContext};
use akidb_edge_engine::resource::{Address, Attributes, Fault, FaultClass, Kind, Level, ObservedResource, Owner};
use async_trait::async_trait;
use futures::future::join_all;
use serde_json::{Value, json};
use testkit::control_plane::ControlPlane;
use tokio::task::AbortHandle;

/// A stack with its namespace in a control plane, and what drives its objects as the engine does.
struct Stack {
    plane: Arc<ControlPlane>,
    clusters: Arc<Clusters>,
    objects: Arc<dyn Provider>,
    /// Name of the stack and of its namespace.
    name: &'static str,
}

/// An object of a plan.
struct Object {
    address: Address,
    spec: Value,
}

impl Stack {
    /// With its namespace; none when there is no control plane here.
    async fn new(name: &'static str) -> Option<Self> {
        let stack = Self::bare(name)?;
        stack.put(&stack.namespace()).await.expect("a namespace");
        Some(stack)
    }

    fn bare(name: &'static str) -> Option<Self> {
        let plane = ControlPlane::shared()?;
        let file = plane.kubeconfig().display().to_string();
        let clusters = Clusters::new(BTreeMap::new()).with_kubeconfig("lab", "default", Some(&file));
        Some(Self::over(plane, clusters, name))
    }

    fn over(plane: Arc<ControlPlane>, clusters: Arc<Clusters>, name: &'static str) -> Self {
        let objects = Arc::clone(providers(&clusters).of(Kind::Manifest).expect("a provider"));
        Self { plane, clusters, objects, name }
    }

    fn object(&self, api_version: &str, kind: &str, name: &str, rest: Value) -> Object {
        let mut spec = json!({"cluster": "lab", "api_version": api_version, "kind": kind, "name": name, "object": rest,
            "ready": "taken"});
        if !matches!(kind, "Namespace" | "CustomResourceDefinition") {
            spec["namespace"] = self.name.into();
        }
        let short = name.split('.').next().unwrap_or(name);
        let address = format!("objects.manifest.{}-{short}", kind.to_lowercase()).parse().expect("an address");
        Object { address, spec }
    }

    fn namespace(&self) -> Object {
        self.object("v1", "Namespace", self.name, json!({}))
    }

    fn config(&self, name: &str, data: Value) -> Object {
        self.object("v1", "ConfigMap", name, json!({"data": data}))
    }

    /// A deployment that is waited for.
    fn deployment(&self, name: &str, replicas: u32, more: Value) -> Object {
        let labels = json!({"app": name});
        let mut pod = json!({
            "containers": [{"name": "app", "image": "registry.k8s.io/pause:3.10", "resources": {"requests": {"cpu": "0.01"}}}],
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            pod[key] = value.clone();
        }
        let spec = json!({"replicas": replicas, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod}});
        let mut object = self.object("apps/v1", "Deployment", name, json!({"spec": spec}));
        object.spec["ready"] = "rolled-out".into();
        object
    }

    fn subject<'s>(&'s self, object: &'s Object, attributes: &'s Attributes, seen_absent: bool) -> ResourceContext<'s> {
        ResourceContext {
            stack: self.name,
            address: &object.address,
            token: "",
            spec: &object.spec,
            id: None,
            attributes,
            before: None,
            former: None,
            thorough: false,
            seen_absent,
        }
    }

    async fn read(&self, object: &Object) -> Result<Option<ObservedResource>, Fault> {
        let attributes = Attributes::new();
        self.objects.read(&self.subject(object, &attributes, false)).await
    }

    /// Makes it or makes it right, as a run does; `adopt` takes over what is not ours. None when nothing is to be done.
    async fn put_or_adopt(&self, object: &Object, adopt: bool) -> Result<Option<Applied>, Fault> {
        let attributes = Attributes::new();
        let Some(found) = self.read(object).await? else {
            return self.objects.create(&self.subject(object, &attributes, true)).await.map(Some);
        };
        if found.owner != Owner::Ours && !adopt {
            return self.objects.create(&self.subject(object, &attributes, false)).await.map(Some);
        }
        let fields = compare(Kind::Manifest, &object.spec, None, &found.spec);
        if fields.is_empty() && found.owner == Owner::Ours {
            return Ok(None);
        }
        self.objects.update(&self.subject(object, &attributes, false), &found, &fields).await.map(Some)
    }

    async fn put(&self, object: &Object) -> Result<Option<Applied>, Fault> {
        self.put_or_adopt(object, false).await
    }

    /// Waits until it is usable.
    async fn settle(&self, object: &Object) -> Result<(), Fault> {
        let attributes = Attributes::new();
        let begun = Instant::now();
        loop {
            let subject = self.subject(object, &attributes, false);
            match self.objects.settled(&subject, Level::Usable).await? {
                Progress::Ready(_) => return Ok(()),
                Progress::NotYet(state, _) => {
                    assert!(begun.elapsed() < Duration::from_secs(60), "{}: still {state:?}", object.address);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Removes it, again and again while it is still going.
    async fn remove(&self, object: &Object) {
        let attributes = Attributes::new();
        let begun = Instant::now();
        loop {
            match self.objects.delete(&self.subject(object, &attributes, false)).await {
                Ok(DeleteOutcome::Deleted) => return,
                Err(fault) if fault.class == FaultClass::Retry && begun.elapsed() < Duration::from_secs(60) => {}
                other => panic!("{}: {other:?}", object.address),
            }
        }
    }

    fn live(&self, what: &str) -> Value {
        self.plane.object(&format!("{what} --namespace {}", self.name))
    }
}

/// The managers that hold a field by an operation.
fn holders(object: &Value, pointer: &str) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().expect("managed fields");
    let holds = entries.iter().filter(|one| one["fieldsV1"].pointer(pointer).is_some());
    let mut names: Vec<String> = holds
        .map(|one| format!("{}/{}", one["manager"].as_str().expect("a name"), one["operation"].as_str().expect("one")))
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_changes_nothing_and_the_inventory_lists_what_is_ours() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("quiet").await else { return };
    let objects = [
        stack.config("settings", json!({"a": "1"})),
        stack.deployment("web", 2, json!({})),
        stack.object(
            "policy/v1",
            "PodDisruptionBudget",
            "web",
            json!({"spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}),
        ),
    ];
    for object in &objects {
        assert!(stack.put(object).await.expect("made").is_some());
    }
    for object in &objects {
        stack.settle(object).await.expect("usable");
    }
    let before = stack.plane.changes("quiet");
    let parents = before.iter().filter(|line| line.contains("/configmaps/akidb-edge-quiet")).count();
    assert!((1..=4).contains(&parents), "the parent is written when it changes: {before:#?}");
    for object in objects.iter().chain([&stack.namespace()]) {
        assert_eq!(stack.put(object).await.expect("read"), None, "{}", object.address);
    }
    assert_eq!(stack.plane.changes("quiet"), before, "a no-op sends no mutating request");

    // kubectl lists what is ours, and does not prune it.
    let parent = stack.plane.object("configmap akidb-edge-quiet --namespace default");
    let id = parent["metadata"]["labels"]["applyset.kubernetes.io/id"].as_str().expect("an ID").to_owned();
    let annotations = &parent["metadata"]["annotations"];
    assert_eq!(annotations["applyset.kubernetes.io/tooling"], "akidb-edge/v1");
    assert_eq!(
        annotations["applyset.kubernetes.io/contains-group-kinds"],
        "ConfigMap,Deployment.apps,Namespace,PodDisruptionBudget.policy"
    );
    assert_eq!(annotations["applyset.kubernetes.io/additional-namespaces"], "quiet");
    let listed = stack.plane.kubectl(&format!(
        "get configmap,deployment,poddisruptionbudget,namespace -A -o name -l applyset.kubernetes.io/part-of={id}"
    ));
    let mut listed: Vec<&str> = listed.lines().collect();
    listed.sort_unstable();
    let wanted = ["configmap/settings", "deployment.apps/web", "namespace/quiet", "poddisruptionbudget.policy/web"];
    assert_eq!(listed, wanted);

    let other =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "quiet"}}).to_string();
    let prune = ["apply", "-f", "-", "-n", "default", "--prune", "--applyset=configmap/akidb-edge-quiet"];
    let (pruned, said) = stack.plane.kubectl_with(&prune, &other);
    assert!(!pruned && said.contains("managed by tooling \"akidb-edge\""), "{said}");
    stack.live("configmap settings");

    // The parent goes with the last member, and not before.
    for object in &objects {
        stack.remove(object).await;
        stack.plane.object("configmap akidb-edge-quiet --namespace default");
    }
    stack.remove(&stack.namespace()).await;
    let (there, said) = stack.plane.kubectl_with(&["get", "configmap", "akidb-edge-quiet", "-n", "default"], "");
    assert!(!there && said.contains("NotFound"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_another_manager_is_a_typed_conflict_and_objects_of_others_stay() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("conflict").await else { return };
    let web = stack.deployment("web", 1, json!({}));
    stack.put(&web).await.expect("made");
    stack.plane.kubectl("scale deployment web --replicas 3 --namespace conflict");
    let fault = stack.put(&web).await.expect_err("a conflict");
    assert_eq!((fault.class, fault.code.line().as_str()), (FaultClass::Refused, "Conflict"), "{fault}");
    let said = fault.message.text();
    assert!(said.contains("conflict with \"kubectl\"") && said.contains(".spec.replicas"), "{said}");
    assert_eq!(stack.live("deployment web")["spec"]["replicas"], 3, "it is not taken over");

    stack.plane.kubectl("create configmap theirs --from-literal a=1 --namespace conflict");
    let theirs = stack.config("theirs", json!({"a": "2"}));
    let fault = stack.put(&theirs).await.expect_err("somebody else's");
    assert_eq!((fault.class, fault.code.line().as_str()), (FaultClass::Exists, "Foreign"), "{fault}");
    assert_eq!(stack.live("configmap theirs")["data"]["a"], "1");

    // A field that the schema does not know is refused, not dropped.
    let mut typo = stack.config("typo", json!({}));
    typo.spec["object"]["datta"] = json!({"a": "1"});
    let fault = stack.put(&typo).await.expect_err("a typo");
    assert_eq!(fault.class, FaultClass::Refused, "{fault}");
    assert!(fault.message.text().contains("datta"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_object_that_was_applied_client_side_is_migrated() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("migrated").await else { return };
    stack.plane.person_applies(&json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "old", "namespace": "migrated", "labels": {"by": "hand"}}, "data": {"a": "1", "b": "2"}}));
    let old = stack.config("old", json!({"a": "3"}));
    stack.put_or_adopt(&old, true).await.expect("adopted");
    let live = stack.live("configmap old");
    assert_eq!(live["data"], json!({"a": "3"}), "what is not in the plan went with its manager");
    let last = &live["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
    assert!(last.is_null(), "{last}");
    assert_eq!(holders(&live, "/f:data/f:a"), ["akidb-edge/Apply"]);
    assert_eq!(live["metadata"]["managedFields"].as_array().map(Vec::len), Some(1), "{live:#}");
    assert_eq!(stack.put(&old).await.expect("read"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_belong_to_an_autoscaler_where_there_is_one() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("scaled").await else { return };
    let web = stack.deployment("web", 3, json!({}));
    stack.put(&web).await.expect("made");
    assert_eq!(holders(&stack.live("deployment web"), "/f:spec/f:replicas"), ["akidb-edge/Apply"]);
    let scaler = stack.object(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "web",
        json!({"spec": {"minReplicas": 1, "maxReplicas": 9,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}),
    );
    stack.put(&scaler).await.expect("made");
    stack.settle(&web).await.expect("usable");
    // Nothing differs, and the next change hands the replicas over at their live value.
    assert_eq!(stack.put(&web).await.expect("read"), None);
    let web = stack.deployment("web", 3, json!({"terminationGracePeriodSeconds": 7}));
    stack.put(&web).await.expect("changed");
    let live = stack.live("deployment web");
    assert_eq!(live["spec"]["replicas"], 3);
    assert!(!holders(&live, "/f:spec/f:replicas").contains(&"akidb-edge/Apply".to_owned()), "{live:#}");
    // It scales: that is not a difference, and a change of the plan leaves it alone.
    stack.plane.kubectl("scale deployment web --replicas 5 --namespace scaled");
    stack.settle(&web).await.expect("usable");
    assert_eq!(stack.put(&web).await.expect("read"), None);
    let web = stack.deployment("web", 3, json!({"terminationGracePeriodSeconds": 5}));
    stack.put(&web).await.expect("changed");
    assert_eq!(stack.live("deployment web")["spec"]["replicas"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_and_its_object_are_made_in_one_run() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("kinds").await else { return };
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}});
    let definition = stack.object(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "gadgets.lab.example.com",
        json!({"spec": {"group": "lab.example.com", "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}}),
    );
    let gadget = stack.object("lab.example.com/v1", "Gadget", "one", json!({"spec": {"size": 3}}));
    assert_eq!(stack.read(&gadget).await, Ok(None), "a kind that is not served has no objects");
    let unknown = stack.put(&gadget).await.expect_err("not served yet");
    assert_eq!((unknown.class, unknown.code.line().as_str()), (FaultClass::Refused, "UnknownKind"), "{unknown}");
    stack.put(&definition).await.expect("made");
    stack.settle(&definition).await.expect("served");
    stack.put(&gadget).await.expect("made at once");
    assert_eq!(stack.live("gadget one")["spec"]["size"], 3);
    assert_eq!(stack.put(&definition).await.expect("read"), None);
    stack.remove(&gadget).await;
    stack.remove(&definition).await;
    stack.remove(&gadget).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_is_held_by_a_budget_and_done_without_it() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("drained").await else { return };
    let web = stack.deployment("web", 2, json!({"nodeSelector": {"kubernetes.io/hostname": "node-3"}}));
    let budget = |least: u32| {
        let spec = json!({"minAvailable": least, "selector": {"matchLabels": {"app": "web"}}});
        stack.object("policy/v1", "PodDisruptionBudget", "web", json!({"spec": spec}))
    };
    stack.put(&web).await.expect("made");
    stack.put(&budget(2)).await.expect("made");
    stack.settle(&web).await.expect("usable");
    let how = |seconds: u64| DrainOptions { evict: true, within: Duration::from_secs(seconds) };
    let DrainOutcome::Left { pods, held } = stack.clusters.drain("lab", "node-3", how(2)).await.expect("a drain")
    else {
        panic!("the budget does not hold");
    };
    let ours = |all: &[akidb_edge_engine::resource::Untrusted]| {
        all.iter().filter(|pod| pod.line().starts_with("drained/web-")).count()
    };
    assert_eq!((ours(&pods), ours(&held)), (2, 2), "{pods:?} {held:?}");
    assert_eq!(stack.plane.object("node node-3")["spec"]["unschedulable"], true);
    stack.put(&budget(0)).await.expect("changed");
    assert_eq!(stack.clusters.drain("lab", "node-3", how(30)).await, Ok(DrainOutcome::Empty));
    let left = stack.plane.kubectl("get pods --namespace drained --field-selector spec.nodeName=node-3 -o name");
    assert_eq!(left, "");
    stack.clusters.patch_node("lab", "node-3", json!({"spec": {"unschedulable": null}})).await.expect("uncordoned");
    assert_eq!(stack.clusters.drain("lab", "no-such-node", how(1)).await, Ok(DrainOutcome::Empty));
    let missing = stack.clusters.patch_node("lab", "no-such-node", json!({})).await.expect_err("no node");
    assert_eq!(missing.class, FaultClass::Missing);
    assert_eq!(stack.clusters.delete_node("lab", "no-such-node").await, Ok(()));
    assert_eq!(stack.clusters.nodes("lab").await.expect("nodes").map(|nodes| nodes.len()), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_in_a_namespace_that_goes_or_is_not_there() {
    let _turn = crate::turn();
    let Some(stack) = Stack::bare("leaving") else { return };
    let config = stack.config("late", json!({"a": "1"}));
    let missing = stack.put(&config).await.expect_err("no namespace");
    assert_eq!((missing.class, missing.code.line().as_str()), (FaultClass::Missing, "NamespaceNotFound"), "{missing}");
    stack.put(&stack.namespace()).await.expect("made");
    stack.plane.person_applies(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held",
        "namespace": "leaving", "finalizers": ["lab.example.com/hold"]}}));
    stack.plane.kubectl("delete namespace leaving --wait=false");
    let going = stack.put(&config).await.expect_err("it goes");
    assert_eq!((going.class, going.code.line().as_str()), (FaultClass::Retry, "NamespaceTerminating"), "{going}");
    let seen = stack.read(&stack.namespace()).await.expect("read").expect("still there");
    assert_eq!(seen.spec["ready"], "being deleted");
    let again = stack.put(&stack.namespace()).await.expect_err("it cannot be mended");
    assert_eq!((again.class, again.code.line().as_str()), (FaultClass::Retry, "Terminating"), "{again}");
    let release = r#"{"metadata": {"finalizers": null}}"#;
    let (well, said) =
        stack.plane.kubectl_with(&["patch", "configmap", "held", "-n", "leaving", "--type=merge", "-p", release], "");
    assert!(well, "{said}");
    stack.remove(&stack.namespace()).await;
    assert_eq!(stack.read(&stack.namespace()).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_differs_is_renewed_and_a_broken_one_is_not_deleted_for_it() {
    let _turn = crate::turn();
    let Some(stack) = Stack::new("renewed").await else { return };
    let job = |image: &str, policy: &str| {
        let pod = json!({"restartPolicy": policy, "containers": [{"name": "work", "image": image}]});
        stack.object("batch/v1", "Job", "load", json!({"spec": {"backoffLimit": 1, "template": {"spec": pod}}}))
    };
    let uid = || stack.live("job load")["metadata"]["uid"].clone();
    stack.put(&job("busybox:1", "Never")).await.expect("made");
    let first = uid();
    assert_eq!(stack.put(&job("busybox:1", "Never")).await.expect("read"), None);
    let broken = stack.put(&job("busybox:2", "Always")).await.expect_err("no policy of a job");
    assert_eq!((broken.class, broken.code.line().as_str()), (FaultClass::Refused, "Invalid"), "{broken}");
    assert_eq!(uid(), first);
    stack.put(&job("busybox:2", "Never")).await.expect("renewed");
    assert_ne!(uid(), first);
    let live = stack.live("job load");
    assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["image"], "busybox:2");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_cluster_under_the_same_name_is_refused() {
    let _turn = crate::turn();
    let Some(stack) = Stack::bare("identity") else { return };
    let identity = stack.clusters.identity("lab").await.expect("an answer").expect("a cluster");
    assert_eq!(identity.version, "v1.36.3");
    assert!(identity.uid.is_some());
    let lookups = Arc::clone(providers(&stack.clusters).of(Kind::Cluster).expect("a provider"));
    let file = stack.plane.kubeconfig().display().to_string();
    let cluster = Object {
        address: "kubernetes.cluster.lab".parse().expect("an address"),
        spec: json!({"name": "lab", "reach": {"kubeconfig": {"context": "default", "file": file}}}),
    };
    let known = Attributes::from([("uid".to_owned(), json!(identity.uid))]);
    let found = lookups.read(&stack.subject(&cluster, &known, false)).await.expect("read").expect("a cluster");
    assert_eq!(found.attributes["uid"], json!(identity.uid));
    let other = Attributes::from([("uid".to_owned(), json!("00000000-0000-0000-0000-000000000000"))]);
    let refused = lookups.read(&stack.subject(&cluster, &other, false)).await.expect_err("another one");
    assert_eq!((refused.class, refused.code.line().as_str()), (FaultClass::Refused, "AnotherCluster"));
}

/// A way through streams that it opens itself, as SSH does.
struct Tunnel {
    plane: Arc<ControlPlane>,
    by_token: bool,
    opened: AtomicUsize,
    asked: AtomicUsize,
    /// What carries the bytes of the stream that was opened last.
    carrier: Mutex<Option<AbortHandle>>,
}

#[async_trait]
impl ClusterAccess for Tunnel {
    async fn credentials(&self) -> Result<Option<Credentials>, Fault> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let login = if self.by_token {
            let token = String::from_utf8(self.plane.tls("node-credential")).expect("text");
            // It has run out by the next request.
            Login::Token { token, lasts: Duration::ZERO }
        } else {
            Login::Certificate { certificate: self.plane.tls("admin.crt"), key: self.plane.tls("admin.key") }
        };
        let server = format!("https://127.0.0.1:{}", self.plane.port());
        Ok(Some(Credentials { server, authority: self.plane.tls("server-ca.crt"), login }))
    }

    async fn open(&self) -> Option<Result<Box<dyn ByteStream>, Fault>> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.plane.port())).await;
        let mut stream = stream.expect("the API server listens");
        let (near, mut far) = tokio::io::duplex(64 * 1024);
        let carrier = tokio::spawn(async move { tokio::io::copy_bidirectional(&mut far, &mut stream).await });
        *self.carrier.lock().expect("whole") = Some(carrier.abort_handle());
        Some(Ok(Box::new(near)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_requests_goes_through_one_tunnel() {
    let _turn = crate::turn();
    let Some(plane) = ControlPlane::shared() else { return };
    for by_token in [false, true] {
        let (opened, asked) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let tunnel = Arc::new(Tunnel { plane: Arc::clone(&plane), by_token, opened, asked, carrier: Mutex::new(None) });
        let access: Arc<dyn ClusterAccess> = Arc::clone(&tunnel) as Arc<dyn ClusterAccess>;
        let clusters = Clusters::new(BTreeMap::from([("lab".to_owned(), access)]));
        let stack = Stack::over(Arc::clone(&plane), clusters, "tunnel");
        stack.put(&stack.namespace()).await.expect("made");
        let all: Vec<Object> = (0..30).map(|number| stack.config(&format!("c{number}"), json!({"a": "1"}))).collect();
        for answer in join_all(all.iter().map(|object| stack.put(object))).await {
            answer.expect("made");
        }
        assert_eq!(tunnel.opened.load(Ordering::Relaxed), 1, "HTTP/2 over one stream");
        let asked = tunnel.asked.load(Ordering::Relaxed);
        assert!(if by_token { asked > 30 } else { asked == 1 }, "credentials were asked for {asked} times");

        // It ends: one other takes its place, however many ask.
        tunnel.carrier.lock().expect("whole").take().expect("a carrier").abort();
        let read_again = async |object: &Object| {
            let begun = Instant::now();
            loop {
                match stack.read(object).await {
                    Err(fault) if fault.class == FaultClass::Retry && begun.elapsed() < Duration::from_secs(20) => {}
                    answer => return answer,
                }
            }
        };
        for answer in join_all(all.iter().map(read_again)).await {
            assert!(answer.expect("read").is_some());
        }
        assert_eq!(tunnel.opened.load(Ordering::Relaxed), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_changes_is_sent_once_the_lease_is_lost() {
    let _turn = crate::turn();
    let Some(stack) = Stack::bare("lease") else { return };
    stack.clusters.ask_first(Box::new(|| Err("it was taken away".to_owned())));
    assert_eq!(stack.read(&stack.namespace()).await, Ok(None), "reading does no harm");
    let refused = stack.put(&stack.namespace()).await.expect_err("nothing is sent");
    assert_eq!((refused.class, refused.code.line().as_str()), (FaultClass::Refused, "LeaseLost"));
    assert_eq!(stack.plane.changes("lease"), Vec::<String>::new());
}

/// Objects of a stack whose namespace is somebody else's.
fn plan(stack: &Stack) -> Vec<Object> {
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "work", "image": "busybox:1"}]});
    vec![
        stack.config("settings", json!({"a": "1"})),
        stack.object("v1", "ServiceAccount", "app", json!({})),
        stack.object("batch/v1", "Job", "load", json!({"spec": {"template": {"spec": pod}}})),
    ]
}

async fn deploy(stack: &Stack) -> Result<usize, Fault> {
    let mut changed = 0;
    for object in plan(stack) {
        changed += usize::from(stack.put(&object).await?.is_some());
    }
    Ok(changed)
}

/// As the engine does it: what is not there any more is only forgotten.
async fn destroy(stack: &Stack) -> Result<(), Fault> {
    let mut there = Vec::new();
    for object in plan(stack) {
        if stack.read(&object).await?.is_some() {
            there.push(object);
        }
    }
    let nothing = Attributes::new();
    for object in &there {
        let begun = Instant::now();
        while let Err(fault) = stack.objects.delete(&stack.subject(object, &nothing, false)).await {
            if fault.class != FaultClass::Retry || begun.elapsed() > Duration::from_secs(60) {
                return Err(fault);
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_at_any_request_the_same_command_heals() {
    let _turn = crate::turn();
    let Some(first) = Stack::bare("killed") else { return };
    first.plane.kubectl("create namespace killed");
    // One that may send so many requests that change something, and not one more.
    let limited = |most: usize| {
        let stack = Stack::bare("killed").expect("it runs");
        let sent = AtomicUsize::new(0);
        stack.clusters.ask_first(Box::new(move || {
            let is_free = sent.fetch_add(1, Ordering::Relaxed) < most;
            is_free.then_some(()).ok_or_else(|| "it was ended".to_owned())
        }));
        stack
    };
    for most in 0.. {
        assert!(most < 12, "it never ends");
        let deployed = deploy(&limited(most)).await;
        let healed = Stack::bare("killed").expect("it runs");
        deploy(&healed).await.expect("healed");
        assert_eq!(deploy(&healed).await, Ok(0), "after {most} requests");
        first.plane.object("configmap akidb-edge-killed --namespace default");
        let destroyed = destroy(&limited(most)).await;
        destroy(&Stack::bare("killed").expect("it runs")).await.expect("healed");
        let left = first
            .plane
            .kubectl("get configmap,serviceaccount,job -A -o name -l app.kubernetes.io/managed-by=akidb-edge");
        let ours: Vec<&str> = left.lines().filter(|line| line.contains("killed")).collect();
        let there = first.plane.kubectl("get configmap,serviceaccount,job -o name --namespace killed");
        assert_eq!(ours, Vec::<&str>::new(), "after {most} requests");
        assert!(!there.contains("settings") && !there.contains("load") && !there.contains("app"), "{there}");
        if deployed.is_ok() && destroyed.is_ok() {
            return;
        }
    }
}
