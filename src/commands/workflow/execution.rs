//! Executes a run: from the first to the last entry of its revision.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Journals;
use crate::change::says_otherwise;
use crate::execute::{self, RunContext, RunOptions};
use crate::exit::Failure;
use crate::ledger::{Fact, Ledger, ResourceSnapshot};
use crate::provider::Providers;
use crate::resource::records::previous::{before_change, keep};
use crate::resource::{
    ACCEPTED_EXTRAS, Action, Address, Change, Changes, EventListener, Kind, PlatformIdentity, RunOutcome, RunPurpose,
    RunStatus, StackState, resolve,
};
use crate::session::Session;

/// What a run is called in the journal, and what it puts in force.
#[derive(Clone, Debug, Default)]
pub struct RunLabel {
    /// The verb with its main arguments.
    pub command: String,
    /// Its purpose.
    pub kind: RunPurpose,
    /// Steps that are asked for by name, all of them.
    pub requested: BTreeSet<String>,
    /// The fallback in force.
    pub fallback: Option<String>,
}

/// Everything that a run needs.
pub struct RunInput<'a> {
    /// The journals, open for writing.
    pub journals: &'a Journals,
    /// Who makes the changes.
    pub providers: &'a Providers,
    /// Who is told.
    pub listener: &'a dyn EventListener,
    /// The number of the account, as far as it is known.
    pub account: &'a str,
    /// Whom the run talks to.
    pub platforms: &'a [PlatformIdentity],
    /// Surroundings.
    pub session: &'a Session,
    /// How.
    pub options: RunOptions,
}

/// What a run does in one stack.
struct StackRun<'a> {
    ledger: &'a Ledger,
    changes: Changes,
    purpose: RunLabel,
    /// Whom it talks to there.
    platforms: Vec<PlatformIdentity>,
}

impl RunInput<'_> {
    /// Does it, between the first and the last line of a revision in the journal of each stack.
    ///
    /// # Errors
    /// When a journal cannot be written.
    pub async fn go(&self, changes: &Changes, purpose: &RunLabel) -> Result<RunOutcome, Failure> {
        let parts = self.parts(changes, purpose);
        for part in &parts {
            part.begin(self.session).await?;
        }
        let (own, stop) = (self.journals.own(), self.session.interrupts.stop());
        let mut work = RunContext::new(changes, self.providers, own, self.listener, self.options, stop, self.account);
        if let Some(devices) = self.journals.devices() {
            work = work.beside(devices);
        }
        let outcome = execute::run(&work).await?;
        for part in &parts {
            part.end(&outcome).await?;
        }
        Ok(outcome)
    }

    /// What is done in each stack. A run over one stack has one part; one over both leaves a stack alone in which there is
    /// nothing to do.
    fn parts(&self, changes: &Changes, purpose: &RunLabel) -> Vec<StackRun<'_>> {
        let own = self.journals.own();
        let Some(devices) = self.journals.devices() else {
            let (changes, purpose, platforms) = (changes.clone(), purpose.clone(), self.platforms.to_vec());
            return vec![StackRun { ledger: own, changes, purpose, platforms }];
        };
        let hosts = self.platforms.iter().find_map(PlatformIdentity::hosts);
        // The devices' cluster has the name of the machine that runs its server.
        let of_devices = |platform: &PlatformIdentity| match platform {
            PlatformIdentity::Devices { .. } => true,
            PlatformIdentity::Cluster { name } => hosts.is_some_and(|hosts| hosts.contains(name)),
            PlatformIdentity::Aws { .. } | PlatformIdentity::Other => false,
        };
        let (machines, account): (Vec<_>, Vec<_>) = self.platforms.iter().cloned().partition(of_devices);
        let in_force = RunLabel { requested: BTreeSet::new(), fallback: None, ..purpose.clone() };
        let mut parts = Vec::new();
        // An account that did not answer has no part in the run.
        if !account.is_empty() {
            let changes = changes.of_stack(own.stack());
            parts.push(StackRun { ledger: own, changes, purpose: purpose.clone(), platforms: account });
        }
        let changes = changes.of_stack(devices.stack());
        parts.push(StackRun { ledger: devices, changes, purpose: in_force, platforms: machines });
        parts.retain(StackRun::is_news);
        parts
    }
}

impl StackRun<'_> {
    fn is_news(&self) -> bool {
        !self.changes.is_empty() || self.ledger.ask(|before| self.purpose.is_news(&self.changes, before))
    }

    async fn begin(&self, session: &Session) -> Result<(), Failure> {
        let before = self.ledger.recorded();
        let account = self.platforms.iter().find_map(PlatformIdentity::account).unwrap_or_default();
        self.ledger.record(began(&before, &self.purpose, session, account, &self.platforms)).await?;
        if !self.changes.moves.is_empty() {
            self.ledger.record(Fact::Moved(self.changes.moves.clone())).await?;
        }
        for learned in learned(&self.changes, &self.ledger.recorded()) {
            self.ledger.record(learned).await?;
        }
        Ok(())
    }

    async fn end(&self, outcome: &RunOutcome) -> Result<(), Failure> {
        let own = |address: &Address| {
            let left = || self.changes.pending_deletions.iter().any(|left| left.address == *address);
            self.changes.items.contains_key(address) || left()
        };
        let failed = outcome.failed.iter().any(|(address, _)| own(address));
        let skipped = outcome.skipped.iter().any(|(address, _)| own(address));
        let ending = if failed || skipped || outcome.stopped { RunStatus::Partial } else { RunStatus::Done };
        let changes = outcome.done.iter().filter(|done| own(&done.address)).count() as u64;
        self.ledger.record(Fact::RunEnded { ending, changes }).await?;
        Ok(())
    }
}

/// The first line of the next revision.
pub fn began(
    before: &StackState,
    purpose: &RunLabel,
    session: &Session,
    account: &str,
    platforms: &[PlatformIdentity],
) -> Fact {
    Fact::RunBegan {
        revision: before.revision() + 1,
        command: purpose.command.clone(),
        by: format!("{}@{}", session.user, session.host),
        account: account.to_owned(),
        stack: before.stack.clone(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        requested: purpose.requested.clone(),
        fallback: purpose.fallback.clone(),
        purpose: Some(purpose.kind),
        platforms: platforms.to_vec(),
    }
}

impl RunLabel {
    /// Whether a run is worth a revision although it changes nothing in reality: what is in force changed, or what kept
    /// resources make known, or their order. What a device reports changes by itself (a node is ready again): it is written
    /// down with the next change. So is what a cluster reports: its version, and the uid of an object.
    pub fn is_news(&self, changes: &Changes, before: &StackState) -> bool {
        let in_force = self.requested != before.requested || self.fallback != before.fallback;
        let lasts = |change: &Change| change.kind.in_aws() || has_new_place(change, before);
        let learned = learned(changes, before);
        let mut about = learned.iter().filter_map(|fact| changes.items.get(fact.address()?));
        in_force || about.any(lasts)
    }
}

/// Whether a resource belongs to another step now, or comes after other things. One whose last update is not answered, or whose
/// mark is not written yet, keeps what is known of that until it is settled.
fn has_new_place(change: &Change, before: &StackState) -> bool {
    let pair = before.resources.get(&change.address).zip(change.after.as_ref());
    pair.is_some_and(|(record, wanted)| {
        let settled = record.pending.is_none() && record.made_at.is_none();
        settled && (record.step != wanted.step || record.after != wanted.after || record.needs != wanted.needs)
    })
}

/// What was looked up and is not known so yet: an emergency must not depend on asking again. So, too, what is kept and
/// makes known otherwise than is recorded, or comes after other things than when it was made: `destroy` and `rollback` go by
/// the order in the journal.
fn learned(changes: &Changes, before: &StackState) -> Vec<Fact> {
    let news = |change: &&Change| {
        let held = before.resources.get(&change.address).zip(change.found.as_ref());
        let otherwise = held.is_some_and(|(record, found)| says_otherwise(record, found));
        change.kind.facts().lookup || (change.action == Action::Keep && (otherwise || has_new_place(change, before)))
    };
    let looked_up = changes.items.values().filter(news);
    let news = looked_up.filter_map(|change| {
        let (found, resource) = (change.found.as_ref()?, change.after.as_ref()?);
        let known = before.resources.get(&change.address).is_some_and(|record| record.attributes == found.attributes);
        let known = known && !has_new_place(change, before);
        let subject = ResourceSnapshot {
            address: change.address.clone(),
            kind: change.kind,
            generation: before.generation(&change.address),
            spec: resource.spec.clone(),
            needs: resource.needs.clone(),
            step: resource.step.clone(),
            after: resource.after.clone(),
            origin: None,
            seen: BTreeMap::new(),
        };
        let mut attributes = found.attributes.clone();
        let resolved = |spec: &Value| resolve(spec, &|address, name| before.attribute(address, name));
        if change.kind == Kind::Records {
            keep(&mut attributes, &before_change(before.resources.get(&change.address), found, &resolved));
        }
        // The service does not know what a person accepted.
        let accepted = before.attribute(change.address.as_str(), ACCEPTED_EXTRAS);
        attributes.extend(accepted.map(|value| (ACCEPTED_EXTRAS.to_owned(), value)));
        (!known).then(|| Fact::Learned { subject, id: found.id.clone(), attributes })
    });
    news.collect()
}
