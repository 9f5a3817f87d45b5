//! The state is a fold over the journal: one transition for each fact, and which facts may not follow each other.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::resource::{
    Action, Address, Attributes, Fault, FaultClass, IMPORTED_SETTINGS, Kind, PendingDeletion, ResourceOrigin,
    ResourceRecord, ResourceStatus, RunSummary, StackState, TAKEN_IN, unite, without_empty_lists,
};

use super::entry::{Entry, Fact, ResourceSnapshot};

/// The rules by which entries become a state. Whoever changes what the same entries come to raises it: checkpoints that were
/// folded by other rules are folded again.
pub const FOLD: u32 = 3;

/// A journal that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq}: {problem}")]
pub struct JournalContradiction {
    /// The entry.
    pub seq: u64,
    /// What is wrong with it.
    pub problem: String,
}

/// Takes one entry into the state.
///
/// # Errors
/// When the entry cannot follow what came before.
pub fn apply(state: &mut StackState, entry: &Entry) -> Result<(), JournalContradiction> {
    let wrong = |problem: String| Err(JournalContradiction { seq: entry.seq, problem });
    if entry.seq != state.sequence + 1 {
        return wrong(format!("it follows entry {}, so it should have number {}", state.sequence, state.sequence + 1));
    }
    if let Some(address) = entry.fact.address() {
        state.refused.remove(address);
    }
    count(state, &entry.fact);
    match &entry.fact {
        Fact::RunBegan { revision, .. } if *revision != state.revision() + 1 => {
            return wrong(format!("revision {revision} cannot follow revision {}", state.revision()));
        }
        Fact::RunBegan { .. } => began(state, entry),
        _ if state.runs.is_empty() => return wrong("it is before the first run".to_owned()),
        Fact::Moved(moves) => *state = std::mem::take(state).moved(moves),
        Fact::Intended { action, subject, id } => intended(state, *action, subject, id.as_deref()),
        Fact::Succeeded { subject, id, attributes, .. }
        | Fact::Learned { subject, id, attributes }
        | Fact::Accepted { subject, id, attributes, .. } => {
            let made = matches!(&entry.fact, Fact::Succeeded { action: Action::Create | Action::Replace, .. });
            let origin = origin(state, subject, attributes, made);
            let mut attributes = attributes.clone();
            attributes.remove(TAKEN_IN);
            let mut new = record(subject, Some(id), &attributes, ResourceStatus::Present);
            new.origin = origin;
            imported(state, &entry.fact, &mut new);
            state.resources.insert(subject.address.clone(), new);
            // What was to go and is in use again (the same code, published again) does not go any longer.
            state.pending_deletions.retain(|left| left.address != subject.address || left.id != *id);
        }
        Fact::Removed { address, id } => {
            let same = state.resources.get(address).is_none_or(|held| held.id.as_deref().is_none_or(|held| held == id));
            if same {
                leave(state, address);
            }
            state.pending_deletions.retain(|left| left.address != *address || left.id != *id);
        }
        Fact::SetAside(left) => {
            if state.resources.get(&left.address).is_some_and(|held| held.id.as_deref() == Some(&left.id)) {
                leave(state, &left.address);
            }
            state.pending_deletions.retain(|known| known.address != left.address || known.id != left.id);
            state.pending_deletions.push(left.clone());
        }
        Fact::Cleared { address, id } => {
            state.pending_deletions.retain(|left| left.address != *address || left.id != *id);
        }
        Fact::Forgotten { address } => leave(state, address),
        Fact::Failed { action, address, fault } => failed(state, *action, address, fault),
        Fact::RunEnded { ending, changes } => {
            if let Some(run) = state.runs.last_mut() {
                run.ending = Some(*ending);
                run.changes = *changes;
                run.unanswered.clear();
            }
        }
    }
    state.sequence = entry.seq;
    Ok(())
}

/// What a run has done so far: all that is known of one that never comes to its end.
fn count(state: &mut StackState, fact: &Fact) {
    let Some(run) = state.runs.last_mut() else { return };
    match fact {
        Fact::Intended { subject, .. } => {
            run.unanswered.insert(subject.address.clone());
        }
        // What is written down once more, with what it makes known later, was counted.
        Fact::Succeeded { subject, .. } => run.changes += u64::from(run.unanswered.remove(&subject.address)),
        Fact::Removed { address, .. } => {
            run.unanswered.remove(address);
            run.changes += 1;
        }
        Fact::Cleared { .. } | Fact::Forgotten { .. } => run.changes += 1,
        Fact::SetAside(PendingDeletion { address, .. }) | Fact::Failed { address, .. } => {
            run.unanswered.remove(address);
        }
        Fact::RunBegan { .. }
        | Fact::Learned { .. }
        | Fact::Accepted { .. }
        | Fact::Moved(_)
        | Fact::RunEnded { .. } => {}
    }
}

/// The address is free again; what comes there next is another generation.
fn leave(state: &mut StackState, address: &Address) {
    if let Some(held) = state.resources.remove(address) {
        state.generations.insert(address.clone(), held.generation.saturating_add(1));
    }
}

fn began(state: &mut StackState, entry: &Entry) {
    if let Fact::RunBegan { revision, command, by, account, requested, fallback, purpose, .. } = &entry.fact {
        state.account = Some(account.clone());
        state.requested.clone_from(requested);
        state.fallback.clone_from(fallback);
        state.runs.push(RunSummary {
            revision: *revision,
            command: command.clone(),
            purpose: *purpose,
            by: by.clone(),
            at: format!("{:.0}", entry.at),
            ending: None,
            changes: 0,
            unanswered: BTreeSet::new(),
        });
    }
}

/// How what a fact speaks of came into the state. Journals of older versions say so by an attribute, or not at all: then
/// it follows from what was done.
fn origin(state: &StackState, subject: &ResourceSnapshot, attributes: &Attributes, made: bool) -> ResourceOrigin {
    let held = state.resources.get(&subject.address);
    match subject.origin {
        Some(origin) => origin,
        None if attributes.get(TAKEN_IN) == Some(&Value::Bool(true)) => ResourceOrigin::Imported,
        None if made => ResourceOrigin::Made,
        None => held.map_or_else(|| taken_up(subject), |held| held.origin),
    }
}

/// What an import found is not this stack's, as long as no run changes it: it is recorded besides what the stack states. What a
/// rollback adopts again is looked at as an import. An empty list of an import states nothing.
fn imported(state: &StackState, fact: &Fact, new: &mut ResourceRecord) {
    if new.kind.facts().lookup || !new.kind.in_aws() || new.kind == Kind::Records {
        return;
    }
    let held = fact.address().and_then(|address| state.resources.get(address));
    let import = held.is_none() && matches!(fact, Fact::Learned { .. });
    if import {
        new.spec = without_empty_lists(new.kind, &new.spec);
    }
    if new.origin != ResourceOrigin::Imported {
        return;
    }
    let same = held.filter(|held| held.id.as_ref().is_none_or(|id| Some(id) == new.id.as_ref()));
    let known = same.and_then(|held| held.attributes.get(IMPORTED_SETTINGS)).cloned();
    let again = matches!(fact, Fact::Succeeded { action: Action::Create | Action::Replace, .. });
    let settings = known.or_else(|| (import || again).then(|| new.spec.clone()));
    new.attributes.extend(settings.map(|settings| (IMPORTED_SETTINGS.to_owned(), settings)));
}

/// What existed and was not in the state is adopted by its mark. What is on a device is put back in another way, and entries
/// about objects of clusters say their origin, but for those of earlier versions, which knew no other.
fn taken_up(subject: &ResourceSnapshot) -> ResourceOrigin {
    let plain = !subject.kind.in_aws() || subject.kind.facts().lookup;
    if plain { ResourceOrigin::Made } else { ResourceOrigin::Recovered }
}

fn record(
    subject: &ResourceSnapshot,
    id: Option<&str>,
    attributes: &Attributes,
    standing: ResourceStatus,
) -> ResourceRecord {
    ResourceRecord {
        kind: subject.kind,
        id: id.map(str::to_owned),
        generation: subject.generation,
        spec: subject.spec.clone(),
        attributes: attributes.clone(),
        needs: subject.needs.clone(),
        step: subject.step.clone(),
        after: subject.after.clone(),
        standing,
        pending: None,
        made_at: None,
        origin: ResourceOrigin::Made,
    }
}

fn intended(state: &mut StackState, action: Action, subject: &ResourceSnapshot, id: Option<&str>) {
    let held = state.resources.get(&subject.address);
    let mut attributes = held.map(|held| held.attributes.clone()).unwrap_or_default();
    attributes.extend(subject.seen.clone());
    let origin = match (subject.origin, action) {
        (Some(origin), _) => origin,
        (None, Action::Adopt) => taken_up(subject),
        (None, _) => ResourceOrigin::Made,
    };
    let standing = match action {
        Action::Delete => ResourceStatus::Deleting,
        Action::Update | Action::Adopt | Action::Move => ResourceStatus::Updating,
        _ => ResourceStatus::Creating,
    };
    // Until it is answered, the last known settings stay: an update may or may not have taken effect.
    let updated = match (standing, held) {
        (ResourceStatus::Updating, Some(held)) => {
            let (pending, origin) = (pending(held, &subject.spec), subject.origin.unwrap_or(held.origin));
            ResourceRecord { standing, pending, attributes, origin, ..held.clone() }
        }
        (ResourceStatus::Deleting, Some(held)) => ResourceRecord { standing, ..held.clone() },
        (ResourceStatus::Deleting, None) => return,
        _ => {
            // What was begun at a former address and never answered is still looked for by what it was made with there.
            let made_at =
                held.filter(|held| held.generation == subject.generation).and_then(|held| held.made_at.clone());
            ResourceRecord { made_at, origin, ..record(subject, id, &attributes, standing) }
        }
    };
    state.resources.insert(subject.address.clone(), updated);
}

/// What may be there besides the last known settings: an update that fails may have made some of its calls.
fn pending(held: &ResourceRecord, asked: &Value) -> Option<Value> {
    match &held.pending {
        Some(earlier) => {
            let mut all = earlier.clone();
            unite(&mut all, asked);
            Some(all)
        }
        None => (held.spec != *asked).then(|| asked.clone()),
    }
}

fn failed(state: &mut StackState, action: Action, address: &Address, fault: &Fault) {
    let Some(held) = state.resources.get_mut(address) else { return };
    let refused = matches!(fault.class, FaultClass::Denied | FaultClass::Credentials);
    if refused {
        state.refused.insert(address.clone(), fault.code.clone());
    }
    match (action, held.standing, &held.id) {
        // A thing that is made by several calls may be there after the first: the next run looks.
        (Action::Create, ResourceStatus::Creating, None) if refused => {}
        (Action::Create, ResourceStatus::Creating, None) => {
            if held.generation > 0 {
                state.generations.insert(address.clone(), held.generation);
            }
            state.resources.remove(address);
        }
        _ => held.standing = if held.id.is_some() { ResourceStatus::Present } else { ResourceStatus::Creating },
    }
}

/// The state after all of `entries`, from the first one on.
///
/// # Errors
/// When one of them cannot follow what came before.
pub fn fold<'a>(stack: &str, entries: impl IntoIterator<Item = &'a Entry>) -> Result<StackState, JournalContradiction> {
    fold_from(StackState::empty(stack), entries)
}

/// The state after `entries`, which follow those that gave `base`.
///
/// # Errors
/// When one of them cannot follow what came before.
pub fn fold_from<'a>(
    base: StackState,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<StackState, JournalContradiction> {
    let mut state = base;
    for entry in entries {
        apply(&mut state, entry)?;
    }
    Ok(state)
}

/// The state as it was at the end of `revision` (0: before the first run). `base` is the state before `entries`, at or before
/// that end.
///
/// # Errors
/// When an entry cannot follow what came before.
pub fn fold_until(base: StackState, entries: &[Entry], revision: u64) -> Result<StackState, JournalContradiction> {
    let after = |entry: &&Entry| matches!(&entry.fact, Fact::RunBegan { revision: began, .. } if *began > revision);
    let end = entries.iter().position(|entry| after(&entry)).unwrap_or(entries.len());
    fold_from(base, &entries[..end])
}

#[cfg(test)]
#[path = "fold_origins.rs"]
mod origins;
#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
