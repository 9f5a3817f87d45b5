//! `jetson shutdown`: pods leave first, then agents go off, the server last.

use serde_json::json;

use super::devices::{DevicesArgs, VerbDevices};
use super::drain::{device, drain, fail};
use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::resource::{Fault, FaultClass, SafeText, shown};

/// Switch devices off: drained first, agents before the server.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    devices: DevicesArgs,
    /// Only these devices
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Switch off what could not be drained, too
    #[arg(long)]
    force: bool,
    /// Seconds that the pods of a node have to go
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u32,
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
    let mut failed = Vec::new();
    if clustered {
        failed = empty(&devices, &order, args.timeout, context).await;
        if !failed.is_empty() && !args.force {
            return Err(still_on(&failed, &back));
        }
    }
    let mut code = if failed.is_empty() { exit::DONE } else { exit::PENDING };
    let mut went = Vec::new();
    for name in &order {
        let answer = off(&devices, name).await;
        match &answer {
            Ok(()) => context.printer.data(shown!("{}: is switching off", name)),
            Err(fault) => {
                code = exit::ERROR;
                fail(name, fault, context);
            }
        }
        went.push((name.clone(), answer.err()));
    }
    if context.printer.json {
        let devices = went.iter().map(device).collect::<Vec<_>>();
        let not_drained: Vec<&String> = failed.iter().map(|(name, _)| name).collect();
        context.printer.json("jetson-shutdown", &json!({"devices": devices, "not_drained": not_drained}));
    }
    if clustered {
        context.printer.talk(shown!("when they are on again, this lets pods come back: {}", back));
    }
    Ok(code)
}

fn ask(order: &[String], context: &Context) -> Result<(), Failure> {
    if !context.session.can_ask {
        return Err(Failure::refused(
            "no device was switched off: there is no terminal to ask for a confirmation on",
            "add --yes to switch them off without a question",
        ));
    }
    let question = shown!("Switch off {}? They come back only when somebody switches them on.", order.join(", "));
    if context.printer.ask(question) {
        return Ok(());
    }
    Err(Failure::refused(
        "no device was switched off: the answer was not yes",
        "run the same command again and answer yes, or name fewer devices with --host",
    ))
}

/// Why all devices are still on.
fn still_on(failed: &[(String, Fault)], back: &str) -> Failure {
    let why = failed.iter().map(|(name, fault)| shown!("{}: {}", name, fault.message.block()));
    Failure::error(
        shown!("no device was switched off, as not all could be drained: {}", SafeText::join(why, "; ")),
        shown!(
            "give the pods another place and run the same command again, or add --force to switch off all the same; to \
             let pods come back instead: {}",
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
        context
            .printer
            .talk("every device is switched off: disruption budgets cannot be kept, pods are ended in order");
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
            "install the package systemd-sysv on it, or switch it off by hand",
        ),
        code => (
            format!("the script for it ended with code {code}: {}", reply.last_words(3).line()),
            "sign in to it and run: sudo shutdown -h now; or switch it off by hand",
        ),
    };
    Err(Fault::new(FaultClass::Refused, "shutdown", "run", "Failed", format!("could not be switched off: {why}"))
        .next(next))
}
