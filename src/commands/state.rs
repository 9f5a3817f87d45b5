//! `state`: look at the journal, free its lease, take the state out.

use serde_json::json;

use super::Context;
use super::walk::{self, PlanArgs};
use crate::exit::{self, Failure};
use crate::ledger::Ledger;
use crate::report;
use crate::resource::Remembered;

/// Look at the journal, free its lease, take the state out.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show the remembered resources with their attributes
    Show(Which),
    /// Take the lease away from a holder that is gone
    Unlock(Unlock),
    /// Write the whole state as JSON
    Export(Which),
    /// Write the journal's entries, one JSON object a line
    Journal(Which),
}

#[derive(Debug, clap::Args)]
struct Which {
    #[command(flatten)]
    plan: PlanArgs,
    /// Name of the stack, when no plan is at hand; a plan (in the environment, too) is not read then
    #[arg(long)]
    stack: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Unlock {
    #[command(flatten)]
    which: Which,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Which {
    fn stack(&self, context: &Context) -> Result<String, Failure> {
        match &self.stack {
            Some(stack) => Ok(stack.clone()),
            None => Ok(self.plan.load(&context.session)?.stack),
        }
    }
}

/// Looks, frees, takes out.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    match args.what {
        What::Show(which) => show(&which, context).await,
        What::Export(which) => export(&which, context).await,
        What::Journal(which) => journal(&which, context).await,
        What::Unlock(unlock) => free(&unlock, context).await,
    }
}

async fn open(which: &Which, context: &Context) -> Result<Ledger, Failure> {
    let stack = which.stack(context)?;
    let store = walk::store(&context.global, &context.session, &stack, None).await?;
    Ok(Ledger::read(store, &stack).await?)
}

async fn show(which: &Which, context: &Context) -> Result<u8, Failure> {
    let state = open(which, context).await?.remembered();
    if context.global.json {
        context.voice.json("state", &listing(&state));
        return Ok(exit::DONE);
    }
    context.voice.data(&report::resources_table(&state, context.session.width));
    for (address, record) in &state.resources {
        context.voice.data(&format!("\n{address}"));
        for (name, value) in &record.attributes {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            context.voice.data(&format!("  {name} = {value}"));
        }
    }
    Ok(exit::DONE)
}

fn listing(state: &Remembered) -> serde_json::Value {
    let resources: Vec<_> = state
        .resources
        .iter()
        .map(|(address, record)| {
            json!({"address": address, "kind": record.kind, "id": record.id, "standing": record.standing,
                   "step": record.step, "attributes": record.attributes})
        })
        .collect();
    json!({"stack": state.stack, "revision": state.revision(), "account": state.account, "resources": resources,
           "requested": state.requested, "fallback": state.fallback, "leftovers": state.leftovers})
}

async fn export(which: &Which, context: &Context) -> Result<u8, Failure> {
    let state = open(which, context).await?.remembered();
    context.voice.json("export", &json!({"state": state}));
    Ok(exit::DONE)
}

async fn journal(which: &Which, context: &Context) -> Result<u8, Failure> {
    for entry in open(which, context).await?.entries() {
        report::put(&serde_json::to_string(&entry).unwrap_or_default());
    }
    Ok(exit::DONE)
}

async fn free(unlock: &Unlock, context: &Context) -> Result<u8, Failure> {
    let stack = unlock.which.stack(context)?;
    let store = walk::store(&context.global, &context.session, &stack, None).await?;
    let Some(lease) = store.lease().await? else {
        context.voice.data(&format!("{stack}: nobody holds the lease"));
        return Ok(exit::DONE);
    };
    let holder = format!(
        "{}@{} (process {}, {}) since {:.0}, until {:.0}",
        lease.user, lease.host, lease.pid, lease.command, lease.since, lease.expires
    );
    if !unlock.yes {
        if !context.session.can_ask {
            return Err(Failure::refused(
                format!("{stack} is held by {holder}"),
                "if that process is gone for good, add --yes",
            ));
        }
        if !context.voice.ask(&format!("{stack} is held by {holder}. Take the lease away?")) {
            return Err(Failure::refused("nothing was done", ""));
        }
    }
    store.break_lease().await?;
    context.voice.data(&format!(
        "{stack}: the lease of {holder} was taken away; if that process still lives, its next write is refused"
    ));
    Ok(exit::DONE)
}
