//! `validate clean`: removes probe functions that an interrupted run left.

use super::regions;
use crate::commands::Context;
use crate::commands::workflow::PlanArgs;
use crate::desired::probes;
use crate::exit::Failure;

/// Remove the probe functions that an interrupted `validate latency --regions` left.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// Name of the stack of the probes, instead of a plan: STACK-probes, or measure-probes after --url
    #[arg(long)]
    stack: Option<String>,
    /// Skip the confirmation prompt
    #[arg(short, long)]
    yes: bool,
}

/// Removes them.
///
/// # Errors
/// When nobody agreed, or the journal or the account refuses.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let stack = match &args.stack {
        Some(stack) if stack.ends_with(probes::SUFFIX) => stack.clone(),
        Some(stack) => probes::stack(stack),
        None => probes::stack(&args.plan.load(context)?.stack),
    };
    regions::clean(&stack, args.yes, context).await
}
