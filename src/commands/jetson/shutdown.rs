//! `jetson shutdown`: evicts pods, then switches off the agents, then the server.

use serde_json::json;

use super::devices::{DevicesArgs, VerbDevices};
use super::drain::{device, drain, fail};
use crate::commands::Context;
use crate::commands::validate::{self, Found, Measurement};
use crate::exit::{self, Failure, codes};
use crate::plan::closing::JetsonShutdownStep;
use crate::plan::{Plan, Step, StepConfig};
use crate::resource::{Fault, FaultClass, SafeText, shown};

/// Drain and shut down devices, agents before the server.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    devices: DevicesArgs,
    /// Limit to these devices
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Skip the confirmation prompt
    #[arg(short, long)]
    yes: bool,
    /// Also shut down devices that could not be drained
    #[arg(long)]
    force: bool,
    /// Seconds to wait for the pods of a node to leave [default: the plan's step of kind jetson-shutdown, else 120]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
}

/// Ends with this code where there is no program for it.
const NO_PROGRAM: i32 = 4;

/// Lets the answer come back before the machine goes.
const OFF: &str =
    "command -v shutdown >/dev/null || exit 4\nnohup sh -c 'sleep 1; shutdown -h now' >/dev/null 2>&1 </dev/null &";

/// Switches off.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    let devices = args.devices.load(&args.host, context)?;
    let order = order(&devices);
    if !args.yes {
        ask(&order, context)?;
    }
    let back = format!("akidb-edge jetson uncordon {} {}", order.join(" "), args.devices.named());
    let clustered = devices.server().is_ok();
    let step = step(&devices.plan);
    let planned = step.map_or_else(JetsonShutdownStep::default, |(_, plan)| plan.clone());
    let mut failed = Vec::new();
    if clustered {
        failed = empty(&devices, &order, args.timeout.unwrap_or(planned.drain_seconds), context).await;
        if !failed.is_empty() && !args.force {
            return Err(still_on(&failed, &back));
        }
    }
    let mut code = if failed.is_empty() { exit::DONE } else { exit::PENDING };
    let mut went = Vec::new();
    for name in &order {
        let answer = off(&devices, name).await;
        match &answer {
            Ok(()) => context.printer.data(shown!("{}: shutting down", name)),
            Err(fault) => {
                code = exit::ERROR;
                fail(name, fault, context);
            }
        }
        went.push((name.clone(), answer.err()));
    }
    if let Some((step, _)) = step {
        keep(&step.id, &devices, &failed, &went, context).await?;
    }
    if context.printer.json {
        let devices = went.iter().map(device).collect::<Vec<_>>();
        let not_drained: Vec<&String> = failed.iter().map(|(name, _)| name).collect();
        context.printer.json("jetson-shutdown", &json!({"devices": devices, "not_drained": not_drained}));
    }
    if clustered {
        context.printer.talk(shown!("after they are powered on again, allow pods with: {}", back));
    }
    Ok(code)
}

/// The step of a plan that this verb does, with its settings.
fn step(plan: &Plan) -> Option<(&Step, &JetsonShutdownStep)> {
    plan.steps.iter().find_map(|step| match &step.work {
        StepConfig::JetsonShutdown(plan) => Some((step, plan)),
        _ => None,
    })
}

/// Keeps what became of each device, for `report`.
async fn keep(
    step: &str,
    devices: &VerbDevices,
    not_drained: &[(String, Fault)],
    went: &[(String, Option<Fault>)],
    context: &Context,
) -> Result<(), Failure> {
    let point = |measure: &str, name: String, holds: bool| Found {
        measure: format!("jetson.{measure}"),
        of: None,
        finding: validate::point(name, holds),
    };
    let mut found: Vec<Found> =
        went.iter().map(|(name, fault)| point("shut_down", format!("{name} is shut down"), fault.is_none())).collect();
    found.extend(not_drained.iter().map(|(name, _)| point("drained", format!("{name} is drained"), false)));
    let left = devices.count() - went.len();
    if left > 0 {
        found.push(point("shut_down", format!("the other {left} of the plan are shut down"), false));
    }
    let from = went.iter().map(|(name, _)| name.clone()).collect();
    let measurement = Measurement::now("jetson-shutdown", Some(step), from, found);
    validate::keep(&measurement, &devices.plan.stack, context).await
}

fn ask(order: &[String], context: &Context) -> Result<(), Failure> {
    if !context.session.can_ask {
        return Err(codes::NO_TERMINAL.refused(
            "no device was shut down: cannot ask for confirmation without a terminal",
            "add --yes to shut them down without confirmation",
        ));
    }
    let question = shown!("Shut down {}? They must be powered on by hand afterwards.", order.join(", "));
    if context.printer.ask(question) { Ok(()) } else { Err(Failure::cancelled()) }
}

/// Why all devices are still on.
fn still_on(failed: &[(String, Fault)], back: &str) -> Failure {
    let why = failed.iter().map(|(name, fault)| shown!("{}: {}", name, fault.message.block()));
    codes::NOT_DRAINED.error(
        shown!("no device was shut down, because not all could be drained: {}", SafeText::join(why, "; ")),
        shown!(
            "make room for the pods elsewhere and run the same command again, or add --force to shut down anyway; to \
             allow pods again instead: {}",
            back
        ),
    )
}

/// Agents, then the server.
fn order(devices: &VerbDevices) -> Vec<String> {
    let (server, agents): (Vec<&String>, Vec<&String>) =
        devices.names.iter().partition(|name| devices.role(name) == "server");
    agents.into_iter().chain(server).cloned().collect()
}

/// Drains them; those that could not be, and why.
async fn empty(devices: &VerbDevices, order: &[String], seconds: u32, context: &Context) -> Vec<(String, Fault)> {
    let all_go = order.len() == devices.count();
    if all_go {
        context.printer.talk("every device is shut down: disruption budgets cannot be kept, pods are ended in order");
    }
    let mut failed = Vec::new();
    for name in order {
        match drain(devices, name, seconds, all_go).await {
            Ok(()) => context.printer.data(shown!("{}: drained", name)),
            Err(fault) => {
                fail(name, &fault, context);
                failed.push((name.clone(), fault));
            }
        }
    }
    failed
}

async fn off(devices: &VerbDevices, name: &str) -> Result<(), Fault> {
    let reply = devices.fleet.run(name, OFF).await?;
    if reply.code == 0 {
        return Ok(());
    }
    let (why, next) = match reply.code {
        NO_PROGRAM => (
            "it has no program called shutdown".to_owned(),
            "install the package systemd-sysv on it, or shut it down by hand",
        ),
        code => (
            format!("the script for it ended with code {code}: {}", reply.last_words(3).line()),
            "sign in to it and run: sudo shutdown -h now; or shut it down by hand",
        ),
    };
    Err(Fault::new(FaultClass::Refused, "shutdown", "run", "Failed", format!("could not be shut down: {why}"))
        .next(next))
}
