//! One step: announce, call, answer. A call whose answer was lost is looked up before it is made again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Work;
use super::schedule::Problem;
use crate::change::{Node, Part, compare};
use crate::ledger::{Fact, Subject as Noted};
use crate::provider::patience::{ACTING, Pauses};
use crate::provider::{Gone, Made, Provider, Settled, Subject, patience};
use crate::resource::{
    Action, Address, Attributes, Change, Class, Event, Fault, Found, Kind, Leftover, Level, Owner, Resource,
    has_references, token,
};

/// How a step ended.
pub struct Ended {
    /// Its address.
    pub address: Address,
    /// What the service calls it.
    pub id: String,
    /// Kind, action and milliseconds, when something was done.
    pub done: Option<(Kind, Action, u64)>,
    /// Why it is put off.
    pub deferred: Option<String>,
    /// It will not come any further: it is gone.
    pub is_final: bool,
}

impl Ended {
    fn nothing(address: &Address, id: &str) -> Self {
        Self { address: address.clone(), id: id.to_owned(), done: None, deferred: None, is_final: false }
    }
}

/// Takes one step.
pub async fn take(work: &Work<'_>, node: &Node) -> Result<Ended, Problem> {
    let change = &work.changes.items[&node.address];
    let action = match (node.part, change.action) {
        (Part::Remove, Action::Replace) => Action::Delete,
        (_, action) => action,
    };
    if node.part == Part::Await {
        let id = change.found.as_ref().map_or("", |found| &found.id);
        return come_to(work, &node.address, id, Level::Usable).await;
    }
    let usual_seconds = work.usual_seconds(change.kind);
    work.tell(Event::Started { address: node.address.clone(), kind: change.kind, action, usual_seconds });
    let ended = match node.part {
        Part::Put | Part::Await => put(work, change).await,
        Part::Remove => remove(work, change).await,
    };
    if let Err(Problem::Fault(fault)) = &ended {
        give_up(work, &node.address, action, fault).await?;
    }
    ended
}

/// Tells and writes down that a step failed. What may have taken effect all the same stays open in the journal: the next
/// run looks at the world first.
async fn give_up(work: &Work<'_>, address: &Address, action: Action, fault: &Fault) -> Result<(), Problem> {
    work.tell(Event::Failed { address: address.clone(), action, fault: fault.clone() });
    if !matches!(fault.class, Class::Retry | Class::Unreachable | Class::Internal) {
        work.ledger.record(Fact::Failed { action, address: address.clone(), fault: fault.clone() }).await?;
    }
    Ok(())
}

/// What a put works on.
struct Put<'a> {
    work: &'a Work<'a>,
    provider: &'a dyn Provider,
    resource: &'a Resource,
    spec: Value,
    token: String,
    attributes: Attributes,
}

impl Put<'_> {
    fn subject<'s>(&'s self, id: Option<&'s str>) -> Subject<'s> {
        Subject {
            stack: &self.work.changes.stack,
            address: &self.resource.address,
            token: &self.token,
            spec: &self.spec,
            id,
            attributes: &self.attributes,
        }
    }
}

async fn put(work: &Work<'_>, change: &Change) -> Result<Ended, Problem> {
    let begun = Instant::now();
    let Some(resource) = &change.after else {
        return Err(Fault::unexpected("akidb-edge", "put", "nothing is wanted here").into());
    };
    let spec = work.resolved(&resource.spec);
    if has_references(&spec) {
        let open: Vec<String> = crate::resource::references(&spec).iter().map(ToString::to_string).collect();
        let problem = format!("{} refers to {}, which nobody made or found", change.address, open.join(", "));
        return Err(Fault::unexpected("akidb-edge", "resolve", problem).into());
    }
    let renewed = change.action == Action::Replace;
    let action = if renewed { Action::Create } else { change.action };
    if renewed && change.kind.facts().create_first {
        set_aside(work, change).await?;
    }
    // Read after setting aside: that makes room for the next generation.
    // What existed once and is gone took its references with it: a service refuses them for something new.
    let gone = action == Action::Create && !renewed && change.before.as_ref().is_some_and(|record| record.id.is_some());
    let generation = work.ledger.remembered().generation(&change.address) + u32::from(gone);
    let noted = Noted {
        address: change.address.clone(),
        kind: change.kind,
        generation,
        spec: resource.spec.clone(),
        needs: resource.needs.clone(),
        step: resource.step.clone(),
    };
    let id = change.found.as_ref().filter(|_| !renewed).map(|found| found.id.clone());
    work.ledger.record(Fact::Intended { action, subject: noted.clone(), id: id.clone() }).await?;
    let token = token(&work.changes.stack, &change.address, generation);
    let attributes = if renewed { Attributes::new() } else { work.known.of(&change.address) };
    let put = Put { work, provider: work.providers.of(change.kind)?.as_ref(), resource, spec, token, attributes };
    let made = match (&change.found, action) {
        (Some(found), Action::Update | Action::Adopt) => update(&put, found, change).await?,
        _ => create(&put).await?,
    };
    let took_ms = millis(begun);
    let succeed = |attributes: Attributes| Fact::Succeeded {
        action,
        subject: noted.clone(),
        id: made.id.clone(),
        attributes,
        took_ms,
    };
    work.ledger.record(succeed(made.attributes.clone())).await?;
    let mut attributes = made.attributes.clone();
    if work.options.wait > Level::Accepted || work.changes.needed_at(&change.address).is_some() {
        attributes.extend(settle(&put, &made.id, Level::Usable).await?);
    }
    if attributes != made.attributes {
        work.ledger.record(succeed(attributes.clone())).await?;
    }
    work.known.learn(&change.address, attributes);
    let took_ms = millis(begun);
    let (address, kind, id) = (change.address.clone(), change.kind, made.id.clone());
    work.tell(Event::Finished { address, kind, action: change.action, id, took_ms });
    let done = Some((change.kind, change.action, took_ms));
    Ok(Ended { done, ..Ended::nothing(&change.address, &made.id) })
}

/// The old one leaves its address before the new one comes: whatever happens now, it will be deleted later.
async fn set_aside(work: &Work<'_>, change: &Change) -> Result<(), Problem> {
    if let Some(old) = old_self(work, change) {
        work.ledger.record(Fact::SetAside(old)).await?;
    }
    Ok(())
}

fn old_self(work: &Work<'_>, change: &Change) -> Option<Leftover> {
    let (id, spec, attributes) = match (&change.before, &change.found) {
        (Some(record), found) => {
            let id = found.as_ref().map(|found| found.id.clone()).or_else(|| record.id.clone())?;
            (id, work.resolved_before(&record.spec), record.attributes.clone())
        }
        // It carries our mark, and the journal does not know it (any more).
        (None, found) => found.clone().map(|found| (found.id, found.spec, found.attributes))?,
    };
    Some(Leftover {
        address: change.address.clone(),
        kind: change.kind,
        id,
        spec,
        attributes,
        reason: "a newer one took its place".to_owned(),
        held_by: leaning_on(work, &change.address),
    })
}

/// What is remembered to need `address`.
fn leaning_on(work: &Work<'_>, address: &Address) -> BTreeSet<Address> {
    let others = work.changes.items.values().filter(|other| other.address != *address);
    let leaning = others.filter(|other| other.before.as_ref().is_some_and(|record| record.needs.contains_key(address)));
    leaning.map(|other| other.address.clone()).collect()
}

/// One of those that hold something, if it could not be deleted yet.
pub fn holder(work: &Work<'_>, left: &Leftover) -> Option<Address> {
    let waiting = work.ledger.remembered().leftovers;
    let holds = |other: &&Leftover| left.held_by.contains(&other.address) && other.id != left.id;
    waiting.iter().find(holds).map(|other| other.address.clone())
}

async fn create(put: &Put<'_>) -> Result<Made, Fault> {
    let mut pauses = Pauses::within(ACTING);
    loop {
        let fault = match put.provider.create(&put.subject(None)).await {
            Err(fault) if fault.class == Class::Retry => fault,
            answer => return answer,
        };
        again(put, &mut pauses, fault).await?;
        // The call may have taken effect although its answer never came.
        let found = patience::reading(async || put.provider.read(&put.subject(None)).await).await?;
        if let Some(found) = found.filter(|found| found.owner == Owner::Ours) {
            let fields = compare(put.resource.kind, &put.spec, None, &found.spec);
            if fields.is_empty() {
                return Ok(Made { id: found.id, attributes: found.attributes });
            }
        }
    }
}

async fn update(put: &Put<'_>, found: &Found, change: &Change) -> Result<Made, Fault> {
    let mut pauses = Pauses::within(ACTING);
    let before = change.before.as_ref().map(|record| put.work.resolved_before(&record.spec));
    let mut now = found.clone();
    // References that were open when the difference was made are known by now: look again at what really differs.
    let mut fields = compare(put.resource.kind, &put.spec, before.as_ref(), &now.spec);
    loop {
        if fields.is_empty() && change.action == Action::Adopt {
            return Ok(Made { id: now.id, attributes: now.attributes });
        }
        let fault = match put.provider.update(&put.subject(Some(&now.id)), &now, &fields).await {
            Err(fault) if matches!(fault.class, Class::Retry | Class::Stale) => fault,
            answer => return answer,
        };
        again(put, &mut pauses, fault).await?;
        let read = patience::reading(async || put.provider.read(&put.subject(Some(&now.id))).await).await?;
        let Some(read) = read else {
            return Err(Fault::unexpected("akidb-edge", "update", "it went away while it was changed")
                .next("run the same command again"));
        };
        now = read;
        fields = compare(put.resource.kind, &put.spec, before.as_ref(), &now.spec);
    }
}

async fn again(put: &Put<'_>, pauses: &mut Pauses, fault: Fault) -> Result<(), Fault> {
    let Some(pause) = pauses.pause() else { return Err(fault) };
    let after_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    let attempt = pauses.attempt;
    put.work.tell(Event::Retrying { address: put.resource.address.clone(), attempt, after_ms, fault });
    tokio::time::sleep(pause).await;
    Ok(())
}

/// Looks until it has come as far as `level`; a failed state is an end with its reason.
async fn settle(put: &Put<'_>, id: &str, level: Level) -> Result<Attributes, Fault> {
    let begun = Instant::now();
    let mut told = String::new();
    loop {
        let look = patience::reading(async || put.provider.settled(&put.subject(Some(id)), level).await).await?;
        let (state, pause) = match look {
            Settled::Ready(attributes) => return Ok(attributes),
            Settled::NotYet(state, pause) => (state, pause),
        };
        if state != told {
            put.work.tell(Event::Waiting { address: put.resource.address.clone(), state: state.clone() });
            told = state;
        }
        // Quick at first, for what takes a moment; as slow as the service likes it after that.
        let pause = pause.min(Duration::from_millis(100).max(begun.elapsed() / 2));
        tokio::time::sleep(pause).await;
        if *put.work.stop.borrow() {
            return Err(Fault::new(Class::Retry, "akidb-edge", "wait", "Stopped", format!("still {told}"))
                .next("run the same command again: it goes on from here"));
        }
    }
}

/// Waits until something that is there has come as far as `level`.
pub async fn come_to(work: &Work<'_>, address: &Address, id: &str, level: Level) -> Result<Ended, Problem> {
    let change = &work.changes.items[address];
    let Some(resource) = &change.after else { return Ok(Ended::nothing(address, id)) };
    let spec = work.resolved(&resource.spec);
    let generation = work.ledger.remembered().generation(address);
    let token = token(&work.changes.stack, address, generation);
    let attributes = work.known.of(address);
    let put = Put { work, provider: work.providers.of(change.kind)?.as_ref(), resource, spec, token, attributes };
    match settle(&put, id, level).await {
        Ok(attributes) => {
            let mut all = work.known.of(address);
            all.extend(attributes);
            work.known.learn(address, all);
            Ok(Ended { is_final: level == Level::Propagated, ..Ended::nothing(address, id) })
        }
        Err(fault) => {
            work.tell(Event::Failed { address: address.clone(), action: change.action, fault: fault.clone() });
            Err(fault.into())
        }
    }
}

async fn remove(work: &Work<'_>, change: &Change) -> Result<Ended, Problem> {
    let begun = Instant::now();
    if change.action == Action::Forget {
        work.ledger.record(Fact::Forgotten { address: change.address.clone() }).await?;
        work.tell(finished(change, Action::Forget, "", millis(begun)));
        let done = Some((change.kind, Action::Forget, millis(begun)));
        return Ok(Ended { done, is_final: true, ..Ended::nothing(&change.address, "") });
    }
    let Some(old) = old_self(work, change) else {
        return Err(Fault::unexpected("akidb-edge", "remove", "nothing is remembered here").into());
    };
    let set_aside = change.action == Action::Replace && change.kind.facts().create_first;
    if !set_aside && let Some(record) = &change.before {
        let subject = Noted {
            address: change.address.clone(),
            kind: change.kind,
            generation: record.generation,
            spec: record.spec.clone(),
            needs: record.needs.clone(),
            step: record.step.clone(),
        };
        work.ledger.record(Fact::Intended { action: Action::Delete, subject, id: Some(old.id.clone()) }).await?;
    }
    let gone = match holder(work, &old) {
        Some(holder) if !set_aside => Gone::Deferred(format!("{holder} must go first")),
        _ => delete(work, &old).await?,
    };
    match gone {
        Gone::Gone => {
            let fact = if set_aside {
                Fact::Cleared { address: old.address.clone(), id: old.id.clone() }
            } else {
                Fact::Removed { address: old.address.clone(), id: old.id.clone() }
            };
            work.ledger.record(fact).await?;
            work.tell(finished(change, Action::Delete, &old.id, millis(begun)));
            let done = Some((change.kind, Action::Delete, millis(begun)));
            Ok(Ended { done, is_final: true, ..Ended::nothing(&change.address, &old.id) })
        }
        Gone::Deferred(reason) => defer(work, old, reason).await,
    }
}

fn finished(change: &Change, action: Action, id: &str, took_ms: u64) -> Event {
    Event::Finished { address: change.address.clone(), kind: change.kind, action, id: id.to_owned(), took_ms }
}

async fn defer(work: &Work<'_>, mut left: Leftover, reason: String) -> Result<Ended, Problem> {
    left.reason.clone_from(&reason);
    let (address, id) = (left.address.clone(), left.id.clone());
    work.ledger.record(Fact::SetAside(left)).await?;
    work.tell(Event::Deferred { address: address.clone(), reason: reason.clone() });
    // For this run it is over: what it leans on is put off behind it, not left out.
    Ok(Ended { deferred: Some(reason), is_final: true, ..Ended::nothing(&address, &id) })
}

async fn delete(work: &Work<'_>, old: &Leftover) -> Result<Gone, Fault> {
    let provider = work.providers.of(old.kind)?;
    let subject = Subject {
        stack: &work.changes.stack,
        address: &old.address,
        token: "",
        spec: &old.spec,
        id: Some(&old.id),
        attributes: &old.attributes,
    };
    if work.options.empty_buckets && old.kind.facts().holds_data {
        patience::reading(async || provider.empty(&subject).await).await?;
    }
    let mut pauses = Pauses::within(ACTING);
    loop {
        match provider.delete(&subject).await {
            Err(fault) if matches!(fault.class, Class::Retry | Class::Stale) => {
                let Some(pause) = pauses.pause() else { return Err(fault) };
                tokio::time::sleep(pause).await;
            }
            answer => return answer,
        }
    }
}

/// Tries once more to delete something that was set aside.
pub async fn clear(work: &Work<'_>, left: &Leftover) -> Result<Ended, Problem> {
    let begun = Instant::now();
    let state = work.ledger.remembered();
    if state.resources.values().any(|record| record.kind == left.kind && record.id.as_deref() == Some(&left.id)) {
        // A later run took the very thing up again: it is nobody's leftover any more.
        work.ledger.record(Fact::Cleared { address: left.address.clone(), id: left.id.clone() }).await?;
        return Ok(Ended::nothing(&left.address, &left.id));
    }
    match delete(work, left).await {
        Ok(Gone::Gone) => {
            work.ledger.record(Fact::Cleared { address: left.address.clone(), id: left.id.clone() }).await?;
            let (address, id) = (left.address.clone(), left.id.clone());
            let (kind, took_ms) = (left.kind, millis(begun));
            work.tell(Event::Finished { address, kind, action: Action::Delete, id, took_ms });
            let done = Some((kind, Action::Delete, took_ms));
            Ok(Ended { done, is_final: true, ..Ended::nothing(&left.address, &left.id) })
        }
        Ok(Gone::Deferred(reason)) => defer(work, left.clone(), reason).await,
        Err(fault) => {
            give_up(work, &left.address, Action::Delete, &fault).await?;
            Err(fault.into())
        }
    }
}

fn millis(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}
