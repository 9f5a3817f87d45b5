//! `jetson power`: sets a power mode by name, or one that follows the load. Journaled: `jetson rollback` restores the former one.

use super::device_target::{DevicePart, DeviceTarget};
use super::devices::{DevicesArgs, VerbDevices, choose};
use crate::commands::Context;
use crate::commands::workflow::{self, Platforms, RunArgs};
use crate::desired::jetson;
use crate::exit::{Failure, codes};
use crate::plan::{Plan, StepConfig};
use crate::provider::device::{DeviceFacts, FACTS_SCRIPT};
use crate::resource::{RunPurpose, SafeText, Untrusted, shown, syntax_check};

/// Set the power mode by name; `auto` follows the load of the GPU.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Power mode by name (7W, 15W, 25W, MAXN_SUPER), or auto
    #[arg(long, value_name = "MODE")]
    mode: String,
    #[command(flatten)]
    devices: DevicesArgs,
    /// Limit to these devices
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    #[command(flatten)]
    run: RunArgs,
}

/// Sets it.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    if !syntax_check::power_mode(&args.mode) {
        // Said in the plan for the run below, it would be complained of at a line of the plan.
        return Err(codes::ARGUMENT.refused(
            shown!("--mode {:?} is not the name of a power mode; nothing was done", args.mode),
            syntax_check::POWER_MODE,
        ));
    }
    let mut plan = args.devices.plan(context)?;
    let devices = args.devices.load(&args.host, context)?;
    if args.mode != "auto" {
        need_mode(&args.mode, &devices).await?;
    }
    let before = set(&mut plan, &args.mode, &args.host)?;
    for said in before {
        context.printer.talk(shown!(
            "the plan says {}: the next provision sets that again; write power_mode: {} into the plan to keep it",
            said,
            args.mode
        ));
    }
    let command = format!("jetson power --mode {} {}", args.mode, args.devices.named());
    let mut built = workflow::devices(&plan, &context.printer)?;
    // Files that a provision would carry are not needed for this.
    built.missing.clear();
    let aim = DeviceTarget {
        stack: jetson::stack(&plan),
        command,
        purpose: RunPurpose::Power,
        built,
        plan: Some(plan.file),
        hosts: args.host,
        part: DevicePart::Power,
    };
    let platforms = Platforms::of_devices(args.devices.access(), context).through(devices.fleet);
    aim.carry_out(platforms, &args.run, context).await
}

/// Refuses a mode that a device does not have. What does not answer is told later, with the rest.
async fn need_mode(mode: &str, devices: &VerbDevices) -> Result<(), Failure> {
    let mut without = Vec::new();
    for (name, answer) in devices.ask(FACTS_SCRIPT).await {
        let Ok(reply) = answer.reply else { continue };
        let known = DeviceFacts::of(&reply).power_modes;
        if !known.iter().any(|one| *one == *mode) {
            let names = || known.iter().map(Untrusted::line).collect::<Vec<_>>().join(", ");
            let list = if known.is_empty() { "none: is it a Jetson?".to_owned() } else { names() };
            without.push(shown!("{} has no power mode {:?}; it has {}", name, mode, list));
        }
    }
    if without.is_empty() {
        return Ok(());
    }
    Err(codes::POWER_MODE.refused(
        shown!("{}\nnothing was done", SafeText::join(&without, "\n")),
        "choose one of the modes named, or name the other devices with --host",
    ))
}

/// Says it in the plan, for these devices alone; gives back what the plan said of them.
fn set(plan: &mut Plan, mode: &str, hosts: &[String]) -> Result<std::collections::BTreeSet<String>, Failure> {
    let fleets = || {
        plan.steps.iter().filter_map(|step| match &step.work {
            StepConfig::Jetson(jetson) => Some(jetson),
            _ => None,
        })
    };
    let known: Vec<&String> = fleets().flat_map(|jetson| jetson.hosts.keys()).collect();
    let names = choose(known.into_iter(), hosts)?;
    let mut before = std::collections::BTreeSet::new();
    for step in &mut plan.steps {
        let StepConfig::Jetson(jetson) = &mut step.work else { continue };
        let all = jetson.power_mode.clone();
        for (_, host) in jetson.hosts.iter_mut().filter(|(name, _)| names.contains(*name)) {
            before.extend(host.power_mode.clone().or_else(|| all.clone()).filter(|said| said != mode));
            host.power_mode = Some(mode.to_owned());
        }
    }
    Ok(before)
}
