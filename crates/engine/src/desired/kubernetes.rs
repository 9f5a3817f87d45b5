//! Objects of an existing Kubernetes cluster.

use serde_json::Value;

use super::manifests::{self, ObjectTarget};
use super::{Builder, as_name};
use crate::plan::kubernetes::{ClusterPlan, KubernetesStep};
use crate::plan::{Step, StepConfig};
use crate::resource::cluster::ClusterSpec;
use crate::resource::syntax_check;
use crate::resource::{Address, Kind, Resource, has_references};

const AREA: &str = "kubernetes";

/// The cluster and the objects of a step.
pub fn objects<'p>(builder: &mut Builder<'p>, step: &'p Step, plan: &'p KubernetesStep) {
    let spec = named(plan.name.as_ref(), &plan.cluster);
    let Some(cluster) = cluster(builder, step, &spec) else { return };
    if let Some(namespace) = plan.namespace.as_ref().filter(|namespace| !syntax_check::label(namespace)) {
        let problem = format!("namespace: {namespace:?} is not valid");
        return builder.complain(step, "namespace", problem, syntax_check::OBJECT_NAME);
    }
    if plan.files.is_empty() && plan.objects.is_empty() {
        return builder.complain(step, "", "it has no objects", "write files: [FILE], or objects: [{…}]");
    }
    let stem = as_name(&spec.name);
    let target = ObjectTarget {
        area: AREA,
        stem: &stem,
        cluster: &spec.name,
        namespace: plan.namespace.as_deref(),
        wait: plan.wait,
        before: vec![cluster],
        force_conflicts: &plan.force_conflicts,
        recreate: &plan.recreate,
    };
    let mut sources = manifests::in_files(builder, step, "files", &plan.files);
    // The same data as `plan.objects`, as a file has them.
    let inline = step.with.get("objects").and_then(Value::as_array).into_iter().flatten();
    sources.extend(inline.enumerate().map(|(at, value)| (value, manifests::in_plan(step, format!("objects.{at}")))));
    manifests::add(builder, step, &target, sources);
}

/// A cluster of a plan, by the name that the plan gives it or by its own.
pub fn named(name: Option<&String>, plan: &ClusterPlan) -> ClusterSpec {
    ClusterSpec { name: name.cloned().unwrap_or_else(|| as_name(plan.own_name())), reach: plan.reach() }
}

/// The cluster that objects name. Steps that name the same one share it.
pub fn cluster(builder: &mut Builder<'_>, step: &Step, spec: &ClusterSpec) -> Option<Address> {
    let resource = Resource::new(address(&spec.name), Kind::Cluster, spec);
    let wrong = (resource.kind.facts().wrong)(&resource.spec);
    let problems = builder.problems.len();
    for wrong in wrong {
        builder.complain(step, &wrong.field, format!("{}: {}", wrong.field, wrong.problem), wrong.next_step);
    }
    if has_references(&resource.spec) {
        let problem = "the connection of a cluster must be known before anything is created: it cannot contain \
                       references";
        builder.complain(step, "cluster", problem, "write it out, or set it by a variable");
    }
    if is_machine(builder, &spec.name) {
        let problem = format!("a device is called {}, too, and names the cluster on it", spec.name);
        builder.complain(step, "name", problem, "give the cluster another name: name: NAME");
    }
    if builder.problems.len() > problems {
        return None;
    }
    let known = builder.built.desired.resources.values().filter(|known| known.kind == Kind::Cluster);
    let known: Vec<ClusterSpec> = known.filter_map(Resource::typed).collect();
    for other in &known {
        let problem = match (address(&other.name) == address(&spec.name), other.reach == spec.reach) {
            (true, true) if other.name == spec.name => return Some(resource.address),
            (true, _) => format!("another step calls another cluster {}", other.name),
            (false, true) => format!("another step calls the same cluster {}", other.name),
            (false, false) => continue,
        };
        builder.complain(
            step,
            "cluster",
            problem,
            "one cluster has one name (name: NAME), the same in each step about it",
        );
        return None;
    }
    Some(builder.add(step, "cluster", resource))
}

fn address(name: &str) -> Address {
    Address::new(AREA, Kind::Cluster, &as_name(name))
}

/// Whether a device of the plan has this name.
fn is_machine(builder: &Builder<'_>, name: &str) -> bool {
    let mut steps = builder.plan.steps.iter();
    steps.any(|step| matches!(&step.work, StepConfig::Jetson(jetson) if jetson.hosts.contains_key(name)))
}
