//! The cluster on the devices: server, agents, registry, GPU.

use serde_json::{Value, json};

use super::super::Builder;
use super::super::manifests::{self, ObjectTarget};
use super::devices::{brought, put};
use super::objects::Template;
use super::{Fleet, labels, on};
use crate::plan::Step;
use crate::plan::jetson::{HostPlan, JetsonStep, K3sPlan, artifact};
use crate::resource::file::{Content, FileSpec};
use crate::resource::image::ImageSpec;
use crate::resource::manifest::{ManifestSpec, Readiness};
use crate::resource::node::{NodeRole, NodeSpec};
use crate::resource::{Address, Kind, Level, Resource};

/// Where the k3s program is on a device.
const PROGRAM: &str = "/usr/local/bin/k3s";
/// Where its installer lies when it was brought.
const INSTALLER: &str = "/var/lib/akidb-edge/k3s-install.sh";

/// The cluster of a step's devices.
pub fn cluster<'b, 'p: 'b>(builder: &mut Builder<'b>, fleet: &Fleet<'p>) {
    let (step, plan) = (fleet.step, fleet.plan);
    if plan.k3s.is_none() && !plan.manifests.is_empty() {
        let problem = "its manifests need a cluster, and it makes none";
        builder.complain(step, "manifests", problem, "add k3s, or write a step of kind kubernetes for another cluster");
    }
    let (Some(k3s), Some((first, _))) = (&plan.k3s, fleet.server()) else { return };
    for (name, host) in &plan.hosts {
        node(builder, fleet, k3s, name, host);
        images(builder, step, plan, k3s, name);
    }
    if let Some(registry) = &k3s.registry
        && let Some(template) = template(builder, step, "registry")
    {
        let context = json!({"host": first, "image": registry.image, "port": registry.port});
        objects(builder, step, first, &template, &context, &[], |_| Readiness::RolledOut);
    }
    own_objects(builder, step, plan, first);
    let Some(gpu) = &plan.gpu else { return };
    let context = json!({"runtime_class": gpu.runtime_class, "device_plugin": gpu.device_plugin});
    let (Some(plugin), Some(proof)) = (template(builder, step, "gpu"), template(builder, step, "proof")) else {
        return;
    };
    // Not after every node: a daemon set comes to a node whenever that joins, and one device that is away holds up no other.
    let plugin = objects(builder, step, first, &plugin, &context, &[], ready);
    let of_target = super::target(plan).map(|target| target.proof_image.to_owned());
    let Some(image) = gpu.cuda_test_image.clone().or(of_target) else { return };
    for name in plan.hosts.keys() {
        let context = json!({"host": name, "runtime_class": gpu.runtime_class, "image": image});
        let mut after = plugin.clone();
        after.push(on(name, Kind::Node, ""));
        let says = |_: &str| Readiness::Logged(gpu.cuda_test_output.clone());
        objects(builder, step, first, &proof, &context, &after, says);
    }
}

/// The objects that the plan brings into the cluster itself.
fn own_objects<'p>(builder: &mut Builder<'p>, step: &'p Step, plan: &'p JetsonStep, server: &str) {
    let target = ObjectTarget {
        area: "jetson",
        stem: "",
        cluster: server,
        namespace: None,
        wait: true,
        before: vec![on(server, Kind::Node, ""), super::host(server)],
        force_conflicts: &[],
        recreate: &[],
    };
    let sources = manifests::in_files(builder, step, "manifests", &plan.manifests);
    manifests::add(builder, step, &target, sources);
}

/// When an object of this kind counts as usable.
pub fn ready(kind: &str) -> Readiness {
    match kind {
        "Deployment" | "DaemonSet" | "StatefulSet" => Readiness::RolledOut,
        _ => Readiness::Taken,
    }
}

fn node(builder: &mut Builder<'_>, fleet: &Fleet<'_>, k3s: &K3sPlan, name: &str, host: &HostPlan) {
    let (step, plan) = (fleet.step, fleet.plan);
    let Some((first, server)) = fleet.server() else { return };
    let program = program(builder, step, plan, name);
    let role = if name == first { NodeRole::Server } else { NodeRole::Agent };
    let spec = NodeSpec {
        host: name.to_owned(),
        role,
        version: k3s.version.clone(),
        server: first.clone(),
        server_url: format!("https://{}:6443", authority(inside(server))),
        node_ip: host.node_ip.clone(),
        tls_san: if role == NodeRole::Server { names(server) } else { Vec::new() },
        labels: labels(plan, host),
        taints: Vec::new(),
        disable: if role == NodeRole::Server { disabled(plan, k3s) } else { Vec::new() },
        program_sha256: k3s.sha256.clone(),
        installer: plan.artifacts.as_ref().map(|_| INSTALLER.to_owned()),
        registry: k3s.registry.as_ref().map(|registry| format!("{}:{}", authority(inside(server)), registry.port)),
        restart_on: String::new(),
    };
    let mut resource = Resource::new(on(name, Kind::Node, ""), Kind::Node, &spec);
    // k3s looks for the runtime once, when it starts.
    let toolkit = plan.toolkit.as_ref().map(|_| on(name, Kind::Packages, "toolkit"));
    let base = Some(on(name, Kind::Packages, "base"));
    let base = base.filter(|base| builder.built.desired.resources.contains_key(base));
    for before in program.into_iter().chain(toolkit).chain(base) {
        resource = resource.needing(before, Level::Usable);
    }
    if role == NodeRole::Agent {
        resource =
            resource.needing(on(first, Kind::Node, ""), Level::Usable).needing(super::host(first), Level::Usable);
    }
    put(builder, step, "k3s", name, resource);
}

/// The address by which other devices reach one.
fn inside(host: &HostPlan) -> &str {
    host.node_ip.as_deref().unwrap_or(&host.address)
}

/// The names and addresses by which the server is reached, from inside and by SSH: each has to be in its certificate.
fn names(server: &HostPlan) -> Vec<String> {
    let all: std::collections::BTreeSet<&String> =
        [Some(&server.address), server.node_ip.as_ref()].into_iter().flatten().collect();
    // An address with a zone is in no certificate.
    all.into_iter().filter(|name| !name.contains('%')).cloned().collect()
}

/// A machine's address as a part of a URL.
fn authority(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

/// What the server does not bring: its own runtime classes would stand where ours is to be.
fn disabled(plan: &JetsonStep, k3s: &K3sPlan) -> Vec<String> {
    let classes = plan.gpu.iter().map(|_| "runtimes".to_owned());
    k3s.disable.iter().filter(|part| *part != "runtimes").cloned().chain(classes).collect()
}

/// Program and installer, when they are brought.
fn program(builder: &mut Builder<'_>, step: &Step, plan: &JetsonStep, name: &str) -> Vec<Address> {
    if plan.artifacts.is_none() {
        return Vec::new();
    }
    let mut brings = |file: &str, to: &str, what: &str| {
        let sha256 = brought(builder, step, "artifacts", &plan.at_hand(file))?;
        let spec = FileSpec {
            host: name.to_owned(),
            path: to.to_owned(),
            content: Content::Sha256(sha256),
            mode: Some("0755".to_owned()),
            owner: None,
            group: None,
        };
        let resource = Resource::new(on(name, Kind::File, what), Kind::File, &spec);
        Some(put(builder, step, "artifacts", name, resource))
    };
    let program = brings(artifact::K3S, PROGRAM, "k3s-program");
    let installer = brings(artifact::INSTALLER, INSTALLER, "k3s-installer");
    program.into_iter().chain(installer).collect()
}

fn images(builder: &mut Builder<'_>, step: &Step, plan: &JetsonStep, k3s: &K3sPlan, name: &str) {
    for (reference, archive) in &k3s.images {
        let path = plan.at_hand(archive);
        let Some(sha256) = brought(builder, step, "k3s.images", &path) else { continue };
        let bytes =
            builder.plan.files.get(&path).and_then(|known| known.content.as_ref().ok()).map_or(0, |(_, size)| *size);
        let spec = ImageSpec {
            host: name.to_owned(),
            reference: reference.clone(),
            archive_sha256: sha256,
            archive_bytes: bytes,
        };
        let resource = Resource::new(on(name, Kind::Image, reference), Kind::Image, &spec);
        put(builder, step, "k3s.images", name, resource.needing(on(name, Kind::Node, ""), Level::Usable));
    }
}

/// What helps when a template is wrong.
const REPORT_IT: &str = "this is a bug: please report it";

/// A template by its name.
pub fn template(builder: &mut Builder<'_>, step: &Step, name: &str) -> Option<Template> {
    let found = Template::named(name);
    found.map_err(|bad| builder.complain(step, "", format!("{name}: {bad}"), REPORT_IT)).ok()
}

/// The objects of a template, each as a resource on the server; those in `after` come first, and each comes after the
/// namespace in the same template.
pub fn objects(
    builder: &mut Builder<'_>,
    step: &Step,
    server: &str,
    template: &Template,
    context: &Value,
    after: &[Address],
    ready: impl Fn(&str) -> Readiness,
) -> Vec<Address> {
    let filled = match template.filled(context) {
        Ok(filled) => filled,
        Err(bad) => {
            builder.complain(step, "", format!("{}: {bad}", template.name), REPORT_IT);
            return Vec::new();
        }
    };
    let mut made: Vec<Address> = Vec::new();
    for object in filled {
        let spec = manifest(server, object, &ready);
        let what = format!("{}-{}", spec.kind, spec.name);
        let address = Address::new("jetson", Kind::Manifest, &super::as_name(&what));
        let mut resource =
            Resource::new(address, Kind::Manifest, &spec).needing(on(server, Kind::Node, ""), Level::Usable);
        for before in after.iter().chain(made.iter().filter(|made| made.as_str().contains(".namespace-"))) {
            resource = resource.needing(before.clone(), Level::Usable);
        }
        made.push(put(builder, step, "", server, resource));
    }
    made
}

fn manifest(server: &str, mut object: Value, ready: &impl Fn(&str) -> Readiness) -> ManifestSpec {
    let mut take = |path: &str| {
        let (above, field) = path.rsplit_once('/').unwrap_or(("", path));
        let fields = object.pointer_mut(above).and_then(Value::as_object_mut);
        fields.and_then(|fields| fields.remove(field)).and_then(|value| value.as_str().map(str::to_owned))
    };
    let kind = take("/kind").unwrap_or_default();
    ManifestSpec {
        cluster: server.to_owned(),
        api_version: take("/apiVersion").unwrap_or_default(),
        namespace: take("/metadata/namespace"),
        name: take("/metadata/name").unwrap_or_default(),
        ready: ready(&kind),
        kind,
        object,
        force_conflicts: false,
        recreate: false,
    }
}
