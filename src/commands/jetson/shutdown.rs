//! `jetson shutdown`: pods leave first, then agents go off, the server last.

use serde_json::json;

use super::devices::{Devices, DevicesArgs};
use super::drain::{device, drain, fail};
use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::resource::{Class, Fault, shown};

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

/// Lets the answer come back before the machine goes.
const OFF: &str = "command -v shutdown >/dev/null || { echo no program shutdown; exit 1; }\nnohup sh -c 'sleep 1; shutdown -h now' >/dev/null 2>&1 </dev/null &";

/// Switches off.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    let devices = args.devices.load(&args.host, context)?;
    let order = order(&devices);
    let question = shown!("Switch off {}? They come back only when somebody switches them on.", order.join(", "));
    if !args.yes {
        if !context.session.can_ask {
            return Err(Failure::refused(
                "nothing was done: there is no terminal to ask for a confirmation on",
                "add --yes",
            ));
        }
        if !context.voice.ask(question) {
            return Err(Failure::refused("nothing was done", ""));
        }
    }
    let clustered = devices.server().is_ok();
    let mut failed = Vec::new();
    if clustered {
        failed = empty(&devices, &order, args.timeout, context).await;
        if !failed.is_empty() && !args.force {
            return Err(Failure::error(
                shown!("{} could not be drained; no device was switched off", failed.join(", ")),
                "take away what holds the pods, or add --force; akidb-edge jetson uncordon lets pods come back",
            ));
        }
    }
    let mut code = if failed.is_empty() { exit::DONE } else { exit::PENDING };
    let mut went = Vec::new();
    for name in &order {
        let answer = off(&devices, name).await;
        match &answer {
            Ok(()) => context.voice.data(shown!("{}: goes off", name)),
            Err(fault) => {
                code = exit::ERROR;
                fail(name, fault, context);
            }
        }
        went.push((name.clone(), answer.err()));
    }
    if context.voice.json {
        let devices = went.iter().map(device).collect::<Vec<_>>();
        context.voice.json("jetson-shutdown", &json!({"devices": devices, "not_drained": failed}));
    }
    if clustered {
        let names = order.join(" ");
        context.voice.talk(shown!("when they are on again: akidb-edge jetson uncordon {}", names));
    }
    Ok(code)
}

/// Agents, then the server.
fn order(devices: &Devices) -> Vec<String> {
    let (server, agents): (Vec<&String>, Vec<&String>) =
        devices.names.iter().partition(|name| devices.role(name) == "server");
    agents.into_iter().chain(server).cloned().collect()
}

/// Drains them; the names of those that could not be.
async fn empty(devices: &Devices, order: &[String], seconds: u32, context: &Context) -> Vec<String> {
    let all_go = order.len() == devices.count();
    if all_go {
        context.voice.talk("every device goes off: disruption budgets cannot be kept, pods are ended in order");
    }
    let mut failed = Vec::new();
    for name in order {
        match drain(devices, name, seconds, all_go).await {
            Ok(()) => context.voice.data(shown!("{}: drained", name)),
            Err(fault) => {
                fail(name, &fault, context);
                failed.push(name.clone());
            }
        }
    }
    failed
}

async fn off(devices: &Devices, name: &str) -> Result<(), Fault> {
    let reply = devices.fleet.run(name, OFF).await?;
    if reply.code == 0 {
        return Ok(());
    }
    Err(Fault::new(Class::Refused, "shutdown", "run", "Failed", reply.last_words(3))
        .next("look at the device's console"))
}
