//! Tags: how a resource is tagged as the stack's.

use std::collections::BTreeMap;

use crate::provider::ResourceContext;
use crate::resource::{ADDRESS_TAG, FieldChange, IMPORTED, ORIGIN_TAG, ObservedResource, Owner, STACK_TAG};

/// The plan's tags with the tool's own.
pub fn wanted(subject: &ResourceContext<'_>, tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all = tags.clone();
    all.insert(STACK_TAG.to_owned(), subject.stack.to_owned());
    all.insert(ADDRESS_TAG.to_owned(), subject.address.to_string());
    if subject.is_imported() {
        all.insert(ORIGIN_TAG.to_owned(), IMPORTED.to_owned());
    }
    all
}

/// The tags to write when the service takes them as a whole: what others put there stays, what the plan dropped goes.
pub fn merged(
    subject: &ResourceContext<'_>,
    tags: &BTreeMap<String, String>,
    found: &ObservedResource,
    fields: &[FieldChange],
) -> BTreeMap<String, String> {
    let held = found.spec.get("tags").and_then(serde_json::Value::as_object).into_iter().flatten();
    let dropped = |key: &str| fields.iter().any(|f| f.new.is_none() && f.path.strip_prefix("tags.") == Some(key));
    let mut all: BTreeMap<String, String> = held
        .filter(|(key, _)| !dropped(key))
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    all.extend(wanted(subject, tags));
    all
}

/// Whose a resource with these tags is, and the tags that are not the tool's own.
pub fn read(subject: &ResourceContext<'_>, mut tags: BTreeMap<String, String>) -> (Owner, BTreeMap<String, String>) {
    let stack = tags.remove(STACK_TAG);
    let address = tags.remove(ADDRESS_TAG);
    let owner = match (stack, address) {
        (Some(stack), Some(address)) if stack == subject.stack && address == subject.address.as_str() => Owner::Ours,
        // Begun at a former address and never answered: the plan has moved it since.
        (Some(stack), Some(address))
            if stack == subject.stack
                && subject.id.is_none()
                && subject.former.is_some_and(|former| former.as_str() == address) =>
        {
            Owner::Ours
        }
        (Some(stack), address) if stack != subject.stack && subject.id.is_some() => {
            Owner::Contested(format!("tagged as {} of stack {stack}", address.as_deref().unwrap_or("something")))
        }
        (Some(stack), Some(address)) => Owner::Foreign(format!("tagged as {address} of stack {stack}")),
        _ => Owner::Foreign("not tagged by this tool".to_owned()),
    };
    (owner, tags)
}
