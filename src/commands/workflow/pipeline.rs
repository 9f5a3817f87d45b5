//! The pipeline of a run, from its journals to its exit code: the same for every verb that changes something.
//!
//! open the journals -> what the verb wants -> look at every world -> the difference -> what is in its way -> show, ask ->
//! do -> tell. A run that only looks stops before it does anything, and shows the very difference that it would use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::skipped::machine;
use super::{
    AllowedChanges, Journals, Operation, Platforms, RunArgs, RunInput, RunLabel, RunRequest, RunTarget, RunView,
    SkippedResources, difference, other_stack, previewed, refused,
};
use crate::commands::confirm::{self, Confirmation};
use crate::commands::{Context, holding_data};
use crate::exit::Failure;
use crate::provider::Providers;
use crate::report::{OmittedResources, Terminal};
use crate::resource::{Address, Changes, Fault, RunOutcome, RunPurpose, SafeText, shown};

/// Carries out a run and gives its exit code.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn carry_out(
    request: &RunRequest<'_>,
    mut platforms: Platforms<'_>,
    verb: &mut impl Operation,
    context: &Context,
) -> Result<u8, Failure> {
    let journals = Journals::open(request, &mut platforms, context).await?;
    let pipeline = Pipeline { request, journals: &journals, context };
    let answer = pipeline.run(&mut platforms, verb).await;
    journals.close(answer).await
}

/// A run under its leases.
struct Pipeline<'a> {
    request: &'a RunRequest<'a>,
    journals: &'a Journals,
    context: &'a Context,
}

/// A difference with what it was made of.
struct PlannedRun {
    wanted: RunTarget,
    seen: RunView,
    providers: Providers,
    changes: Changes,
    /// What of the run needs an account that could not be reached.
    of_account: Vec<Address>,
    /// Data that goes: one line for each thing that holds some.
    data: Vec<SafeText>,
}

impl Pipeline<'_> {
    async fn run(&self, platforms: &mut Platforms<'_>, verb: &mut impl Operation) -> Result<u8, Failure> {
        let begun = Instant::now();
        let (request, context) = (self.request, self.context);
        let PlannedRun { wanted, seen, providers, changes, of_account, data } = self.plan(platforms, verb).await?;
        let purpose = self.purpose(&wanted);
        let header = &seen.header;
        let allowed =
            AllowedChanges { header, purpose: &purpose, wanted: &wanted, changes: &changes, journals: self.journals };
        verb.allowed(&allowed).await?;
        let away: Vec<String> = seen.left.machines.keys().cloned().collect();
        let clusters: Vec<String> = seen.left.clusters_alone().map(|(cluster, _)| cluster.clone()).collect();
        let held: Vec<Address> = seen.left.held.keys().cloned().collect();
        let asked = Confirmation {
            changes: &changes,
            built: &wanted.built,
            header,
            purpose: request.purpose,
            data: &data,
            only_looks: request.only_looks,
            whole: wanted.whole,
            omitted: OmittedResources {
                away: &away,
                clusters: &clusters,
                account_away: seen.left.account.is_some(),
                of_account: &of_account,
                held: &held,
                unnamed: &wanted.unnamed,
                unselected: &wanted.unselected.addresses,
                would_change: &wanted.unselected.would_change,
            },
        };
        let terminal = Terminal::new(context.session.terminal, context.global.quiet, context.session.color);
        let terminal = terminal.of(&changes, context.printer.verbose > 0);
        let work = RunInput {
            journals: self.journals,
            providers: &providers,
            listener: &terminal,
            account: &seen.account,
            platforms: &header.platforms,
            session: &context.session,
            options: request.run.options(),
        };
        if let Some(code) = confirm::confirm(&asked, request.run, context)? {
            if self.is_news(&changes, &purpose, &wanted) {
                work.go(&changes, &purpose).await?;
            }
            return Ok(seen.left.code(code));
        }
        // The time that a person took to say yes is not the run's.
        let begun = if request.run.yes { begun } else { Instant::now() };
        let outcome = work.go(&changes, &purpose).await?;
        let code = confirm::tell(&outcome, begun, &asked, context, &wanted.again);
        if platforms.has_devices() {
            say_how_each_went(&wanted, &outcome, &seen.left, context);
        }
        verb.ended(self.journals, context);
        // What a person has to do now is the last thing to be read, too: it was said in the middle of the run.
        terminal.notices().into_iter().for_each(|notice| context.printer.talk(notice));
        Ok(seen.left.code(code))
    }

    /// Looks at every world and makes the difference; nothing is in its way.
    async fn plan(&self, platforms: &mut Platforms<'_>, verb: &mut impl Operation) -> Result<PlannedRun, Failure> {
        let (request, context) = (self.request, self.context);
        platforms.need_apart(self.journals)?;
        let mut wanted = verb.wants(self.journals, context).await?;
        platforms.need_account_for(&wanted)?;
        let outside = other_stack::read(&mut wanted, request, platforms, context).await?;
        let artifacts = Arc::new(std::mem::take(&mut wanted.built.artifacts));
        let providers = platforms.providers(&wanted, &artifacts)?;
        let seen = platforms.look(request, &wanted, &providers).await?;
        context.printer.header(&seen.header);
        self.say_what_ends(&wanted);
        for remark in &wanted.remarks {
            context.printer.remark(remark);
        }
        seen.left.say(context);
        verb.seen(&mut wanted, &seen, context)?;
        let RunTarget { built, recorded, scope, .. } = &mut wanted;
        let of_account = seen.left.of_account(&built.desired, recorded, scope);
        seen.left.narrow(scope, &built.desired, recorded);
        let mut changes = difference(&built.desired, recorded, &seen.observed, scope)?;
        verb.looks_again(&mut changes, &wanted, &providers).await?;
        let in_the_way = previewed(&mut changes, &wanted.recorded, &seen.observed, &providers).await;
        if !in_the_way.is_empty() {
            return Err(refused(&in_the_way));
        }
        verb.differs(&mut changes, &wanted, context)?;
        outside.need(&changes, &wanted, request, context)?;
        let run = RunArgs { dry_run: request.only_looks, ..request.run.clone() };
        let data = holding_data::refuse(&changes, &providers, &run, request.emptying, context).await?;
        Ok(PlannedRun { wanted, seen, providers, changes, of_account, data })
    }

    fn purpose(&self, wanted: &RunTarget) -> RunLabel {
        RunLabel {
            command: wanted.command.clone().unwrap_or_else(|| self.request.command.clone()),
            kind: self.request.purpose,
            requested: wanted.requested.clone(),
            fallback: wanted.fallback.clone(),
        }
    }

    /// A fallback stays in force until a run that puts none in force.
    fn say_what_ends(&self, wanted: &RunTarget) {
        let ends = matches!(self.request.purpose, RunPurpose::Deploy | RunPurpose::Route) && wanted.fallback.is_none();
        if let Some(fallback) = wanted.recorded.fallback.as_ref().filter(|_| ends) {
            self.context.printer.remark(shown!("the fallback {} is active; this run deactivates it", fallback));
        }
    }

    /// Whether a run that changes nothing in the real resources are worth a revision: else the next rollback would meet the same state
    /// again, or go by an order that the plan does not have any longer. What is gone has no order.
    fn is_news(&self, changes: &Changes, purpose: &RunLabel, wanted: &RunTarget) -> bool {
        let writes = !self.request.only_looks && self.request.purpose != RunPurpose::Destroy;
        writes && changes.is_empty() && purpose.is_news(changes, &wanted.recorded)
    }
}

/// How a run went on one device.
#[derive(Default)]
struct DeviceResult<'o> {
    failed: Option<(&'o Address, &'o Fault)>,
    done: usize,
    skipped: usize,
}

/// One line for each device.
fn say_how_each_went(wanted: &RunTarget, outcome: &RunOutcome, left: &SkippedResources, context: &Context) {
    let (desired, recorded) = (&wanted.built.desired, &wanted.recorded);
    let on = |address: &Address| machine(desired, recorded, address);
    let looked_at = |address: &&Address| wanted.scope.covers(address) || left.addresses.contains(*address);
    let every = desired.resources.keys().chain(recorded.resources.keys()).filter(looked_at);
    let mut names: BTreeSet<String> = every.filter_map(on).collect();
    names.retain(|name| wanted.hosts.is_empty() || wanted.hosts.contains(name));
    let mut went = went(outcome, on);
    for name in names {
        let DeviceResult { failed, done, skipped } = went.remove(&name).unwrap_or_default();
        let line = match (left.machines.get(&name), failed) {
            (Some(fault), _) => shown!("away: {}", fault.message),
            (_, Some((address, fault))) => shown!("failed at {}: {}", address, fault.message),
            _ if skipped > 0 => shown!("{} done, {} left for a later run", done, skipped),
            _ if done == 0 => SafeText::from("as it was"),
            _ => shown!("{} done", done),
        };
        context.printer.talk(shown!("{}: {}", name, line));
    }
}

/// How a run went on each device, counted in one pass; what is in the cloud has no name.
fn went(outcome: &RunOutcome, on: impl Fn(&Address) -> Option<String>) -> BTreeMap<String, DeviceResult<'_>> {
    let on = |address: &Address| on(address).unwrap_or_default();
    let mut went: BTreeMap<String, DeviceResult<'_>> = BTreeMap::new();
    for (address, fault) in &outcome.failed {
        went.entry(on(address)).or_default().failed.get_or_insert((address, fault));
    }
    for done in &outcome.done {
        went.entry(on(&done.address)).or_default().done += 1;
    }
    for (address, _) in &outcome.skipped {
        went.entry(on(address)).or_default().skipped += 1;
    }
    went
}
