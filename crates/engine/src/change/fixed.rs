//! Immutable fields, detected from the journal before the real resources are read.

use serde_json::Value;

use super::diff::DiffScope;
use super::fields::at_path;
use super::refusal::PlanningRefusal;
use crate::resource::{Desired, Resource, ResourceRecord, StackState, has_references, resolve};

/// Every setting of the plan that the service fixes for the life of something that holds data: it cannot be changed in
/// place, and a new one cannot be made beside it while the old one has the name.
pub fn fixed(desired: &Desired, recorded: &StackState, scope: &DiffScope) -> Vec<PlanningRefusal> {
    let wanted = desired.resources.values().filter(|resource| scope.covers(&resource.address));
    let known = |resource: &Resource| recorded.resources.get(&resource.address).filter(|record| record.id.is_some());
    wanted.filter_map(|resource| refusal(resource, known(resource)?, recorded)).collect()
}

fn refusal(resource: &Resource, record: &ResourceRecord, recorded: &StackState) -> Option<PlanningRefusal> {
    let facts = resource.kind.facts();
    facts.data?;
    let resolved = |spec: &Value| resolve(spec, &|address, attribute| recorded.attribute(address, attribute));
    let (now, then) = (resolved(&resource.spec), resolved(&record.spec));
    let differs = |path: &&&str| {
        let (now, then) = (at_path(&now, path), at_path(&then, path));
        now != then && !now.is_some_and(has_references)
    };
    if facts.identity.iter().any(|path| differs(&path)) {
        return None;
    }
    let path = facts.replace_on.iter().find(differs)?;
    let shown = |spec: &Value| at_path(spec, path).and_then(Value::as_str).unwrap_or("(not set)").to_owned();
    let id = record.id.clone().unwrap_or_default();
    Some(PlanningRefusal {
        unread: false,
        address: resource.address.clone(),
        problem: format!(
            "the {path} of {} {id} cannot be changed ({} -> {}), and it holds data",
            facts.title,
            shown(&then),
            shown(&now)
        ),
        next_step: format!(
            "restore {path}: {}; or add a second one with another name and copy the data, then remove {id} from the \
             plan",
            shown(&then)
        ),
    })
}
