//! `destroy`: remove the stack.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::Context;
use super::asking::{self, Asked};
use super::full;
use super::imported;
use super::order::{Choice, Part};
use super::unknown;
use super::walk::{self, EmptyArgs, PlanArgs, Purpose, Run, RunArgs};
use crate::change::{self, Scope};
use crate::desired::{self, Built};
use crate::exit::Failure;
use crate::ledger::Ledger;
use crate::report::{self, Omitted, Terminal};
use crate::resource::{Address, Artefacts, Changes, Desired, RunPurpose};

/// Remove the stack: in order, resumable; what will not go yet is left for a later run (exit code 2).
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// Name of the stack, when no plan is at hand; a plan (in the environment, too) is not read then
    #[arg(long)]
    stack: Option<String>,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    empty: EmptyArgs,
    /// Only these addresses, and everything that needs them
    #[arg(long, value_name = "ADDRESS")]
    target: Vec<String>,
    /// Also delete this resource, which was imported and not made by the stack; by its whole address
    #[arg(long, value_name = "ADDRESS")]
    delete_imported: Vec<Address>,
}

/// Destroys.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(mut args: Args, context: &Context) -> Result<u8, Failure> {
    args.run = args.run.emptying(args.empty);
    let plan = if args.stack.is_none() { Some(args.plan.load(&context.session)?) } else { None };
    let stack = args.stack.clone().or(plan.as_ref().map(|plan| plan.stack.clone())).unwrap_or_default();
    let goes_by = format!("it names the stack, and what goes is in the journal of {stack}");
    args.plan.say_what_variables_do(&context.voice, &goes_by);
    walk::no_devices(context, &stack, "uninstall").await?;
    let connection = walk::connect(&context.session).await?;
    if unknown::known(&stack, context, &connection).await?.sequence == 0 {
        let wanted = plan.as_ref().and_then(|plan| desired::build(plan, &BTreeSet::new()).ok());
        let marked = unknown::marked(&stack, wanted.as_ref().map(|built| &built.desired), &connection).await?;
        return Err(unknown::refusal(&stack, Some(&marked), context));
    }
    let empty = if args.run.empty_buckets { " --empty-buckets" } else { "" };
    let mut command = format!("destroy --stack {stack}{empty}");
    for address in &args.delete_imported {
        command.push_str(&format!(" --delete-imported {address}"));
    }
    let ledger = walk::open(context, &connection, &stack, &command, RunPurpose::Destroy, args.run.dry_run).await?;
    let answer = remove(&args, &command, &stack, context, &connection, &ledger).await;
    walk::close(ledger, answer).await
}

async fn remove(
    args: &Args,
    command: &str,
    stack: &str,
    context: &Context,
    connection: &walk::Connection,
    ledger: &Ledger,
) -> Result<u8, Failure> {
    let begun = Instant::now();
    let remembered = ledger.remembered();
    let built = Built { desired: Desired::new(stack), ..Built::default() };
    let choice = Choice { targets: args.target.clone(), exactly: true, ..Choice::default() };
    let Part { only: named, remembered, .. } = choice.part(&built, change::needs_by_name(remembered))?;
    let along = named.as_ref().map(|named| change::dependents(&remembered, named)).unwrap_or_default();
    let only = named.map(|named| named.into_iter().chain(along.keys().cloned()).collect());
    let delete_imported = imported::named(&args.delete_imported, &remembered)?;
    let scope = Scope { only, delete_imported, ..Scope::default() };
    need_in_scope(&scope)?;
    let providers = walk::with_artefacts(connection, Artefacts::default());
    let covers = |address: &Address| scope.only.as_ref().is_none_or(|only| only.contains(address));
    let (identity, observed) = connection.look(&built.desired, &remembered, &providers, covers).await?;
    let header = walk::header(connection, &identity, stack, None, &context.global);
    context.voice.header(&header);
    let mut changes = walk::difference(&built.desired, &remembered, &observed, &scope)?;
    say_why(&mut changes, &along);
    if args.run.empty_buckets && !changes.is_empty() {
        context.voice.remark("all objects and old versions in the stack's buckets are deleted for good");
    }
    imported::say_what_stays(&changes, context);
    full::refuse(&changes, &providers, &args.run, full::ADD, context).await?;
    let only_looks = args.run.dry_run;
    let asked = Asked {
        changes: &changes,
        built: &built,
        header: &header,
        only_looks,
        whole: false,
        omitted: Omitted::default(),
    };
    if let Some(code) = asking::confirm(&asked, &args.run, context)? {
        return Ok(code);
    }
    let terminal = Terminal::new(context.session.terminal, context.global.quiet, context.session.colour);
    let purpose = Purpose { command: command.to_owned(), kind: RunPurpose::Destroy, ..Purpose::default() };
    let session = &context.session;
    let work = Run {
        ledger,
        providers: &providers,
        listener: &terminal,
        identity: &identity,
        session,
        options: args.run.options(),
    };
    // The time that a person took to say yes is not the run's.
    let begun = if args.run.yes { begun } else { Instant::now() };
    let outcome = work.go(&changes, &purpose).await?;
    let code = asking::tell(&outcome, begun, &asked, context, &context.session.again);
    say_what_is_left(ledger, context);
    Ok(code)
}

/// What was not named and goes all the same: with the reason in its line.
fn say_why(changes: &mut Changes, along: &BTreeMap<Address, Address>) {
    for (address, need) in along {
        if let Some(change) = changes.items.get_mut(address) {
            let more = change.reason.take().map_or_else(String::new, |reason| format!("; {reason}"));
            change.reason = Some(format!("it needs {need}, which goes{more}"));
        }
    }
}

/// Refuses the name of an imported resource that this run does not reach.
fn need_in_scope(scope: &Scope) -> Result<(), Failure> {
    match scope.delete_imported.iter().find(|address| !scope.covers(address)) {
        None => Ok(()),
        Some(outside) => Err(Failure::refused(
            format!("--delete-imported {outside} is not among the addresses that this run works on"),
            format!("add --target {outside}"),
        )),
    }
}

/// A destroy that leaves something is partial, and its last line says so.
fn say_what_is_left(ledger: &Ledger, context: &Context) {
    let left = ledger.remembered();
    let all: Vec<String> =
        left.resources.keys().chain(left.leftovers.iter().map(|left| &left.address)).map(ToString::to_string).collect();
    if all.is_empty() {
        return;
    }
    let more = if all.len() > 5 { format!(" and {} more", all.len() - 5) } else { String::new() };
    let first: Vec<&str> = all.iter().take(5).map(String::as_str).collect();
    let things = report::counted(all.len(), "resource");
    context.voice.data(&format!("partial: {things} of the stack left: {}{more}", first.join(", ")));
}
