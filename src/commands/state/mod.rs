//! `state`: inspects, unlocks, exports, imports and moves state.

mod export;
pub mod forget;
mod identity;
mod import;
mod import_item;
mod list;
mod move_;
mod pull;
mod push;
mod revision;
mod show;
pub(crate) mod unlock;

use super::Context;
use super::workflow::{self, PlanArgs};
use crate::exit::Failure;
use crate::ledger::Ledger;
use crate::plan::Plan;

/// Inspect, unlock, import, export and move state.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show the recorded resources with their attributes
    Show(Which),
    /// List the addresses with kind, ID and origin
    List(list::Args),
    /// Stop managing resources without deleting them
    Forget(forget::Args),
    /// Change the address of a resource
    Move(move_::Args),
    /// Release a stale lease
    Unlock(unlock::Args),
    /// Export the state as JSON, Terraform configuration or CloudFormation templates
    Export(export::Args),
    /// Import existing resources under the plan's addresses
    Import(import::Args),
    /// Print the journal entries, one JSON object per line
    Journal(Which),
    /// Download the journal to a file, for a backup or a move
    Pull(pull::Args),
    /// Replace the journal with a file that continues it, to finish a move
    Push(push::Args),
}

#[derive(Debug, clap::Args)]
struct Which {
    #[command(flatten)]
    plan: PlanArgs,
    /// Stack name, instead of a plan; --plan and AKIDB_EDGE_PLAN are then ignored
    #[arg(long)]
    stack: Option<String>,
}

impl Which {
    /// The plan, when one is named and the stack is not.
    fn plan(&self, context: &Context) -> Result<Option<Plan>, Failure> {
        let named = self.stack.is_none() && self.plan.plan.is_some();
        named.then(|| self.plan.load(context)).transpose()
    }

    fn stack(&self, context: &Context) -> Result<String, Failure> {
        match &self.stack {
            Some(stack) => Ok(stack.clone()),
            None => Ok(self.plan.load(context)?.stack),
        }
    }
}

/// Looks, frees, takes out, takes in.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    match args.what {
        What::Show(which) => show::state(&which, context).await,
        What::List(args) => list::run(&args, context).await,
        What::Forget(args) => forget::run(&args, context).await,
        What::Move(args) => move_::run(&args, context).await,
        What::Export(args) => export::run(&args, context).await,
        What::Import(args) => import::run(args, context).await,
        What::Journal(which) => show::journal(&which, context).await,
        What::Pull(args) => pull::run(&args, context).await,
        What::Push(args) => push::run(&args, context).await,
        What::Unlock(args) => unlock::run(&args, context).await,
    }
}

async fn open(which: &Which, context: &Context) -> Result<Ledger, Failure> {
    let stack = which.stack(context)?;
    let store = workflow::store(&context.global, &context.session, &stack, None).await?;
    Ok(Ledger::read(store, &stack).await?)
}
