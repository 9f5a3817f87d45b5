//! The graphs of a plan: the cloud's, the devices', or both as one, checked before anything is asked.

use std::collections::BTreeSet;

use crate::check::{self, Severity};
use crate::desired::{self, DesiredStack};
use crate::exit::Failure;
use crate::plan::{Plan, PlanErrors, StepConfig};
use crate::report::{self, LocatedFinding, Printer};
use crate::resource::{Address, shown};

/// The graph of a plan's cloud, as asked for.
///
/// # Errors
/// When the plan names what is not there, or a check says no.
pub fn build(plan: &Plan, requested: &BTreeSet<String>, printer: &Printer) -> Result<DesiredStack, Failure> {
    let mut built = desired::build(plan, requested)?;
    let other = if built.crosses(plan) { of_devices(plan)? } else { None };
    if let Some(other) = &other {
        built.note_beyond(other);
    }
    let findings = findings(plan, &built, other.as_ref());
    accepted(&findings, printer)?;
    Ok(built)
}

/// The cloud's graph and that of the devices as one.
///
/// # Errors
/// When the plan names what is not there, or a check says no.
pub fn together(plan: &Plan, requested: &BTreeSet<String>, printer: &Printer) -> Result<DesiredStack, Failure> {
    let built = desired::grouping(plan, requested)?;
    accepted(&findings(plan, &built, None), printer)?;
    Ok(built)
}

/// Says what was found, and refuses errors.
fn accepted(findings: &[LocatedFinding], printer: &Printer) -> Result<(), Failure> {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    if errors > 0 {
        printer.data(report::findings_text(findings));
        let things = report::counted(errors, "setting");
        return Err(Failure::refused(
            shown!("AWS would refuse {} of this plan; nothing was done", things),
            "correct what is named above",
        ));
    }
    for finding in findings {
        printer.remark(finding.line());
    }
    Ok(())
}

/// The graph of a plan's devices.
///
/// # Errors
/// When the plan names what is not there, or a check says no.
pub fn devices(plan: &Plan, printer: &Printer) -> Result<DesiredStack, Failure> {
    let mut built = desired::jetson::build(plan)?;
    let other = if built.crosses(plan) { Some(desired::build(plan, &every_step(plan))?) } else { None };
    if let Some(other) = &other {
        built.note_beyond(other);
    }
    let findings = findings(plan, &built, other.as_ref());
    if findings.iter().any(LocatedFinding::is_error) {
        printer.data(report::findings_text(&findings));
        return Err(Failure::refused(
            "the settings of the devices are invalid; nothing was done",
            "correct what is named above",
        ));
    }
    // A file that is not there stops the run by itself, where it is needed.
    for finding in findings.iter().filter(|finding| finding.rule != MISSING_FILE) {
        printer.remark(finding.line());
    }
    Ok(built)
}

/// All steps of a plan, those on request among them.
pub fn every_step(plan: &Plan) -> BTreeSet<String> {
    plan.steps.iter().map(|step| step.id.clone()).collect()
}

/// The graph of a plan's devices, with those of its inventories; none when it has no devices. The artifacts may be on another
/// machine: they are not held against their sums here.
///
/// # Errors
/// Everything in the plan that cannot be.
pub fn of_devices(plan: &Plan) -> Result<Option<DesiredStack>, PlanErrors> {
    if !plan.steps.iter().any(|step| matches!(step.work, StepConfig::Jetson(_) | StepConfig::JetsonApp(_))) {
        return Ok(None);
    }
    let mut whole = plan.clone();
    for step in &mut whole.steps {
        if let StepConfig::Jetson(jetson) = &mut step.work {
            jetson.artifacts = None;
        }
    }
    let brought = whole.bring_devices(None, None).map(drop);
    for (step, said) in whole.steps.iter_mut().zip(&plan.steps) {
        if let (StepConfig::Jetson(jetson), StepConfig::Jetson(said)) = (&mut step.work, &said.work) {
            jetson.artifacts.clone_from(&said.artifacts);
        }
    }
    match (brought, desired::jetson::build(&whole)) {
        (Ok(()), built) => built.map(Some),
        (Err(wrong), Ok(_)) => Err(wrong),
        (Err(PlanErrors(mut wrong)), Err(PlanErrors(more))) => {
            wrong.extend(more);
            Err(PlanErrors(wrong))
        }
    }
}

/// What the checks say of a graph, each with its place in the plan. `other` is the plan's other graph, where this one refers
/// to it.
pub fn findings(plan: &Plan, built: &DesiredStack, other: Option<&DesiredStack>) -> Vec<LocatedFinding> {
    let joined = other.map(|other| built.clone().joined(other.clone()));
    let whole = joined.as_ref().unwrap_or(built);
    let place = |path: &str| {
        let place = plan.place(path);
        format!("{}:{}:{}", plan.file_of(path), place.line, place.column)
    };
    let setting = |address: &Address, path: &str| place(&whole.origin(address, path));
    let today = jiff::Zoned::now().date();
    let mut all: Vec<LocatedFinding> = check::all(&whole.desired, today)
        .into_iter()
        .filter(|finding| built.desired.resources.contains_key(&finding.address))
        .map(|finding| LocatedFinding {
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
    all.extend(built.missing.iter().map(|(path, origin, why)| LocatedFinding {
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
const MISSING_FILE: &str = "FI001-missing-file";

/// What helps when a file of the plan is not there.
const THE_FILE: &str =
    "put the file there, or correct its path in the plan (--var NAME=FOLDER sets a variable of the plan)";

/// Whether a finding stops a run over devices: the other rules are about AWS.
pub fn stops(finding: &LocatedFinding) -> bool {
    finding.is_error() || finding.rule == MISSING_FILE
}

/// Refuses a run whose files are not there.
///
/// # Errors
/// When the plan names files that cannot be read.
pub fn need_files(built: &DesiredStack) -> Result<(), Failure> {
    let Some((path, _, why)) = built.missing.first() else { return Ok(()) };
    let more = built.missing.len() - 1;
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    Err(Failure::refused(shown!("the plan needs {}, which cannot be read: {}{}", path, why, more), THE_FILE))
}
