//! A resource is created, changed or adopted, and waited for.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::again;
use super::remove::set_aside;
use super::{RunContext, StepFailure, StepResult, millis};
use crate::change::{compare, differing, is_the_former, mark, touches};
use crate::ledger::{Fact, ResourceSnapshot};
use crate::provider::{Applied, Progress, Provider, ResourceContext};
use crate::resource::records::previous::{PreviousSets, before_change, coming_back, keep, kept, sets};
use crate::resource::{
    ACCEPTED_EXTRAS, Action, Address, Attributes, Change, Event, Fault, FaultClass, IMPORTED_SETTINGS, Kind, Level,
    ObservedResource, Owner, Resource, ResourceOrigin, ResourceRecord, ResourceStatus, TAKEN_IN, Untrusted,
    has_references, in_both, token, zone,
};

/// What a put works on.
struct PutStep<'a> {
    work: &'a RunContext<'a>,
    provider: &'a dyn Provider,
    resource: &'a Resource,
    spec: Value,
    /// What an earlier run asked for.
    before: Option<Value>,
    /// Where it was made, when it has moved since.
    former: Option<Address>,
    token: String,
    attributes: Attributes,
}

impl PutStep<'_> {
    fn subject<'s>(&'s self, id: Option<&'s str>) -> ResourceContext<'s> {
        ResourceContext {
            stack: self.work.stack_of(&self.resource.address),
            address: &self.resource.address,
            token: &self.token,
            spec: &self.spec,
            id,
            attributes: &self.attributes,
            before: self.before.as_ref(),
            former: self.former.as_ref(),
            thorough: false,
            seen_absent: false,
        }
    }
}

/// Makes, changes or adopts what a change wants.
pub async fn put(work: &RunContext<'_>, change: &Change) -> Result<StepResult, StepFailure> {
    let begun = Instant::now();
    let Some(resource) = &change.after else {
        return Err(Fault::unexpected("akidb-edge", "put", "nothing is planned here").into());
    };
    let spec = work.resolved(&resource.spec);
    if has_references(&spec) {
        let open: Vec<String> = crate::resource::references(&spec).iter().map(ToString::to_string).collect();
        let problem = format!("{} refers to {}, which was neither created nor found", change.address, open.join(", "));
        return Err(Fault::unexpected("akidb-edge", "resolve", problem).into());
    }
    let renewed = change.action == Action::Replace;
    let origin = origin_at_new_name(work, change, resource, &spec).await?;
    let action = if renewed { Action::Create } else { change.action.in_journal() };
    if renewed {
        set_aside(work, change).await?;
    }
    // Read after setting aside: that makes room for the next generation.
    // What existed once and is gone took its references with it: a service refuses them for something new.
    let gone = action == Action::Create && !renewed && change.before.as_ref().is_some_and(|record| record.id.is_some());
    let generation = work.journal(&change.address).ask(|state| state.generation(&change.address)) + u32::from(gone);
    let noted = ResourceSnapshot {
        address: change.address.clone(),
        kind: change.kind,
        generation,
        spec: resource.spec.clone(),
        needs: resource.needs.clone(),
        step: resource.step.clone(),
        after: resource.after.clone(),
        origin: (origin != change.origin || says_origin(work, change, action)).then_some(origin),
        seen: Attributes::new(),
    };
    let earlier = earlier_sets(work, change, action);
    let id = change.found.as_ref().filter(|_| !renewed).map(|found| found.id.clone());
    let mut seen = Attributes::new();
    keep(&mut seen, &earlier);
    let imports = action == Action::Adopt && origin == ResourceOrigin::Imported && change.kind != Kind::Records;
    if let Some(found) = change.found.as_ref().filter(|_| imports) {
        seen.insert(IMPORTED_SETTINGS.to_owned(), in_both(&spec, &found.spec));
    }
    let intended = ResourceSnapshot { seen, ..noted.clone() };
    let journal = work.journal(&change.address);
    journal.record(Fact::Intended { action, subject: intended, id: id.clone() }).await?;
    let token = if gone || renewed {
        token(work.stack_of(&change.address), &change.address, generation)
    } else {
        journal.ask(|state| state.token(&change.address))
    };
    let mut attributes = if renewed { Attributes::new() } else { work.known.of(&change.address) };
    keep(&mut attributes, &earlier);
    if origin == ResourceOrigin::Imported {
        attributes.insert(TAKEN_IN.to_owned(), true.into());
    }
    let before = change.before.as_ref().filter(|record| !renewed && record.id.is_some());
    let before = before.map(|record| record.without_imported(work.resolved_before(&record.stated()), &spec));
    let provider = work.providers.of(change.kind)?.as_ref();
    let former = change.before.as_ref().and_then(|record| record.made_at.as_ref()).map(|made| made.address.clone());
    let put = PutStep { work, provider, resource, spec, before, former, token, attributes };
    let made = match (&change.found, change.action) {
        (Some(found), Action::Recreate) => recreate(&put, found).await?,
        (Some(found), Action::Update | Action::Adopt | Action::Move) => update(&put, found, change).await?,
        _ => match taken_up(&put, change, origin).await? {
            Some(made) => made,
            None => create(&put, was_absent(change)).await?,
        },
    };
    let mut made = with_what_people_said(made, change);
    if change.kind == Kind::Records {
        let (_, later) = coming_back(&earlier, &sets(&put.spec));
        keep(&mut made.attributes, &later);
    }
    let took_ms = millis(begun);
    let succeed = |attributes: Attributes| Fact::Succeeded {
        action,
        subject: noted.clone(),
        id: made.id.clone(),
        attributes,
        took_ms,
    };
    journal.record(succeed(made.attributes.clone())).await?;
    let mut attributes = made.attributes.clone();
    if work.options.wait > Level::Accepted || work.changes.is_needed(resource) {
        attributes.extend(settle(&put, &made.id, Level::Usable).await?);
    }
    if attributes != made.attributes {
        journal.record(succeed(attributes.clone())).await?;
    }
    let notice = zone::delegation(&attributes).filter(|_| change.kind == Kind::Zone && action == Action::Create);
    work.known.learn(&change.address, attributes);
    let took_ms = millis(begun);
    let (address, kind, id) = (change.address.clone(), change.kind, Untrusted::from(&made.id));
    work.tell(Event::Finished { address: address.clone(), kind, action: change.action, id, took_ms });
    if let Some(text) = notice {
        work.tell(Event::Notice { address, text: text.into() });
    }
    let done = Some((change.kind, change.action, took_ms));
    Ok(StepResult { done, ..StepResult::nothing(&change.address, &made.id) })
}

/// The origin of what a change makes. Where it gets another name than before, something may be there already that carries this
/// stack's mark: what says of itself that it was imported was not made.
async fn origin_at_new_name(
    work: &RunContext<'_>,
    change: &Change,
    resource: &Resource,
    spec: &Value,
) -> Result<ResourceOrigin, Fault> {
    let plain = change.kind.on_a_machine() || change.kind.facts().lookup;
    let anew = change.action == Action::Replace || (change.action == Action::Create && !was_absent(change));
    if plain || !anew || change.origin != ResourceOrigin::Made {
        return Ok(change.origin);
    }
    let provider = work.providers.of(change.kind)?.as_ref();
    let (spec, token, attributes) = (spec.clone(), String::new(), Attributes::new());
    let look = PutStep { work, provider, resource, spec, before: None, former: None, token, attributes };
    let retry_policy = work.providers.retry_policy_of(change.kind);
    let there = retry_policy.reading(async || provider.read(&look.subject(None)).await).await?;
    let old = change.found.as_ref().map(|found| &found.id);
    let old = old.or(change.before.as_ref().and_then(|record| record.id.as_ref()));
    let imported = there.is_some_and(|there| there.says_imported() && Some(&there.id) != old);
    Ok(if imported { ResourceOrigin::Imported } else { ResourceOrigin::Made })
}

/// What existed before this stack and comes back to it: where it still stands, it is changed in place, so that it gets its
/// settings of then and nothing of others on it is lost. None when it is to be made, or does not carry this stack's mark.
async fn taken_up(put: &PutStep<'_>, change: &Change, origin: ResourceOrigin) -> Result<Option<Applied>, Fault> {
    let kind = change.kind;
    if origin != ResourceOrigin::Imported || kind == Kind::Records || kind.on_a_machine() {
        return Ok(None);
    }
    // What an earlier run asked for was asked of another thing.
    let (work, provider, resource, spec) = (put.work, put.provider, put.resource, put.spec.clone());
    let (token, attributes) = (put.token.clone(), put.attributes.clone());
    let then = PutStep { work, provider, resource, spec, before: None, former: None, token, attributes };
    let retry_policy = work.providers.retry_policy_of(kind);
    let found = retry_policy.reading(async || provider.read(&then.subject(None)).await).await?;
    let Some(found) = found.filter(|found| is_the_former(work.changes, change, found)) else { return Ok(None) };
    let fields = differing(work.stack_of(&change.address), kind, &then.spec, None, &found);
    if fields.iter().any(|field| touches(kind.facts().replace_on, &field.path)) {
        return Ok(None);
    }
    let again = Change { action: Action::Adopt, before: None, ..change.clone() };
    update(&then, &found, &again).await.map(Some)
}

/// Whether the journal cannot tell by itself how it came into the state.
fn says_origin(work: &RunContext<'_>, change: &Change, action: Action) -> bool {
    let known = work.journal(&change.address).ask(|state| state.resources.contains_key(&change.address));
    let comes_back = action == Action::Create && change.origin != ResourceOrigin::Made;
    action == Action::Adopt || comes_back || (action != Action::Create && !known)
}

/// The record sets that existed before this stack wrote to their group: those that are known, and those that this change
/// takes over.
fn earlier_sets(work: &RunContext<'_>, change: &Change, action: Action) -> PreviousSets {
    let changes = matches!(action, Action::Update | Action::Adopt | Action::Move);
    let Some(found) = change.found.as_ref().filter(|_| changes && change.kind == Kind::Records) else {
        return PreviousSets::new();
    };
    match change.origin {
        // It carries this stack's records: they were written by runs that the journal does not know any longer.
        ResourceOrigin::Recovered => change.before.as_ref().map(|record| kept(&record.attributes)).unwrap_or_default(),
        _ => before_change(change.before.as_ref(), found, &|spec| work.resolved_before(spec)),
    }
}

/// What people said of a resource stays true while it is the same resource: which extras were accepted.
fn with_what_people_said(mut made: Applied, change: &Change) -> Applied {
    let before = change.before.as_ref().filter(|record| record.id.as_deref() == Some(&made.id));
    if let Some(value) = before.and_then(|record| record.attributes.get(ACCEPTED_EXTRAS)) {
        made.attributes.insert(ACCEPTED_EXTRAS.to_owned(), value.clone());
    }
    made
}

/// Whether it was looked for under this very name, and nobody has tried to make it before.
fn was_absent(change: &Change) -> bool {
    let unanswered = |record: &ResourceRecord| record.standing == ResourceStatus::Creating;
    // With an id in the journal it was looked for by that id, and maybe by a former name: not by this one.
    let looked_otherwise = |record: &ResourceRecord| record.id.is_some();
    let before = change.before.as_ref();
    change.action == Action::Create
        && change.found.is_none()
        && !before.is_some_and(|record| unanswered(record) || looked_otherwise(record))
}

async fn create(put: &PutStep<'_>, mut seen_absent: bool) -> Result<Applied, Fault> {
    let retry_policy = put.work.providers.retry_policy_of(put.resource.kind);
    let mut backoff = retry_policy.acting();
    loop {
        let subject = ResourceContext { seen_absent, ..put.subject(None) };
        seen_absent = false;
        let fault = match put.provider.create(&subject).await {
            Err(fault) if matches!(fault.class, FaultClass::Retry | FaultClass::Unreachable) => fault,
            answer => return answer,
        };
        again(put.work, &put.resource.address, &mut backoff, fault).await?;
        // The call may have taken effect although its answer never came.
        let found = retry_policy.reading(async || put.provider.read(&put.subject(None)).await).await?;
        if let Some(found) = found.filter(|found| found.owner == Owner::Ours) {
            let fields = compare(put.resource.kind, &put.spec, None, &found.spec);
            if fields.is_empty() {
                match marked_again(put, &found).await {
                    Err(fault)
                        if matches!(fault.class, FaultClass::Retry | FaultClass::Stale | FaultClass::Unreachable) =>
                    {
                        again(put.work, &put.resource.address, &mut backoff, fault).await?;
                    }
                    answer => return answer,
                }
            }
        }
    }
}

/// What was made by a call whose answer was lost may lack its mark, when that comes in a call of its own.
async fn marked_again(put: &PutStep<'_>, found: &ObservedResource) -> Result<Applied, Fault> {
    let path = put.resource.kind.facts().mark.filter(|path| path.starts_with("tags."));
    let Some(path) = path else { return Ok(Applied { id: found.id.clone(), attributes: found.attributes.clone() }) };
    let fields = [mark(put.work.stack_of(&put.resource.address), path)];
    put.provider.update(&put.subject(Some(&found.id)), found, &fields).await
}

async fn update(put: &PutStep<'_>, found: &ObservedResource, change: &Change) -> Result<Applied, Fault> {
    let retry_policy = put.work.providers.retry_policy_of(put.resource.kind);
    let mut backoff = retry_policy.acting();
    let before = change.before.as_ref();
    let before = before.map(|record| record.without_imported(put.work.resolved_before(&record.stated()), &put.spec));
    let mut now = found.clone();
    // References that were open when the difference was made are known by now: look again at what really differs.
    let (stack, kind) = (put.work.stack_of(&put.resource.address), put.resource.kind);
    let mut fields = differing(stack, kind, &put.spec, before.as_ref(), &now);
    // A create that was never answered may have ended before the mark came on: it is written once more.
    let unanswered = change.action == Action::Adopt && change.before.as_ref().is_some_and(|record| record.id.is_none());
    if let Some(path) = kind.facts().mark.filter(|path| unanswered && path.starts_with("tags.")) {
        fields.push(mark(stack, path));
    }
    loop {
        if fields.is_empty() && matches!(change.action, Action::Adopt | Action::Move) {
            return Ok(Applied { id: now.id, attributes: now.attributes });
        }
        let fault = match put.provider.update(&put.subject(Some(&now.id)), &now, &fields).await {
            Err(fault) if matches!(fault.class, FaultClass::Retry | FaultClass::Stale | FaultClass::Unreachable) => {
                fault
            }
            answer => return answer,
        };
        again(put.work, &put.resource.address, &mut backoff, fault).await?;
        let look = async || put.provider.read(&put.subject(Some(&now.id))).await;
        let read = retry_policy.reading(look).await?;
        let Some(read) = read else {
            return Err(Fault::unexpected("akidb-edge", "update", "it disappeared while it was changed")
                .next("run the same command again"));
        };
        now = read;
        fields = differing(stack, kind, &put.spec, before.as_ref(), &now);
    }
}

/// Deletes it and makes it again under its name, as the preview said.
async fn recreate(put: &PutStep<'_>, found: &ObservedResource) -> Result<Applied, Fault> {
    let mut backoff = put.work.providers.retry_policy_of(put.resource.kind).acting();
    loop {
        match put.provider.recreate(&put.subject(Some(&found.id)), found).await {
            Err(fault) if matches!(fault.class, FaultClass::Retry | FaultClass::Stale | FaultClass::Unreachable) => {
                again(put.work, &put.resource.address, &mut backoff, fault).await?;
            }
            answer => return answer,
        }
    }
}

/// Looks until it has come as far as `level`; a failed state is an end with its reason.
async fn settle(put: &PutStep<'_>, id: &str, level: Level) -> Result<Attributes, Fault> {
    let begun = Instant::now();
    let mut told = Untrusted::default();
    loop {
        let look = async || put.provider.settled(&put.subject(Some(id)), level).await;
        let look = put.work.providers.retry_policy_of(put.resource.kind).reading(look).await?;
        let (state, pause) = match look {
            Progress::Ready(attributes) => return Ok(attributes),
            Progress::NotYet(state, pause) => (state, pause),
        };
        if state != told {
            put.work.tell(Event::Waiting { address: put.resource.address.clone(), state: state.clone() });
            told = state;
        }
        // Quick at first, for what takes a moment; as slow as the service likes it after that.
        let pause = pause.min(Duration::from_millis(100).max(begun.elapsed() / 2));
        tokio::time::sleep(pause).await;
        if *put.work.stop.borrow() {
            return Err(Fault::new(
                FaultClass::Retry,
                "akidb-edge",
                "wait",
                super::STOPPED,
                format!("still {}", told.line()),
            )
            .next("run the same command again to continue"));
        }
    }
}

/// Waits until something that is there has come as far as `level`.
pub async fn come_to(
    work: &RunContext<'_>,
    address: &Address,
    id: &str,
    level: Level,
) -> Result<StepResult, StepFailure> {
    let change = &work.changes.items[address];
    let Some(resource) = &change.after else { return Ok(StepResult::nothing(address, id)) };
    let spec = work.resolved(&resource.spec);
    let token = work.journal(address).ask(|state| state.token(address));
    let attributes = work.known.of(address);
    let provider = work.providers.of(change.kind)?.as_ref();
    let put = PutStep { work, provider, resource, spec, before: None, former: None, token, attributes };
    match settle(&put, id, level).await {
        Ok(attributes) => {
            let mut all = work.known.of(address);
            all.extend(attributes);
            work.known.learn(address, all);
            Ok(StepResult { is_final: level == Level::Propagated, ..StepResult::nothing(address, id) })
        }
        Err(fault) => {
            if fault.code != super::STOPPED {
                let fault = fault.clone();
                work.tell(Event::Failed { address: address.clone(), action: change.action, fault });
            }
            Err(fault.into())
        }
    }
}
