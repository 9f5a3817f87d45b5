//! `jetson drain` and `jetson uncordon`: pods leave a node, within their disruption budgets, and may come back.

use serde_json::json;

use super::devices::{Devices, DevicesArgs};
use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::provider::device::{Script, quoted};
use crate::resource::{Class, Fault, Untrusted, shown};

/// Which nodes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Devices, by their names in the plan
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<String>,
    #[command(flatten)]
    devices: DevicesArgs,
}

/// Move the pods away from nodes, within their disruption budgets; no new ones come until `jetson uncordon`.
#[derive(Debug, clap::Args)]
pub struct DrainArgs {
    #[command(flatten)]
    which: Args,
    /// Seconds that the pods of a node have to go
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
            context.voice.data(shown!("{}: drained; {} {} {} lets pods come back", name, undo, name, named));
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
    if context.voice.json {
        context.voice.json(verb, &json!({"devices": went.iter().map(device).collect::<Vec<_>>()}));
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
        let answer = kubectl(&devices, "uncordon", Script::from("uncordon -- ").and(quoted(name))).await;
        if answer.is_ok() {
            context.voice.data(shown!("{}: takes pods again", name));
        }
        went.push((name.clone(), answer.err()));
    }
    Ok(tell("jetson-uncordon", &went, context))
}

/// Cordons a node and moves its pods. `all_go`: no node stays, so that no budget can be kept; pods are ended in order.
///
/// # Errors
/// Why pods are still there.
pub async fn drain(devices: &Devices, name: &str, seconds: u32, all_go: bool) -> Result<(), Fault> {
    let how = if all_go { "s --disable-eviction -- " } else { "s -- " };
    let words = Script::from("drain --ignore-daemonsets --delete-emptydir-data --force --timeout=").and(seconds);
    kubectl(devices, "drain", words.and(how).and(quoted(name))).await
}

/// Runs kubectl on the server.
///
/// # Errors
/// What it says when it fails.
pub async fn kubectl(devices: &Devices, operation: &str, words: Script) -> Result<(), Fault> {
    let server = devices.server().map_err(|bad| {
        Fault::new(Class::Refused, "kubectl", operation, "NoCluster", bad.problem).next(bad.next_step)
    })?;
    let reply = devices.fleet.run(server, Script::from("k3s kubectl ").and(words)).await?;
    if reply.code == 0 {
        return Ok(());
    }
    let said = reply.said();
    let budget = said.contains("disruption budget");
    let next = if budget {
        "the budget of a workload keeps its pods here: give it more replicas or another node first, or a longer --timeout"
    } else if said.contains("not found") {
        "akidb-edge jetson status shows the nodes; akidb-edge jetson provision lets a device join"
    } else {
        "akidb-edge jetson status shows the nodes; then run the same command again"
    };
    Err(Fault::new(Class::Refused, "kubectl", operation, "Failed", failed(operation, &said)).next(next))
}

/// What failed, and why.
fn failed(operation: &str, said: &Untrusted) -> String {
    match reason(said) {
        why if why.is_empty() => format!("kubectl {operation} failed without a word"),
        why => format!("kubectl {operation} failed: {why}"),
    }
}

/// Why kubectl gave up: the pods that a budget holds, else its last error. Longer words are cut off.
fn reason(said: &Untrusted) -> String {
    const LONGEST: usize = 400;
    let mut held: Vec<String> = said.lines().filter_map(|line| held(&line)).take(20).collect();
    held.sort();
    held.dedup();
    if !held.is_empty() {
        return format!("disruption budgets hold {}", held.join(", "));
    }
    let lines: Vec<Untrusted> = said.lines().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    let is_error = |line: &&Untrusted| line.starts_with("error") || line.starts_with("Error");
    let last = lines.iter().rev().find(is_error).or_else(|| lines.last()).map(Untrusted::line).unwrap_or_default();
    last.chars().take(LONGEST).collect()
}

/// `error when evicting pods/"NAME" -n "NAMESPACE" (…): Cannot evict pod as it would violate …` as `NAMESPACE/NAME`.
fn held(line: &Untrusted) -> Option<String> {
    line.contains("disruption budget").then_some(())?;
    let (name, rest) = line.split_once('"')?.1.split_once('"')?;
    let (namespace, _) = rest.split_once('"')?.1.split_once('"')?;
    Some(format!("{}/{}", namespace.line(), name.line()))
}

/// One line for a device that failed, and what helps.
pub fn fail(name: &str, fault: &Fault, context: &Context) {
    context.voice.data(shown!("{}: {}", name, fault.message.block()));
    if let Some(next) = &fault.next_step {
        context.voice.data(shown!("  next: {}", next));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubectl_says_is_told_in_one_line() {
        let said = "node/jetson-01 already cordoned\nWarning: ignoring DaemonSet-managed Pods: kube-system/nvidia-device-plugin-x\nevicting pod akidb/akidb-edge-1\nerror when evicting pods/\"akidb-edge-1\" -n \"akidb\" (will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget.\nevicting pod akidb/akidb-edge-1\nerror when evicting pods/\"akidb-edge-1\" -n \"akidb\" (will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget.\nThere are pending pods in node \"jetson-01\" when an error occurred: global timeout reached: 6s";
        assert_eq!(reason(&said.into()), "disruption budgets hold akidb/akidb-edge-1");
        assert_eq!(
            reason(&"Error from server (NotFound): nodes \"x\" not found\n".into()),
            "Error from server (NotFound): nodes \"x\" not found"
        );
        assert_eq!(reason(&"".into()), "");
        assert_eq!(failed("drain", &"".into()), "kubectl drain failed without a word");
        assert_eq!(failed("drain", &"error: no".into()), "kubectl drain failed: error: no");
        assert_eq!(reason(&"\u{1b}[2Jerror".into()), "\\u{1b}[2Jerror");
    }
}
