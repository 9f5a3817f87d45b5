//! The difference: what is wanted, what is remembered, what is there.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fields::{differing, touches};
use super::others::{keep_roles_of_others, sibling_in_the_way};
use super::refusal::{Refusal, contested, divided, foreign, not_there, same_name, unreadable};
use crate::resource::{
    Action, Address, Change, Changes, Desired, FieldChange, Found, Kind, MovedFrom, Moves, Observed, Owner, Record,
    Remembered, Resource, Risk, Standing, has_references, identity, known, resolve,
};

/// What the difference is to look at.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The addresses to work on; none for all.
    pub only: Option<BTreeSet<Address>>,
    /// Foreign things at these addresses are taken up on purpose.
    pub adopt: BTreeSet<Address>,
    /// The moves that `remembered` has gone through already; the run writes them down first.
    pub moves: Moves,
}

impl Scope {
    /// Whether the run works on this address.
    pub fn covers(&self, address: &Address) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(address))
    }
}

/// The changes that lead from the world to what is wanted.
///
/// # Errors
/// Every address where something stands in the way: a thing of the same name that is not ours, or one that could not
/// be read.
pub fn diff(
    desired: &Desired,
    remembered: &Remembered,
    observed: &Observed,
    scope: &Scope,
) -> Result<Changes, Vec<Refusal>> {
    let view = View { desired, remembered, observed, scope, wanted: OnceCell::new() };
    let mut changes = Changes { stack: desired.stack.clone(), ..Changes::default() };
    let mut refused: Vec<Refusal> =
        observed.faults().filter(|(address, _)| scope.covers(address)).map(unreadable).collect();
    for resource in desired.resources.values().filter(|resource| scope.covers(&resource.address)) {
        if observed.seen.get(&resource.address).is_some_and(Result::is_err) {
            continue;
        }
        match view.wanted(resource) {
            Ok(change) => drop(changes.items.insert(resource.address.clone(), change)),
            Err(refusal) => refused.push(refusal),
        }
    }
    let unwanted = remembered.resources.iter().filter(|(address, _)| !desired.resources.contains_key(*address));
    for (address, record) in unwanted.filter(|(address, _)| scope.covers(address)) {
        changes.items.insert(address.clone(), view.unwanted(address, record));
    }
    view.follow_replacements(&mut changes);
    keep_roles_of_others(&mut changes);
    view.follow_moves(&mut changes);
    changes.leftovers = remembered.leftovers.iter().filter(|left| scope.covers(&left.address)).cloned().collect();
    if refused.is_empty() { Ok(changes) } else { Err(refused) }
}

/// Whether a create was begun and nobody knows what became of it.
fn unanswered(record: Option<&Record>) -> bool {
    record.is_some_and(|record| record.standing == Standing::Creating && record.id.is_none())
}

/// Addresses by what stands behind them.
type Identities<'a> = BTreeMap<(Kind, String), Vec<&'a Address>>;

struct View<'a> {
    desired: &'a Desired,
    remembered: &'a Remembered,
    observed: &'a Observed,
    scope: &'a Scope,
    /// What the plan wants, by identity, once it is asked for.
    wanted: OnceCell<Identities<'a>>,
}

impl<'a> View<'a> {
    /// What is known now: seen first, remembered else.
    fn resolved(&self, spec: &Value) -> Value {
        resolve(spec, &|address, attribute| known(self.observed, self.remembered, address, attribute))
    }

    fn wanted(&self, resource: &Resource) -> Result<Change, Refusal> {
        let record = self.remembered.resources.get(&resource.address);
        let found = self.observed.found(&resource.address);
        let change = match found {
            None if resource.kind.facts().lookup => return Err(not_there(resource)),
            None => self.absent(resource, record),
            // The mark may come in a call of its own (S3): whether it is ours, the provider tells from the thing itself.
            Some(found) if unanswered(record) && matches!(found.owner, Owner::Foreign(_)) => {
                let reason = Some("an earlier run began it and never heard the answer".to_owned());
                Change { reason, ..start(resource, Action::Create, record, None) }
            }
            Some(found) => self.present(resource, record, found)?,
        };
        Ok(change)
    }

    fn absent(&self, resource: &Resource, record: Option<&Record>) -> Change {
        let gone = record.is_some_and(|record| record.standing == Standing::Present);
        let reason = gone.then(|| "it was there and is gone".to_owned());
        Change { reason, ..start(resource, Action::Create, record, None) }
    }

    fn present(&self, resource: &Resource, record: Option<&Record>, found: &Found) -> Result<Change, Refusal> {
        let facts = resource.kind.facts();
        let wanted = self.resolved(&resource.spec);
        let before = record.map(|record| self.resolved(&record.stated()));
        let mut fields = differing(&self.remembered.stack, resource.kind, &wanted, before.as_ref(), found);
        if record.is_some_and(|record| record.standing != Standing::Present || record.pending.is_some()) {
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
            _ if replaces(resource.kind, &fields) && self.is_kept_elsewhere(resource, record) => {
                // The new one is made, and the old one stays: another address of the plan wants it.
                return Ok(start(resource, Action::Create, record, None));
            }
            _ if replaces(resource.kind, &fields) => Action::Replace,
            _ if !known => Action::Adopt,
            (_, true) => settled_action(record),
            (_, false) => Action::Update,
        };
        let risk = risk(resource.kind, action, &fields);
        let reason = (!known && action == Action::Adopt).then(|| match record {
            _ if matches!(found.owner, Owner::Foreign(_)) => "it is not this stack's: taken up on purpose".to_owned(),
            Some(_) => "an earlier run made it and never heard the answer".to_owned(),
            None if resource.kind.on_a_machine() => "it is there already".to_owned(),
            None => "it carries this stack's mark, but the journal does not know it".to_owned(),
        });
        let reason = reason.or_else(|| facts.when_replaced.filter(|_| action == Action::Replace).map(str::to_owned));
        Ok(Change { fields, risk, reason, ..start(resource, action, record, Some(found)) })
    }

    fn unwanted(&self, address: &Address, record: &Record) -> Change {
        let found = self.observed.found(address);
        let lookup = record.kind.facts().lookup;
        let taken = found.is_some_and(|found| matches!(found.owner, Owner::Contested(_)));
        // Whatever led here (an earlier `--adopt`, an import): what the plan wants is not deleted under another address.
        let wanted_at = self.wanted_elsewhere(address, record);
        // A create that never ended may have been refused because somebody else was first. A bucket gets its mark in a call
        // after its creation, and S3 deletes only an empty one.
        let foreign = found.is_some_and(|found| matches!(found.owner, Owner::Foreign(_)));
        let unmarked = foreign && record.id.is_some() && record.made_at.is_none();
        // Data whose mark is gone may be what somebody else put in the place of ours.
        let replaced = unmarked && matches!(record.kind, Kind::Bucket | Kind::Object);
        let foreign = foreign && record.id.is_none() && record.kind != Kind::Bucket;
        let foreign = foreign || replaced;
        let kept = found.is_none() || lookup || taken || foreign || record.is_taken_in() || wanted_at.is_some();
        let action = if kept { Action::Forget } else { Action::Delete };
        let reason = match wanted_at {
            Some(other) => Some(format!("the plan wants the same {} as {other}", record.kind.facts().title)),
            None if record.is_taken_in() && found.is_some() => {
                Some("it was taken in, not made by this stack: it stays as it is".to_owned())
            }
            None if replaced => {
                let what = record.kind.facts().title;
                Some(format!("the mark of this stack is gone from the {what}: it may be somebody else's, and stays"))
            }
            None if foreign => Some("it was never finished, and what stands there is not this stack's".to_owned()),
            None => taken.then(|| "it carries another stack's mark now: it is left alone".to_owned()),
        };
        Change {
            address: address.clone(),
            kind: record.kind,
            action,
            fields: Vec::new(),
            moved_from: Vec::new(),
            risk: risk(record.kind, action, &[]),
            reason,
            after: None,
            before: Some(record.clone()),
            found: found.cloned(),
        }
    }

    /// Says what came from where. What only changed its address, and the marks that name it, is a move.
    fn follow_moves(&self, changes: &mut Changes) {
        changes.moves = self.scope.moves.clone();
        for change in changes.items.values_mut() {
            let from = self.scope.moves.sources_of(&change.address).into_iter();
            let from = from
                .map(|(address, sets)| MovedFrom { address: address.clone(), sets: sets.cloned().unwrap_or_default() });
            change.moved_from = from.collect();
            let made_elsewhere = change.before.as_ref().is_some_and(|record| record.made_at.is_some());
            let mark = change.kind.facts().mark.filter(|_| made_elsewhere);
            for field in change.fields.iter_mut().filter(|field| Some(field.path.as_str()) == mark) {
                field.drifted = false;
            }
            let only_marks = change.fields.iter().all(|field| Some(field.path.as_str()) == mark);
            let moved = made_elsewhere || !change.moved_from.is_empty();
            if moved && only_marks && matches!(change.action, Action::Keep | Action::Update) {
                (change.action, change.risk) = (Action::Move, Risk::Safe);
            }
        }
    }

    fn is_kept_elsewhere(&self, resource: &Resource, record: Option<&Record>) -> bool {
        record.is_some_and(|record| record.is_taken_in() || self.wanted_elsewhere(&resource.address, record).is_some())
    }

    fn sibling(&self, resource: &Resource, found: &Found) -> Option<(String, String)> {
        sibling_in_the_way(resource, found, self.remembered, &|spec| self.resolved(spec))
    }

    /// The other address of the plan under which this very thing is wanted.
    fn wanted_elsewhere(&self, address: &Address, record: &Record) -> Option<&'a Address> {
        // A health check may be wanted twice; then the journal knows two of them.
        if record.kind == Kind::HealthCheck {
            return None;
        }
        let own = identity(record.kind, &self.resolved(&record.spec))?;
        let others = self.wanted.get_or_init(|| self.identities()).get(&(record.kind, own))?;
        others.iter().copied().find(|other| *other != address)
    }

    /// What the plan wants, by identity.
    fn identities(&self) -> Identities<'a> {
        let mut all = Identities::new();
        for resource in self.desired.resources.values() {
            if let Some(identity) = identity(resource.kind, &self.resolved(&resource.spec)) {
                all.entry((resource.kind, identity)).or_default().push(&resource.address);
            }
        }
        all
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
                        known(self.observed, self.remembered, address, attribute)
                    }
                });
                if !has_references(&wanted) {
                    continue;
                }
                let before = change.before.as_ref().map(|record| self.resolved(&record.stated()));
                let fields = differing(&self.remembered.stack, change.kind, &wanted, before.as_ref(), found);
                let action = if replaces(change.kind, &fields) {
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
                    change.risk = risk(change.kind, action, &fields);
                    (change.action, change.fields) = (action, fields);
                }
            }
        }
    }
}

/// Whether a change gives its address a new identity.
fn renews(change: &Change) -> bool {
    matches!(change.action, Action::Replace | Action::Create)
}

/// Nothing differs: still, an unanswered update is written down as done, and settings said another way are remembered.
fn settled_action(record: Option<&Record>) -> Action {
    match record {
        Some(record) if record.standing == Standing::Present && record.pending.is_none() => Action::Keep,
        _ => Action::Adopt,
    }
}

fn start(resource: &Resource, action: Action, record: Option<&Record>, found: Option<&Found>) -> Change {
    Change {
        address: resource.address.clone(),
        kind: resource.kind,
        action,
        fields: Vec::new(),
        moved_from: Vec::new(),
        risk: Risk::Safe,
        reason: None,
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
    facts.holds_data && !fields.iter().any(|field| touches(facts.identity, &field.path))
}

fn risk(kind: Kind, action: Action, fields: &[FieldChange]) -> Risk {
    let facts = kind.facts();
    match action {
        Action::Delete | Action::Replace if facts.holds_data => Risk::DestroysData,
        Action::Delete => Risk::Disruptive,
        Action::Replace if facts.when_replaced.is_some() => Risk::Disruptive,
        Action::Replace => Risk::Brief,
        Action::Move => Risk::Safe,
        Action::Update | Action::Adopt if fields.iter().any(|field| touches(facts.disruptive, &field.path)) => {
            Risk::Disruptive
        }
        Action::Update => Risk::Brief,
        _ => Risk::Safe,
    }
}
