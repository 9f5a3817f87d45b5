//! A resource is deleted: at once, after its dependents, or in a later run.

use std::collections::BTreeSet;
use std::time::Instant;

use super::{RunContext, StepFailure, StepResult, again, give_up, millis};
use crate::change::leans_on;
use crate::ledger::{Fact, ResourceSnapshot};
use crate::provider::{DeleteOutcome, ResourceContext};
use crate::resource::{
    Action, Address, Attributes, Change, Event, Fault, FaultClass, PendingDeletion, ResourceRecord, Untrusted,
};

/// The old one leaves its address before the new one comes: whatever happens now, it will be deleted later.
pub async fn set_aside(work: &RunContext<'_>, change: &Change) -> Result<(), StepFailure> {
    if let Some(old) = old_self(work, change) {
        work.journal(&change.address).record(Fact::SetAside(old)).await?;
    }
    Ok(())
}

fn old_self(work: &RunContext<'_>, change: &Change) -> Option<PendingDeletion> {
    let (id, spec, attributes) = match (&change.before, &change.found) {
        (Some(record), found) => {
            let id = found.as_ref().map(|found| found.id.clone()).or_else(|| record.id.clone())?;
            (id, work.resolved_before(&record.spec), record.attributes.clone())
        }
        // It carries our mark, and the journal does not know it (any more).
        (None, found) => found.clone().map(|found| (found.id, found.spec, found.attributes))?,
    };
    Some(PendingDeletion {
        address: change.address.clone(),
        kind: change.kind,
        id,
        spec,
        attributes,
        reason: "a newer one took its place".into(),
        held_by: leaning_on(work, &change.address),
    })
}

/// What is recorded to need `address`.
fn leaning_on(work: &RunContext<'_>, address: &Address) -> BTreeSet<Address> {
    let others = work.changes.items.values().filter(|other| other.address != *address);
    let leaning = others.filter(|other| leans_on(work.changes, other, address));
    leaning.map(|other| other.address.clone()).collect()
}

/// One of those that hold something, if it could not be deleted yet.
pub fn holder(work: &RunContext<'_>, left: &PendingDeletion) -> Option<Address> {
    let holds = |other: &&PendingDeletion| left.held_by.contains(&other.address) && other.id != left.id;
    let journal = work.journal(&left.address);
    journal.ask(|state| state.pending_deletions.iter().find(holds).map(|other| other.address.clone()))
}

/// Deletes or forgets what a change wants gone.
pub async fn remove(work: &RunContext<'_>, change: &Change) -> Result<StepResult, StepFailure> {
    let begun = Instant::now();
    let journal = work.journal(&change.address);
    if change.action == Action::Forget {
        journal.record(Fact::Forgotten { address: change.address.clone() }).await?;
        work.tell(finished(change, Action::Forget, "", millis(begun)));
        let done = Some((change.kind, Action::Forget, millis(begun)));
        return Ok(StepResult { done, is_final: true, ..StepResult::nothing(&change.address, "") });
    }
    let Some(old) = old_self(work, change) else {
        return Err(Fault::unexpected("akidb-edge", "remove", "nothing is recorded here").into());
    };
    let set_aside = change.action == Action::Replace;
    if !set_aside && let Some(record) = &change.before {
        let subject = ResourceSnapshot {
            address: change.address.clone(),
            kind: change.kind,
            generation: record.generation,
            spec: record.spec.clone(),
            needs: record.needs.clone(),
            step: record.step.clone(),
            after: record.after.clone(),
            origin: None,
            seen: Attributes::new(),
        };
        journal.record(Fact::Intended { action: Action::Delete, subject, id: Some(old.id.clone()) }).await?;
    }
    let gone = match holder(work, &old) {
        Some(holder) if !set_aside => DeleteOutcome::Deferred(format!("{holder} must go first").into()),
        _ => delete(work, &old).await?,
    };
    match gone {
        DeleteOutcome::Deleted => {
            let fact = if set_aside {
                Fact::Cleared { address: old.address.clone(), id: old.id.clone() }
            } else {
                Fact::Removed { address: old.address.clone(), id: old.id.clone() }
            };
            journal.record(fact).await?;
            work.tell(finished(change, Action::Delete, &old.id, millis(begun)));
            let done = Some((change.kind, Action::Delete, millis(begun)));
            Ok(StepResult { done, is_final: true, ..StepResult::nothing(&change.address, &old.id) })
        }
        DeleteOutcome::Deferred(reason) => defer(work, old, reason).await,
    }
}

fn finished(change: &Change, action: Action, id: &str, took_ms: u64) -> Event {
    Event::Finished { address: change.address.clone(), kind: change.kind, action, id: id.into(), took_ms }
}

async fn defer(work: &RunContext<'_>, mut left: PendingDeletion, reason: Untrusted) -> Result<StepResult, StepFailure> {
    left.reason.clone_from(&reason);
    let (address, id) = (left.address.clone(), left.id.clone());
    work.journal(&address).record(Fact::SetAside(left)).await?;
    work.tell(Event::Deferred { address: address.clone(), reason: reason.clone() });
    // For this run it is over: what it leans on is put off behind it, not left out.
    Ok(StepResult { deferred: Some(reason), is_final: true, ..StepResult::nothing(&address, &id) })
}

async fn delete(work: &RunContext<'_>, old: &PendingDeletion) -> Result<DeleteOutcome, Fault> {
    let (provider, retry_policy) = (work.providers.of(old.kind)?, work.providers.retry_policy_of(old.kind));
    let subject = ResourceContext {
        stack: work.stack_of(&old.address),
        address: &old.address,
        token: "",
        spec: &old.spec,
        id: Some(&old.id),
        attributes: &old.attributes,
        before: None,
        former: None,
        thorough: false,
        seen_absent: false,
    };
    if work.options.empty_buckets && old.kind.data(&old.spec).is_some() {
        retry_policy.reading(async || provider.empty(&subject).await).await?;
    }
    let mut backoff = retry_policy.acting();
    loop {
        match provider.delete(&subject).await {
            Err(fault) if matches!(fault.class, FaultClass::Retry | FaultClass::Stale | FaultClass::Unreachable) => {
                again(work, &old.address, &mut backoff, fault).await?;
            }
            answer => return answer,
        }
    }
}

/// Tries once more to delete something that was set aside.
pub async fn clear(work: &RunContext<'_>, left: &PendingDeletion) -> Result<StepResult, StepFailure> {
    let begun = Instant::now();
    let is_it = |record: &ResourceRecord| record.kind == left.kind && record.id.as_deref() == Some(&left.id);
    let journal = work.journal(&left.address);
    if journal.ask(|state| state.resources.values().any(is_it)) {
        // A later run adopted the resource again: it is no longer pending deletion.
        journal.record(Fact::Cleared { address: left.address.clone(), id: left.id.clone() }).await?;
        return Ok(StepResult::nothing(&left.address, &left.id));
    }
    match delete(work, left).await {
        Ok(DeleteOutcome::Deleted) => {
            journal.record(Fact::Cleared { address: left.address.clone(), id: left.id.clone() }).await?;
            let (address, id) = (left.address.clone(), left.id.clone());
            let (kind, took_ms) = (left.kind, millis(begun));
            work.tell(Event::Finished { address, kind, action: Action::Delete, id: id.into(), took_ms });
            let done = Some((kind, Action::Delete, took_ms));
            Ok(StepResult { done, is_final: true, ..StepResult::nothing(&left.address, &left.id) })
        }
        Ok(DeleteOutcome::Deferred(reason)) => defer(work, left.clone(), reason).await,
        Err(fault) => {
            give_up(work, &left.address, Action::Delete, &fault).await?;
            Err(fault.into())
        }
    }
}
