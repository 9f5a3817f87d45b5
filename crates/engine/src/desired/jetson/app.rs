//! What runs in the cluster of the devices.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::Builder;
use super::cluster::{objects, ready, template};
use super::{Fleet, complain, jetpack_label, target};
use crate::plan::Step;
use crate::plan::jetson::{JetsonAppStep, JetsonStep};
use crate::resource::syntax_check::{self, SettingsCheck};
use crate::resource::{Address, Kind};

/// The objects of an app.
pub fn app(builder: &mut Builder<'_>, step: &Step, fleet: &Fleet<'_>, app: &JetsonAppStep) {
    let plan = fleet.plan;
    let Some((first, _)) = fleet.server() else { return };
    check(builder, step, app);
    let (volumes, volume_mounts) = volumes(app);
    let mut node_selector = app.node_selector.clone();
    node_selector.extend(jetpack_label(plan));
    let environment = environment(app, &builder.built.desired.stack);
    let mut context = json!({
        "namespace": app.namespace, "name": app.name, "image": app.image, "replicas": app.replicas,
        "min_available": app.min_available.unwrap_or(app.replicas.saturating_sub(1)),
        "node_selector": node_selector, "annotations": annotations(plan, app), "environment": environment, "resources": resources(app),
        "port": app.port, "service_port": app.service_port, "live_path": app.liveness_path, "ready_path": app.readiness_path,
    });
    context["grpc_port"] = app.grpc_port.into();
    for (name, value) in gpu(plan, app) {
        context[name] = value;
    }
    context["service_type"] = app.service_type.name().into();
    context["volumes"] = volumes.into();
    context["volume_mounts"] = volume_mounts.into();
    // "Ready" is said only after a kernel ran on the GPU of the nodes.
    let proven: Vec<Address> =
        builder.built.desired.resources.keys().filter(|address| is_proof(address)).cloned().collect();
    let Some(template) = template(builder, step, "app") else { return };
    objects(builder, step, first, &template, &context, &proven, ready);
}

/// What differs between pods with a GPU and pods without one. Null leaves the setting out.
fn gpu(plan: &JetsonStep, app: &JetsonAppStep) -> [(&'static str, Value); 4] {
    let class = plan.gpu.as_ref().map_or("nvidia", |gpu| &gpu.runtime_class);
    let has_one = app.gpus > 0;
    [
        // The API server refuses a pod whose class is not there, and only GPUs bring it.
        ("runtime_class", has_one.then_some(class).into()),
        // The group video, to which the GPU's device nodes belong on a Jetson.
        ("supplemental_groups", has_one.then(|| json!([44])).into()),
        // Each replica holds a whole GPU: a new one finds room only when an old one has gone.
        ("max_surge", u8::from(!has_one).into()),
        ("max_unavailable", u8::from(has_one).into()),
    ]
}

/// Complains of each word of an app that a cluster would not take for what it is.
fn check(builder: &mut Builder<'_>, step: &Step, app: &JetsonAppStep) {
    let mut look = SettingsCheck::default();
    look.must("namespace", &app.namespace, syntax_check::label(&app.namespace), syntax_check::OBJECT_NAME);
    look.must("name", &app.name, syntax_check::label(&app.name), syntax_check::OBJECT_NAME);
    look.must("image", &app.image, syntax_check::image(&app.image), syntax_check::IMAGE);
    look.must("liveness_path", &app.liveness_path, syntax_check::url_path(&app.liveness_path), syntax_check::URL_PATH);
    look.must(
        "readiness_path",
        &app.readiness_path,
        syntax_check::url_path(&app.readiness_path),
        syntax_check::URL_PATH,
    );
    let secrets =
        [("api_keys_secret", &app.api_keys_secret), ("sync_credentials_secret", &app.sync_credentials_secret)];
    for (field, name) in secrets.into_iter().filter_map(|(field, name)| Some((field, name.as_ref()?))) {
        look.must(field, name, syntax_check::object_name(name), syntax_check::OBJECT_NAME);
    }
    if let Some(region) = &app.sync_region {
        look.must("sync_region", region, syntax_check::region(region), SYNC_REGION);
    }
    if let Some(sync) = &app.sync {
        let place = sync.strip_prefix("s3://").is_some_and(|place| !place.is_empty() && syntax_check::line(place));
        look.must("sync", sync, place, SYNC);
    }
    for (key, value) in &app.node_selector {
        let fits = syntax_check::label_key(key) && syntax_check::label_value(value);
        look.must(&format!("node_selector.{key}"), &format!("{key}: {value}"), fits, syntax_check::LABEL);
    }
    for name in app.environment.keys() {
        look.must(&format!("environment.{name}"), name, syntax_check::variable(name), syntax_check::VARIABLE);
    }
    complain(builder, step, "", look.done());
    let own = ["AKIDB_API_KEYS", "AKIDB_ALLOW_PUBLIC_WITHOUT_KEYS", "AKIDB_TLS_CLIENT_CA"];
    let guarded = app.api_keys_secret.is_some() || own.iter().any(|name| app.environment.contains_key(*name));
    if guarded == app.without_keys {
        let (problem, next) = if guarded {
            ("without_keys contradicts the keys that are named", "use only one of them")
        } else {
            ("others reach its pods, and the server does not start there without keys", KEYS)
        };
        builder.complain(step, "api_keys_secret", problem, next);
    }
}

const KEYS: &str = "write api_keys_secret: NAME, a Secret of the namespace with the file api-keys; or without_keys: true where something else guards the service";
const SYNC: &str = "write s3://BUCKET/PREFIX: a pod has no folder of its node, which Pod Security `restricted` forbids";
const SYNC_REGION: &str = "write a region such as us-east-1, in lower case";

/// Where the file of keys is in a pod.
const KEYS_FOLDER: &str = "/run/secrets/akidb-edge";

/// The environment of a pod: what the template's other parts need, then what the plan says, which goes before it.
fn environment(app: &JetsonAppStep, stack: &str) -> Vec<Value> {
    let mut all: BTreeMap<&str, Value> = BTreeMap::new();
    let mut says = |name: &'static str, value: String| drop(all.insert(name, json!({"name": name, "value": value})));
    says("AKIDB_HOST", "0.0.0.0".to_owned());
    says("AKIDB_REST_PORT", app.port.to_string());
    says("AKIDB_GRPC_PORT", app.grpc_port.to_string());
    // Together with preStop less than the pod's grace.
    says("AKIDB_DRAIN_TIME", "5s".to_owned());
    says("AKIDB_SHUTDOWN_TIME", "30s".to_owned());
    says("AKIDB_CLUSTER", app.cluster.clone().unwrap_or_else(|| stack.to_owned()));
    // The one folder that CUDA may write its compiled kernels to.
    says("CUDA_CACHE_PATH", "/tmp/cuda".to_owned());
    if app.api_keys_secret.is_some() {
        says("AKIDB_API_KEYS", format!("{KEYS_FOLDER}/api-keys"));
    }
    if app.without_keys {
        says("AKIDB_ALLOW_PUBLIC_WITHOUT_KEYS", "true".to_owned());
    }
    let given = [("AKIDB_REGION", &app.region), ("AKIDB_MODEL_SYNC", &app.sync), ("AWS_REGION", &app.sync_region)];
    for (name, value) in given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))) {
        says(name, value);
    }
    if let Some(secret) = &app.sync_credentials_secret {
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            let from = json!({"secretKeyRef": {"name": secret, "key": name}});
            all.insert(name, json!({"name": name, "valueFrom": from}));
        }
    }
    all.extend(app.environment.iter().map(|(name, value)| (name.as_str(), json!({"name": name, "value": value}))));
    all.into_values().collect()
}

/// Volumes and where they are mounted. Models that are synced need room; models of the image would be hidden by it.
fn volumes(app: &JetsonAppStep) -> (Vec<Value>, Vec<Value>) {
    let mut all =
        vec![(json!({"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}), json!({"name": "tmp", "mountPath": "/tmp"}))];
    if app.sync.is_some() {
        let volume = json!({"name": "models", "emptyDir": {"sizeLimit": "8Gi"}});
        all.push((volume, json!({"name": "models", "mountPath": "/models"})));
    }
    if let Some(secret) = &app.api_keys_secret {
        let volume = json!({"name": "api-keys", "secret": {"secretName": secret, "defaultMode": 0o440}});
        all.push((volume, json!({"name": "api-keys", "mountPath": KEYS_FOLDER, "readOnly": true})));
    }
    all.into_iter().unzip()
}

/// Where Prometheus asks, and what the image must have been built for and on.
fn annotations(plan: &JetsonStep, app: &JetsonAppStep) -> Value {
    let mut all = json!({"prometheus.io/scrape": "true", "prometheus.io/port": app.port.to_string()});
    if let Some(target) = target(plan) {
        all["akidb.dev/cuda"] = target.cuda.into();
        all["akidb.dev/base-image"] = target.base_image.into();
        all["akidb.dev/onnxruntime"] = target.onnxruntime.into();
    }
    all
}

fn is_proof(address: &Address) -> bool {
    let name = address.as_str();
    name.contains(Kind::Manifest.name()) && (name.contains("job-cuda-proof") || name.contains("daemonset-nvidia"))
}

/// Quantities in the form in which the API server stores them: another form of the same amount is a conflict for a
/// second field manager.
fn resources(app: &JetsonAppStep) -> Value {
    let (mut requests, mut limits) = (json!({}), json!({}));
    for (name, amount, unit) in [("cpu", app.cpu_millis, "m"), ("memory", app.memory_mib, "Mi")] {
        if let Some(amount) = amount {
            requests[name] = quantity(amount.request, unit).into();
            limits[name] = quantity(amount.limit, unit).into();
        }
    }
    if app.gpus > 0 {
        limits["nvidia.com/gpu"] = app.gpus.to_string().into();
    }
    json!({"requests": requests, "limits": limits})
}

fn quantity(amount: u32, unit: &str) -> String {
    match unit {
        "m" if amount.is_multiple_of(1000) => (amount / 1000).to_string(),
        "Mi" if amount.is_multiple_of(1024) => format!("{}Gi", amount / 1024),
        _ => format!("{amount}{unit}"),
    }
}
