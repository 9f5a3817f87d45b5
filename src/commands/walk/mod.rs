//! A run of a verb: in which worlds, over which journals, and its way from a plan to an exit code. Verbs say what they want; how a
//! run goes is written here, once.

mod access;
mod account;
mod arguments;
mod clusters;
mod graphs;
mod journal;
mod journals;
mod leased;
mod left_out;
mod outside;
mod pipeline;
mod request;
mod running;
mod worlds;

use std::sync::Arc;

use super::Context;
use crate::change::{self, Refusal, Scope};
use crate::cli::Global;
use crate::desired;
use crate::exit::Failure;
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::provider::Providers;
use crate::provider::aws::{Identity, providers};
use crate::report::Header;
use crate::resource::{Address, Artefacts, Changes, Desired, Moves, Observed, Remembered, Shown, shown};

pub use access::{AccessArgs, BothArgs};
pub use account::{Connection, connect};
pub use arguments::{EmptyArgs, PlanArgs, RunArgs};
pub use clusters::{clusters_of_machines, in_clusters};
pub use graphs::{build, devices, every_step, findings, need_files, of_devices, stops, together};
pub use journal::{close, directory, objects, open, root, store};
pub use journals::Journals;
pub use leased::{Held, not_written, unless_interrupted, write};
pub use left_out::{LeftOut, machine, narrow};
pub use pipeline::carry_out;
pub use request::{Allowed, Request, Seen, Verb, Wanted};
pub use running::{Purpose, Run, began};
pub use worlds::Worlds;

/// Refuses a stack that lives on devices: there is nothing to ask AWS about, and `jetson` has a verb for it.
///
/// # Errors
/// When its journal knows machines.
pub async fn no_devices(context: &Context, stack: &str, verb: &str) -> Result<(), Failure> {
    if !stack.ends_with(desired::jetson::SUFFIX) {
        return Ok(());
    }
    let store = store(&context.global, &context.session, stack, None).await?;
    let remembered = Ledger::read(store, stack).await?.remembered();
    if !remembered.resources.keys().any(Address::is_of_devices) {
        return Ok(());
    }
    let which = if verb.starts_with("provision") { "--plan PLAN".to_owned() } else { format!("--stack {stack}") };
    Err(Failure::refused(
        shown!("{} is a stack of devices, not of an AWS account", stack),
        shown!("akidb-edge jetson {} {}", verb, which),
    ))
}

/// The state as the plan addresses it: what only changed its address is known under the new one.
pub fn moved(desired: &Desired, remembered: Remembered) -> (Moves, Remembered) {
    let moves = change::moves(desired, &remembered);
    let remembered = remembered.moved(&moves);
    (moves, remembered)
}

/// Refuses what can never be done, before the world is asked.
///
/// # Errors
/// When the plan changes what is fixed for the life of something that holds data.
pub fn need_changeable(desired: &Desired, remembered: &Remembered, scope: &Scope) -> Result<(), Failure> {
    let refusals = change::fixed(desired, remembered, scope);
    if refusals.is_empty() { Ok(()) } else { Err(refused(&refusals)) }
}

/// The difference, or every reason why there is none.
///
/// # Errors
/// When something stands in the way.
pub fn difference(
    desired: &Desired,
    remembered: &Remembered,
    observed: &Observed,
    scope: &Scope,
) -> Result<Changes, Failure> {
    change::diff(desired, remembered, observed, scope).map_err(|refusals| refused(&refusals))
}

/// Everything that stands in the way, as one failure.
pub fn refused(refusals: &[Refusal]) -> Failure {
    let lines: Vec<Shown> = refusals
        .iter()
        .map(|refusal| shown!("{}: {}\n  next: {}", refusal.address, refusal.problem, refusal.next_step))
        .collect();
    let reading = refusals.iter().all(|refusal| refusal.problem.starts_with("it could not be read"));
    let problem = shown!("the difference cannot be made\n{}", Shown::join(&lines, "\n"));
    if reading { Failure::error(problem, "") } else { Failure::refused(problem, "") }
}

/// The providers of the account, with the bytes that the run carries.
pub fn with_artefacts(connection: &Connection, artefacts: Artefacts) -> Providers {
    providers(&connection.clients, &Arc::new(artefacts)).patiently(connection.patience.clone())
}

/// Region for calls that name none, and the endpoints in use.
fn place_of(connection: &Connection) -> (String, String) {
    let endpoint = connection.description().map_or_else(|| "AWS".to_owned(), |described| described.endpoint);
    (connection.region.clone(), endpoint)
}

/// What a person reads first of a verb that talks to the account alone: whom the tool talks to.
pub fn header(
    connection: &Connection,
    identity: &Identity,
    stack: &str,
    plan: Option<&Plan>,
    global: &Global,
) -> Header {
    let (region, endpoint) = place_of(connection);
    Header {
        stack: stack.to_owned(),
        devices: None,
        plan: plan.map(|plan| plan.file.clone()),
        account: identity.account.clone(),
        caller: identity.arn.clone(),
        region,
        endpoint,
        state: global.state.clone(),
        worlds: vec![worlds::of_account(identity)],
    }
}
