//! What would stop a deletion half-way, or be lost with it: data in buckets, queues and volumes, objects of others in namespaces of a
//! cluster, policies of others on roles. Found before the first call.

mod zones;

use std::collections::BTreeSet;

use serde_json::Value;

use super::Context;
use super::workflow::RunArgs;
use crate::exit::{Failure, codes};
use crate::provider::{Providers, ResourceContext};
use crate::resource::manifest::key_of;
use crate::resource::{Action, Address, Attributes, Changes, Kind, SafeText, shown};

/// How --empty-buckets is said on a command line.
pub const ADD: &str = "save what you need (a bucket: aws s3 sync; messages: let their receivers finish; a cluster: \
                       kubectl get -o yaml, and what is in volumes), then add --empty-buckets to delete the rest";
/// How it is said of a saved plan.
pub const SAVE_ANEW: &str = "save what you need (a bucket: aws s3 sync; messages: let their receivers finish; a \
                             cluster: kubectl get -o yaml, and what is in volumes), then save the plan again with \
                             --empty-buckets to delete the rest: akidb-edge deploy --plan PLAN --empty-buckets --out \
                             FILE.plan.json";

/// One thing that is to go and may hold data.
struct DataResource<'a> {
    address: &'a Address,
    kind: Kind,
    id: &'a str,
    spec: &'a Value,
}

/// Refuses a run that would delete a role with policies of others, or something with data in it unless it may delete that, too. A
/// run that only looks is told. Gives the data that goes, one line for each thing that holds some; nothing when nobody is asked.
///
/// # Errors
/// Every such thing by name, with what is in the way.
pub async fn refuse(
    changes: &Changes,
    providers: &Providers,
    run: &RunArgs,
    how: &'static str,
    context: &Context,
) -> Result<Vec<SafeText>, Failure> {
    held_roles(changes, run, context)?;
    zones::refuse(changes, providers, run, context).await?;
    if run.empty_buckets && run.yes {
        return Ok(Vec::new());
    }
    let mut full = Vec::new();
    for to_delete in to_delete(changes) {
        let none = Attributes::new();
        let subject = ResourceContext {
            stack: &changes.stack,
            address: to_delete.address,
            token: "",
            spec: to_delete.spec,
            id: Some(to_delete.id),
            attributes: &none,
            before: None,
            former: None,
            thorough: false,
            seen_absent: false,
        };
        let going = going(changes, &to_delete);
        let provider = providers.of(to_delete.kind)?;
        let retry_policy = providers.retry_policy_of(to_delete.kind);
        let held = retry_policy.first_reading(async || provider.data(&subject, &going).await).await?;
        if let (Some(held), Some(data)) = (held, to_delete.kind.data(to_delete.spec)) {
            full.push(shown!("{} ({}): {}, {}", to_delete.id, to_delete.address, data, held));
        }
    }
    if full.is_empty() || run.empty_buckets {
        return Ok(full);
    }
    let problem = shown!("resources to be deleted still hold data:\n  {}", SafeText::join(&full, "\n  "));
    if run.dry_run {
        context.printer.remark(shown!("{}\n  the run would be refused without --empty-buckets", problem));
        return Ok(Vec::new());
    }
    Err(codes::HOLDS_DATA.refused(shown!("{}\nnothing was done", problem), how))
}

/// AWS deletes a role only when nothing hangs on it; what others put there is theirs.
fn held_roles(changes: &Changes, run: &RunArgs, context: &Context) -> Result<(), Failure> {
    let going = changes.items.values().filter(|change| change.kind == Kind::Role && change.action == Action::Delete);
    let held = going.filter_map(|change| {
        let found = change.found.as_ref()?;
        let paths = found.extras.iter().map(|extra| extra.path.as_str());
        let policies = paths.filter_map(|path| path.strip_prefix("inline.").or_else(|| path.strip_prefix("managed.")));
        let policies: Vec<&str> = policies.collect();
        (!policies.is_empty()).then(|| shown!("{} ({}): {}", found.id, change.address, policies.join(", ")))
    });
    let held: Vec<SafeText> = held.collect();
    if held.is_empty() {
        return Ok(());
    }
    let problem =
        shown!("others attached policies to roles that are to be deleted:\n  {}", SafeText::join(&held, "\n  "));
    if run.dry_run {
        context.printer.remark(shown!("{}\n  the run would be refused", problem));
        return Ok(());
    }
    Err(codes::OF_OTHERS.refused(
        shown!("{}\nnothing was done", problem),
        "find out who owns them; detach or delete them (aws iam detach-role-policy, delete-role-policy), then run the \
         same command again",
    ))
}

/// What goes with this run, and what was left to go by an earlier one.
fn to_delete(changes: &Changes) -> impl Iterator<Item = DataResource<'_>> {
    let now = changes.items.values().filter(|change| goes(change.action)).filter_map(|change| {
        let found = change.found.as_ref()?;
        Some(DataResource { address: &change.address, kind: change.kind, id: &found.id, spec: &found.spec })
    });
    let left = changes.pending_deletions.iter();
    let left =
        left.map(|left| DataResource { address: &left.address, kind: left.kind, id: &left.id, spec: &left.spec });
    now.chain(left).filter(|to_delete| to_delete.kind.data(to_delete.spec).is_some())
}

/// Whether what is there is deleted.
fn goes(action: Action) -> bool {
    matches!(action, Action::Delete | Action::Replace | Action::Recreate)
}

/// What goes in the same run and may be in it: keys of a bucket, or [`key_of`] objects of clusters.
fn going(changes: &Changes, holder: &DataResource<'_>) -> BTreeSet<String> {
    match holder.kind {
        Kind::Manifest => manifests(changes),
        _ => objects(changes, holder.id),
    }
}

fn manifests(changes: &Changes) -> BTreeSet<String> {
    let now = changes.items.values().filter(|change| change.kind == Kind::Manifest && goes(change.action));
    let now = now.filter_map(|change| change.found.as_ref()).map(|found| &found.spec);
    let left = changes.pending_deletions.iter().filter(|left| left.kind == Kind::Manifest).map(|left| &left.spec);
    now.chain(left).filter_map(key_of).collect()
}

/// Keys of the stack's own objects in a bucket that go in the same run.
fn objects(changes: &Changes, bucket: &str) -> BTreeSet<String> {
    let text = |spec: &Value, field: &str| spec.get(field).and_then(Value::as_str).map(str::to_owned);
    let objects = changes.items.values().filter(|change| change.kind == Kind::Object);
    let objects = objects.filter(|change| change.action == Action::Delete);
    let now = objects.filter_map(|change| change.found.as_ref()).map(|found| &found.spec);
    let left = changes.pending_deletions.iter().filter(|left| left.kind == Kind::Object).map(|left| &left.spec);
    let inside = now.chain(left).filter(|spec| text(spec, "bucket").as_deref() == Some(bucket));
    inside.filter_map(|spec| text(spec, "key")).collect()
}
