//! A run of a verb: in which platforms, over which journals, and its way from a plan to an exit code. Verbs say what they want; how a
//! run goes is written here, once.

mod access;
mod account;
mod arguments;
mod clusters;
mod execution;
mod graphs;
mod journal;
mod journals;
mod leased;
mod needs_account;
mod other_stack;
mod pipeline;
mod platforms;
mod previews;
mod request;
mod review;
mod skipped;

use std::sync::Arc;

use super::Context;
use crate::change::{self, DiffScope, PlanningRefusal};
use crate::cli::Global;
use crate::desired;
use crate::exit::{Failure, codes};
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::provider::Providers;
use crate::provider::aws::{CallerIdentity, providers};
use crate::report::RunHeader;
use crate::resource::{
    Address, Artifacts, Changes, Desired, Kind, Moves, Observed, PlatformIdentity, SafeText, StackState, shown,
};

pub use access::{AccessArgs, BothStacksArgs};
pub use account::{AccountConnection, connect};
pub use arguments::{EmptyBucketsArgs, PlanArgs, RunArgs};
pub use clusters::{clusters_of_machines, in_clusters, need_same_clusters};
pub use execution::{RunInput, RunLabel, began};
pub use graphs::{build, devices, findings, need_files, together};
pub use journal::{close, directory, objects, open, root, store};
pub use journals::Journals;
pub use leased::{HeldLeases, end_in_order, not_written, unless_interrupted, write};
pub use needs_account::needs_account;
pub use pipeline::carry_out;
pub use platforms::Platforms;
pub use previews::previewed;
pub use request::{AllowedChanges, Operation, RunRequest, RunTarget, RunView};
pub use review::Review;
pub use skipped::{SkippedResources, machine, narrow};

/// Refuses a stack that lives on devices: there is nothing to ask AWS about, and `jetson` has a verb for it.
///
/// # Errors
/// When its journal knows machines.
pub async fn no_devices(context: &Context, stack: &str, verb: &str) -> Result<(), Failure> {
    if !stack.ends_with(desired::jetson::SUFFIX) {
        return Ok(());
    }
    let store = store(&context.global, &context.session, stack, None).await?;
    let recorded = Ledger::read(store, stack).await?.recorded();
    if !recorded.resources.keys().any(Address::is_of_devices) {
        return Ok(());
    }
    let which = if verb.starts_with("provision") { "--plan PLAN".to_owned() } else { format!("--stack {stack}") };
    Err(codes::OTHER_VERB.refused(
        shown!("{} is a stack of devices, not of an AWS account", stack),
        shown!("akidb-edge jetson {} {}", verb, which),
    ))
}

/// The state as the plan addresses it: what only changed its address is known under the new one.
pub fn moved(desired: &Desired, recorded: StackState) -> (Moves, StackState) {
    let moves = change::moves(desired, &recorded);
    let recorded = recorded.moved(&moves);
    (moves, recorded)
}

/// Refuses what can never be done, before the real resources are read.
///
/// # Errors
/// When the plan changes what is fixed for the life of something that holds data.
pub fn need_changeable(desired: &Desired, recorded: &StackState, scope: &DiffScope) -> Result<(), Failure> {
    let refusals = change::fixed(desired, recorded, scope);
    if refusals.is_empty() { Ok(()) } else { Err(refused(&refusals)) }
}

/// The difference, or every reason why there is none.
///
/// # Errors
/// When something is in the way.
pub fn difference(
    desired: &Desired,
    recorded: &StackState,
    observed: &Observed,
    scope: &DiffScope,
) -> Result<Changes, Failure> {
    change::diff(desired, recorded, observed, scope).map_err(|refusals| refused(&refusals))
}

/// Everything that is in the way, as one failure.
pub fn refused(refusals: &[PlanningRefusal]) -> Failure {
    let lines: Vec<SafeText> = refusals
        .iter()
        .map(|refusal| shown!("{}: {}\n  next: {}", refusal.address, refusal.problem, refusal.next_step))
        .collect();
    let reading = refusals.iter().all(|refusal| refusal.unread);
    let problem = shown!("cannot compute the changes\n{}", SafeText::join(&lines, "\n"));
    if reading { codes::DIFFERENCE.error(problem, "") } else { codes::DIFFERENCE.refused(problem, "") }
}

/// The providers of the account, with the bytes that the run carries.
pub fn with_artifacts(connection: &AccountConnection, artifacts: Artifacts) -> Providers {
    providers(&connection.clients, &Arc::new(artifacts)).with_retry_policy(connection.retry_policy.clone())
}

/// Region for calls that name none, and the endpoints in use.
fn place_of(connection: &AccountConnection) -> (String, String) {
    let endpoint = connection.description().map_or_else(|| "AWS".to_owned(), |described| described.endpoint);
    (connection.region.clone(), endpoint)
}

/// What a person reads first of a verb that talks to the account alone: whom the tool talks to.
pub fn header(
    connection: &AccountConnection,
    identity: &CallerIdentity,
    stack: &str,
    plan: Option<&Plan>,
    global: &Global,
) -> RunHeader {
    let (region, endpoint) = place_of(connection);
    RunHeader {
        account: identity.account.clone(),
        caller: identity.arn.clone(),
        region,
        endpoint,
        platforms: vec![platforms::of_account(identity)],
        ..header_of_clusters(&Desired::default(), stack, plan, global)
    }
}

/// The same of a verb that talks to clusters alone.
pub fn header_of_clusters(desired: &Desired, stack: &str, plan: Option<&Plan>, global: &Global) -> RunHeader {
    let clusters = desired.resources.values().filter(|resource| resource.kind == Kind::Cluster);
    let named = clusters.filter_map(|resource| resource.spec.get("name")?.as_str());
    RunHeader {
        stack: stack.to_owned(),
        devices: None,
        plan: plan.map(|plan| plan.file.clone()),
        account: String::new(),
        caller: String::new(),
        region: String::new(),
        endpoint: platforms::CLUSTERS.to_owned(),
        state: global.state.clone(),
        platforms: named.map(|name| PlatformIdentity::Cluster { name: name.to_owned() }).collect(),
    }
}
