//! `rollback`: undo the last run, go back to a revision, or take a fallback of the plan.

use std::collections::BTreeSet;

use super::Context;
use super::again::{self, LetGo};
use super::deploy;
use super::full;
use super::jetson::refuse_shared;
use super::kept;
use super::order::{Choice, Order};
use super::unknown;
use super::walk::{self, EmptyArgs, Journals, PlanArgs, Request, RunArgs, Seen, Verb, Wanted, Worlds};
use crate::change::{self, Scope};
use crate::desired::Built;
use crate::exit::{self, Failure};
use crate::ledger::{Lease, Ledger, purpose_of};
use crate::observe;
use crate::plan::Plan;
use crate::provider::Providers;
use crate::report;
use crate::resource::{
    Action, Address, Artefacts, Changes, Ending, Kind, Origin, Remembered, RunPurpose, RunSummary, Shown, shown,
};

/// Undo the last run; the same difference, question and journal as a deploy.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// Name of the stack, when no plan is at hand; a plan (in the environment, too) is not read then
    #[arg(long)]
    stack: Option<String>,
    /// Go back to the state after this revision (0: before the first one); status lists them
    #[arg(long, value_name = "REVISION", conflicts_with = "fallback")]
    to: Option<u64>,
    /// Take a fallback of the plan (dns-to-origin, lambda-edge-off, replication-paused)
    #[arg(long, value_name = "NAME")]
    fallback: Option<String>,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    empty: EmptyArgs,
    /// Take up a thing that exists and is not this stack's
    #[arg(long, value_name = "ADDRESS")]
    adopt: Vec<Address>,
}

/// Rolls back.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(mut args: Args, context: &Context) -> Result<u8, Failure> {
    args.run = args.run.emptying(args.empty);
    if let Some(name) = &args.fallback {
        return fallback(name, &args, context).await;
    }
    let plan =
        if args.stack.is_none() && args.plan.plan.is_some() { Some(args.plan.load(&context.session)?) } else { None };
    let Some(stack) = args.stack.clone().or_else(|| plan.as_ref().map(|plan| plan.stack.clone())) else {
        return Err(Failure::refused("no stack is named", "add --plan NAME, or --stack NAME"));
    };
    let goes_by = format!("it names the stack and files to send, and settings come from the journal of {stack}");
    args.plan.say_what_variables_do(&context.voice, &goes_by);
    walk::no_devices(context, &stack, "rollback").await?;
    let worlds = Worlds::of_account(context).await?;
    let mut undo = Undo::of(&stack, "rollback", args.to, plan.as_ref());
    undo.adopt = args.adopt.iter().cloned().collect();
    undo.empty_buckets = args.run.empty_buckets;
    undo.carry_out(&args.run, worlds, context).await
}

async fn fallback(name: &str, args: &Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.plan.load(&context.session)?;
    let changed = plan.with_fallback(name)?;
    // with_fallback made sure that it is there.
    let Some(fallback) = plan.fallbacks.get(name) else { return Ok(exit::ERROR) };
    let order = Order {
        chosen: Choice { targets: fallback.only.clone(), exactly: true, ..Choice::default() },
        request: fallback.request.clone(),
        plan: changed,
        adopt: args.adopt.iter().cloned().collect(),
        command: format!("rollback --fallback {name} --plan {}", args.plan.plan.as_deref().unwrap_or_default()),
        purpose: RunPurpose::Fallback,
        fallback: Some(name.to_owned()),
        out: None,
    };
    deploy::carry_out(order, &args.run, None, context).await
}

/// The revision that undoing the last run goes back to: the one before it that came to its end. Undoing that was itself
/// cut short goes on to where it was going.
fn before_the_last(runs: &[RunSummary]) -> u64 {
    let undoes = |run: &RunSummary| purpose_of(run.purpose, &run.command) == RunPurpose::Rollback { to: None };
    let cut_short = |run: &RunSummary| run.ending != Some(Ending::Done) && undoes(run);
    let mut earlier = runs.iter().rev().skip_while(|run| cut_short(run)).skip(1);
    // A run that was killed left no state that anybody wanted: the run after it did the rest of its work.
    earlier.find(|run| run.ending.is_some()).map_or(0, |run| run.revision)
}

/// The runs without the last ones that left the state as it was: they failed before they changed anything, and there is
/// nothing of them to undo.
async fn with_effect<'r>(ledger: &Ledger, now: &'r Remembered) -> Result<&'r [RunSummary], Failure> {
    let mut runs = now.runs.as_slice();
    let mut after = now.clone();
    while let [earlier @ .., last] = runs {
        let before = ledger.remembered_at(earlier.last().map_or(0, |run| run.revision)).await?;
        let same = before.resources == after.resources
            && before.leftovers == after.leftovers
            && before.requested == after.requested
            && before.fallback == after.fallback;
        if !same || last.changes > 0 {
            break;
        }
        (runs, after) = (earlier, before);
    }
    Ok(runs)
}

/// Runs that are undone, over the cloud or over devices.
#[derive(Default)]
pub(super) struct Undo<'a> {
    stack: &'a str,
    /// The verb, as it is typed.
    verb: &'static str,
    /// The revision to go back to; none: the last run is undone.
    to: Option<u64>,
    /// The files of the plan, when one is at hand: their bytes may be needed.
    files: Artefacts,
    /// Foreign things to take up.
    adopt: BTreeSet<Address>,
    /// The data in buckets that go may be deleted.
    empty_buckets: bool,
    /// The state to go back to.
    aim: Remembered,
    /// What runs since then let go of.
    let_go: LetGo,
    /// Hashes of the content that is at hand.
    at_hand: BTreeSet<String>,
}

/// The files of a plan, by their hashes.
fn files_of(plan: Option<&Plan>) -> Artefacts {
    let mut artefacts = Artefacts::default();
    for (path, facts) in plan.into_iter().flat_map(|plan| &plan.files) {
        if let Ok((sha256, bytes)) = &facts.content {
            artefacts.add_file(sha256, path.into(), *bytes);
        }
    }
    artefacts
}

impl<'a> Undo<'a> {
    /// Runs of a stack, to the state after a revision, or the last one alone. `verb` is what was typed; of the plan only the
    /// files are used.
    pub fn of(stack: &'a str, verb: &'static str, to: Option<u64>, plan: Option<&Plan>) -> Self {
        Self { stack, verb, to, files: files_of(plan), ..Self::default() }
    }

    /// Goes back.
    ///
    /// # Errors
    /// What failed, why, and the next step.
    pub async fn carry_out(mut self, run: &RunArgs, worlds: Worlds<'_>, context: &Context) -> Result<u8, Failure> {
        let store = walk::store(&context.global, &context.session, self.stack, worlds.account()).await?;
        let held = store.lease().await?;
        let ledger = Ledger::read(store, self.stack).await?;
        let now = ledger.remembered();
        if now.sequence == 0 {
            return Err(unknown::refusal(self.stack, None, context));
        }
        // A holder that may be at work was not ended: its lease is what refuses this run.
        let held = held.filter(|lease| lease.is_stale(&context.session.host));
        if let Some(lease) = held.filter(|lease| self.to.is_none() && !undoes(lease))
            && !lease.has_begun(&ledger.entries().await?)
        {
            self.cut_off_before_it_began(&lease, &now, run, context)?;
        }
        let to = self.to.map_or(String::new(), |to| format!(" --to {to}"));
        let request = Request {
            stack: self.stack.to_owned(),
            devices: None,
            command: format!("{}{to} --stack {}", self.verb, self.stack),
            purpose: RunPurpose::Rollback { to: self.to },
            run,
            plan: None,
            only_looks: run.dry_run,
            emptying: full::ADD,
        };
        walk::carry_out(&request, worlds, &mut self, context).await
    }

    /// A command that was ended before its run began left a lease and no revision: whoever wants to undo that one would undo
    /// the run before it.
    fn cut_off_before_it_began(
        &self,
        held: &Lease,
        now: &Remembered,
        run: &RunArgs,
        context: &Context,
    ) -> Result<(), Failure> {
        let problem = shown!(
            "the last command, {} by {}@{}, was ended before it changed anything and has no revision; the last one that has is \
             revision {}",
            held.command,
            held.user,
            held.host,
            now.revision()
        );
        let to = before_the_last(&now.runs);
        if run.yes {
            return Err(Failure::refused(
                shown!("{}: nothing was done", problem),
                shown!("to undo that revision: akidb-edge {} --to {} --stack {}", self.verb, to, self.stack),
            ));
        }
        context.voice.remark(problem);
        Ok(())
    }
}

/// Whether a lease is of the command that undoes the last run: the same command again is what was meant.
fn undoes(held: &Lease) -> bool {
    purpose_of(held.purpose, &held.command) == RunPurpose::Rollback { to: None }
}

impl Verb for Undo<'_> {
    async fn wants(&mut self, journals: &Journals, context: &Context) -> Result<Wanted, Failure> {
        let ledger = journals.own();
        let now = ledger.remembered();
        self.aim = target(self.to, ledger, &now).await?;
        let mut desired = self.aim.as_desired();
        desired.moved = ledger.moved_since(self.aim.revision()).await?;
        let mut artefacts = kept::kept_artefacts(&context.global, self.stack);
        artefacts.extend(std::mem::take(&mut self.files));
        self.at_hand = artefacts.iter().map(|(sha256, _, _)| sha256.to_owned()).collect();
        self.let_go = again::let_go_since(&ledger.entries().await?, self.aim.revision());
        let (moves, remembered) = walk::moved(&desired, self.let_go.supposed(&self.aim, now));
        let going = remembered.resources.keys().filter(|address| !desired.resources.contains_key(*address));
        refuse_shared(&going.cloned().collect(), &desired, &remembered, self.stack)?;
        let was = self.aim.resources.iter().map(|(address, record)| (address.clone(), record.origin));
        let was = was.filter(|(_, origin)| *origin != Origin::Made).collect();
        Ok(Wanted {
            built: Built { desired, artefacts, ..Built::default() },
            remembered,
            scope: Scope { moves, undo: true, was, adopt: self.adopt.clone(), ..Scope::default() },
            requested: self.aim.requested.clone(),
            fallback: self.aim.fallback.clone(),
            again: format!("akidb-edge {} --to {} --stack {}", self.verb, self.aim.revision(), self.stack),
            ..Wanted::default()
        })
    }

    fn seen(&mut self, wanted: &mut Wanted, seen: &Seen, context: &Context) -> Result<(), Failure> {
        say_what_is_undone(&wanted.remembered, &self.aim, context);
        let Wanted { built, remembered, .. } = wanted;
        for address in self.let_go.leave_out(&seen.observed, &mut built.desired, remembered)? {
            context.voice.remark(shown!(
                "{}: state forget let it go and it is not there any more: it is not made again",
                address
            ));
        }
        Ok(())
    }

    /// What stands at an address now was looked at; what comes back there has another name and is looked for by that.
    async fn looks_again(
        &mut self,
        changes: &mut Changes,
        wanted: &Wanted,
        providers: &Providers,
    ) -> Result<(), Failure> {
        let back = change::coming_back(changes);
        if back.is_empty() {
            return Ok(());
        }
        let mut others = wanted.remembered.clone();
        others.resources.retain(|address, _| !back.contains(address));
        let seen = observe::read(&wanted.built.desired, &others, providers, |address| back.contains(address)).await;
        let refused = change::take_up_again(changes, &seen);
        if refused.is_empty() { Ok(()) } else { Err(walk::refused(&refused)) }
    }

    fn differs(&mut self, changes: &mut Changes, _wanted: &Wanted, context: &Context) -> Result<(), Failure> {
        for remark in cannot_be_undone(changes, &self.at_hand, self.empty_buckets) {
            context.voice.remark(remark);
        }
        Ok(())
    }
}

/// The state to go back to: what was before the last run that is still in force.
///
/// # Errors
/// When there is no such revision.
async fn target(to: Option<u64>, ledger: &Ledger, now: &Remembered) -> Result<Remembered, Failure> {
    let last = now.revision();
    if last == 0 {
        return Err(Failure::refused("there is nothing to undo: no run is in the journal", ""));
    }
    let runs = with_effect(ledger, now).await?;
    if to.is_none() && runs.is_empty() {
        return Err(Failure::refused("there is nothing to undo: no run changed anything", ""));
    }
    let to = to.unwrap_or_else(|| before_the_last(runs));
    if to >= last {
        return Err(Failure::refused(
            shown!("revision {} is not before the last one, {}", to, last),
            shown!("akidb-edge status --stack {} lists the revisions", now.stack),
        ));
    }
    Ok(ledger.remembered_at(to).await?)
}

/// Names the runs that are undone, and the state that is gone back to. A command after which nothing was to be written down is
/// not in the journal: what is undone may be older than the last deploy.
fn say_what_is_undone(now: &Remembered, target: &Remembered, context: &Context) {
    for run in now.runs.iter().rev().take_while(|run| run.revision > target.revision()) {
        let cut_short = if run.ending.is_none() { "interrupted after " } else { "" };
        let how = shown!("{}{}", cut_short, report::so_far(run));
        context.voice.talk(shown!("undoes revision {}: {} ({}, {})", run.revision, run.command, run.at, how));
    }
    context.voice.talk(goes_back_to(target.runs.last()));
}

/// The state that is gone back to. Runs that changed nothing may have a revision; what has none left nothing to undo.
fn goes_back_to(last: Option<&RunSummary>) -> Shown {
    let to = last.map_or_else(
        || Shown::from("goes back to before the first run"),
        |run| shown!("goes back to the state after revision {}: {} ({})", run.revision, run.command, run.at),
    );
    shown!("{}; a command that left no revision is not undone", to)
}

/// What is said before it is done: data that does not come back, code that is not at hand, certificates that are new.
fn cannot_be_undone(changes: &Changes, at_hand: &BTreeSet<String>, empty_buckets: bool) -> Vec<Shown> {
    let mut remarks = Vec::new();
    for change in changes.acting() {
        let spec = change.after.as_ref().map(|resource| &resource.spec);
        let sha256 = spec.and_then(|spec| spec.get("code_sha256")).and_then(serde_json::Value::as_str);
        if let (Some(data), Action::Delete) = (change.kind.facts().data, change.action) {
            let address = &change.address;
            remarks.push(if empty_buckets {
                shown!("{}: the data in it ({}) is deleted for good", address, data)
            } else {
                shown!("{}: it is not deleted while it holds {}; --empty-buckets deletes them, too", address, data)
            });
        }
        match (change.kind, change.action) {
            (Kind::Function, Action::Create | Action::Update | Action::Replace)
                if sha256.is_some_and(|sha| !at_hand.contains(sha)) =>
            {
                remarks.push(shown!(
                    "{}: its former code is not at hand on this machine: it is taken from a published version, if Lambda \
                     still has one, and the change is refused else",
                    change.address
                ));
            }
            (Kind::Certificate | Kind::Zone, Action::Create) => {
                remarks.push(shown!(
                    "{}: a new one is made; it is not the one that was there (other ARN, other name servers)",
                    change.address
                ));
            }
            _ => {}
        }
    }
    remarks
}

#[cfg(test)]
#[path = "rollback_tests.rs"]
mod tests;
