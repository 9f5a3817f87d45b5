//! The devices that a verb is about: from the plan, the inventory and the command line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;

use crate::commands::Context;
use crate::commands::workflow::{AccessArgs, PlanArgs, clusters_of_machines};
use crate::desired::jetson;
use crate::exit::{Failure, codes};
use crate::plan::{Plan, ReplacedDevices, StepConfig};
use crate::provider::ClusterApi;
use crate::provider::device::{DeviceRequirements, Fleet, Script, ScriptOutput};
use crate::report;
use crate::resource::host::HostSpec;
use crate::resource::node::{NodeRole, NodeSpec};
use crate::resource::{Fault, Kind, SafeText, StackState, shown};

/// Which devices, and how they are reached.
#[derive(Clone, Debug, clap::Args)]
pub struct DevicesArgs {
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    access: AccessArgs,
    /// Use the devices in this YAML file instead of the plan's
    #[arg(long, value_name = "FILE")]
    inventory: Option<String>,
}

/// What a verb works with.
pub struct VerbDevices {
    /// The plan.
    pub plan: Plan,
    /// The way to them.
    pub fleet: Arc<Fleet>,
    /// The API of the cluster on them.
    pub api: Arc<dyn ClusterApi>,
    /// The devices that were chosen.
    pub names: BTreeSet<String>,
    hosts: BTreeMap<String, HostSpec>,
    nodes: BTreeMap<String, NodeSpec>,
}

/// What a device said, or why it said nothing.
pub struct DeviceAnswer {
    /// Seconds since 1970 on this machine when the answer came.
    pub at: i64,
    /// The answer.
    pub reply: Result<ScriptOutput, Fault>,
}

impl DevicesArgs {
    /// How they are reached.
    pub const fn access(&self) -> &AccessArgs {
        &self.access
    }

    /// Which plan.
    pub const fn plan_args(&self) -> &PlanArgs {
        &self.plan
    }

    /// The options that name the same devices, for a command line.
    pub fn named(&self) -> String {
        let inventory = self.inventory.as_ref().map_or_else(String::new, |file| format!(" --inventory {file}"));
        format!("--plan {}{inventory}", self.plan.plan.as_deref().unwrap_or_default())
    }

    /// The plan with its devices. What is only looked at or switched needs none of the artifacts.
    ///
    /// # Errors
    /// When the plan cannot be read or has no devices.
    pub fn plan(&self, context: &Context) -> Result<Plan, Failure> {
        looked_at(&self.plan, self.inventory.as_deref(), context)
    }

    /// The same for a verb that is about all of a plan: it may have no devices.
    ///
    /// # Errors
    /// When the plan or an inventory cannot be read.
    pub fn whole_plan(&self, context: &Context) -> Result<Plan, Failure> {
        without_artifacts(&self.plan, self.inventory.as_deref(), context)
    }

    /// The devices of these names; all when there are none. Nothing is connected yet.
    ///
    /// # Errors
    /// When the plan has no devices or none of that name.
    pub fn load(&self, chosen: &[String], context: &Context) -> Result<VerbDevices, Failure> {
        let plan = self.plan(context)?;
        let built = jetson::build(&plan)?;
        let fleet = self.access.fleet(&built.desired, &StackState::default(), context)?;
        let of = |kind: Kind| built.desired.resources.values().filter(move |one| one.kind == kind);
        let hosts = of(Kind::Host).filter_map(|one| one.typed::<HostSpec>()).map(|spec| (spec.name.clone(), spec));
        let nodes = of(Kind::Node).filter_map(|one| one.typed::<NodeSpec>()).map(|spec| (spec.host.clone(), spec));
        let (hosts, nodes): (BTreeMap<_, _>, BTreeMap<_, _>) = (hosts.collect(), nodes.collect());
        let names = choose(hosts.keys(), chosen)?;
        let api = clusters_of_machines(&fleet);
        Ok(VerbDevices { plan, fleet, api, names, hosts, nodes })
    }
}

/// A plan with its devices, and without the artifacts: what is only looked at needs none of them.
///
/// # Errors
/// When the plan cannot be read or has no devices.
pub fn looked_at(named: &PlanArgs, inventory: Option<&str>, context: &Context) -> Result<Plan, Failure> {
    let plan = without_artifacts(named, inventory, context)?;
    need_devices(&plan)?;
    Ok(plan)
}

fn without_artifacts(named: &PlanArgs, inventory: Option<&str>, context: &Context) -> Result<Plan, Failure> {
    let mut plan = named.load(context)?;
    for step in &mut plan.steps {
        if let StepConfig::Jetson(jetson) = &mut step.work {
            jetson.artifacts = None;
        }
    }
    say_who_is_replaced(&plan.bring_devices(inventory, None)?, context);
    Ok(plan)
}

/// Refuses a plan without devices.
///
/// # Errors
/// When there are none.
pub fn need_devices(plan: &Plan) -> Result<(), Failure> {
    let any =
        plan.steps.iter().any(|step| matches!(&step.work, StepConfig::Jetson(jetson) if !jetson.hosts.is_empty()));
    if any {
        return Ok(());
    }
    Err(codes::NO_DEVICES
        .refused("the plan has no devices", "add a step of kind jetson with hosts, or --inventory FILE"))
}

/// Says which inventory replaces the plan's devices, which of them is the server, and which devices only the plan
/// has.
pub fn say_who_is_replaced(replaced: &[ReplacedDevices], context: &Context) {
    for ReplacedDevices { inventory, count, server, devices } in replaced {
        let mut text = shown!("inventory {}: {}", inventory, report::counted(count, "device"));
        if let Some(server) = server {
            text.push(shown!(", server {}", server));
        }
        if !devices.is_empty() {
            text.push(shown!("; it replaces the plan's devices, not contacted: {}", report::names(devices)));
        }
        context.printer.talk(text);
    }
}

/// The names that were chosen; all when none was.
///
/// # Errors
/// When one of them is not a device.
pub fn choose<'a>(
    known: impl Iterator<Item = &'a String> + Clone,
    chosen: &[String],
) -> Result<BTreeSet<String>, Failure> {
    if let Some(unknown) = chosen.iter().find(|name| !known.clone().any(|one| one == *name)) {
        let known: Vec<&str> = known.map(String::as_str).collect();
        return Err(codes::UNKNOWN_NAME
            .refused(shown!("unknown device {:?}", unknown), shown!("use one of: {}", known.join(", "))));
    }
    Ok(if chosen.is_empty() { known.cloned().collect() } else { chosen.iter().cloned().collect() })
}

impl VerbDevices {
    /// Forgets which of them did not answer: what was away is tried again.
    pub fn try_again(&mut self) {
        self.fleet = self.fleet.anew();
        self.api = clusters_of_machines(&self.fleet);
    }

    /// The machine of the server.
    ///
    /// # Errors
    /// When the plan has no cluster.
    pub fn server(&self) -> Result<&str, Failure> {
        let server = self.nodes.values().next().map(|node| node.server.as_str());
        server.ok_or_else(|| {
            codes::NO_DEVICES.refused("the plan has no cluster", "add k3s with its version to the step of kind jetson")
        })
    }

    /// The registry of the cluster, as nodes reach it (`ADDRESS:PORT`); none when the plan has none.
    pub fn registry(&self) -> Option<&str> {
        self.nodes.values().find_map(|node| node.registry.as_deref())
    }

    /// How a device is reached.
    pub fn host(&self, name: &str) -> Option<&HostSpec> {
        self.hosts.get(name)
    }

    /// How many devices the plan has.
    pub fn count(&self) -> usize {
        self.hosts.len()
    }

    /// What a device is in the cluster.
    pub fn role(&self, name: &str) -> &'static str {
        match self.nodes.get(name).map(|node| node.role) {
            Some(NodeRole::Server) => "server",
            Some(NodeRole::Agent) => "agent",
            None => "",
        }
    }

    /// What the plan wants of a device, as far as the doctor asks.
    pub fn wanted(&self, name: &str) -> DeviceRequirements {
        let plan = self.plan.steps.iter().find_map(|step| match &step.work {
            StepConfig::Jetson(jetson) if jetson.hosts.contains_key(name) => Some(jetson),
            _ => None,
        });
        let own = plan.and_then(|plan| plan.hosts.get(name)?.power_mode.clone());
        DeviceRequirements {
            host: name.to_owned(),
            jetpack: plan.and_then(|plan| plan.jetpack.clone()),
            power_mode: own.or_else(|| plan?.power_mode.clone()),
            adaptive_modes: plan.map(|plan| plan.adaptive_power.modes.clone()).unwrap_or_default(),
            k3s: self.nodes.get(name).map(|node| node.version.clone()),
            toolkit: plan.is_some_and(|plan| plan.toolkit.is_some()),
            now: 0,
        }
    }

    /// Runs a script on each of the chosen, all at once.
    pub async fn ask(&self, script: impl Into<Script>) -> BTreeMap<String, DeviceAnswer> {
        let script: Script = script.into();
        let one = |name: &String| {
            let (name, script) = (name.clone(), script.clone());
            async move {
                let reply = self.fleet.run(&name, script).await;
                (name, DeviceAnswer { at: jiff::Timestamp::now().as_second(), reply })
            }
        };
        join_all(self.names.iter().map(one)).await.into_iter().collect()
    }

    /// Tells of each device that could not be reached.
    pub fn say_who_is_away<'a>(&self, faults: impl Iterator<Item = &'a Fault>, context: &Context) {
        for fault in faults {
            let next = fault.next_step.as_ref().map_or_else(SafeText::default, |next| shown!("\n  next: {}", next));
            context.printer.remark(shown!("{}{}", fault.message.block(), next));
        }
    }
}
