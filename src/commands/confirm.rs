//! Showing the difference, asking, and telling how it went: the same for every verb that changes something.

use std::time::Instant;

use serde_json::json;

use super::Context;
use super::workflow::RunArgs;
use crate::cli::has_verb;
use crate::desired::DesiredStack;
use crate::exit::{self, Failure};
use crate::report;
use crate::resource::{Changes, RunOutcome, SafeText, shown};

/// What is about to be asked.
pub struct Confirmation<'a> {
    /// The difference.
    pub changes: &'a Changes,
    /// The graph and what is not in it.
    pub built: &'a DesiredStack,
    /// Whom we talk to.
    pub header: &'a report::RunHeader,
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
    let text =
        report::changes_text(asked.changes, printer.verbose > 0, context.session.color, run.wait, &asked.omitted);
    printer.data(text);
    if asked.whole || printer.verbose > 0 {
        say_what_is_not_done(asked.built, context);
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
        return Err(Failure::refused(
            "nothing was done: there is no terminal to ask for a confirmation on",
            "read the difference above, then add --yes",
        ));
    }
    let question = match &asked.header.devices {
        Some(_) => shown!("Do this to the stacks {}?", asked.header.stacks()),
        None => SafeText::from("Do this?"),
    };
    if printer.ask(question) { Ok(None) } else { Err(Failure::refused("nothing was done", "")) }
}

/// A step and the verb that does it.
type Step = (String, String);

/// The steps that a deploy does not carry out: those whose verb exists, and those whose verb does not.
fn not_of_a_deploy(built: &DesiredStack) -> (Vec<&Step>, Vec<&Step>) {
    built.later.iter().partition(|(_, verb)| has_verb(verb))
}

/// Steps that this run does not take, and why: never silently left out.
fn say_what_is_not_done(built: &DesiredStack, context: &Context) {
    let (separate, later) = not_of_a_deploy(built);
    let list = |steps: &[&(String, String)], program: &str| {
        steps.iter().map(|(step, verb)| format!("{step} ({program}{verb})")).collect::<Vec<_>>().join(", ")
    };
    if !later.is_empty() {
        let steps = report::counted(later.len(), "step");
        context.printer.talk(shown!("not available yet: {}: {}", steps, list(&later, "")));
    }
    if !separate.is_empty() {
        context.printer.talk(shown!("run separately: {}", list(&separate, "akidb-edge ")));
    }
    for step in &built.waiting {
        context.printer.talk(shown!("on request only: step {} (deploy --request {})", step, step));
    }
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
    let (separate, later) = not_of_a_deploy(asked.built);
    let list = |steps: &[&(String, String)]| {
        steps.iter().map(|(step, verb)| json!({"step": step, "verb": verb})).collect::<Vec<_>>()
    };
    let mut body = json!({
        "header": asked.header, "exit": code, "outcome": outcome,
        "not_available_yet": list(&later), "run_separately": list(&separate),
        "waiting": asked.built.waiting, "left_out": asked.omitted.names(),
        "left_out_would_change": asked.omitted.would_change, "account_left_out": asked.omitted.account_away,
    });
    if let (Some(all), Some(more)) = (body.as_object_mut(), report::changes_json(asked.changes).as_object()) {
        all.extend(more.clone());
    }
    body
}
