//! `state`: look at the journal, free its lease, take the state out, take existing things in.

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

/// Look at the journal, free its lease, take the state out, take existing things in.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show the remembered resources with their attributes
    Show(Which),
    /// List the addresses with kind, ID and origin
    List(list::Args),
    /// Let resources leave the journal; nothing is done to them
    Forget(forget::Args),
    /// Give a resource another address
    Move(move_::Args),
    /// Take the lease away from a holder that is gone
    Unlock(unlock::Args),
    /// Write the state as JSON, as a Terraform configuration, or as CloudFormation templates
    Export(export::Args),
    /// Take things that exist under the plan's addresses into the journal
    Import(import::Args),
    /// Write the journal's entries, one JSON object a line
    Journal(Which),
    /// Write the journal as one file, as it was written: a backup, or the first half of a move
    Pull(pull::Args),
    /// Put a file in the place of the journal, if it goes on from it: the second half of a move
    Push(push::Args),
}

#[derive(Debug, clap::Args)]
struct Which {
    #[command(flatten)]
    plan: PlanArgs,
    /// Name of the stack, when no plan is at hand; a plan (in the environment, too) is not read then
    #[arg(long)]
    stack: Option<String>,
}

impl Which {
    /// The plan, when one is named and the stack is not.
    fn plan(&self, context: &Context) -> Result<Option<Plan>, Failure> {
        let named = self.stack.is_none() && self.plan.plan.is_some();
        named.then(|| self.plan.load(&context.session)).transpose()
    }

    fn stack(&self, context: &Context) -> Result<String, Failure> {
        match &self.stack {
            Some(stack) => Ok(stack.clone()),
            None => Ok(self.plan.load(&context.session)?.stack),
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
