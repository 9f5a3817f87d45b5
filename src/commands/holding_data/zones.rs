//! Zones that are to be deleted and hold record sets of others: Route 53 would refuse that, after everything else is gone.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::Context;
use super::super::workflow::RunArgs;
use crate::exit::{Failure, codes};
use crate::provider::{Providers, ResourceContext};
use crate::resource::moves::OWNED_SETS;
use crate::resource::records::previous::kept;
use crate::resource::{Action, Attributes, Changes, Kind, SafeText, shown};

/// Refuses a run that would delete a zone with record sets of others in it. A run that only looks is told.
///
/// # Errors
/// Every such zone with the record sets.
pub async fn refuse(changes: &Changes, providers: &Providers, run: &RunArgs, context: &Context) -> Result<(), Failure> {
    let going = going(changes);
    let mut held = Vec::new();
    let zones = changes.items.values().filter(|change| change.kind == Kind::Zone && change.action == Action::Delete);
    for change in zones {
        let Some(found) = &change.found else { continue };
        let none = Attributes::new();
        let subject = ResourceContext {
            stack: &changes.stack,
            address: &change.address,
            token: "",
            spec: &found.spec,
            id: Some(&found.id),
            attributes: &none,
            before: None,
            former: None,
            thorough: false,
            seen_absent: false,
        };
        let provider = providers.of(Kind::Zone)?;
        let retry_policy = providers.retry_policy_of(Kind::Zone);
        let staying = retry_policy.first_reading(async || provider.data(&subject, &going).await).await?;
        held.extend(staying.map(|sets| shown!("{} ({}): {}", found.id, change.address, sets)));
    }
    if held.is_empty() {
        return Ok(());
    }
    let problem = shown!("hosted zones to be deleted hold record sets that stay:\n  {}", SafeText::join(&held, "\n  "));
    if run.dry_run {
        context.printer.remark(shown!("{}\n  the run would be refused", problem));
        return Ok(());
    }
    Err(codes::OF_OTHERS.refused(
        shown!("{}\nnothing was done", problem),
        "find out who owns them; delete them (aws route53 change-resource-record-sets), then run the same command \
         again",
    ))
}

/// The record sets that go with this run. Those that existed before the stack come back.
fn going(changes: &Changes) -> BTreeSet<String> {
    let groups =
        changes.items.values().filter(|change| change.kind == Kind::Records && change.action == Action::Delete);
    let mut all = BTreeSet::new();
    for change in groups {
        let held = change.before.iter().map(|record| &record.attributes);
        let seen = change.found.iter().map(|found| &found.attributes);
        let keys = held.chain(seen).filter_map(|known| known.get(OWNED_SETS)?.as_array()).flatten();
        let earlier = change.before.as_ref().map(|record| kept(&record.attributes)).unwrap_or_default();
        let own = keys.filter_map(Value::as_str).filter(|key| !earlier.contains_key(*key));
        all.extend(own.map(str::to_owned));
    }
    all
}
