//! `deploy`: make the stack what the plan says.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use super::Context;
use super::asking::{self, Asked};
use super::full;
use super::kept;
use super::order::{Choice, Order, Part};
use super::saved::{self, SavedPlan};
use super::walk::{self, EmptyArgs, PlanArgs, Purpose, Run, RunArgs};
use crate::change::{Outside, Scope};
use crate::desired::Built;
use crate::exit::{self, Failure};
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::report::{self, Omitted, Terminal};
use crate::resource::{Address, Changes, Owner, Remembered, RunPurpose};

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
    #[command(flatten)]
    empty: EmptyArgs,
    /// Save what would be done to a file, for `deploy FILE.plan.json`; do nothing
    #[arg(long, value_name = "FILE.plan.json")]
    out: Option<PathBuf>,
    /// Overwrite the file of --out, even if it is not a saved plan
    #[arg(long, requires = "out")]
    force: bool,
    /// Only these addresses, with what they need (a beginning or a pattern will do); they add up, and with AREA
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
    if let Some(file) = &args.out {
        saved::may_write(file, args.force)?;
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
    need_requests(&plan, &args.request)?;
    let order = Order {
        plan,
        chosen: Choice { targets, excluded: args.exclude, ..Choice::default() },
        request: args.request.into_iter().collect(),
        adopt: args.adopt.into_iter().collect(),
        command,
        purpose: RunPurpose::Deploy,
        fallback: None,
        out: args.out,
    };
    carry_out(order, &args.run.emptying(args.empty), context).await
}

/// Refuses steps that the plan does not have, and steps that do not wait to be asked for.
///
/// # Errors
/// Which one, and the steps that wait.
pub fn need_requests(plan: &Plan, requested: &[String]) -> Result<(), Failure> {
    let Some(unknown) = requested.iter().find(|id| plan.step(id).is_none_or(|step| !step.on_request)) else {
        return Ok(());
    };
    let waiting: Vec<&str> = plan.steps.iter().filter(|step| step.on_request).map(|step| step.id.as_str()).collect();
    let next = match waiting.as_slice() {
        [] => "leave --request out: the plan has no step on request".to_owned(),
        all => format!("the steps that wait to be asked for: {}", all.join(", ")),
    };
    let problem = match plan.step(unknown) {
        None => format!("the plan has no step {unknown:?}"),
        Some(_) => format!("step {unknown:?} does not wait to be asked for: every deploy carries it out"),
    };
    Err(Failure::refused(problem, next))
}

/// Prints what the tool must be allowed to do for this plan, steps on request included.
fn print_policy(plan: &Plan, context: &Context) -> Result<u8, Failure> {
    let every: BTreeSet<String> = plan.steps.iter().map(|step| step.id.clone()).collect();
    let built = walk::build(plan, &every, &context.voice)?;
    let policy = super::doctor::needed(&built.desired, "*", &context.global.state);
    if context.voice.json {
        context.voice.json("iam-policy", &serde_json::json!({"policy": policy}));
    } else {
        report::put_json(&serde_json::to_string_pretty(&policy).unwrap_or_default());
    }
    Ok(exit::DONE)
}

/// Carries out an order: the walk of `deploy`, `route` and `rollback --fallback`.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn carry_out(order: Order, run: &RunArgs, context: &Context) -> Result<u8, Failure> {
    let connection = walk::connect(&context.session).await?;
    let (stack, looks) = (&order.plan.stack, only_looks(run, &order));
    let ledger = walk::open(context, &connection, stack, &order.command, order.purpose, looks).await?;
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
    let Part { only, moves, remembered, outside } = order.chosen.part(&built, remembered)?;
    let scope = Scope { only, adopt: order.adopt.clone(), moves, ..Scope::default() };
    need_addresses(order, &built, &scope)?;
    walk::need_changeable(&built.desired, &remembered, &scope)?;
    let artefacts = std::mem::take(&mut built.artefacts);
    kept::keep_artefacts(&context.global, &built.desired, &artefacts, run.dry_run)?;
    let at_hand: BTreeSet<String> = artefacts.iter().map(|(sha256, _, _)| sha256.to_owned()).collect();
    let made = if order.out.is_some() { kept::made_in_memory(&artefacts) } else { Vec::new() };
    let providers = walk::with_artefacts(connection, artefacts);
    let covers = |address: &Address| scope.only.as_ref().is_none_or(|only| only.contains(address));
    let (identity, observed) = connection.look(&built.desired, &remembered, &providers, covers).await?;
    let header = walk::header(connection, &identity, &order.plan.stack, Some(&order.plan), &context.global);
    context.voice.header(&header);
    say_what_is_in_force(order, &remembered, context);
    let changes = walk::difference(&built.desired, &remembered, &observed, &scope)?;
    say_what_is_not_adopted(&order.adopt, &changes, context);
    let looking = RunArgs { dry_run: only_looks(run, order), ..run.clone() };
    full::refuse(&changes, &providers, &looking, full::ADD, context).await?;
    for remark in kept::not_to_be_undone(&changes, &at_hand, &context.global, &order.plan.stack) {
        context.voice.remark(&remark);
    }
    let (command, fallback) = (order.command.clone(), order.fallback.clone());
    let purpose = Purpose { command, kind: order.purpose, requested, fallback };
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
            empty_buckets: run.empty_buckets,
        });
        saved.write(file, ledger).await?;
    }
    let asked = Asked {
        changes: &changes,
        built: &built,
        header: &header,
        only_looks: only_looks(run, order),
        whole: order.chosen.is_everything(),
        omitted: omitted(order, &outside),
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
        if changes.is_empty() && !only_looks(run, order) && purpose.is_news(&changes, &remembered) {
            work.go(&changes, &purpose).await?;
        }
        return Ok(code);
    }
    // The time that a person took to say yes is not the run's.
    let begun = if run.yes { begun } else { Instant::now() };
    let outcome = work.go(&changes, &purpose).await?;
    Ok(asking::tell(&outcome, begun, &asked, context, &context.session.again))
}

/// What the user's selection leaves out. `route` and a fallback are about a part by themselves.
fn omitted<'o>(order: &Order, outside: &'o Outside) -> Omitted<'o> {
    if order.purpose != RunPurpose::Deploy {
        return Omitted::default();
    }
    Omitted { unselected: &outside.addresses, would_change: &outside.would_change, ..Omitted::default() }
}

fn only_looks(run: &RunArgs, order: &Order) -> bool {
    run.dry_run || order.out.is_some()
}

/// Refuses what would silently be left out: a thing to take up, or a step, outside of what this run works on.
fn need_addresses(order: &Order, built: &Built, scope: &Scope) -> Result<(), Failure> {
    if let Some(unknown) = order.adopt.iter().find(|address| !built.desired.resources.contains_key(*address)) {
        let like = |known: &&Address| known.area() == unknown.area() || known.kind_name() == unknown.kind_name();
        let near: Vec<&str> = built.desired.resources.keys().filter(like).take(5).map(Address::as_str).collect();
        let next = match near.as_slice() {
            [] => "name an address that deploy --dry-run lists".to_owned(),
            near => format!("name an address of the plan, such as {}", near.join(", ")),
        };
        return Err(Failure::refused(format!("the plan has no {unknown} to adopt anything for"), next));
    }
    if let Some(outside) = order.adopt.iter().find(|address| !scope.covers(address)) {
        return Err(Failure::refused(
            format!("--adopt {outside} is not among the addresses that this run works on"),
            format!("add --target {outside}, or leave it out of --exclude"),
        ));
    }
    for step in &order.request {
        let mut own = built.by_step.get(step).into_iter().flatten();
        if let Some(outside) = own.find(|address| !scope.covers(address)) {
            return Err(Failure::refused(
                format!("step {step} changes {outside}, which is not among the addresses that this run works on"),
                format!("add --target {outside}, or leave it out of --exclude"),
            ));
        }
    }
    Ok(())
}

/// `--adopt` of what is not there, or is this stack's already, takes nothing up: said, so that nobody believes it did.
fn say_what_is_not_adopted(adopt: &BTreeSet<Address>, changes: &Changes, context: &Context) {
    for address in adopt {
        let found = changes.items.get(address).map(|change| change.found.as_ref());
        let why = match found {
            Some(Some(found)) if found.owner == Owner::Ours => "it is this stack's already",
            Some(None) => "nothing is there yet",
            _ => continue,
        };
        context.voice.remark(&format!("--adopt {address} takes nothing up: {why}"));
    }
}

fn say_what_is_in_force(order: &Order, remembered: &Remembered, context: &Context) {
    if let Some(fallback) = remembered.fallback.as_ref().filter(|_| order.fallback.is_none()) {
        context.voice.remark(&format!("the fallback {fallback} is in force; this run ends it"));
    }
}
