//! Applies 40 objects (8 each of ConfigMap, ServiceAccount, Service, Deployment and PodDisruptionBudget) through the
//! providers, waits until they are ready, looks again, and prints the times as JSON. For `bench/cluster/run`.
//!
//! usage: forty KUBECONFIG [CONTEXT] [--keep]
//!        forty --manifests      print the same objects for kubectl

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use akidb_edge_cluster::{Clusters, providers};
use akidb_edge_engine::provider::{Progress, Provider, ResourceContext};
use akidb_edge_engine::resource::{Address, Attributes, Fault, Kind, Level};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

/// As many at a time as `akidb-edge deploy` does.
const AT_ONCE: usize = 16;

/// How often it looks again; the median is printed.
const LOOKS: usize = 5;

/// One object: its address and its settings.
struct Object {
    address: Address,
    spec: Value,
}

impl Object {
    fn new(api_version: &str, kind: &str, name: &str, rest: Value, ready: &str) -> Self {
        let namespace = (kind != "Namespace").then_some("forty");
        let spec = json!({"cluster": "bench", "api_version": api_version, "kind": kind, "name": name,
            "namespace": namespace, "object": rest, "ready": ready});
        let address = format!("forty.manifest.{}-{name}", kind.to_lowercase()).parse().expect("an address");
        Self { address, spec }
    }
}

fn objects() -> Vec<Object> {
    let labels = |name: &str| json!({"app.kubernetes.io/name": name});
    let eight = (1..=8).flat_map(|number| {
        let name = format!("app-{number}");
        let pod = json!({"metadata": {"labels": labels(&name)}, "spec": {
            "serviceAccountName": name,
            "containers": [{"name": "app", "image": "registry.k8s.io/pause:3.10", "envFrom": [{"configMapRef": {"name": name}}],
                "ports": [{"name": "http", "containerPort": 8080}], "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}]}});
        let selector = json!({"matchLabels": labels(&name)});
        [
            Object::new("v1", "ConfigMap", &name, json!({"data": {"MODE": "edge", "NUMBER": number.to_string()}}), "taken"),
            Object::new("v1", "ServiceAccount", &name, json!({"automountServiceAccountToken": false}), "taken"),
            Object::new(
                "v1",
                "Service",
                &name,
                json!({"spec": {"selector": labels(&name), "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}}),
                "taken",
            ),
            Object::new(
                "apps/v1",
                "Deployment",
                &name,
                json!({"spec": {"replicas": 2, "selector": selector, "template": pod}}),
                "rolled-out",
            ),
            Object::new(
                "policy/v1",
                "PodDisruptionBudget",
                &name,
                json!({"spec": {"minAvailable": 1, "selector": selector}}),
                "taken",
            ),
        ]
    });
    eight.collect()
}

/// The objects as kubectl takes them.
fn manifests() -> Value {
    let plain = |object: Object| {
        let spec = object.spec;
        let mut whole = spec["object"].clone();
        whole["apiVersion"] = spec["api_version"].clone();
        whole["kind"] = spec["kind"].clone();
        whole["metadata"]["name"] = spec["name"].clone();
        whole["metadata"]["namespace"] = spec["namespace"].clone();
        whole
    };
    json!({"apiVersion": "v1", "kind": "List", "items": objects().into_iter().map(plain).collect::<Vec<_>>()})
}

/// Calls `work` for each object, so many at a time.
async fn each<T>(
    objects: &[Object],
    seen_absent: bool,
    work: impl AsyncFn(ResourceContext<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let nothing = Attributes::new();
    let call = async |object: &Object| {
        work(ResourceContext {
            stack: "forty",
            address: &object.address,
            token: "",
            spec: &object.spec,
            id: None,
            attributes: &nothing,
            before: None,
            former: None,
            thorough: false,
            seen_absent,
        })
        .await
    };
    stream::iter(objects).map(call).buffer_unordered(AT_ONCE).try_collect().await
}

async fn ready(provider: &dyn Provider, objects: &[Object]) -> Result<(), Fault> {
    let settle = async |subject: ResourceContext<'_>| {
        let begun = Instant::now();
        loop {
            match provider.settled(&subject, Level::Usable).await? {
                Progress::Ready(_) => return Ok(()),
                // As the engine does: quick at first.
                Progress::NotYet(_, pause) => {
                    tokio::time::sleep(pause.min(Duration::from_millis(100).max(begun.elapsed() / 2))).await;
                }
            }
        }
    };
    each(objects, false, settle).await.map(drop)
}

/// Objects whose settings differ from those of the plan.
async fn differences(provider: &dyn Provider, objects: &[Object]) -> Result<usize, Fault> {
    let read = async |subject: ResourceContext<'_>| {
        let found = provider.read(&subject).await?;
        let parts = |spec: &Value| (spec["object"].clone(), spec["ready"].clone());
        let same = found.as_ref().is_some_and(|found| parts(&found.spec) == parts(subject.spec));
        if !same {
            eprintln!("{}: {:#?}", subject.address, found.map(|found| found.spec["object"].clone()));
        }
        Ok(!same)
    };
    Ok(each(objects, false, read).await?.into_iter().filter(|differs| *differs).count())
}

async fn run(kubeconfig: &str, context: &str, keep: bool) -> Result<Value, Fault> {
    let clusters = Clusters::new(BTreeMap::new()).with_kubeconfig("bench", context, Some(kubeconfig));
    let providers = providers(&clusters);
    let provider: &Arc<dyn Provider> = providers.of(Kind::Manifest)?;
    let seconds = |begun: Instant| (begun.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;

    let connecting = Instant::now();
    clusters.identity("bench").await?;
    let connect = seconds(connecting);
    let namespace = [Object::new("v1", "Namespace", "forty", json!({}), "taken")];
    each(&namespace, true, async |subject: ResourceContext<'_>| provider.create(&subject).await).await?;
    // What a plan asks before it makes anything.
    let objects = objects();
    let asking = Instant::now();
    each(&objects, false, async |subject: ResourceContext<'_>| provider.read(&subject).await).await?;
    let ask = seconds(asking);

    let begun = Instant::now();
    each(&objects, true, async |subject: ResourceContext<'_>| provider.create(&subject).await).await?;
    let applied = seconds(begun);
    ready(provider.as_ref(), &objects).await?;
    let usable = seconds(begun);
    let mut looks = Vec::new();
    let mut differ = 0;
    for _ in 0..LOOKS {
        let again = Instant::now();
        differ = differences(provider.as_ref(), &objects).await?;
        looks.push(seconds(again));
    }
    looks.sort_by(f64::total_cmp);
    let again = looks[LOOKS / 2];

    if !keep {
        each(&objects, false, async |subject: ResourceContext<'_>| provider.delete(&subject).await).await?;
        while each(&namespace, false, async |subject: ResourceContext<'_>| provider.delete(&subject).await)
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    Ok(json!({"connect_s": connect, "plan_s": ask, "apply_s": applied, "ready_s": usable, "again_s": again,
        "objects": objects.len(), "differences": differ}))
}

#[tokio::main]
async fn main() {
    let all: Vec<String> = std::env::args().skip(1).collect();
    let keep = all.iter().any(|argument| argument == "--keep");
    if all.iter().any(|argument| argument == "--manifests") {
        println!("{}", manifests());
        return;
    }
    let mut words = all.iter().filter(|argument| !argument.starts_with("--"));
    let Some(kubeconfig) = words.next() else {
        eprintln!("usage: forty KUBECONFIG [CONTEXT] [--keep] | --manifests");
        return;
    };
    let context = words.next().map_or("default", String::as_str);
    match run(kubeconfig, context, keep).await {
        Ok(times) => println!("{times}"),
        Err(fault) => eprintln!("forty: {fault}"),
    }
}
