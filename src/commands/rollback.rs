//! `rollback`: undoes the last run, returns to a revision, or activates a fallback of the plan.

mod missing_files;
mod target;
mod undo;

use super::Context;
use super::deploy;
use super::selection::{RunSelection, Selection};
use super::workflow::{self, BothStacksArgs, EmptyBucketsArgs, PlanArgs, Platforms, RunArgs};
use crate::exit::{self, Failure, codes};
use crate::resource::{Address, RunPurpose};

pub(super) use undo::RollbackOperation;

/// Undo the last run; the same difference, question and journal as a deploy.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// Stack name, instead of a plan; --plan and AKIDB_EDGE_PLAN are then ignored
    #[arg(long)]
    stack: Option<String>,
    /// Roll back to the state after this revision (0: before the first); status lists revisions
    #[arg(long, value_name = "REVISION", conflicts_with = "fallback")]
    to: Option<u64>,
    /// Activate a fallback of the plan (dns-to-origin, lambda-edge-off, replication-paused)
    #[arg(long, value_name = "NAME")]
    fallback: Option<String>,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    empty: EmptyBucketsArgs,
    /// Adopt an existing resource that this stack does not own
    #[arg(long, value_name = "ADDRESS")]
    adopt: Vec<Address>,
    /// With --devices and --to: revision to roll the devices back to [default: their state at that time]
    #[arg(long, value_name = "REVISION", requires = "to", requires = "devices")]
    devices_to: Option<u64>,
    #[command(flatten)]
    both: BothStacksArgs,
}

/// Rolls back.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(mut args: Args, context: &Context) -> Result<u8, Failure> {
    args.run = args.run.emptying(args.empty);
    if let Some(name) = &args.fallback {
        return fallback(name, &args, context).await;
    }
    let plan = if args.stack.is_none() && args.plan.plan.is_some() { Some(args.plan.load(context)?) } else { None };
    let Some(stack) = args.stack.clone().or_else(|| plan.as_ref().map(|plan| plan.stack.clone())) else {
        return Err(codes::NO_STACK.refused("missing --plan or --stack", "add --plan NAME, or --stack NAME"));
    };
    let (stack, devices) = args.both.stacks(stack);
    let goes_by = match &devices {
        Some(devices) => format!(
            "the plan only names the stack and files to upload; settings come from the journals of {stack} and {devices}"
        ),
        None => format!("the plan only names the stack and files to upload; settings come from the journal of {stack}"),
    };
    args.plan.say_what_variables_do(&context.printer, &goes_by);
    if devices.is_none() {
        workflow::no_devices(context, &stack, "rollback").await?;
    }
    let platforms = args.both.platforms(Platforms::of_stack(context, &stack, None).await?);
    let mut undo = RollbackOperation::of(&stack, "rollback", args.to, plan.as_ref());
    undo.adopt = args.adopt.iter().cloned().collect();
    undo.empty_buckets = args.run.empty_buckets;
    (undo.devices, undo.devices_to) = (devices, args.devices_to);
    undo.carry_out(&args.run, platforms, context).await
}

async fn fallback(name: &str, args: &Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.plan.load(context)?;
    let changed = plan.with_fallback(name)?;
    // with_fallback made sure that it is there.
    let Some(fallback) = plan.fallbacks.get(name) else { return Ok(exit::ERROR) };
    let order = RunSelection {
        chosen: Selection { targets: fallback.only.clone(), exactly: true, ..Selection::default() },
        request: fallback.request.clone(),
        plan: changed,
        adopt: args.adopt.iter().cloned().collect(),
        command: format!("rollback --fallback {name} --plan {}", args.plan.plan.as_deref().unwrap_or_default()),
        purpose: RunPurpose::Fallback,
        fallback: Some(name.to_owned()),
        out: None,
    };
    deploy::carry_out(order, &args.run, None, context).await
}
