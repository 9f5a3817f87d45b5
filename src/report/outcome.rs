//! The outcome of a run and the resources: tables and data.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fit::{Screen, without_middle};
use super::table::table;
use super::{counted, duration};
use crate::resource::dns_answer::DnsAnswer;
use crate::resource::untrusted::line;
use crate::resource::{
    Address, ResourceOrigin, ResourceStatus, RunOutcome, SafeText, StackState, ToSafeText, Untrusted, shown,
};

/// How a run went, in words.
pub fn outcome_text(outcome: &RunOutcome, took_ms: u64, command: &str) -> SafeText {
    let mut text = SafeText::default();
    for (address, fault) in &outcome.failed {
        text.push(shown!("failed   {}: {}\n", address, fault.with_next_step()));
    }
    text.push(not_done(&outcome.skipped));
    for (address, reason) in &outcome.deferred {
        text.push(shown!("later    {}: {}\n", address, reason));
    }
    let done = counted(outcome.done.len(), "change");
    let verdict = match (outcome.is_complete(), outcome.stopped) {
        (true, _) if outcome.deferred.is_empty() => shown!("done: {} in {}", done, duration(took_ms)),
        (true, _) => shown!(
            "done: {} in {}; {} left for a later run: {}",
            done,
            duration(took_ms),
            counted(outcome.deferred.len(), "deletion"),
            command
        ),
        (_, true) => shown!("stopped after {}: run the same command again to continue: {}", done, command),
        _ => shown!(
            "partly done: {}, {} failed, {} not begun; run the same command again to continue: {}",
            done,
            outcome.failed.len(),
            outcome.skipped.len(),
            command
        ),
    };
    text.and(verdict).and("\n")
}

/// What was not begun, by reason: one line for each reason.
fn not_done(skipped: &[(Address, Untrusted)]) -> SafeText {
    let mut by_reason: BTreeMap<&Untrusted, Vec<&Address>> = BTreeMap::new();
    for (address, reason) in skipped {
        by_reason.entry(reason).or_default().push(address);
    }
    let mut text = SafeText::default();
    for (reason, addresses) in by_reason {
        let named: Vec<&str> = addresses.iter().take(3).map(|address| address.as_str()).collect();
        let more = addresses.len() - named.len();
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        text.push(shown!("not done {}{}: {}\n", named.join(", "), more, reason));
    }
    text
}

/// How a run went, as data.
pub fn outcome_json(outcome: &RunOutcome, took_ms: u64) -> Value {
    json!({
        "complete": outcome.is_complete(), "stopped": outcome.stopped, "took_ms": took_ms,
        "done": outcome.done, "deferred": outcome.deferred, "skipped": outcome.skipped,
        "failed": outcome.failed.iter().map(|(address, fault)| json!({"address": address, "fault": fault})).collect::<Vec<_>>(),
    })
}

/// What the journal knows, as a table. The columns of origins and states are there when there is something to say in them.
pub fn resources_table(state: &StackState, screen: Screen) -> SafeText {
    let unsettled =
        !state.refused.is_empty() || state.resources.values().any(|record| record.standing != ResourceStatus::Present);
    let all_made = state.resources.values().all(|record| record.origin == ResourceOrigin::Made);
    let versions = state.resources.values().any(|record| record.attributes.contains_key("version"));
    let known_as = if versions { "DNS name or version" } else { "DNS name" };
    let columns = [("address", true), ("id", true), (known_as, true), ("origin", !all_made), ("state", unsettled)];
    let header: Vec<&str> = columns.iter().filter(|(_, shown)| *shown).map(|(name, _)| *name).collect();
    let mut rows = Vec::new();
    for (address, record) in &state.resources {
        let attribute = |name: &str| record.attributes.get(name).and_then(Value::as_str).map(str::to_owned);
        let known = ["domain_name", "dns_name", "version"].into_iter().find_map(attribute).unwrap_or_default();
        let standing = match (record.standing, state.refused.get(address)) {
            (ResourceStatus::Creating, Some(code)) => format!("create refused ({})", code.line()),
            (ResourceStatus::Present, Some(code)) => format!("last change refused ({})", code.line()),
            (ResourceStatus::Present, None) => String::new(),
            (ResourceStatus::Creating, None) => "create unanswered".to_owned(),
            (ResourceStatus::Updating, _) => "update unanswered".to_owned(),
            (ResourceStatus::Deleting, _) => "delete unanswered".to_owned(),
        };
        let id = shortened(&line(record.id.as_deref().unwrap_or_default()));
        let mut row = vec![address.to_string(), id, line(&known).into_owned()];
        row.extend((!all_made).then(|| record.origin.word().to_owned()));
        row.extend(unsettled.then_some(standing));
        rows.push(row);
    }
    table(&header, &rows, &[known_as, "id"], screen)
}

/// An id for a person: what an ARN names, and the middle left out of what is long.
pub(super) fn shortened(id: &str) -> String {
    const LONGEST: usize = 44;
    let name = if id.starts_with("arn:") { id.splitn(6, ':').last().unwrap_or(id) } else { id };
    without_middle(name, LONGEST).into_owned()
}

/// The answers that places get, as a table.
pub fn answers_table(answers: &[DnsAnswer], screen: Screen) -> SafeText {
    let row = |one: &DnsAnswer| {
        let (answers, because) = (SafeText::join(&one.answers, "\n"), SafeText::join(&one.because, "\n"));
        [one.name.to_shown(), one.from.to_shown(), answers, because].map(String::from).to_vec()
    };
    let rows: Vec<Vec<String>> = answers.iter().map(row).collect();
    table(&["name", "from", "answer", "because"], &rows, &[], screen)
}

/// Rows below a header, as wide as the terminal. Where there is no room, `first_to_go` says which columns go, in that order.
pub fn rows_table(header: &[&str], rows: &[Vec<String>], first_to_go: &[&'static str], screen: Screen) -> SafeText {
    let written_out: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| line(cell).into_owned()).collect()).collect();
    table(header, &written_out, first_to_go, screen)
}
