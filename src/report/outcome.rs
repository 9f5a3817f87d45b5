//! How a run went, and what is there: tables and data.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::{counted, duration};
use crate::execute::Outcome;
use crate::resource::{Remembered, Standing};

/// How a run went, in words.
pub fn outcome_text(outcome: &Outcome, took_ms: u64, command: &str) -> String {
    let mut text = String::new();
    for (address, fault) in &outcome.failed {
        text.push_str(&format!("failed   {address}: {fault}\n"));
        if let Some(next) = &fault.next_step {
            text.push_str(&format!("  next: {next}\n"));
        }
    }
    for (address, reason) in &outcome.skipped {
        text.push_str(&format!("not done {address}: {reason}\n"));
    }
    for (address, reason) in &outcome.deferred {
        text.push_str(&format!("later    {address}: {reason}\n"));
    }
    let done = counted(outcome.done.len(), "change");
    let verdict = match (outcome.is_complete(), outcome.stopped) {
        (true, _) if outcome.deferred.is_empty() => format!("done: {done} in {}", duration(took_ms)),
        (true, _) => format!(
            "done: {done} in {}; {} left for a later run: {command}",
            duration(took_ms),
            counted(outcome.deferred.len(), "deletion")
        ),
        (_, true) => format!("stopped after {done}: the same command goes on from here: {command}"),
        _ => format!(
            "partly done: {done}, {} failed, {} not begun; the same command goes on from here: {command}",
            outcome.failed.len(),
            outcome.skipped.len()
        ),
    };
    text.push_str(&verdict);
    text.push('\n');
    text
}

/// How a run went, as data.
pub fn outcome_json(outcome: &Outcome, took_ms: u64) -> Value {
    json!({
        "complete": outcome.is_complete(), "stopped": outcome.stopped, "took_ms": took_ms,
        "done": outcome.done, "deferred": outcome.deferred, "skipped": outcome.skipped,
        "failed": outcome.failed.iter().map(|(address, fault)| json!({"address": address, "fault": fault})).collect::<Vec<_>>(),
    })
}

/// What the journal knows, as a table.
pub fn resources_table(state: &Remembered, width: u16) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    table.set_header(["address", "id", "known as", "state"]);
    for (address, record) in &state.resources {
        let attribute = |name: &str| record.attributes.get(name).and_then(Value::as_str).map(str::to_owned);
        let known =
            ["domain_name", "dns_name", "version", "name_servers"].into_iter().find_map(attribute).unwrap_or_default();
        let standing = match record.standing {
            Standing::Present => "present",
            Standing::Creating => "create unanswered",
            Standing::Updating => "update unanswered",
            Standing::Deleting => "delete unanswered",
        };
        table.add_row([address.to_string(), record.id.clone().unwrap_or_default(), known, standing.to_owned()]);
    }
    table.to_string()
}
