//! `deploy`: make the stack what the plan says.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;

use super::Context;
use super::saved::{self, SavedPlan};
use super::walk::{self, PlanArgs, Purpose, Run, RunArgs};
use crate::change::Scope;
use crate::desired::Built;
use crate::exit::{self, Failure};
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::report::{self, Terminal};
use crate::resource::{Action, Address, Changes, Kind, Remembered};

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

/// Verbs that a plan may name as a step and that exist, but are not part of a deploy.
const VERBS_OF_THEIR_OWN: &[&str] = &["report"];

/// What a verb wants done, once its arguments are read.
pub struct Order {
    /// The plan.
    pub plan: Plan,
    /// Addresses to work on: which of the graph's.
    pub chosen: Choice,
    /// Steps to put in force.
    pub request: BTreeSet<String>,
    /// Foreign things to take up.
    pub adopt: BTreeSet<Address>,
    /// The verb with its main arguments.
    pub command: String,
    /// The fallback to put in force; the plan carries its settings already.
    pub fallback: Option<String>,
    /// Save to this file, do nothing.
    pub out: Option<PathBuf>,
}

/// Which addresses of the graph a run works on.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// These and what they need; all when empty.
    pub targets: Vec<String>,
    /// The addresses of these steps; none: of any step.
    pub steps: BTreeSet<String>,
    /// Not these, nor what needs them.
    pub excluded: Vec<String>,
    /// Exactly the targets, without what they need (a fallback changes nothing else).
    pub exactly: bool,
}

impl Choice {
    /// Whether nothing narrows it down.
    pub fn is_everything(&self) -> bool {
        self.targets.is_empty() && self.steps.is_empty() && self.excluded.is_empty()
    }

    /// The addresses; none for all of them.
    ///
    /// # Errors
    /// When a target names nothing.
    pub fn addresses(&self, built: &Built, remembered: &Remembered) -> Result<Option<BTreeSet<Address>>, Failure> {
        if self.is_everything() {
            return Ok(None);
        }
        let every: BTreeSet<Address> =
            built.desired.resources.keys().chain(remembered.resources.keys()).cloned().collect();
        for pattern in self.targets.iter().chain(&self.excluded) {
            if !every.iter().any(|address| address.matches(pattern)) {
                let areas: BTreeSet<&str> = every.iter().map(Address::area).collect();
                let known = areas.into_iter().collect::<Vec<_>>().join(", ");
                return Err(Failure::refused(
                    format!("nothing in this plan or its state is called {pattern:?}"),
                    format!("areas: {known}; akidb-edge status lists the addresses"),
                ));
            }
        }
        let of_steps: BTreeSet<&Address> =
            self.steps.iter().filter_map(|step| built.by_step.get(step)).flatten().collect();
        let open = self.targets.is_empty() && self.steps.is_empty();
        let wanted = |address: &Address| {
            open || of_steps.contains(address) || self.targets.iter().any(|pattern| address.matches(pattern))
        };
        let mut chosen: BTreeSet<Address> = every.iter().filter(|address| wanted(address)).cloned().collect();
        if self.exactly {
            chosen.retain(|address| remembered.resources.contains_key(address));
            if chosen.is_empty() {
                let problem = format!("nothing of {} is deployed", self.targets.join(", "));
                return Err(Failure::refused(problem, "akidb-edge status shows what is there"));
            }
        } else {
            chosen.extend(built.desired.with_needs(wanted));
        }
        let excluded = |address: &Address| self.excluded.iter().any(|pattern| address.matches(pattern));
        chosen.retain(|address| {
            !excluded(address) && !built.desired.with_needs(|start| start == address).iter().any(excluded)
        });
        Ok(Some(chosen))
    }
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
    let store = walk::store(&context.global, &context.session, &order.plan.stack, Some(&connection)).await?;
    let ledger = if only_looks(run, &order) {
        Ledger::read(store, &order.plan.stack).await?
    } else {
        Ledger::write(store, &order.plan.stack, walk::lease(&context.session, &order.command)).await?
    };
    let answer = with_ledger(&order, run, context, &connection, &ledger).await;
    let closed = ledger.close().await;
    let code = answer?;
    closed?;
    Ok(code)
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
    let scope = Scope { only: order.chosen.addresses(&built, &remembered)?, adopt: order.adopt.clone() };
    let artefacts = std::mem::take(&mut built.artefacts);
    saved::keep_artefacts(&context.global, &order.plan.stack, &artefacts, run.dry_run)?;
    let made = if order.out.is_some() { saved::made_in_memory(&artefacts) } else { Vec::new() };
    let providers = walk::with_artefacts(connection, artefacts);
    let covers = |address: &Address| scope.only.as_ref().is_none_or(|only| only.contains(address));
    let (identity, observed) = connection.look(&built.desired, &remembered, &providers, covers).await?;
    let header = walk::header(connection, &identity, &order.plan.stack, Some(&order.plan), &context.global);
    context.voice.header(&header);
    say_what_is_in_force(order, &remembered, context);
    let changes = walk::difference(&built.desired, &remembered, &observed, &scope)?;
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
    if let Some(code) = confirm(&asked, run, context)? {
        // Nothing to do in the world, but what is in force may have changed: that is worth a revision.
        let turned = purpose.requested != remembered.requested || purpose.fallback != remembered.fallback;
        if turned && !only_looks(run, order) {
            work.go(&changes, &purpose).await?;
        }
        return Ok(code);
    }
    // The time that a person took to say yes is not the run's.
    let begun = if run.yes { begun } else { Instant::now() };
    let outcome = work.go(&changes, &purpose).await?;
    say_name_servers(&outcome, ledger, context);
    Ok(tell(&outcome, begun, &asked, context, &context.session.again))
}

fn only_looks(run: &RunArgs, order: &Order) -> bool {
    run.dry_run || order.out.is_some()
}

fn say_what_is_in_force(order: &Order, remembered: &Remembered, context: &Context) {
    if let Some(fallback) = remembered.fallback.as_ref().filter(|_| order.fallback.is_none()) {
        context.voice.remark(&format!("the fallback {fallback} is in force; this run ends it"));
    }
}

/// A new zone answers nobody until the registrar names its servers.
fn say_name_servers(outcome: &crate::resource::Outcome, ledger: &Ledger, context: &Context) {
    let state = ledger.remembered();
    for done in outcome.done.iter().filter(|done| done.kind == Kind::Zone && done.action == Action::Create) {
        let attributes = state.resources.get(&done.address).map(|record| &record.attributes);
        let servers = attributes.and_then(|known| known.get("name_servers")).and_then(serde_json::Value::as_array);
        let servers: Vec<&str> = servers.into_iter().flatten().filter_map(serde_json::Value::as_str).collect();
        let zone =
            attributes.and_then(|known| known.get("name")).and_then(serde_json::Value::as_str).unwrap_or_default();
        context.voice.talk(&format!("{zone} is new: name its servers at the registrar: {}", servers.join(", ")));
    }
}

/// What is about to be asked.
pub struct Asked<'a> {
    /// The difference.
    pub changes: &'a Changes,
    /// The graph and what is not in it.
    pub built: &'a Built,
    /// Whom we talk to.
    pub header: &'a report::Header,
    /// Nothing will be done.
    pub only_looks: bool,
    /// It is about the whole plan, not a part of it.
    pub whole: bool,
}

/// Shows the difference and asks. An exit code means that nothing is to be done.
///
/// # Errors
/// When nobody can be asked and --yes was not said.
pub fn confirm(asked: &Asked<'_>, run: &RunArgs, context: &Context) -> Result<Option<u8>, Failure> {
    let voice = &context.voice;
    let text = report::changes_text(asked.changes, voice.verbose > 0, context.session.colour, run.wait);
    voice.data(&text);
    if asked.whole || voice.verbose > 0 {
        say_what_is_not_done(asked.built, context);
    }
    let finished = asked.changes.is_empty() || asked.only_looks;
    if finished {
        let code = if asked.changes.is_empty() { exit::DONE } else { exit::PENDING };
        if voice.json {
            voice.json("deploy", &document(asked, None, code));
        }
        return Ok(Some(code));
    }
    if run.yes {
        return Ok(None);
    }
    if !context.session.can_ask {
        return Err(Failure::refused(
            "nothing was done: nobody is there to say yes",
            "read the difference above, then add --yes",
        ));
    }
    if voice.ask("Do this?") { Ok(None) } else { Err(Failure::refused("nothing was done", "")) }
}

/// Steps that this run does not take, and why: never silently left out.
fn say_what_is_not_done(built: &Built, context: &Context) {
    let own_verb = |step: &&(String, String)| VERBS_OF_THEIR_OWN.contains(&step.1.as_str());
    let (own, later): (Vec<_>, Vec<_>) = built.later.iter().partition(own_verb);
    let list = |steps: &[&(String, String)]| {
        steps.iter().map(|(step, verb)| format!("{step} ({verb})")).collect::<Vec<_>>().join(", ")
    };
    if !later.is_empty() {
        let steps = report::counted(later.len(), "step");
        context.voice.talk(&format!("not available yet: {steps}: {}", list(&later)));
    }
    if !own.is_empty() {
        context.voice.talk(&format!("done by a verb of its own: {}", list(&own)));
    }
    for step in &built.waiting {
        context.voice.talk(&format!("waits to be asked for: step {step} (deploy --request {step})"));
    }
}

/// Tells how it went and gives the exit code.
pub fn tell(
    outcome: &crate::resource::Outcome,
    begun: Instant,
    asked: &Asked<'_>,
    context: &Context,
    command: &str,
) -> u8 {
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let code = match (outcome.is_complete(), outcome.deferred.is_empty(), outcome.failed.is_empty()) {
        (true, true, _) => exit::DONE,
        _ if outcome.stopped => exit::PENDING,
        (_, _, false) => exit::ERROR,
        _ => exit::PENDING,
    };
    context.voice.data(&report::outcome_text(outcome, took_ms, command));
    if context.voice.json {
        context.voice.json("deploy", &document(asked, Some(report::outcome_json(outcome, took_ms)), code));
    }
    code
}

fn document(asked: &Asked<'_>, outcome: Option<serde_json::Value>, code: u8) -> serde_json::Value {
    let mut body = json!({
        "header": asked.header, "exit": code, "outcome": outcome,
        "not_available_yet": asked.built.later.iter().map(|(step, verb)| json!({"step": step, "verb": verb})).collect::<Vec<_>>(),
        "waiting": asked.built.waiting,
    });
    if let (Some(all), Some(more)) = (body.as_object_mut(), report::changes_json(asked.changes).as_object()) {
        all.extend(more.clone());
    }
    body
}
