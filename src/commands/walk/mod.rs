//! The walk that the verbs share: plan, graph, ledger, look, difference, ask, do. Each verb takes the part that it needs.

mod account;
mod arguments;
mod journal;
mod leased;
mod running;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Context;
use crate::change::{self, Refusal, Scope};
use crate::check::{self, Severity};
use crate::cli::Global;
use crate::desired::{self, Built};
use crate::exit::Failure;
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::provider::Providers;
use crate::provider::aws::{Identity, providers};
use crate::report::{self, Header, Located, Voice};
use crate::resource::{Address, Artefacts, Changes, Desired, Moves, Observed, Remembered};

pub use account::{Connection, connect};
pub use arguments::{EmptyArgs, PlanArgs, RunArgs};
pub use journal::{close, directory, open, root, store};
pub use leased::{Held, unless_interrupted, write};
pub use running::{Purpose, Run, began};

/// The graph of a plan, as asked for.
///
/// # Errors
/// When the plan names what is not there, or a check says no.
pub fn build(plan: &Plan, requested: &BTreeSet<String>, voice: &Voice) -> Result<Built, Failure> {
    let built = desired::build(plan, requested)?;
    let findings = findings(plan, &built);
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    if errors > 0 {
        voice.data(&report::findings_text(&findings));
        let things = if errors == 1 { "1 setting".to_owned() } else { format!("{errors} settings") };
        return Err(Failure::refused(
            format!("AWS would refuse {things} of this plan; nothing was done"),
            "correct what is named above",
        ));
    }
    for finding in &findings {
        voice.remark(&finding.line());
    }
    Ok(built)
}

/// The graph of a plan's devices.
///
/// # Errors
/// When the plan names what is not there, or a check says no.
pub fn devices(plan: &Plan, voice: &Voice) -> Result<Built, Failure> {
    let built = desired::jetson::build(plan)?;
    let findings = findings(plan, &built);
    if findings.iter().any(Located::is_error) {
        voice.data(&report::findings_text(&findings));
        return Err(Failure::refused("the devices cannot be made so; nothing was done", "correct what is named above"));
    }
    Ok(built)
}

/// What the checks say of a graph, each with its place in the plan.
pub fn findings(plan: &Plan, built: &Built) -> Vec<Located> {
    let place = |path: &str| {
        let place = plan.place(path);
        format!("{}:{}:{}", plan.file_of(path), place.line, place.column)
    };
    let setting = |address: &Address, path: &str| place(&built.origin(address, path));
    let today = jiff::Zoned::now().date();
    let mut all: Vec<Located> = check::all(&built.desired, today)
        .into_iter()
        .map(|finding| Located {
            rule: finding.rule.to_owned(),
            severity: if finding.severity == Severity::Error { "error" } else { "warning" },
            at: setting(&finding.address, &finding.path),
            also: finding
                .also
                .map(|also| format!("{} {} {}", setting(&also.address, &also.path), also.address, also.path)),
            address: Some(finding.address),
            path: finding.path,
            problem: finding.problem,
            aws_says: finding.aws_says,
            instead: finding.instead,
        })
        .collect();
    all.extend(built.missing.iter().map(|(path, origin, why)| Located {
        rule: MISSING_FILE.to_owned(),
        severity: "warning",
        address: None,
        at: place(origin),
        also: None,
        path: String::new(),
        problem: format!("{path} cannot be read: {why}"),
        aws_says: "nothing: deploy stops before the first call".to_owned(),
        instead: THE_FILE.to_owned(),
    }));
    all
}

/// The rule that a file of the plan is not there.
pub const MISSING_FILE: &str = "FI001-missing-file";

/// What helps when a file of the plan is not there.
const THE_FILE: &str =
    "put the file there, or let the plan name where it lies (--var NAME=FOLDER sets a variable of the plan)";

/// Refuses a run whose files are not there.
///
/// # Errors
/// When the plan names files that cannot be read.
pub fn need_files(built: &Built) -> Result<(), Failure> {
    let Some((path, _, why)) = built.missing.first() else { return Ok(()) };
    let more = built.missing.len() - 1;
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    Err(Failure::refused(format!("the plan carries {path}, which cannot be read: {why}{more}"), THE_FILE))
}

/// Refuses a stack that lives on devices: there is nothing to ask AWS about, and `jetson` has a verb for it.
///
/// # Errors
/// When its journal knows machines.
pub async fn no_devices(context: &Context, stack: &str, verb: &str) -> Result<(), Failure> {
    if !stack.ends_with(desired::jetson::SUFFIX) {
        return Ok(());
    }
    let store = store(&context.global, &context.session, stack, None).await?;
    let remembered = Ledger::read(store, stack).await?.remembered();
    if !remembered.resources.values().any(|record| record.kind.on_a_machine()) {
        return Ok(());
    }
    let which = if verb.starts_with("provision") { "--plan PLAN".to_owned() } else { format!("--stack {stack}") };
    Err(Failure::refused(
        format!("{stack} is a stack of devices, not of an AWS account"),
        format!("akidb-edge jetson {verb} {which}"),
    ))
}

/// The state as the plan addresses it: what only changed its address is known under the new one.
pub fn moved(desired: &Desired, remembered: Remembered) -> (Moves, Remembered) {
    let moves = change::moves(desired, &remembered);
    let remembered = remembered.moved(&moves);
    (moves, remembered)
}

/// Refuses what can never be done, before the world is asked.
///
/// # Errors
/// When the plan changes what is fixed for the life of something that holds data.
pub fn need_changeable(desired: &Desired, remembered: &Remembered, scope: &Scope) -> Result<(), Failure> {
    let refusals = change::fixed(desired, remembered, scope);
    if refusals.is_empty() { Ok(()) } else { Err(refused(&refusals)) }
}

/// The difference, or every reason why there is none.
///
/// # Errors
/// When something stands in the way.
pub fn difference(
    desired: &Desired,
    remembered: &Remembered,
    observed: &Observed,
    scope: &Scope,
) -> Result<Changes, Failure> {
    change::diff(desired, remembered, observed, scope).map_err(|refusals| refused(&refusals))
}

/// Everything that stands in the way, as one failure.
pub fn refused(refusals: &[Refusal]) -> Failure {
    let lines: Vec<String> = refusals
        .iter()
        .map(|refusal| format!("{}: {}\n  next: {}", refusal.address, refusal.problem, refusal.next_step))
        .collect();
    let reading = refusals.iter().all(|refusal| refusal.problem.starts_with("it could not be read"));
    let problem = format!("the difference cannot be made\n{}", lines.join("\n"));
    if reading { Failure::error(problem, "") } else { Failure::refused(problem, "") }
}

/// The providers, with the bytes that the run carries.
pub fn with_artefacts(connection: &Connection, artefacts: Artefacts) -> Providers {
    providers(&connection.clients, &Arc::new(artefacts)).patiently(connection.patience.clone())
}

/// What a person reads first: whom the tool talks to.
pub fn header(
    connection: &Connection,
    identity: &Identity,
    stack: &str,
    plan: Option<&Plan>,
    global: &Global,
) -> Header {
    Header {
        stack: stack.to_owned(),
        plan: plan.map(|plan| plan.file.clone()),
        account: identity.account.clone(),
        caller: identity.arn.clone(),
        region: connection.region.clone(),
        endpoint: connection.description().map_or_else(|| "AWS".to_owned(), |described| described.endpoint),
        state: global.state.clone(),
    }
}
