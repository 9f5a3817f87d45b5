//! `deploy`: make the stack what the plan says.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use super::Context;
use super::asking::{self, Asked};
use super::full;
use super::order::{Choice, Order};
use super::saved::{self, SavedPlan};
use super::walk::{self, PlanArgs, Purpose, Run, RunArgs};
use crate::change::Scope;
use crate::exit::{self, Failure};
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::report::{self, Terminal};
use crate::resource::{Address, Remembered};

/// Make the stack what the plan says: show the difference, ask, do it. A second run has nothing to do.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this area (cdn, edge, models, page, routing) with what it needs; or a saved plan (FILE.plan.json)
    #[arg(value_name = "AREA|FILE.plan.json")]
    what: Option<String>,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    run: RunArgs,
    /// Save what would be done to a file, for `deploy FILE.plan.json`; do nothing
    #[arg(long, value_name = "FILE.plan.json")]
    out: Option<PathBuf>,
    /// Only these addresses, with what they need (a beginning or a pattern will do)
    #[arg(long, value_name = "ADDRESS")]
    target: Vec<String>,
    /// Not these addresses, nor what needs them
    #[arg(long, value_name = "ADDRESS")]
    exclude: Vec<String>,
    /// Print the IAM policy that this plan needs, no more; no call is made
    #[arg(long)]
    print_iam_policy: bool,
    /// Take up a thing that exists and is not this stack's
    #[arg(long, value_name = "ADDRESS")]
    adopt: Vec<Address>,
    /// Put a step in force that waits to be asked for
    #[arg(long, value_name = "STEP")]
    request: Vec<String>,
}

/// Deploys.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    if let Some(file) = args.what.as_ref().filter(|what| what.ends_with(".json")) {
        return saved::apply(file, &args.run, context).await;
    }
    let plan = args.plan.load(&context.session)?;
    if args.print_iam_policy {
        return print_policy(&plan, context);
    }
    let mut targets = args.target.clone();
    targets.extend(args.what.clone());
    let area = args.what.as_ref().map_or(String::new(), |area| format!(" {area}"));
    let mut command = format!("deploy{area} --plan {}", args.plan.plan.as_deref().unwrap_or_default());
    for (flag, values) in [("target", &args.target), ("exclude", &args.exclude), ("request", &args.request)] {
        for value in values {
            command.push_str(&format!(" --{flag} {value}"));
        }
    }
    for step in &args.request {
        if plan.step(step).is_none() {
            return Err(Failure::refused(
                format!("the plan has no step {step:?}"),
                "akidb-edge status lists the steps that wait",
            ));
        }
    }
    let order = Order {
        plan,
        chosen: Choice { targets, excluded: args.exclude, ..Choice::default() },
        request: args.request.into_iter().collect(),
        adopt: args.adopt.into_iter().collect(),
        command,
        fallback: None,
        out: args.out,
    };
    carry_out(order, &args.run, context).await
}

/// Prints what the tool must be allowed to do for this plan, steps on request included.
fn print_policy(plan: &Plan, context: &Context) -> Result<u8, Failure> {
    let every: BTreeSet<String> = plan.steps.iter().map(|step| step.id.clone()).collect();
    let built = walk::build(plan, &every, &context.voice)?;
    let policy = crate::provider::aws::least_privilege(&built.desired, "*");
    report::put(&serde_json::to_string_pretty(&policy).unwrap_or_default());
    Ok(exit::DONE)
}

/// Carries out an order: the walk of `deploy`, `route` and `rollback --fallback`.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn carry_out(order: Order, run: &RunArgs, context: &Context) -> Result<u8, Failure> {
    let connection = walk::connect(&context.session).await?;
    let ledger = walk::open(context, &connection, &order.plan.stack, &order.command, only_looks(run, &order)).await?;
    let answer = with_ledger(&order, run, context, &connection, &ledger).await;
    walk::close(ledger, answer).await
}

async fn with_ledger(
    order: &Order,
    run: &RunArgs,
    context: &Context,
    connection: &walk::Connection,
    ledger: &Ledger,
) -> Result<u8, Failure> {
    let begun = Instant::now();
    let remembered = ledger.remembered();
    // Steps of an older plan that this one does not know any more are forgotten with it.
    let known = |step: &&String| order.plan.step(step).is_some();
    let requested: BTreeSet<String> =
        remembered.requested.iter().filter(known).chain(&order.request).cloned().collect();
    let mut built = walk::build(&order.plan, &requested, &context.voice)?;
    walk::need_files(&built)?;
    let (moves, remembered) = walk::moved(&built.desired, remembered);
    let only = order.chosen.addresses(&built, &remembered)?;
    let scope = Scope { only, adopt: order.adopt.clone(), moves, ..Scope::default() };
    walk::need_changeable(&built.desired, &remembered, &scope)?;
    let artefacts = std::mem::take(&mut built.artefacts);
    saved::keep_artefacts(&context.global, &built.desired, &artefacts, run.dry_run)?;
    let at_hand: BTreeSet<String> = artefacts.iter().map(|(sha256, _, _)| sha256.to_owned()).collect();
    let made = if order.out.is_some() { saved::made_in_memory(&artefacts) } else { Vec::new() };
    let providers = walk::with_artefacts(connection, artefacts);
    let covers = |address: &Address| scope.only.as_ref().is_none_or(|only| only.contains(address));
    let (identity, observed) = connection.look(&built.desired, &remembered, &providers, covers).await?;
    let header = walk::header(connection, &identity, &order.plan.stack, Some(&order.plan), &context.global);
    context.voice.header(&header);
    say_what_is_in_force(order, &remembered, context);
    let changes = walk::difference(&built.desired, &remembered, &observed, &scope)?;
    if order.out.is_none() {
        full::refuse(&changes, &providers, run, context).await?;
    }
    for remark in saved::not_to_be_undone(&changes, &at_hand, &context.global, &order.plan.stack) {
        context.voice.remark(&remark);
    }
    let purpose = Purpose { command: order.command.clone(), requested, fallback: order.fallback.clone() };
    if let Some(file) = &order.out {
        let saved = SavedPlan::new(&saved::Looked {
            header: &header,
            plan: &order.plan,
            purpose: &purpose,
            remembered: &remembered,
            built: &built,
            scope: &scope,
            made: &made,
            changes: &changes,
        });
        saved.write(file)?;
    }
    let asked = Asked {
        changes: &changes,
        built: &built,
        header: &header,
        only_looks: only_looks(run, order),
        whole: order.chosen.is_everything(),
    };
    let terminal = Terminal::new(context.session.terminal, context.global.quiet, context.session.colour);
    let session = &context.session;
    let work = Run {
        ledger,
        providers: &providers,
        listener: &terminal,
        identity: &identity,
        session,
        options: run.options(),
    };
    if let Some(code) = asking::confirm(&asked, run, context)? {
        // Nothing to do in the world, but what is in force may have changed: that is worth a revision.
        // So may what a kept resource makes known.
        let turned = purpose.requested != remembered.requested
            || purpose.fallback != remembered.fallback
            || !walk::learned(&changes, &remembered).is_empty();
        if turned && !only_looks(run, order) {
            work.go(&changes, &purpose).await?;
        }
        return Ok(code);
    }
    // The time that a person took to say yes is not the run's.
    let begun = if run.yes { begun } else { Instant::now() };
    let outcome = work.go(&changes, &purpose).await?;
    Ok(asking::tell(&outcome, begun, &asked, context, &context.session.again))
}

fn only_looks(run: &RunArgs, order: &Order) -> bool {
    run.dry_run || order.out.is_some()
}

fn say_what_is_in_force(order: &Order, remembered: &Remembered, context: &Context) {
    if let Some(fallback) = remembered.fallback.as_ref().filter(|_| order.fallback.is_none()) {
        context.voice.remark(&format!("the fallback {fallback} is in force; this run ends it"));
    }
}
