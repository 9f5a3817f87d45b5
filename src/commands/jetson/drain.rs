//! `jetson drain` and `jetson uncordon`: pods leave a node, within their disruption budgets, and may come back.

use super::devices::{Devices, DevicesArgs};
use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::provider::device::quoted;
use crate::resource::{Class, Fault};

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
    let mut code = exit::DONE;
    for name in &args.which.hosts {
        match drain(&devices, name, args.timeout, false).await {
            Ok(_) => context.voice.data(&format!("{name}: drained; {undo} {name} lets pods come back")),
            Err(fault) => {
                code = exit::ERROR;
                fail(name, &fault, context);
            }
        }
    }
    Ok(code)
}

/// Lets pods come back.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn uncordon(args: Args, context: &Context) -> Result<u8, Failure> {
    let devices = args.devices.load(&args.hosts, context)?;
    let mut code = exit::DONE;
    for name in &args.hosts {
        match kubectl(&devices, "uncordon", &format!("uncordon {}", quoted(name))).await {
            Ok(_) => context.voice.data(&format!("{name}: takes pods again")),
            Err(fault) => {
                code = exit::ERROR;
                fail(name, &fault, context);
            }
        }
    }
    Ok(code)
}

/// Cordons a node and moves its pods. `all_go`: no node stays, so that no budget can be kept; pods are ended in order.
///
/// # Errors
/// Why pods are still there.
pub async fn drain(devices: &Devices, name: &str, seconds: u32, all_go: bool) -> Result<String, Fault> {
    let how = if all_go { " --disable-eviction" } else { "" };
    let words =
        format!("drain {} --ignore-daemonsets --delete-emptydir-data --force --timeout={seconds}s{how}", quoted(name));
    kubectl(devices, "drain", &words).await
}

/// Runs kubectl on the server.
///
/// # Errors
/// What it says when it fails.
pub async fn kubectl(devices: &Devices, operation: &str, words: &str) -> Result<String, Fault> {
    let server =
        devices.server().map_err(|bad| Fault::new(Class::Refused, "kubectl", operation, "NoCluster", bad.problem))?;
    let reply = devices.fleet.run(server, format!("k3s kubectl {words}")).await?;
    if reply.code == 0 {
        return Ok(reply.output);
    }
    let budget = reply.output.contains("disruption budget");
    let next = if budget {
        "the budget of a workload keeps its pods here: give it more replicas or another node first, or a longer --timeout"
    } else if reply.output.contains("not found") {
        "akidb-edge jetson status shows the nodes; akidb-edge jetson provision lets a device join"
    } else {
        "akidb-edge jetson status shows the nodes; then run the same command again"
    };
    Err(Fault::new(Class::Refused, "kubectl", operation, "Failed", reason(&reply.output)).next(next))
}

/// The lines that say why, each once.
fn reason(output: &str) -> String {
    let telling = |line: &&str| line.contains("rror") || line.contains("annot");
    let mut said: Vec<&str> = output.lines().map(str::trim).filter(telling).collect();
    if said.is_empty() {
        said = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    }
    let mut kept: Vec<&str> = Vec::new();
    for line in said {
        if !kept.contains(&line) && kept.len() < 3 {
            kept.push(line);
        }
    }
    kept.join(" / ")
}

/// One line for a device that failed, and what helps.
pub fn fail(name: &str, fault: &Fault, context: &Context) {
    context.voice.data(&format!("{name}: {}", fault.message));
    if let Some(next) = &fault.next_step {
        context.voice.data(&format!("  next: {next}"));
    }
}
