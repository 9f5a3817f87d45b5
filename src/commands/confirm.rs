//! Shows the changes, asks for confirmation, and reports the outcome: the same for every verb that changes something.

use std::time::Instant;

use serde_json::json;

use super::Context;
use super::workflow::RunArgs;
use crate::desired::DesiredStack;
use crate::exit::{self, Failure, codes};
use crate::report;
use crate::resource::{Action, Change, Changes, Kind, PlatformIdentity, Risk, RunOutcome, RunPurpose, SafeText, shown};

/// What is about to be asked.
pub struct Confirmation<'a> {
    /// The difference.
    pub changes: &'a Changes,
    /// The graph and what is not in it.
    pub built: &'a DesiredStack,
    /// Whom we talk to.
    pub header: &'a report::RunHeader,
    /// What the run is for.
    pub purpose: RunPurpose,
    /// Data that goes: one line for each thing that holds some.
    pub data: &'a [SafeText],
    /// Nothing will be done.
    pub only_looks: bool,
    /// It is about the whole plan, not a part of it.
    pub whole: bool,
    /// What was not looked at.
    pub omitted: report::OmittedResources<'a>,
}

/// Shows the difference and asks. An exit code means that nothing is to be done.
///
/// # Errors
/// When nobody can be asked and --yes was not said.
pub fn confirm(asked: &Confirmation<'_>, run: &RunArgs, context: &Context) -> Result<Option<u8>, Failure> {
    let printer = &context.printer;
    let text = report::changes_text(asked.changes, printer.verbose > 0, context.screen(), run.wait, &asked.omitted);
    printer.data(text);
    if asked.whole || printer.verbose > 0 {
        say_what_is_not_done(asked.built, context);
    }
    if !asked.data.is_empty() {
        printer.remark(shown!("data that is deleted for good:\n  {}", SafeText::join(asked.data, "\n  ")));
    }
    let finished = asked.changes.is_empty() || asked.only_looks;
    if finished {
        let code = if asked.changes.is_empty() { exit::DONE } else { exit::PENDING };
        if printer.json {
            printer.json(&context.verb, &document(asked, None, code));
        }
        return Ok(Some(code));
    }
    if run.yes {
        return Ok(None);
    }
    if !context.session.can_ask {
        return Err(codes::NO_TERMINAL.refused(
            "nothing was done: cannot ask for confirmation without a terminal",
            "review the changes above, then add --yes",
        ));
    }
    if agreed(asked, context) { Ok(None) } else { Err(Failure::cancelled()) }
}

/// Asks for confirmation. What cannot be restored requires the name of the stack.
fn agreed(asked: &Confirmation<'_>, context: &Context) -> bool {
    let question = question(asked);
    if !is_final(asked) {
        return context.printer.ask(question);
    }
    let name = &asked.header.stack;
    let answer = context.printer.ask_text(shown!("{}\n{}\nType {} to continue: ", question, FINAL, name));
    answer == *name
}

/// Why a name is to be typed.
const FINAL: &str = "Deleted data and DNS names cannot be restored.";

/// `Apply these 34 changes to shop (account 123456789012)?`
fn question(asked: &Confirmation<'_>) -> SafeText {
    let count = asked.changes.acting().count() + asked.changes.pending_deletions.len();
    let changes = match (count, asked.purpose) {
        (1, RunPurpose::Destroy) => shown!("Destroy this resource of"),
        (_, RunPurpose::Destroy) => shown!("Destroy these {} resources of", count),
        // A new address alone is not a change in the world.
        (0, _) => shown!("Apply the new addresses to"),
        (1, _) => shown!("Apply this change to"),
        _ => shown!("Apply these {} changes to", count),
    };
    let in_account = asked.header.platforms.iter().any(|platform| matches!(platform, PlatformIdentity::Aws { .. }));
    let account = if in_account { shown!(" (account {})", asked.header.account) } else { SafeText::default() };
    shown!("{} {}{}?", changes, asked.header.stacks(), account)
}

/// Whether a destroy takes data, or names in the DNS, with it.
fn is_final(asked: &Confirmation<'_>) -> bool {
    let takes = |change: &Change| {
        let in_dns = matches!(change.kind, Kind::Records | Kind::Zone) && change.action == Action::Delete;
        in_dns || change.risk == Risk::DestroysData
    };
    let has_data = || {
        !asked.data.is_empty() || asked.changes.pending_deletions.iter().any(|left| left.risk() == Risk::DestroysData)
    };
    asked.purpose == RunPurpose::Destroy && (has_data() || asked.changes.acting().any(takes))
}

/// A step and the verb that does it.
type Step = (String, String);

/// Steps that this run does not take, and why: never silently left out. In one line; with -v each with its verb.
fn say_what_is_not_done(built: &DesiredStack, context: &Context) {
    let each = context.printer.verbose > 0;
    if let Some(text) = not_done(&built.later, &built.waiting, each) {
        context.printer.talk(text);
    }
}

/// `not part of this run: on request cutover; run separately report (-v says how)`.
fn not_done(separate: &[Step], waiting: &[String], each: bool) -> Option<SafeText> {
    if separate.is_empty() && waiting.is_empty() {
        return None;
    }
    if each {
        let separate = separate.iter().map(|(step, verb)| shown!("run separately: {} (akidb-edge {})", step, verb));
        let waiting = waiting.iter().map(|step| shown!("on request only: {} (deploy --request {})", step, step));
        return Some(SafeText::join(waiting.chain(separate), "\n"));
    }
    let mut parts = Vec::new();
    if !waiting.is_empty() {
        parts.push(shown!("on request {}", waiting.join(", ")));
    }
    if !separate.is_empty() {
        let names = separate.iter().map(|(step, _)| step.as_str()).collect::<Vec<_>>().join(", ");
        parts.push(shown!("run separately {}", names));
    }
    Some(shown!("not part of this run: {} (-v says how)", SafeText::join(parts, "; ")))
}

/// Tells how it went and gives the exit code.
pub fn tell(outcome: &RunOutcome, begun: Instant, asked: &Confirmation<'_>, context: &Context, command: &str) -> u8 {
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let code = match (outcome.is_complete(), outcome.deferred.is_empty(), outcome.failed.is_empty()) {
        (true, true, _) => exit::DONE,
        _ if outcome.stopped => exit::PENDING,
        (_, _, false) => exit::ERROR,
        _ => exit::PENDING,
    };
    context.printer.data(report::outcome_text(outcome, took_ms, command));
    if context.printer.json {
        let document = document(asked, Some(report::outcome_json(outcome, took_ms)), code);
        context.printer.json(&context.verb, &document);
    }
    code
}

fn document(asked: &Confirmation<'_>, outcome: Option<serde_json::Value>, code: u8) -> serde_json::Value {
    let separate = asked.built.later.iter().map(|(step, verb)| json!({"step": step, "verb": verb}));
    let separate: Vec<serde_json::Value> = separate.collect();
    let mut body = json!({
        "header": asked.header, "exit": code, "outcome": outcome,
        "run_separately": separate,
        "waiting": asked.built.waiting, "left_out": asked.omitted.names(),
        "left_out_would_change": asked.omitted.would_change, "account_left_out": asked.omitted.account_away,
    });
    if let (Some(all), Some(more)) = (body.as_object_mut(), report::changes_json(asked.changes).as_object()) {
        all.extend(more.clone());
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_a_run_leaves_out_are_one_line() {
        let step = |name: &str, verb: &str| (name.to_owned(), verb.to_owned());
        let separate = [step("report", "report"), step("jetson-load", "validate load")];
        let waiting = ["cutover".to_owned()];
        let said = |each: bool| not_done(&separate, &waiting, each).map(String::from);
        assert_eq!(
            said(false).as_deref(),
            Some("not part of this run: on request cutover; run separately report, jetson-load (-v says how)")
        );
        assert_eq!(
            said(true).as_deref(),
            Some(
                "on request only: cutover (deploy --request cutover)\nrun separately: report (akidb-edge report)\n\
                 run separately: jetson-load (akidb-edge validate load)"
            )
        );
        assert!(not_done(&[], &[], false).is_none());
    }
}
