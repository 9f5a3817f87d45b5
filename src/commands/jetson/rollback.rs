//! `jetson rollback`: restores the devices' state of an earlier run.

use super::uninstall::DeviceStackArgs;
use crate::commands::Context;
use crate::commands::rollback::RollbackOperation;
use crate::commands::workflow::{AccessArgs, EmptyBucketsArgs, Platforms, RunArgs};
use crate::exit::Failure;

/// Undo the last run on the devices, or roll back to a revision.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: DeviceStackArgs,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    empty: EmptyBucketsArgs,
    /// Roll back to the state after this revision (0: before the first); list them with akidb-edge status --stack
    #[arg(long, value_name = "REVISION")]
    to: Option<u64>,
}

/// Goes back.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    let stack = args.which.name(context)?;
    // Going back may need the bytes of the plan's files.
    let named = args.which.stack.is_none() && args.which.plan.plan.is_some();
    let plan = if named { Some(args.which.plan.load(context)?) } else { None };
    let run = args.run.emptying(args.empty);
    let mut undo = RollbackOperation::of(&stack, "jetson rollback", args.to, plan.as_ref());
    undo.empty_buckets = run.empty_buckets;
    undo.carry_out(&run, Platforms::of_devices(&args.access, context), context).await
}
