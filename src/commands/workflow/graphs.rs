//! The graphs of a plan: the cloud's, the devices', or both as one, checked before anything is asked.

use std::collections::BTreeSet;

use super::review;
use crate::check::{self, RelatedPlace, Severity};
use crate::desired::{self, DesiredStack, Draft};
use crate::exit::{Failure, codes};
use crate::plan::{Plan, PlanErrors, StepConfig, rules};
use crate::report::{LocatedFinding, Printer};
use crate::resource::{Address, shown};

/// The graph of a plan's cloud, as asked for.
///
/// # Errors
/// When the plan names what is not there, or a check says no.
pub fn build(plan: &Plan, requested: &BTreeSet<String>, printer: &Printer) -> Result<DesiredStack, Failure> {
    let mut built = whole(plan, desired::build(plan, requested))?;
    let other = if built.crosses(plan) { whole(plan, of_devices(plan))? } else { None };
    if let Some(other) = &other {
        built.note_beyond(other);
    }
    let findings = findings(plan, &built, other.as_ref());
    accepted(plan, &findings, printer)?;
    Ok(built)
}

/// The cloud's graph and that of the devices as one.
///
/// # Errors
/// When the plan names what is not there, or a check says no.
pub fn together(plan: &Plan, requested: &BTreeSet<String>, printer: &Printer) -> Result<DesiredStack, Failure> {
    let built = whole(plan, desired::together(plan, requested))?;
    accepted(plan, &findings(plan, &built, None), printer)?;
    Ok(built)
}

/// What was built; else everything that is wrong with the plan, and not only what stood in the way here.
fn whole<T>(plan: &Plan, built: Result<T, PlanErrors>) -> Result<T, Failure> {
    built.map_err(|PlanErrors(problems)| review::refusal(Some(plan), &problems))
}

/// Says what was found, and refuses errors.
fn accepted(plan: &Plan, findings: &[LocatedFinding], printer: &Printer) -> Result<(), Failure> {
    if findings.iter().any(LocatedFinding::is_error) {
        return Err(review::refusal(Some(plan), &[]));
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
    let cloud = |plan: &Plan| whole(plan, desired::build(plan, &every_step(plan)));
    let other = if built.crosses(plan) { Some(cloud(plan)?) } else { None };
    if let Some(other) = &other {
        built.note_beyond(other);
    }
    let findings = findings(plan, &built, other.as_ref());
    if findings.iter().any(LocatedFinding::is_error) {
        return Err(Failure::of_findings(findings));
    }
    // A file that is not there stops the run by itself, where it is needed.
    for finding in findings.iter().filter(|finding| finding.rule != rules::MISSING_FILE) {
        printer.remark(finding.line());
    }
    Ok(built)
}

/// All steps of a plan, those on request among them.
pub fn every_step(plan: &Plan) -> BTreeSet<String> {
    plan.steps.iter().map(|step| step.id.clone()).collect()
}

/// The graph of a plan's devices, with those of its inventories; none when it has no devices.
///
/// # Errors
/// Everything in the plan that cannot be.
pub fn of_devices(plan: &Plan) -> Result<Option<DesiredStack>, PlanErrors> {
    draft_of_devices(plan).map(Draft::whole).transpose()
}

/// The same as far as it goes. The artifacts may lie on another machine: they are not held against their sums here.
pub fn draft_of_devices(plan: &Plan) -> Option<Draft> {
    if !plan.steps.iter().any(|step| matches!(step.work, StepConfig::Jetson(_) | StepConfig::JetsonApp(_))) {
        return None;
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
    let mut draft = desired::jetson::draft(&whole);
    if let Err(PlanErrors(wrong)) = brought {
        draft.problems.splice(0..0, wrong);
    }
    Some(draft)
}

/// What the checks say of a graph, each with its place in the plan. `other` is the plan's other graph, where this one refers
/// to it.
pub fn findings(plan: &Plan, built: &DesiredStack, other: Option<&DesiredStack>) -> Vec<LocatedFinding> {
    let joined = other.map(|other| built.clone().joined(other.clone()));
    let whole = joined.as_ref().unwrap_or(built);
    let place = |path: &str| {
        let place = plan.place(path);
        (plan.file_of(path), place.line, place.column)
    };
    let setting = |address: &Address, path: &str| match whole.place_in_file(plan, address, path) {
        Some((file, place)) => (file, place.line, place.column),
        None => place(&whole.origin(address, path)),
    };
    let also = |also: RelatedPlace| {
        let (file, line, column) = setting(&also.address, &also.path);
        format!("{file}:{line}:{column} {} {}", also.address, also.path)
    };
    let today = jiff::Zoned::now().date();
    let mut all: Vec<LocatedFinding> = check::all(&whole.desired, today)
        .into_iter()
        .filter(|finding| built.desired.resources.contains_key(&finding.address))
        .map(|finding| LocatedFinding {
            severity: if finding.severity == Severity::Error { "error" } else { "warning" },
            also: finding.also.map(also),
            aws_says: finding.aws_says,
            path: finding.path.clone(),
            address: Some(finding.address.clone()),
            ..LocatedFinding::error(
                finding.rule,
                setting(&finding.address, &finding.path),
                finding.problem,
                finding.instead,
            )
        })
        .collect();
    all.extend(built.missing.iter().map(|(path, origin, why)| LocatedFinding {
        severity: "warning",
        aws_says: "nothing: deploy stops before the first call".to_owned(),
        ..LocatedFinding::error(
            rules::MISSING_FILE,
            place(origin),
            format!("{path} cannot be read: {why}"),
            THE_FILE.to_owned(),
        )
    }));
    all
}

/// What helps when a file of the plan is not there.
const THE_FILE: &str =
    "put the file there, or correct its path in the plan (--var NAME=FOLDER sets a variable of the plan)";

/// Whether a finding stops a run over devices: the other rules are about AWS.
pub fn stops(finding: &LocatedFinding) -> bool {
    finding.is_error() || finding.rule == rules::MISSING_FILE
}

/// Refuses a run whose files are not there.
///
/// # Errors
/// When the plan names files that cannot be read.
pub fn need_files(built: &DesiredStack) -> Result<(), Failure> {
    let Some((path, _, why)) = built.missing.first() else { return Ok(()) };
    let more = built.missing.len() - 1;
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    Err(codes::MISSING_FILE.refused(shown!("the plan needs {}, which cannot be read: {}{}", path, why, more), THE_FILE))
}
