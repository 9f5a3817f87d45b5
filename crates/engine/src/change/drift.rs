//! Drift: differences between the real resources and the recorded state, field by field, with the planned value.

use serde_json::Value;

use super::fields::{at_path, differing};
use crate::resource::moves::owned;
use crate::resource::{
    ACCEPTED_EXTRAS, Address, Attributes, Desired, DriftField, DriftKind, DriftedResource, FieldChange, FieldOrigin,
    Kind, ORIGIN_TAG, Observed, ObservedResource, Owner, PlannedValue, Remedy, ResourceRecord, ResourceStatus,
    StackState, UnmanagedField, known, resolve,
};

/// Everything that differs from the recorded state. `plan`: whether `desired` comes from a plan, and not from the journal.
pub fn drift(desired: &Desired, recorded: &StackState, observed: &Observed, plan: bool) -> Vec<DriftedResource> {
    let look = DriftWalk { desired, recorded, observed, plan };
    // What was begun and never answered is the next run's to settle, it is not drift.
    let settled = recorded.resources.iter().filter(|(_, record)| record.standing == ResourceStatus::Present);
    settled.filter_map(|(address, record)| look.at(address, record)).collect()
}

struct DriftWalk<'a> {
    desired: &'a Desired,
    recorded: &'a StackState,
    observed: &'a Observed,
    plan: bool,
}

impl DriftWalk<'_> {
    fn at(&self, address: &Address, record: &ResourceRecord) -> Option<DriftedResource> {
        let seen = self.observed.seen.get(address)?.as_ref().ok()?;
        let drifted = DriftedResource {
            address: address.clone(),
            kind: record.kind,
            id: seen.as_ref().map(|found| found.id.clone()).or_else(|| record.id.clone()),
            happened: DriftKind::Changed,
            reason: None,
            wanted: self.desired.resources.contains_key(address),
            origin: record.origin,
            refused: None,
            fields: Vec::new(),
        };
        let Some(found) = seen else { return Some(DriftedResource { happened: DriftKind::Gone, ..drifted }) };
        let fields = self.fields(address, record, found);
        if let Owner::Contested(why) = &found.owner {
            return Some(DriftedResource {
                happened: DriftKind::Contested,
                reason: Some(why.clone()),
                fields,
                ..drifted
            });
        }
        (!fields.is_empty()).then_some(DriftedResource { fields, ..drifted })
    }

    fn fields(&self, address: &Address, record: &ResourceRecord, found: &ObservedResource) -> Vec<DriftField> {
        let before = resolve(&record.spec, &|address, attribute| {
            let known_then = self.recorded.attribute(address, attribute);
            known_then.or_else(|| known(self.observed, self.recorded, address, attribute))
        });
        let wanted = self.desired.resources.get(address).map(|resource| {
            resolve(&resource.spec, &|address, attribute| known(self.observed, self.recorded, address, attribute))
        });
        let goal = wanted.as_ref().unwrap_or(&before);
        let differing = differing(&self.recorded.stack, record.kind, goal, Some(&before), found);
        let settings = differing.into_iter().filter(|field| field.drifted);
        let mut fields: Vec<DriftField> =
            settings.map(|field| self.setting(field, record.kind, wanted.as_ref(), &before)).collect();
        // What was imported carries no mark until a run writes it: none is recorded.
        if record.is_imported() && found.is_unmarked() {
            let marks = fields.iter_mut().filter(|field| field.sort == FieldOrigin::Mark);
            marks.for_each(|field| field.recorded = None);
        }
        // Outputs follow the settings: while those differ, they are not news of their own.
        if fields.is_empty() {
            fields.extend(outputs(record, found));
        }
        fields.extend(others_tags(goal, &before, &found.spec));
        let others =
            found.extras.iter().filter(|extra| !self.is_of_another_group(address, extra) && !extra.is_origin());
        fields.extend(others.map(|extra| also_there(extra, record)));
        fields
    }

    /// Whether an extra of a group of record sets belongs to another group of the stack: two groups may share a name.
    fn is_of_another_group(&self, address: &Address, extra: &UnmanagedField) -> bool {
        let Some(key) = extra.path.strip_prefix("sets.") else { return false };
        let resolved = |spec: &Value| resolve(spec, &|address, attribute| self.recorded.attribute(address, attribute));
        let groups = self.recorded.resources.iter().filter(|(_, record)| record.kind == Kind::Records);
        groups.filter(|(other, _)| *other != address).any(|(_, record)| owned(record, &resolved).contains(key))
    }

    fn setting(&self, field: FieldChange, kind: Kind, wanted: Option<&Value>, before: &Value) -> DriftField {
        let mark = kind.facts().mark == Some(field.path.as_str());
        let condition = kind.facts().condition == Some(field.path.as_str());
        let stated = wanted.and_then(|wanted| at_path(wanted, &field.path)).cloned();
        let (plan, recorded) = match (mark, &field.new) {
            (true, own) => (PlannedValue::Silent, own.clone()),
            _ if !self.plan => (PlannedValue::NoPlan, at_path(before, &field.path).cloned()),
            _ => (stated.map_or(PlannedValue::Silent, PlannedValue::Value), at_path(before, &field.path).cloned()),
        };
        let dropped = plan == PlannedValue::Silent && wanted.is_some() && !mark;
        let remedy = if dropped { Remedy::Accept } else { Remedy::Deploy };
        let sort = match (mark, condition) {
            (true, _) => FieldOrigin::Mark,
            (false, true) => FieldOrigin::Condition,
            (false, false) => FieldOrigin::Setting,
        };
        DriftField { path: field.path, sort, plan, recorded, real: field.old, remedy }
    }
}

/// What a resource made known and now says otherwise. What it was known for while it was made, and is not told any longer,
/// is not a difference.
fn outputs(record: &ResourceRecord, found: &ObservedResource) -> Vec<DriftField> {
    let output = |path: &str, recorded: &Value, real: &Value| DriftField {
        path: path.to_owned(),
        sort: FieldOrigin::Output,
        plan: PlannedValue::Silent,
        recorded: Some(recorded.clone()),
        real: Some(real.clone()),
        remedy: Remedy::Accept,
    };
    let changed = changed_outputs(&record.attributes, &found.attributes);
    changed.map(|(name, before, now)| output(name, before, now)).collect()
}

/// The outputs that are known from before and are otherwise now: name, before, now.
fn changed_outputs<'a>(
    before: &'a Attributes,
    now: &'a Attributes,
) -> impl Iterator<Item = (&'a String, &'a Value, &'a Value)> {
    before.iter().filter_map(|(name, held)| Some((name, held, now.get(name)?))).filter(|(_, held, now)| held != now)
}

/// Whether a resource makes known otherwise than is recorded.
pub fn says_otherwise(record: &ResourceRecord, found: &ObservedResource) -> bool {
    changed_outputs(&record.attributes, &found.attributes).next().is_some()
}

/// What else is there. It counts until it is accepted, unless it is somebody else's by right.
fn also_there(extra: &UnmanagedField, record: &ResourceRecord) -> DriftField {
    let accepted = record.attributes.get(ACCEPTED_EXTRAS).and_then(|all| all.get(&extra.path));
    let known = extra.theirs || accepted == Some(&extra.value);
    DriftField {
        path: extra.path.clone(),
        sort: FieldOrigin::Extra,
        plan: PlannedValue::Silent,
        recorded: accepted.cloned(),
        real: Some(extra.value.clone()),
        remedy: if known { Remedy::Leave } else { Remedy::Accept },
    }
}

/// Tags that neither the plan nor an earlier run asked for.
fn others_tags(goal: &Value, before: &Value, found: &Value) -> Vec<DriftField> {
    let asked = |key: &str| [goal, before].iter().any(|spec| spec.get("tags").is_some_and(|t| t.get(key).is_some()));
    let held = found.get("tags").and_then(Value::as_object).into_iter().flatten();
    held.filter(|(key, _)| !asked(key) && *key != ORIGIN_TAG)
        .map(|(key, value)| DriftField {
            path: format!("tags.{key}"),
            sort: FieldOrigin::Tag,
            plan: PlannedValue::Silent,
            recorded: None,
            real: Some(value.clone()),
            remedy: Remedy::Leave,
        })
        .collect()
}
