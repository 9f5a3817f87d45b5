//! What a run over one stack needs of the plan's other one: read in its journal, never written. A run over both reads nothing here.

use std::collections::{BTreeMap, BTreeSet};

use super::{Platforms, RunRequest, RunTarget, store};
use crate::commands::Context;
use crate::desired::jetson::SUFFIX;
use crate::exit::{Failure, codes};
use crate::ledger::Ledger;
use crate::report;
use crate::resource::{ACCOUNT, Address, Changes, Level, Resource, ResourceStatus, SafeText, shown};

/// Needs that are named in a refusal.
const SHOWN: usize = 5;

/// What is in the plan's other stack.
#[derive(Debug, Default)]
pub struct OtherStack {
    /// Name of that stack.
    stack: String,
    /// What it made, and is there by its journal.
    present: BTreeSet<Address>,
    /// The run needs the number of the account, and nothing says it.
    lacks_account: bool,
}

/// Reads what the run refers to: from then on its references are resolved by what the other stack made known.
///
/// # Errors
/// When the journal of the other stack cannot be read.
pub async fn read(
    wanted: &mut RunTarget,
    request: &RunRequest<'_>,
    platforms: &Platforms<'_>,
    context: &Context,
) -> Result<OtherStack, Failure> {
    let of_account = platforms.has_cloud();
    let names_account = !of_account && wanted.built.desired.resources.values().any(names_account);
    if request.devices.is_some() || !(names_account || refers(wanted)) {
        return Ok(OtherStack::default());
    }
    let stack = if of_account {
        format!("{}{SUFFIX}", request.stack)
    } else {
        request.stack.strip_suffix(SUFFIX).unwrap_or(&request.stack).to_owned()
    };
    let store = store(&context.global, &context.session, &stack, platforms.account()).await?;
    let there = Ledger::read(store, &stack).await?.recorded();
    let account = there.account.filter(|account| !account.is_empty());
    let mut outside = OtherStack { stack, lacks_account: names_account && account.is_none(), ..OtherStack::default() };
    if !of_account {
        wanted.recorded.account = account;
    }
    for (address, record) in there.resources.into_iter().filter(|(_, record)| record.id.is_some()) {
        if record.standing == ResourceStatus::Present {
            outside.present.insert(address.clone());
        }
        wanted.recorded.outside.insert(address, record.attributes);
    }
    Ok(outside)
}

fn names_account(resource: &Resource) -> bool {
    resource.spec.to_string().contains(ACCOUNT)
}

/// Whether the graph or the state refers to resources of the other stack, or comes after its steps.
fn refers(wanted: &RunTarget) -> bool {
    let (desired, recorded) = (&wanted.built.desired.resources, &wanted.recorded.resources);
    let beyond = |address: &Address, needs: &BTreeMap<Address, Level>| {
        let own = |need: &Address| desired.contains_key(need) || recorded.contains_key(need);
        needs.keys().any(|need| need.is_of_devices() != address.is_of_devices() && !own(need))
    };
    !wanted.built.beyond.is_empty()
        || desired.values().any(|resource| beyond(&resource.address, &resource.needs))
        || recorded.iter().any(|(address, record)| beyond(address, &record.needs))
}

impl OtherStack {
    /// Refuses changes that need what the other stack has not made yet. A run that only looks is told.
    ///
    /// # Errors
    /// Which change needs what, and which command makes it.
    pub fn need(
        &self,
        changes: &Changes,
        wanted: &RunTarget,
        request: &RunRequest<'_>,
        context: &Context,
    ) -> Result<(), Failure> {
        // Without a look at the other stack nothing is needed of it.
        let missing = if self.stack.is_empty() { Vec::new() } else { self.missing(changes, wanted) };
        if missing.is_empty() {
            return Ok(());
        }
        let more = missing.len().saturating_sub(SHOWN);
        let more =
            if more == 0 { SafeText::default() } else { shown!("\n  and {}", report::counted(more, "more need")) };
        let first = SafeText::join(missing.iter().take(SHOWN), "\n  ");
        let problem = shown!("stack {} has not created what this run needs:\n  {}{}", self.stack, first, more);
        if request.only_looks {
            context.printer.remark(shown!("{}\n  the run would be refused", problem));
            return Ok(());
        }
        let verb = if self.stack.ends_with(SUFFIX) { "jetson deploy" } else { "deploy" };
        Err(codes::MISSING_NEED.refused(
            shown!("{}\nnothing was done", problem),
            shown!(
                "run akidb-edge {} --plan PLAN first, then the same command again; akidb-edge deploy --devices --plan \
                 PLAN deploys both in one run",
                verb
            ),
        ))
    }

    fn missing(&self, changes: &Changes, wanted: &RunTarget) -> Vec<String> {
        let own = &wanted.built.desired.resources;
        let mut all = Vec::new();
        for resource in changes.acting().filter_map(|change| change.after.as_ref()) {
            let devices = resource.address.is_of_devices();
            let refers =
                resource.needs.keys().filter(|need| need.is_of_devices() != devices && !own.contains_key(*need));
            let after = wanted.built.beyond.get(&resource.step).into_iter().flatten();
            let needs: BTreeSet<&Address> = refers.chain(after).filter(|need| !self.present.contains(*need)).collect();
            all.extend(needs.into_iter().map(|need| format!("{} needs {need}", resource.address)));
            if self.lacks_account && names_account(resource) {
                all.push(format!("{} needs the number of the AWS account", resource.address));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::change::{DiffScope, diff};
    use crate::resource::{Desired, Kind, Observed, StackState};

    fn file(text: &str) -> RunTarget {
        let mut wanted = RunTarget::default();
        wanted.built.desired = Desired::new("s-devices");
        let address = Address::new("jetson", Kind::File, "a-x");
        let spec = json!({"host": "a", "path": "/x", "content": {"text": text}});
        wanted.built.desired.add(Resource::new(address, Kind::File, &spec).from_step("devices", ""));
        wanted
    }

    fn missing(outside: &OtherStack, wanted: &RunTarget) -> Vec<String> {
        let nothing = StackState::empty("s-devices");
        let changes = diff(&wanted.built.desired, &nothing, &Observed::default(), &DiffScope::default());
        outside.missing(&changes.expect("a difference"), wanted)
    }

    #[test]
    fn what_another_stack_has_not_made_is_named() {
        let refers_to_it = file("bucket=${models.bucket.b#name}");
        let bucket = Address::new("models", Kind::Bucket, "b");
        let mut outside = OtherStack { stack: "s".to_owned(), ..OtherStack::default() };
        assert!(refers(&refers_to_it) && !refers(&file("plain")));
        assert_eq!(missing(&outside, &refers_to_it), ["jetson.file.a-x needs models.bucket.b"]);
        // The plan says only that its step comes first.
        let mut after_it = file("plain");
        after_it.built.beyond.insert("devices".to_owned(), BTreeSet::from([bucket.clone()]));
        assert!(refers(&after_it));
        assert_eq!(missing(&outside, &after_it), ["jetson.file.a-x needs models.bucket.b"]);
        outside.present.insert(bucket);
        assert!(missing(&outside, &refers_to_it).is_empty() && missing(&outside, &after_it).is_empty());
        outside.lacks_account = true;
        assert_eq!(missing(&outside, &file("${#account}")), ["jetson.file.a-x needs the number of the AWS account"]);
    }
}
