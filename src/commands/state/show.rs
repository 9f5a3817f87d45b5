//! `state show` and `state journal`: print the recorded state and the entries of the journal.

use serde_json::json;

use super::{Which, open};
use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::report;
use crate::resource::{StackState, sensitive, shown};

/// The recorded resources.
pub async fn state(which: &Which, context: &Context) -> Result<u8, Failure> {
    let state = open(which, context).await?.recorded();
    if context.global.json {
        context.printer.json("state", &listing(&state));
        return Ok(exit::DONE);
    }
    context.printer.data(report::resources_table(&state, context.screen()));
    for (address, record) in &state.resources {
        context.printer.data(shown!("\n{}", address));
        for (name, value) in &record.attributes {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            context.printer.data(shown!("  {} = {}", name, value));
        }
    }
    Ok(exit::DONE)
}

fn listing(state: &StackState) -> serde_json::Value {
    let resources: Vec<_> = state
        .resources
        .iter()
        .map(|(address, record)| {
            json!({"address": address, "kind": record.kind, "id": record.id, "standing": record.standing,
                   "origin": record.origin,
                   "step": record.step, "attributes": record.attributes})
        })
        .collect();
    json!({"stack": state.stack, "revision": state.revision(), "account": state.account, "resources": resources,
           "requested": state.requested, "fallback": state.fallback, "leftovers": state.pending_deletions})
}

/// The journal's entries.
pub async fn journal(which: &Which, context: &Context) -> Result<u8, Failure> {
    let entries = open(which, context).await?.entries().await?;
    if context.global.json {
        context.printer.json("journal", &json!({"entries": entries}));
        return Ok(exit::DONE);
    }
    for entry in entries {
        let mut entry = serde_json::to_value(&entry).unwrap_or_default();
        sensitive::hide(&mut entry);
        report::put_json_line(&entry);
    }
    Ok(exit::DONE)
}
