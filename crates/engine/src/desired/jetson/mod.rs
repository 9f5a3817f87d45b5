//! Devices: a graph of its own, beside the cloud's, in a journal of its own.

mod app;
mod cluster;
mod devices;
mod objects;
mod power;
mod sound;
#[cfg(test)]
mod tests;

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;

pub use power::is_power;

use sound::complain;

use super::{Builder, DesiredStack, Draft, as_name};
pub use crate::plan::jetson::SUFFIX;
use crate::plan::jetson::{HostPlan, JetsonStep, RolePlan};
use crate::plan::{ONE_NAME, Plan, PlanErrors, Step, StepConfig};
use crate::resource::host::HostEndpoint;
use crate::resource::jetpack::{self, JetpackTarget};
use crate::resource::{Address, Kind};

/// The stack of a plan's devices: they are in another place than the cloud, and come and go at other times.
pub fn stack(plan: &Plan) -> String {
    format!("{}{SUFFIX}", plan.stack)
}

/// Builds the graph of a plan's devices.
///
/// # Errors
/// Everything in the plan that cannot be.
pub fn build(plan: &Plan) -> Result<DesiredStack, PlanErrors> {
    draft(plan).whole()
}

/// Builds the graph of a plan's devices, as far as it goes.
pub fn draft(plan: &Plan) -> Draft {
    draft_with(plan, &Fleet::all(plan))
}

fn draft_with(plan: &Plan, fleets: &[Fleet<'_>]) -> Draft {
    let nothing = Default::default();
    let mut builder = Builder::new(plan, &nothing, &stack(plan));
    refuse_same_machine(&mut builder, fleets);
    for fleet in fleets {
        let (step, jetson) = (fleet.step, fleet.plan);
        refuse_unknown_jetpack(&mut builder, step, jetson);
        refuse_second_server(&mut builder, step, jetson);
        sound::settings(&mut builder, step, jetson);
        for (name, host) in &jetson.hosts {
            devices::device(&mut builder, step, jetson, name, host);
        }
        cluster::cluster(&mut builder, fleet);
    }
    for step in &plan.steps {
        if let StepConfig::JetsonApp(app) = &step.work {
            match fleets.iter().find(|fleet| fleet.plan.k3s.is_some()) {
                Some(fleet) => app::app(&mut builder, step, fleet, app),
                None => builder.complain(
                    step,
                    "",
                    "it needs a cluster, and no step makes one",
                    "add a step of kind jetson with k3s",
                ),
            }
        }
    }
    builder.name_sources();
    builder.order_after_cloud();
    builder.moved(true);
    builder.done()
}

fn refuse_unknown_jetpack(builder: &mut Builder<'_>, step: &Step, plan: &JetsonStep) {
    if let (Some(jetpack), None) = (&plan.jetpack, target(plan)) {
        let problem = format!("JetPack {jetpack:?} is none that images are built for");
        builder.complain(step, "jetpack", problem, format!("use one of {}", jetpack::known()));
    }
}

/// A second server would silently become an agent.
fn refuse_second_server(builder: &mut Builder<'_>, step: &Step, plan: &JetsonStep) {
    let servers = plan.hosts.iter().filter(|(_, host)| host.role == Some(RolePlan::Server));
    let names: Vec<&String> = servers.map(|(name, _)| name).collect();
    if let [first, second, ..] = names.as_slice() {
        let problem = format!("{second} is marked as the server, and {first} is it, too");
        builder.complain(step, &format!("hosts.{second}.role"), problem, "leave role: server with one of them");
    }
}

/// Two names of one machine would each be set up, and taking one away would take it from the other.
fn refuse_same_machine(builder: &mut Builder<'_>, fleets: &[Fleet<'_>]) {
    let mut known: BTreeMap<HostEndpoint, (&str, String)> = BTreeMap::new();
    for fleet in fleets {
        for (name, host) in &fleet.plan.hosts {
            let below = format!("hosts.{name}.address");
            let here = (name.as_str(), format!("{}.with.{below}", fleet.step.path));
            let Some((first, path)) = known.insert(host.endpoint(), here) else { continue };
            if first == name.as_str() {
                continue;
            }
            let (file, line) = (builder.plan.file_of(&path), builder.plan.place(&path).line);
            let problem =
                format!("{name} has the address and the port of {first}, {file}:{line}: they are one machine");
            builder.complain(fleet.step, &below, problem, ONE_NAME);
        }
    }
}

/// What depends on the JetPack of a plan's devices.
fn target(plan: &JetsonStep) -> Option<&'static JetpackTarget> {
    plan.jetpack.as_deref().and_then(jetpack::target)
}

/// A step of devices, with what is found out once for all of them.
struct Fleet<'p> {
    step: &'p Step,
    plan: &'p JetsonStep,
    server: OnceCell<Option<(&'p String, &'p HostPlan)>>,
    looked_at: Cell<usize>,
}

impl<'p> Fleet<'p> {
    /// The steps of devices of a plan.
    fn all(plan: &'p Plan) -> Vec<Self> {
        let fleet = |step: &'p Step| match &step.work {
            StepConfig::Jetson(plan) => Some(Self { step, plan, server: OnceCell::new(), looked_at: Cell::new(0) }),
            _ => None,
        };
        plan.steps.iter().filter_map(fleet).collect()
    }

    /// The device that runs the control plane: the one that is marked, else the first of the plan.
    fn server(&self) -> Option<(&'p String, &'p HostPlan)> {
        *self.server.get_or_init(|| {
            let mut hosts = self.plan.hosts.iter().inspect(|_| self.looked_at.set(self.looked_at.get() + 1));
            let first = hosts.next()?;
            let is_marked = |host: &HostPlan| host.role == Some(RolePlan::Server);
            let marked = if is_marked(first.1) { None } else { hosts.find(|(_, host)| is_marked(host)) };
            Some(marked.unwrap_or(first))
        })
    }
}

/// The machine's own address in the graph.
fn host(name: &str) -> Address {
    Address::new("jetson", Kind::Host, &as_name(name))
}

/// Something on a machine.
fn on(host: &str, kind: Kind, what: &str) -> Address {
    let name = if what.is_empty() { as_name(host) } else { format!("{}-{}", as_name(host), as_name(what)) };
    Address::new("jetson", kind, &name)
}

/// Labels of a node: those of all, then its own.
fn labels(plan: &JetsonStep, host: &HostPlan) -> BTreeMap<String, String> {
    let all = plan.k3s.iter().flat_map(|k3s| k3s.labels.clone());
    jetpack_label(plan).into_iter().chain(all).chain(host.labels.clone()).collect()
}

/// Says which programs a node can run: an image for CUDA 12.6 is of no use on CUDA 13.
fn jetpack_label(plan: &JetsonStep) -> Option<(String, String)> {
    target(plan).map(|target| ("akidb.dev/jetpack".to_owned(), target.jetpack.to_owned()))
}
