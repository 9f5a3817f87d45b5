//! What runs in the cluster of the devices.

use serde_json::{Value, json};

use super::super::Builder;
use super::cluster::{objects, ready, template};
use super::{Fleet, complain, jetpack_label, target};
use crate::plan::Step;
use crate::plan::jetson::{JetsonAppStep, JetsonStep};
use crate::resource::words::{self, Look};
use crate::resource::{Address, Kind};

/// The objects of an app.
pub fn app(builder: &mut Builder<'_>, step: &Step, fleet: &Fleet<'_>, app: &JetsonAppStep) {
    let plan = fleet.plan;
    let Some((first, _)) = fleet.server() else { return };
    check(builder, step, app);
    let environment: Vec<Value> =
        app.environment.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let mut node_selector = app.node_selector.clone();
    node_selector.extend(jetpack_label(plan));
    let context = json!({
        "namespace": app.namespace, "name": app.name, "image": app.image, "replicas": app.replicas,
        "min_available": app.min_available.unwrap_or(app.replicas.saturating_sub(1)),
        "runtime_class": plan.gpu.as_ref().map_or("nvidia", |gpu| &gpu.runtime_class),
        "node_selector": node_selector, "annotations": annotations(plan), "environment": environment, "resources": resources(app),
        "port": app.port, "service_port": app.service_port, "live_path": app.live_path, "ready_path": app.ready_path,
    });
    // "Ready" is said only after a kernel ran on the GPU of the nodes.
    let proven: Vec<Address> =
        builder.built.desired.resources.keys().filter(|address| is_proof(address)).cloned().collect();
    let Some(template) = template(builder, step, "app") else { return };
    objects(builder, step, first, &template, &context, &proven, ready);
}

/// Complains of each word of an app that a cluster would not take for what it is.
fn check(builder: &mut Builder<'_>, step: &Step, app: &JetsonAppStep) {
    let mut look = Look::default();
    look.must("namespace", &app.namespace, words::label(&app.namespace), words::OBJECT_NAME);
    look.must("name", &app.name, words::label(&app.name), words::OBJECT_NAME);
    look.must("image", &app.image, words::image(&app.image), words::IMAGE);
    look.must("live_path", &app.live_path, words::url_path(&app.live_path), words::URL_PATH);
    look.must("ready_path", &app.ready_path, words::url_path(&app.ready_path), words::URL_PATH);
    for (key, value) in &app.node_selector {
        let fits = words::label_key(key) && words::label_value(value);
        look.must(&format!("node_selector.{key}"), &format!("{key}: {value}"), fits, words::LABEL);
    }
    for name in app.environment.keys() {
        look.must(&format!("environment.{name}"), name, words::variable(name), words::VARIABLE);
    }
    complain(builder, step, "", look.done());
}

/// What the image must have been built for and on.
fn annotations(plan: &JetsonStep) -> Value {
    target(plan).map_or_else(
        || json!({}),
        |target| {
            json!({
                "akidb.dev/cuda": target.cuda, "akidb.dev/base-image": target.base_image,
                "akidb.dev/onnxruntime": target.onnxruntime,
            })
        },
    )
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
