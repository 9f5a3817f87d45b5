//! Server-side previews of updates. Only API servers of clusters have a complete dry run.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use serde_json::Value;

use super::AT_ONCE;
use crate::provider::{Providers, ResourceContext};
use crate::resource::{
    Action, Address, Attributes, Change, Changes, Fault, Observed, ObservedResource, Platform, Preview, ResourceOrigin,
    StackState, TAKEN_IN, has_references, known, resolve,
};

/// An update to ask about.
struct Update<'a> {
    change: &'a Change,
    found: &'a ObservedResource,
    stack: &'a str,
    spec: Value,
    before: Option<Value>,
    attributes: Attributes,
}

/// Asks about each update and adoption of an object in a cluster. One that refers to what is not known yet cannot be tried, nor one
/// that needs what this run makes first.
pub async fn previews(
    changes: &Changes,
    recorded: &StackState,
    observed: &Observed,
    providers: &Providers,
) -> BTreeMap<Address, Result<Preview, Fault>> {
    let asked = |change: &&Change| {
        change.kind.facts().platform == Platform::Cluster && matches!(change.action, Action::Update | Action::Adopt)
    };
    let lookup = |address: &str, attribute: &str| known(observed, recorded, address, attribute);
    let updates = changes.acting().filter(asked).filter_map(|change| {
        let (resource, found) = (change.after.as_ref()?, change.found.as_ref()?);
        let spec = resolve(&resource.spec, &lookup);
        if has_references(&spec) || resource.needs.keys().any(|need| is_made_first(changes, need)) {
            return None;
        }
        let record = change.before.as_ref();
        let mut attributes = record.map(|record| record.attributes.clone()).unwrap_or_default();
        if change.origin == ResourceOrigin::Imported {
            attributes.insert(TAKEN_IN.to_owned(), true.into());
        }
        let before = record.map(|record| resolve(&record.stated(), &lookup));
        Some(Update { change, found, stack: changes.stack_of(&change.address), spec, before, attributes })
    });
    let updates: Vec<Update<'_>> = updates.collect();
    let answers = stream::iter(updates).map(|update| ask(update, providers)).buffer_unordered(AT_ONCE);
    answers.collect().await
}

/// Whether a run makes something that is needed, or changes a definition, so that the service would answer otherwise by then.
fn is_made_first(changes: &Changes, need: &Address) -> bool {
    let Some(change) = changes.items.get(need) else { return false };
    let kind = change.after.as_ref().and_then(|resource| resource.spec.get("kind")).and_then(Value::as_str);
    match change.action {
        Action::Create | Action::Replace | Action::Recreate => true,
        Action::Update | Action::Adopt => kind == Some("CustomResourceDefinition"),
        _ => false,
    }
}

async fn ask(update: Update<'_>, providers: &Providers) -> (Address, Result<Preview, Fault>) {
    let Update { change, found, stack, spec, before, attributes } = update;
    let subject = ResourceContext {
        stack,
        address: &change.address,
        token: "",
        spec: &spec,
        id: Some(&found.id),
        attributes: &attributes,
        before: before.as_ref(),
        former: None,
        thorough: false,
        seen_absent: false,
    };
    let answer = match providers.of(change.kind) {
        Ok(provider) => {
            let retry_policy = providers.retry_policy_of(change.kind);
            retry_policy.first_reading(async || provider.preview(&subject, found).await).await
        }
        Err(fault) => Err(fault),
    };
    (change.address.clone(), answer)
}
