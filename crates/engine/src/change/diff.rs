//! The difference between desired, recorded and real resources.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fields::{differing, touches};
use super::origin::{keep_needs_of_imported, origin_of};
use super::refusal::{
    PlanningRefusal, another, contested, divided, foreign, not_there, same_name, unreadable, would_replace,
};
use super::unmanaged::{keep_roles_of_others, sets_wanted_twice, sibling_in_the_way};
use super::versions::kept;
use crate::resource::{
    Action, Address, Change, Changes, Desired, FieldChange, Kind, Moves, Observed, ObservedResource, Owner,
    PreviousAddress, Resource, ResourceOrigin, ResourceRecord, ResourceStatus, Risk, StackState, has_references, known,
    resolve,
};

/// What the difference is to look at.
#[derive(Clone, Debug, Default)]
pub struct DiffScope {
    /// The addresses to work on; none for all.
    pub only: Option<BTreeSet<Address>>,
    /// Foreign things at these addresses are adopted on purpose.
    pub adopt: BTreeSet<Address>,
    /// Imported things at these addresses are deleted on purpose, when they are not wanted.
    pub delete_imported: BTreeSet<Address>,
    /// Runs are undone: what they only took in is forgotten, not deleted.
    pub undo: bool,
    /// How the resources that an undoing goes back to had come into the state: what was imported then is imported again, whatever
    /// has taken its address since.
    pub was: BTreeMap<Address, ResourceOrigin>,
    /// The moves that `recorded` has gone through already; the run writes them down first.
    pub moves: Moves,
}

impl DiffScope {
    /// Whether the run works on this address.
    pub fn covers(&self, address: &Address) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(address))
    }
}

/// The changes that lead from the real resources to what is wanted.
///
/// # Errors
/// Every address where something is in the way: a thing of the same name that is not ours, or one that could not
/// be read.
pub fn diff(
    desired: &Desired,
    recorded: &StackState,
    observed: &Observed,
    scope: &DiffScope,
) -> Result<Changes, Vec<PlanningRefusal>> {
    let (changes, refused) = diff_around(desired, recorded, observed, scope);
    if refused.is_empty() { Ok(changes) } else { Err(refused) }
}

/// The same as far as nothing is in the way, and everything that does.
pub fn diff_around(
    desired: &Desired,
    recorded: &StackState,
    observed: &Observed,
    scope: &DiffScope,
) -> (Changes, Vec<PlanningRefusal>) {
    let kept = kept(desired, recorded);
    let desired: &Desired = &kept.desired;
    let view = DiffView { desired, recorded, observed, scope, wanted: OnceCell::new() };
    let (stack, devices, outside) = (desired.stack.clone(), desired.devices.clone(), recorded.outside.clone());
    let mut changes = Changes { stack, devices, outside, ..Changes::default() };
    let mut refused: Vec<PlanningRefusal> =
        observed.faults().filter(|(address, _)| scope.covers(address)).map(unreadable).collect();
    refused.extend(sets_wanted_twice(desired, &|spec| view.resolved(spec)));
    let held = recorded.resources.iter().filter(|(address, _)| scope.covers(address));
    refused.extend(held.filter_map(|(address, record)| another(address, record, observed.found(address)?)));
    for resource in desired.resources.values().filter(|resource| scope.covers(&resource.address)) {
        if observed.seen.get(&resource.address).is_some_and(Result::is_err) {
            continue;
        }
        match view.wanted(resource) {
            Ok(change) => drop(changes.items.insert(resource.address.clone(), change)),
            Err(refusal) => refused.push(refusal),
        }
    }
    let stays = |address: &Address| desired.resources.contains_key(address) || kept.addresses.contains(address);
    let unwanted = recorded.resources.iter().filter(|(address, _)| !stays(address));
    for (address, record) in unwanted.filter(|(address, _)| scope.covers(address)) {
        changes.items.insert(address.clone(), view.unwanted(address, record));
    }
    view.follow_replacements(&mut changes);
    view.come_back(&mut changes);
    keep_roles_of_others(&mut changes);
    keep_needs_of_imported(&mut changes);
    view.follow_moves(&mut changes);
    changes.pending_deletions =
        recorded.pending_deletions.iter().filter(|left| scope.covers(&left.address)).cloned().collect();
    (changes, refused)
}

/// Whether a create was begun and nobody knows what became of it.
fn unanswered(record: Option<&ResourceRecord>) -> bool {
    record.is_some_and(|record| record.standing == ResourceStatus::Creating && record.id.is_none())
}

/// Addresses by what is behind them.
pub(super) type Identities<'a> = BTreeMap<(Kind, String), Vec<&'a Address>>;

pub(super) struct DiffView<'a> {
    pub(super) desired: &'a Desired,
    pub(super) recorded: &'a StackState,
    pub(super) observed: &'a Observed,
    pub(super) scope: &'a DiffScope,
    /// What the plan wants, by identity, once it is asked for.
    pub(super) wanted: OnceCell<Identities<'a>>,
}

impl DiffView<'_> {
    /// What is known now: seen first, recorded else.
    pub(super) fn resolved(&self, spec: &Value) -> Value {
        resolve(spec, &|address, attribute| known(self.observed, self.recorded, address, attribute))
    }

    fn wanted(&self, resource: &Resource) -> Result<Change, PlanningRefusal> {
        let record = self.recorded.resources.get(&resource.address);
        let found = self.observed.found(&resource.address);
        let change = match found {
            None if resource.kind.facts().lookup => return Err(not_there(resource)),
            None => self.absent(resource, record),
            // The mark may come in a call of its own (S3): whether it is ours, the provider tells from the thing itself.
            Some(found) if unanswered(record) && matches!(found.owner, Owner::Foreign(_)) => {
                let reason = Some("an earlier run started it and got no answer".to_owned());
                Change { reason, ..start(resource, Action::Create, record, None) }
            }
            Some(found) => self.present(resource, record, found)?,
        };
        Ok(change)
    }

    fn absent(&self, resource: &Resource, record: Option<&ResourceRecord>) -> Change {
        let gone = record.is_some_and(|record| record.standing == ResourceStatus::Present);
        let reason = gone.then(|| "it existed and is gone".to_owned());
        Change { reason, ..start(resource, Action::Create, record, None) }
    }

    fn present(
        &self,
        resource: &Resource,
        record: Option<&ResourceRecord>,
        found: &ObservedResource,
    ) -> Result<Change, PlanningRefusal> {
        let facts = resource.kind.facts();
        let wanted = self.resolved(&resource.spec);
        let before = record.map(|record| record.without_imported(self.resolved(&record.stated()), &wanted));
        let mut fields = differing(&self.recorded.stack, resource.kind, &wanted, before.as_ref(), found);
        if record.is_some_and(|record| record.standing != ResourceStatus::Present || record.pending.is_some()) {
            // What an earlier run was cut off in was changed by that run.
            fields.iter_mut().for_each(|field| field.drifted = false);
        }
        let known = record.is_some_and(|record| record.id.is_some());
        let action = match (&found.owner, fields.is_empty()) {
            _ if facts.lookup => Action::Keep,
            (Owner::Foreign(_) | Owner::Contested(_), _) if self.sibling(resource, found).is_some() => {
                let (key, other) = self.sibling(resource, found).unwrap_or_default();
                return Err(divided(resource, &key, &other));
            }
            (Owner::Foreign(why), _) if !known && !self.scope.adopt.contains(&resource.address) => {
                return Err(foreign(resource, found, why));
            }
            (Owner::Contested(why), _) if !self.scope.adopt.contains(&resource.address) => {
                return Err(contested(resource, found, why));
            }
            _ if replaces(resource.kind, &fields) && cannot_stand_beside(resource.kind, &fields) => {
                return Err(same_name(resource, &fields));
            }
            (Owner::Foreign(_), _) if !known && replaces(resource.kind, &fields) => {
                return Err(would_replace(resource, found, &fields));
            }
            (Owner::Contested(_), _) if replaces(resource.kind, &fields) => {
                return Err(would_replace(resource, found, &fields));
            }
            _ if replaces(resource.kind, &fields) && self.is_kept_elsewhere(resource, record) => {
                // The new one is made, and the old one stays: another address of the plan wants it, or it was imported.
                let reason = record.filter(|record| record.is_imported()).map(|_| stays_beside(found));
                return Ok(Change { reason, ..start(resource, Action::Create, record, None) });
            }
            _ if replaces(resource.kind, &fields) => Action::Replace,
            _ if !known => Action::Adopt,
            (_, true) => settled_action(record),
            (_, false) => Action::Update,
        };
        let risk = risk(resource.kind, action, &fields, &found.spec);
        let reason = (!known && action == Action::Adopt).then(|| match record {
            _ if matches!(found.owner, Owner::Foreign(_)) => {
                "this stack does not own it: adopted as requested".to_owned()
            }
            Some(_) => "an earlier run created it and got no answer".to_owned(),
            None if resource.kind.on_a_machine() => "it already exists".to_owned(),
            None => "it is tagged as this stack's, but it is not in the journal".to_owned(),
        });
        let reason = reason.or_else(|| facts.when_replaced.filter(|_| action == Action::Replace).map(str::to_owned));
        let origin = self.origin(resource, action, record, found);
        Ok(Change { fields, risk, reason, origin, ..start(resource, action, record, Some(found)) })
    }

    /// What an undoing brings back in the place of something else is what it was then: it was never made by this stack.
    fn come_back(&self, changes: &mut Changes) {
        // What the journal knows nothing of any more comes back, too: the call that was to bring it was refused.
        let anew = |change: &Change| change.action == Action::Adopt && change.before.is_none();
        let renewed = changes.items.values_mut().filter(|change| renews(change) || anew(change));
        for change in renewed {
            if let Some(origin) = self.scope.was.get(&change.address) {
                change.origin = *origin;
            }
        }
    }

    /// Says what came from where. What only changed its address, and the marks that name it, is a move.
    fn follow_moves(&self, changes: &mut Changes) {
        changes.moves = self.scope.moves.clone();
        for change in changes.items.values_mut() {
            let from = self.scope.moves.sources_of(&change.address).into_iter();
            let from = from.map(|(address, sets)| PreviousAddress {
                address: address.clone(),
                sets: sets.cloned().unwrap_or_default(),
            });
            change.moved_from = from.collect();
            let made_elsewhere = change.before.as_ref().is_some_and(|record| record.made_at.is_some());
            let mark = change.kind.facts().mark.filter(|_| made_elsewhere);
            // What was imported carries no mark until a run writes it.
            let untagged = change.found.as_ref().is_some_and(ObservedResource::is_unmarked)
                && change.before.as_ref().is_some_and(ResourceRecord::is_imported);
            let own = change.kind.facts().mark.filter(|_| made_elsewhere || untagged);
            for field in change.fields.iter_mut().filter(|field| Some(field.path.as_str()) == own) {
                field.drifted = false;
            }
            let only_marks = change.fields.iter().all(|field| Some(field.path.as_str()) == mark);
            let moved = made_elsewhere || !change.moved_from.is_empty();
            if moved && only_marks && matches!(change.action, Action::Keep | Action::Update) {
                (change.action, change.risk) = (Action::Move, Risk::Safe);
            }
        }
    }

    fn is_kept_elsewhere(&self, resource: &Resource, record: Option<&ResourceRecord>) -> bool {
        record.is_some_and(|record| record.is_imported() || self.wanted_elsewhere(&resource.address, record).is_some())
    }

    fn sibling(&self, resource: &Resource, found: &ObservedResource) -> Option<(String, String)> {
        sibling_in_the_way(resource, found, self.recorded, &|spec| self.resolved(spec))
    }

    /// What refers to something that gets a new identity changes with it: the reference is open again.
    fn follow_replacements(&self, changes: &mut Changes) {
        loop {
            let renewed: BTreeSet<String> = changes
                .items
                .values()
                .filter(|change| renews(change))
                .map(|change| change.address.to_string())
                .collect();
            let mut moved = Vec::new();
            for change in changes.items.values() {
                let (Some(resource), Some(found)) = (&change.after, &change.found) else { continue };
                if change.action == Action::Replace || change.kind.facts().lookup {
                    continue;
                }
                let wanted = resolve(&resource.spec, &|address, attribute| {
                    if renewed.contains(address) {
                        None
                    } else {
                        known(self.observed, self.recorded, address, attribute)
                    }
                });
                if !has_references(&wanted) {
                    continue;
                }
                let before = change.before.as_ref();
                let before = before.map(|record| record.without_imported(self.resolved(&record.stated()), &wanted));
                let fields = differing(&self.recorded.stack, change.kind, &wanted, before.as_ref(), found);
                let renewed = replaces(change.kind, &fields);
                let action = if renewed && stays_when_replaced(change) {
                    Action::Create
                } else if renewed {
                    Action::Replace
                } else if change.action == Action::Adopt {
                    Action::Adopt
                } else {
                    Action::Update
                };
                if action != change.action || fields != change.fields {
                    moved.push((change.address.clone(), action, fields));
                }
            }
            if moved.is_empty() {
                return;
            }
            for (address, action, fields) in moved {
                if let Some(change) = changes.items.get_mut(&address) {
                    let there = change.found.as_ref().map_or(&Value::Null, |found| &found.spec);
                    change.risk = risk(change.kind, action, &fields, there);
                    (change.action, change.fields) = (action, fields);
                    if action == Action::Create {
                        change.reason = change.found.take().as_ref().map(stays_beside);
                        change.fields.clear();
                    }
                    if matches!(action, Action::Create | Action::Replace) {
                        change.origin = ResourceOrigin::Made;
                    }
                }
            }
        }
    }
}

/// Whether a change gives its address a new identity.
pub(super) fn renews(change: &Change) -> bool {
    matches!(change.action, Action::Replace | Action::Create)
}

/// What existed before stays when something else takes its address.
fn stays_when_replaced(change: &Change) -> bool {
    let foreign = change.found.as_ref().is_some_and(|found| matches!(found.owner, Owner::Foreign(_)));
    change.before.as_ref().map_or(foreign, ResourceRecord::is_imported)
}

fn stays_beside(found: &ObservedResource) -> String {
    format!("{} was imported, not created by this stack: it is kept and forgotten; a new one is created", found.id)
}

/// Nothing differs: still, an unanswered update is written down as done, and settings said another way are recorded.
fn settled_action(record: Option<&ResourceRecord>) -> Action {
    match record {
        Some(record) if record.standing == ResourceStatus::Present && record.pending.is_none() => Action::Keep,
        _ => Action::Adopt,
    }
}

fn start(
    resource: &Resource,
    action: Action,
    record: Option<&ResourceRecord>,
    found: Option<&ObservedResource>,
) -> Change {
    Change {
        address: resource.address.clone(),
        kind: resource.kind,
        action,
        fields: Vec::new(),
        moved_from: Vec::new(),
        risk: Risk::Safe,
        reason: None,
        origin: if matches!(action, Action::Create | Action::Replace) {
            ResourceOrigin::Made
        } else {
            origin_of(record)
        },
        after: Some(resource.clone()),
        before: record.cloned(),
        found: found.cloned(),
    }
}

fn replaces(kind: Kind, fields: &[FieldChange]) -> bool {
    fields.iter().any(|field| touches(kind.facts().replace_on, &field.path))
}

/// Whether the new one would have the name of the old one, which holds data: neither can be made before the other goes.
fn cannot_stand_beside(kind: Kind, fields: &[FieldChange]) -> bool {
    let facts = kind.facts();
    facts.data.is_some() && !fields.iter().any(|field| touches(facts.identity, &field.path))
}

/// How much a change may hurt; `there` are the settings of what is there now.
pub(super) fn risk(kind: Kind, action: Action, fields: &[FieldChange], there: &Value) -> Risk {
    let facts = kind.facts();
    match action {
        Action::Delete | Action::Replace if kind.data(there).is_some() => Risk::DestroysData,
        Action::Delete => Risk::Disruptive,
        Action::Replace if facts.when_replaced.is_some() => Risk::Disruptive,
        Action::Replace => Risk::Brief,
        Action::Move => Risk::Safe,
        Action::Update | Action::Adopt if fields.iter().any(|field| touches(facts.disruptive, &field.path)) => {
            Risk::Disruptive
        }
        Action::Update => Risk::Brief,
        // To put a mark on something changes nothing that others see.
        Action::Adopt if fields.iter().any(|field| facts.mark != Some(field.path.as_str())) => Risk::Brief,
        _ => Risk::Safe,
    }
}
