//! One run, from its journals to its exit code: the same for every verb that changes something.
//!
//! open the journals -> what the verb wants -> look at every world -> the difference -> what stands in its way -> show, ask ->
//! do -> tell. A run that only looks stops before it does anything, and shows the very difference that it would use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::left_out::machine;
use super::{
    Allowed, Journals, LeftOut, Purpose, Request, Run, RunArgs, Seen, Verb, Wanted, Worlds, difference, outside,
    previewed, refused,
};
use crate::commands::asking::{self, Asked};
use crate::commands::{Context, full};
use crate::exit::Failure;
use crate::provider::Providers;
use crate::report::{Omitted, Terminal};
use crate::resource::{Address, Changes, Fault, Outcome, RunPurpose, Shown, shown};

/// Carries out a run and gives its exit code.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn carry_out(
    request: &Request<'_>,
    mut worlds: Worlds<'_>,
    verb: &mut impl Verb,
    context: &Context,
) -> Result<u8, Failure> {
    let journals = Journals::open(request, &mut worlds, context).await?;
    let pipeline = Pipeline { request, journals: &journals, context };
    let answer = pipeline.run(&mut worlds, verb).await;
    journals.close(answer).await
}

/// A run under its leases.
struct Pipeline<'a> {
    request: &'a Request<'a>,
    journals: &'a Journals,
    context: &'a Context,
}

/// A difference with what it was made of.
struct Planned {
    wanted: Wanted,
    seen: Seen,
    providers: Providers,
    changes: Changes,
    /// What of the run needs an account that could not be reached.
    of_account: Vec<Address>,
}

impl Pipeline<'_> {
    async fn run(&self, worlds: &mut Worlds<'_>, verb: &mut impl Verb) -> Result<u8, Failure> {
        let begun = Instant::now();
        let (request, context) = (self.request, self.context);
        let Planned { wanted, seen, providers, changes, of_account } = self.plan(worlds, verb).await?;
        let purpose = self.purpose(&wanted);
        let header = &seen.header;
        let allowed =
            Allowed { header, purpose: &purpose, wanted: &wanted, changes: &changes, journals: self.journals };
        verb.allowed(&allowed).await?;
        let away: Vec<String> = seen.left.machines.keys().cloned().collect();
        let clusters: Vec<String> = seen.left.clusters_alone().map(|(cluster, _)| cluster.clone()).collect();
        let held: Vec<Address> = seen.left.held.keys().cloned().collect();
        let asked = Asked {
            changes: &changes,
            built: &wanted.built,
            header,
            only_looks: request.only_looks,
            whole: wanted.whole,
            omitted: Omitted {
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
        let terminal = Terminal::new(context.session.terminal, context.global.quiet, context.session.colour);
        let work = Run {
            journals: self.journals,
            providers: &providers,
            listener: &terminal,
            account: &seen.account,
            worlds: &header.worlds,
            session: &context.session,
            options: request.run.options(),
        };
        if let Some(code) = asking::confirm(&asked, request.run, context)? {
            if self.is_news(&changes, &purpose, &wanted) {
                work.go(&changes, &purpose).await?;
            }
            return Ok(seen.left.code(code));
        }
        // The time that a person took to say yes is not the run's.
        let begun = if request.run.yes { begun } else { Instant::now() };
        let outcome = work.go(&changes, &purpose).await?;
        let code = asking::tell(&outcome, begun, &asked, context, &wanted.again);
        if worlds.has_devices() {
            say_how_each_went(&wanted, &outcome, &seen.left, context);
        }
        verb.ended(self.journals, context);
        Ok(seen.left.code(code))
    }

    /// Looks at every world and makes the difference; nothing stands in its way.
    async fn plan(&self, worlds: &mut Worlds<'_>, verb: &mut impl Verb) -> Result<Planned, Failure> {
        let (request, context) = (self.request, self.context);
        worlds.need_apart(self.journals)?;
        let mut wanted = verb.wants(self.journals, context).await?;
        worlds.need_account_for(&wanted)?;
        let outside = outside::read(&mut wanted, request, worlds, context).await?;
        let artefacts = Arc::new(std::mem::take(&mut wanted.built.artefacts));
        let providers = worlds.providers(&wanted, &artefacts)?;
        let seen = worlds.look(request, &wanted, &providers).await?;
        context.voice.header(&seen.header);
        self.say_what_ends(&wanted);
        for remark in &wanted.remarks {
            context.voice.remark(remark);
        }
        seen.left.say(context);
        verb.seen(&mut wanted, &seen, context)?;
        let Wanted { built, remembered, scope, .. } = &mut wanted;
        let of_account = seen.left.of_account(&built.desired, remembered, scope);
        seen.left.narrow(scope, &built.desired, remembered);
        let mut changes = difference(&built.desired, remembered, &seen.observed, scope)?;
        verb.looks_again(&mut changes, &wanted, &providers).await?;
        let in_the_way = previewed(&mut changes, &wanted.remembered, &seen.observed, &providers).await;
        if !in_the_way.is_empty() {
            return Err(refused(&in_the_way));
        }
        verb.differs(&mut changes, &wanted, context)?;
        outside.need(&changes, &wanted, request, context)?;
        let run = RunArgs { dry_run: request.only_looks, ..request.run.clone() };
        full::refuse(&changes, &providers, &run, request.emptying, context).await?;
        Ok(Planned { wanted, seen, providers, changes, of_account })
    }

    fn purpose(&self, wanted: &Wanted) -> Purpose {
        Purpose {
            command: wanted.command.clone().unwrap_or_else(|| self.request.command.clone()),
            kind: self.request.purpose,
            requested: wanted.requested.clone(),
            fallback: wanted.fallback.clone(),
        }
    }

    /// A fallback stays in force until a run that puts none in force.
    fn say_what_ends(&self, wanted: &Wanted) {
        let ends = matches!(self.request.purpose, RunPurpose::Deploy | RunPurpose::Route) && wanted.fallback.is_none();
        if let Some(fallback) = wanted.remembered.fallback.as_ref().filter(|_| ends) {
            self.context.voice.remark(shown!("the fallback {} is in force; this run ends it", fallback));
        }
    }

    /// Whether a run that changes nothing in the world is worth a revision: else the next rollback would meet the same state
    /// again, or go by an order that the plan does not have any more. What is gone has no order.
    fn is_news(&self, changes: &Changes, purpose: &Purpose, wanted: &Wanted) -> bool {
        let writes = !self.request.only_looks && self.request.purpose != RunPurpose::Destroy;
        writes && changes.is_empty() && purpose.is_news(changes, &wanted.remembered)
    }
}

/// How a run went on one device.
#[derive(Default)]
struct Went<'o> {
    failed: Option<(&'o Address, &'o Fault)>,
    done: usize,
    skipped: usize,
}

/// One line for each device.
fn say_how_each_went(wanted: &Wanted, outcome: &Outcome, left: &LeftOut, context: &Context) {
    let (desired, remembered) = (&wanted.built.desired, &wanted.remembered);
    let on = |address: &Address| machine(desired, remembered, address);
    let looked_at = |address: &&Address| wanted.scope.covers(address) || left.addresses.contains(*address);
    let every = desired.resources.keys().chain(remembered.resources.keys()).filter(looked_at);
    let mut names: BTreeSet<String> = every.filter_map(on).collect();
    names.retain(|name| wanted.hosts.is_empty() || wanted.hosts.contains(name));
    let mut went = went(outcome, on);
    for name in names {
        let Went { failed, done, skipped } = went.remove(&name).unwrap_or_default();
        let line = match (left.machines.get(&name), failed) {
            (Some(fault), _) => shown!("away: {}", fault.message),
            (_, Some((address, fault))) => shown!("failed at {}: {}", address, fault.message),
            _ if skipped > 0 => shown!("{} done, {} left for a later run", done, skipped),
            _ if done == 0 => Shown::from("as it was"),
            _ => shown!("{} done", done),
        };
        context.voice.talk(shown!("{}: {}", name, line));
    }
}

/// How a run went on each device, counted in one pass; what is in the cloud has no name.
fn went(outcome: &Outcome, on: impl Fn(&Address) -> Option<String>) -> BTreeMap<String, Went<'_>> {
    let on = |address: &Address| on(address).unwrap_or_default();
    let mut went: BTreeMap<String, Went<'_>> = BTreeMap::new();
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
