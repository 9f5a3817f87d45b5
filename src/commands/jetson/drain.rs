//! `jetson drain` and `jetson uncordon`: evicts pods within their disruption budgets, and allows them again.

use std::time::Duration;

use serde_json::json;

use super::devices::{DevicesArgs, VerbDevices};
use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::provider::{DrainOptions, DrainOutcome};
use crate::resource::{Fault, FaultClass, Untrusted, shown};

/// Who answers.
const API: &str = "kubernetes";

/// Which nodes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Device names from the plan
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<String>,
    #[command(flatten)]
    devices: DevicesArgs,
}

/// Evict the pods from nodes, within their disruption budgets; no new ones come until `jetson uncordon`.
#[derive(Debug, clap::Args)]
pub struct DrainArgs {
    #[command(flatten)]
    which: Args,
    /// Seconds to wait for the pods of a node to leave
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u32,
}

/// Drains, one node after the other: budgets hold for all of them together.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: DrainArgs, context: &Context) -> Result<u8, Failure> {
    let devices = args.which.devices.load(&args.which.hosts, context)?;
    let undo = "akidb-edge jetson uncordon";
    let mut went = Vec::new();
    for name in &args.which.hosts {
        let answer = drain(&devices, name, args.timeout, false).await;
        if answer.is_ok() {
            let named = args.which.devices.named();
            context.printer.data(shown!("{}: drained; {} {} {} allows pods again", name, undo, name, named));
        }
        went.push((name.clone(), answer.err()));
    }
    Ok(tell("jetson-drain", &went, context))
}

/// What failed in words, all of it as data; the exit code.
fn tell(verb: &str, went: &[(String, Option<Fault>)], context: &Context) -> u8 {
    let failed = went.iter().filter_map(|(name, fault)| Some((name, fault.as_ref()?)));
    let mut code = exit::DONE;
    for (name, fault) in failed {
        code = exit::ERROR;
        fail(name, fault, context);
    }
    if context.printer.json {
        context.printer.json(verb, &json!({"devices": went.iter().map(device).collect::<Vec<_>>()}));
    }
    code
}

/// How it went with one device, as data.
pub fn device((name, fault): &(String, Option<Fault>)) -> serde_json::Value {
    json!({"name": name, "done": fault.is_none(), "fault": fault})
}

/// Lets pods come back.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn uncordon(args: Args, context: &Context) -> Result<u8, Failure> {
    let devices = args.devices.load(&args.hosts, context)?;
    let mut went = Vec::new();
    for name in &args.hosts {
        let answer = uncordon_one(&devices, name).await;
        if answer.is_ok() {
            context.printer.data(shown!("{}: schedulable again", name));
        }
        went.push((name.clone(), answer.err()));
    }
    Ok(tell("jetson-uncordon", &went, context))
}

/// Lets pods come back to one.
async fn uncordon_one(devices: &VerbDevices, name: &str) -> Result<(), Fault> {
    let server = server_of(devices, "uncordon", name).await?;
    devices.api.patch_node(server, name, json!({"spec": {"unschedulable": null}})).await
}

/// Cordons a node and moves its pods. `all_go`: no node stays, so that no budget can be kept; pods are ended in order.
///
/// # Errors
/// Why pods are still there.
pub async fn drain(devices: &VerbDevices, name: &str, seconds: u32, all_go: bool) -> Result<(), Fault> {
    let server = server_of(devices, "drain", name).await?;
    let how = DrainOptions { evict: !all_go, within: Duration::from_secs(seconds.into()) };
    match devices.api.drain(server, name, how).await? {
        DrainOutcome::Empty => Ok(()),
        DrainOutcome::Left { pods, held } => Err(still_there(seconds, &pods, &held)),
    }
}

/// The server of the cluster that a device is a node of.
///
/// # Errors
/// When the plan has no cluster, there is none yet, or the device is not one of its nodes.
async fn server_of<'d>(devices: &'d VerbDevices, operation: &str, name: &str) -> Result<&'d str, Fault> {
    let server = devices
        .server()
        .map_err(|bad| Fault::new(FaultClass::Refused, API, operation, "NoCluster", bad.problem).next(bad.next_step))?;
    let Some(nodes) = devices.api.nodes(server).await? else {
        let words = format!("no k3s server runs on {server} yet");
        return Err(Fault::new(FaultClass::Missing, API, operation, "NoCluster", words)
            .next("akidb-edge jetson provision makes the cluster"));
    };
    let is_it = |node: &serde_json::Value| node.pointer("/metadata/name").and_then(|name| name.as_str()) == Some(name);
    if nodes.iter().any(is_it) {
        return Ok(server);
    }
    let words = format!("{name} is not a node of the cluster of {server}");
    Err(Fault::new(FaultClass::Missing, API, operation, "NoNode", words)
        .next("akidb-edge jetson status shows the nodes; akidb-edge jetson provision lets a device join"))
}

/// Pods stayed: those that a budget holds, else all of them.
fn still_there(seconds: u32, pods: &[Untrusted], held: &[Untrusted]) -> Fault {
    const NAMED: usize = 20;
    let (all, code, what) = if held.is_empty() {
        (pods, "PodsStay", "pods still running:")
    } else {
        (held, "DisruptionBudget", "disruption budgets hold")
    };
    let names: Vec<String> = all.iter().take(NAMED).map(Untrusted::line).collect();
    let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    let next = if held.is_empty() {
        "akidb-edge jetson status shows the nodes; find out what keeps these pods from ending, or use a longer \
         --timeout"
    } else {
        "the disruption budget of a workload keeps its pods here: add replicas or another node first, or use a longer \
         --timeout"
    };
    let words = format!("not drained within {seconds} s: {what} {}{more}", names.join(", "));
    Fault::new(FaultClass::Refused, API, "drain", code, words).next(next)
}

/// One line for a device that failed, and what helps.
pub fn fail(name: &str, fault: &Fault, context: &Context) {
    context.printer.data(shown!("{}: {}", name, fault.message.block()));
    if let Some(next) = &fault.next_step {
        context.printer.data(shown!("  next: {}", next));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_that_a_budget_holds_are_named_before_others() {
        let pods: Vec<Untrusted> = (0..22).map(|at| format!("akidb/pod-{at}").into()).collect();
        let held = still_there(8, &pods, &pods[1..2]);
        assert_eq!(held.message, "not drained within 8 s: disruption budgets hold akidb/pod-1");
        assert!(held.code == "DisruptionBudget" && held.next_step.is_some_and(|next| next.contains("add replicas")));
        let stay = still_there(8, &pods, &[]);
        assert!(stay.code == "PodsStay" && stay.message.ends_with("akidb/pod-19 and 2 more"), "{stay}");
        let odd = still_there(1, &["a/\u{1b}[2Jb".into()], &[]);
        assert!(odd.message.ends_with("a/\\u{1b}[2Jb"), "{odd}");
    }
}
