//! `jetson provision` and `jetson deploy`: apply the plan to the devices.

use std::path::PathBuf;

use super::device_target::{DevicePart, DeviceTarget};
use super::devices::{need_devices, say_who_is_replaced};
use crate::commands::Context;
use crate::commands::workflow::{self, AccessArgs, EmptyBucketsArgs, PlanArgs, Platforms, RunArgs};
use crate::desired::jetson;
use crate::exit::Failure;
use crate::plan::StepConfig;
use crate::resource::RunPurpose;

/// Which devices, how they are reached, how the run is to go.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    empty: EmptyBucketsArgs,
    /// Limit to these devices (and what all devices need)
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Install from this directory instead of the network: k3s, k3s-install.sh, SHA256SUMS, image archives
    #[arg(long, value_name = "DIRECTORY")]
    artifacts: Option<PathBuf>,
    /// Use the devices in this YAML file instead of the plan's
    #[arg(long, value_name = "FILE")]
    inventory: Option<String>,
}

/// Runs it; with `app`, what runs in the cluster, too.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, app: bool, context: &Context) -> Result<u8, Failure> {
    let mut plan = args.plan.load(context)?;
    let replaced = plan.bring_devices(args.inventory.as_deref(), args.artifacts.as_deref())?;
    say_who_is_replaced(&replaced, context);
    if !app {
        plan.steps.retain(|step| !matches!(step.work, StepConfig::JetsonApp(_)));
    }
    need_devices(&plan)?;
    let verb = if app { "deploy" } else { "provision" };
    let command = format!("jetson {verb} --plan {}", args.plan.plan.as_deref().unwrap_or_default());
    let built = workflow::devices(&plan, &context.printer)?;
    let aim = DeviceTarget {
        stack: jetson::stack(&plan),
        command,
        purpose: RunPurpose::Deploy,
        built,
        plan: Some(plan.file),
        hosts: args.host,
        part: DevicePart::Plan { app },
    };
    let run = args.run.emptying(args.empty);
    aim.carry_out(Platforms::of_devices(&args.access, context), &run, context).await
}
