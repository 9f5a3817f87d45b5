//! `status`: shows the recorded resources; with --drift, what differs in reality.

mod accept;
mod drift;

use serde_json::json;

use super::Context;
use super::workflow::{self, PlanArgs};
use crate::commands::state::unlock::lease_document;
use crate::exit::{self, Failure, codes};
use crate::ledger::{Holder, Lease, Ledger};
use crate::plan::Plan;
use crate::report;
use crate::resource::{ResourceStatus, RunSummary, StackState, shown};

/// Show what is there. Without --drift no call is made.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// Stack name, instead of a plan; --plan and AKIDB_EDGE_PLAN are then ignored
    #[arg(long)]
    stack: Option<String>,
    /// Compare the real resources with the plan (or the last deploy); exit code 2 if they differ
    #[arg(long)]
    drift: bool,
    /// With --drift: record live values for fields that the plan does not set; for all resources or only these
    /// addresses
    #[arg(long, value_name = "ADDRESS", num_args = 0.., requires = "drift")]
    accept: Option<Vec<String>>,
    /// With --accept: show what would be recorded without recording it
    #[arg(long, requires = "accept")]
    dry_run: bool,
    /// With --accept: skip the confirmation prompt
    #[arg(short, long, requires = "accept")]
    yes: bool,
}

/// Shows.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    let plan = if args.stack.is_none() && args.plan.plan.is_some() { Some(args.plan.load(context)?) } else { None };
    let Some(stack) = args.stack.clone().or_else(|| plan.as_ref().map(|plan| plan.stack.clone())) else {
        return Err(codes::NO_STACK.refused("missing --plan or --stack", "add --plan NAME, or --stack NAME"));
    };
    if let Some(chosen) = args.accept {
        let order = accept::AcceptRequest { chosen, dry_run: args.dry_run, yes: args.yes };
        return accept::run(plan.as_ref(), &stack, &order, context).await;
    }
    if args.drift {
        return drift::run(plan.as_ref(), &stack, context).await;
    }
    let store = workflow::store(&context.global, &context.session, &stack, None).await?;
    let lease = store.lease().await?.filter(|lease| !lease.is_cut_off());
    let ledger = Ledger::read(store, &stack).await?;
    let state = ledger.recorded();
    let pending = state.pending_deletions.len()
        + state.resources.values().filter(|record| record.standing != ResourceStatus::Present).count();
    let code = if pending == 0 { exit::DONE } else { exit::PENDING };
    if context.global.json {
        let held = lease.map(|lease| lease_document(&lease, &context.session.host));
        context.printer.json("status", &json!({"stack": stack, "exit": code, "state": state, "lease": held}));
        return Ok(code);
    }
    let printer = &context.printer;
    if state.revision() == 0 {
        printer.data(shown!("{}: nothing was deployed yet, by the journal {}", stack, ledger.place()));
        tell_the_rest(&state, plan.as_ref(), context);
        let others = super::hints::stacks(context);
        if !others.is_empty() {
            printer.data(shown!("stacks with a state at {}: {}", context.global.state, others.join(", ")));
        }
        tell_lease(lease.as_ref(), context);
        return Ok(code);
    }
    printer.data(shown!(
        "{}: revision {}, {}, journal {}",
        stack,
        state.revision(),
        report::counted(state.resources.len(), "resource"),
        ledger.place()
    ));
    if !state.resources.is_empty() {
        printer.data(report::resources_table(&state, context.screen()));
    }
    for run in state.runs.iter().rev().take(5) {
        let begun = shown!("revision {:<3} {}  {}", run.revision, run.at, run.command);
        let (by, so_far) = (&run.by, report::so_far(run));
        let row = match run.ending {
            Some(ending) => shown!("{}  {} by {}: {}", begun, so_far, by, format!("{ending:?}").to_lowercase()),
            None if is_at_work(run, &state, lease.as_ref(), context) => {
                shown!("{} by {}: runs, {} so far", begun, by, so_far)
            }
            None => shown!("{} by {}: interrupted after {}", begun, by, so_far),
        };
        printer.data(context.screen().rows(&row));
    }
    tell_the_rest(&state, plan.as_ref(), context);
    tell_lease(lease.as_ref(), context);
    Ok(code)
}

/// Whether a run without an end may be at work: it is the last one, and somebody who is there holds the lease.
fn is_at_work(run: &RunSummary, state: &StackState, lease: Option<&Lease>, context: &Context) -> bool {
    let held = lease.is_some_and(|lease| lease.holder(&context.session.host) == Holder::Alive);
    held && run.revision == state.revision()
}

/// Who has the lease, or left it behind.
fn tell_lease(lease: Option<&Lease>, context: &Context) {
    let Some(lease) = lease else { return };
    let who = shown!("{}@{} ({})", lease.user, lease.host, lease.command);
    let next = "the next run takes it over";
    context.printer.data(match lease.holder(&context.session.host) {
        Holder::Alive => shown!("being changed by {} since {}", who, format!("{:.0}", lease.since)),
        Holder::Gone => shown!("stale lease of {}: process {} no longer exists; {}", who, lease.pid, next),
        Holder::Expired => shown!("the lease of {} expired at {}; {}", who, format!("{:.0}", lease.expires), next),
    });
}

fn tell_the_rest(state: &StackState, plan: Option<&Plan>, context: &Context) {
    let printer = &context.printer;
    if let Some(fallback) = &state.fallback {
        printer.data(shown!("the fallback {} is active", fallback));
    }
    for left in &state.pending_deletions {
        printer.data(shown!("to be deleted by a later run: {} {}: {}", left.address, left.id, left.reason));
    }
    let steps = plan.into_iter().flat_map(|plan| &plan.steps);
    for step in steps.filter(|step| step.on_request && !state.requested.contains(&step.id)) {
        printer.data(shown!("on request only: step {} ({})", step.id, step.title));
    }
}
