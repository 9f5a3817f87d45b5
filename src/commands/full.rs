//! Buckets that are to go and hold data: found before the first call, not half-way.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Context;
use super::walk::RunArgs;
use crate::exit::Failure;
use crate::provider::{Providers, Subject};
use crate::resource::{Action, Address, Attributes, Changes, Kind};

/// One thing that is to go and may hold data.
struct Doomed<'a> {
    address: &'a Address,
    kind: Kind,
    id: &'a str,
    spec: &'a Value,
}

/// Refuses a run that would delete a bucket with data in it, unless it may empty it. A run that only looks is told.
///
/// # Errors
/// Every such bucket by name, with one of the keys in it.
pub async fn refuse(changes: &Changes, providers: &Providers, run: &RunArgs, context: &Context) -> Result<(), Failure> {
    if run.empty_buckets {
        return Ok(());
    }
    let mut full = Vec::new();
    for doomed in doomed(changes) {
        let none = Attributes::new();
        let subject = Subject {
            stack: &changes.stack,
            address: doomed.address,
            token: "",
            spec: doomed.spec,
            id: Some(doomed.id),
            attributes: &none,
            before: None,
            former: None,
            thorough: false,
            seen_absent: false,
        };
        let going = going(changes, doomed.id);
        let provider = providers.of(doomed.kind)?;
        let held = providers.patience.first_reading(async || provider.data(&subject, &going).await).await?;
        if let Some(key) = held {
            full.push(format!("{} ({}): for example {key}", doomed.id, doomed.address));
        }
    }
    if full.is_empty() {
        return Ok(());
    }
    let (what, hold) = if full.len() == 1 { ("a bucket", "holds") } else { ("buckets", "hold") };
    let problem = format!("{what} to be deleted still {hold} objects or old versions:\n  {}", full.join("\n  "));
    if run.dry_run {
        context.voice.remark(&format!("{problem}\n  the run would be refused without --empty-buckets"));
        return Ok(());
    }
    Err(Failure::refused(
        format!("{problem}\nnothing was done"),
        "save what you need (aws s3 sync), then add --empty-buckets to delete every object and old version in them, too",
    ))
}

/// What goes with this run, and what was left to go by an earlier one.
fn doomed(changes: &Changes) -> impl Iterator<Item = Doomed<'_>> {
    let goes = |action: Action| matches!(action, Action::Delete | Action::Replace);
    let now = changes.items.values().filter(move |change| goes(change.action)).filter_map(|change| {
        let found = change.found.as_ref()?;
        Some(Doomed { address: &change.address, kind: change.kind, id: &found.id, spec: &found.spec })
    });
    let left = changes.leftovers.iter();
    let left = left.map(|left| Doomed { address: &left.address, kind: left.kind, id: &left.id, spec: &left.spec });
    now.chain(left).filter(|doomed| doomed.kind.facts().holds_data)
}

/// Keys of the stack's own objects in a bucket that go in the same run.
fn going(changes: &Changes, bucket: &str) -> BTreeSet<String> {
    let text = |spec: &Value, field: &str| spec.get(field).and_then(Value::as_str).map(str::to_owned);
    let objects = changes.items.values().filter(|change| change.kind == Kind::Object);
    let objects = objects.filter(|change| change.action == Action::Delete);
    let now = objects.filter_map(|change| change.found.as_ref()).map(|found| &found.spec);
    let left = changes.leftovers.iter().filter(|left| left.kind == Kind::Object).map(|left| &left.spec);
    let inside = now.chain(left).filter(|spec| text(spec, "bucket").as_deref() == Some(bucket));
    inside.filter_map(|spec| text(spec, "key")).collect()
}
