//! `state move`: gives a resource another address, as `moved` in a plan does.

use serde_json::json;

use super::{Which, revision};
use crate::commands::{Context, workflow};
use crate::desired;
use crate::exit::{self, Failure, codes};
use crate::ledger::{Fact, Ledger};
use crate::plan::Plan;
use crate::resource::{Address, Moves, RunPurpose, SafeText, StackState, shown};

/// From where to where, and how.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The address that it has
    #[arg(value_name = "FROM")]
    address: Address,
    /// The address that it gets
    #[arg(value_name = "TO")]
    new_address: Address,
    #[command(flatten)]
    which: Which,
    /// Skip the confirmation prompt
    #[arg(short, long)]
    yes: bool,
    /// Show what would move, do nothing; exit code 2
    #[arg(long)]
    dry_run: bool,
}

/// Moves.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.which.plan(context)?;
    let stack = args.which.stack(context)?;
    let command = format!("state move {} {}", args.address, args.new_address);
    let ledger = revision::open(context, &stack, &command, RunPurpose::Move, args.dry_run).await?;
    let answer = within(args, plan.as_ref(), &command, context, &ledger).await;
    workflow::close(ledger, answer).await
}

async fn within(
    args: &Args,
    plan: Option<&Plan>,
    command: &str,
    context: &Context,
    ledger: &Ledger,
) -> Result<u8, Failure> {
    let (from, to) = (&args.address, &args.new_address);
    let state = ledger.recorded();
    refuse(from, to, &state)?;
    let printer = &context.printer;
    let id = state.resources[from].id.clone();
    printer.data(shown!("{} -> {}: {}", from, to, id.as_deref().unwrap_or("without an ID")));
    let following: Vec<&Address> = state
        .resources
        .iter()
        .filter(|(address, record)| *address != from && record.needs.contains_key(from))
        .map(|(address, _)| address)
        .collect();
    for address in &following {
        printer.data(shown!("  {} refers to it: the reference follows", address));
    }
    let unwanted = plan.map(|plan| unwanted(plan, from, to, &state)).transpose()?.flatten();
    if let Some(words) = &unwanted {
        printer.remark(words);
    }
    let code = if args.dry_run { exit::PENDING } else { exit::DONE };
    if !args.dry_run {
        revision::confirm("Move it?", args.yes, context)?;
        let moves = Moves { addresses: [(from.clone(), to.clone())].into(), ..Moves::default() };
        revision::record(ledger, &state, (command, RunPurpose::Move), context, vec![Fact::Moved(moves)]).await?;
        printer.data(shown!(
            "moved, as revision {}; the next deploy updates its ownership tag",
            ledger.recorded().revision()
        ));
    }
    if printer.json {
        let body = json!({"stack": state.stack, "exit": code, "dry_run": args.dry_run, "from": from, "to": to, "id": id,
                          "following": following, "remark": unwanted, "revision": ledger.recorded().revision()});
        printer.json("move", &body);
    }
    Ok(code)
}

fn refuse(from: &Address, to: &Address, state: &StackState) -> Result<(), Failure> {
    let lists = "akidb-edge state list shows the addresses";
    if !state.resources.contains_key(from) {
        return Err(codes::UNKNOWN_NAME
            .refused(shown!("the state of {} has no {}; nothing was done", state.stack, from), lists));
    }
    if from == to {
        return Err(
            codes::ARGUMENT.refused(shown!("{} is at {} already; nothing was done", from, to), "name another address")
        );
    }
    if from.kind_name() != to.kind_name() {
        let problem =
            shown!("{} is of kind {}, {} of kind {}; nothing was done", from, from.kind_name(), to, to.kind_name());
        return Err(codes::ARGUMENT.refused(problem, "name an address of the same kind"));
    }
    if let Some(held) = state.resources.get(to) {
        let id = held.id.as_deref().unwrap_or("something without an ID");
        let problem = shown!("{} is taken: {}; nothing was done", to, id);
        return Err(
            codes::ARGUMENT.refused(problem, shown!("move that first, or forget it: akidb-edge state forget {}", to))
        );
    }
    Ok(())
}

/// What the plan at hand makes of the new address.
fn unwanted(plan: &Plan, from: &Address, to: &Address, state: &StackState) -> Result<Option<SafeText>, Failure> {
    let wanted = desired::build(plan, &state.requested)?.desired;
    if wanted.resources.contains_key(to) {
        return Ok(None);
    }
    let then = if wanted.resources.contains_key(from) {
        shown!("it wants {}: the next deploy moves it back", from)
    } else if state.resources[from].is_imported() {
        SafeText::from("the next deploy forgets it")
    } else {
        SafeText::from("the next deploy deletes it")
    };
    Ok(Some(shown!("the plan does not contain {}; {}", to, then)))
}
