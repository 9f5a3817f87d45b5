//! A run: from the first to the last line of its revision.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::change::says_otherwise;
use crate::execute::{self, Options, Work};
use crate::exit::Failure;
use crate::ledger::{Fact, Ledger, Subject};
use crate::provider::Providers;
use crate::provider::aws::Identity;
use crate::resource::records::earlier::{before_change, keep};
use crate::resource::{
    ACCEPTED_EXTRAS, Action, Change, Changes, Ending, Kind, Listener, Outcome, Remembered, RunPurpose, resolve,
};
use crate::session::Session;

/// What a run is called in the journal, and what it puts in force.
#[derive(Clone, Debug, Default)]
pub struct Purpose {
    /// The verb with its main arguments.
    pub command: String,
    /// What it is for.
    pub kind: RunPurpose,
    /// Steps that are asked for by name, all of them.
    pub requested: BTreeSet<String>,
    /// The fallback in force.
    pub fallback: Option<String>,
}

/// Everything that a run needs.
pub struct Run<'a> {
    /// The journal, open for writing.
    pub ledger: &'a Ledger,
    /// Who makes the changes.
    pub providers: &'a Providers,
    /// Who is told.
    pub listener: &'a dyn Listener,
    /// Who we are.
    pub identity: &'a Identity,
    /// Surroundings.
    pub session: &'a Session,
    /// How.
    pub options: Options,
}

impl Run<'_> {
    /// Does it, between the first and the last line of a revision.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn go(&self, changes: &Changes, purpose: &Purpose) -> Result<Outcome, Failure> {
        let before = self.ledger.remembered();
        self.ledger.record(began(&before, purpose, self.session, &self.identity.account)).await?;
        if !changes.moves.is_empty() {
            self.ledger.record(Fact::Moved(changes.moves.clone())).await?;
        }
        for learned in learned(changes, &self.ledger.remembered()) {
            self.ledger.record(learned).await?;
        }
        let stop = self.session.interrupts.stop();
        let work =
            Work::new(changes, self.providers, self.ledger, self.listener, self.options, stop, &self.identity.account);
        let outcome = execute::run(&work).await?;
        let ending = if outcome.is_complete() { Ending::Done } else { Ending::Partial };
        self.ledger.record(Fact::RunEnded { ending, changes: outcome.done.len() as u64 }).await?;
        Ok(outcome)
    }
}

/// The first line of the next revision.
pub fn began(before: &Remembered, purpose: &Purpose, session: &Session, account: &str) -> Fact {
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
    }
}

impl Purpose {
    /// Whether a run is worth a revision although it changes nothing in the world: what is in force changed, or what kept
    /// resources make known, or their order.
    pub fn is_news(&self, changes: &Changes, before: &Remembered) -> bool {
        let in_force = self.requested != before.requested || self.fallback != before.fallback;
        in_force || !learned(changes, before).is_empty()
    }
}

/// Whether a resource belongs to another step now, or comes after other things. One whose last update is not answered, or whose
/// mark is not written yet, keeps what is known of that until it is settled.
fn has_new_place(change: &Change, before: &Remembered) -> bool {
    let pair = before.resources.get(&change.address).zip(change.after.as_ref());
    pair.is_some_and(|(record, wanted)| {
        let settled = record.pending.is_none() && record.made_at.is_none();
        settled && (record.step != wanted.step || record.after != wanted.after || record.needs != wanted.needs)
    })
}

/// What was looked up and is not known so yet: an emergency must not depend on asking again. So, too, what is kept and
/// makes known otherwise than is remembered, or comes after other things than when it was made: `destroy` and `rollback` go by
/// the order in the journal.
fn learned(changes: &Changes, before: &Remembered) -> Vec<Fact> {
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
        let subject = Subject {
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
