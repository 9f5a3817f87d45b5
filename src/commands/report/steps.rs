//! The steps of a plan, day by day, and where each stands. A step is done when its own resources are there, never because there is
//! nothing to look for.

use std::collections::BTreeMap;

use super::input::ReportInput;
use crate::commands::validate::Measurement;
use crate::desired::DesiredStack;
use crate::exit;
use crate::plan::{Plan, Step, StepConfig};
use crate::report::{ReportDay, ReportStep, duration};
use crate::resource::Address;

/// The days with their steps.
pub fn days(plan: &Plan, built: &DesiredStack, known: &ReportInput) -> Vec<ReportDay> {
    let took = known.took();
    let mut days: BTreeMap<u32, ReportDay> = BTreeMap::new();
    for step in &plan.steps {
        let title = plan.days.get(&step.day).cloned().unwrap_or_default();
        let day = days.entry(step.day).or_insert_with(|| ReportDay { day: step.day, title, steps: Vec::new() });
        let waits = waits(step, known);
        let own = if waits { Vec::new() } else { own(step, built) };
        let present = own.iter().filter(|address| is_made(step, address, known)).count();
        let took_ms: u64 = own.iter().filter_map(|address| took.get(address)).sum();
        day.steps.push(ReportStep {
            id: step.id.clone(),
            title: step.title.clone(),
            state: standing(step, waits, own.len(), present, known),
            present,
            wanted: own.len(),
            took_ms,
            took: if took_ms == 0 { "–".to_owned() } else { duration(took_ms) },
        });
    }
    days.into_values().collect()
}

/// Whether a step is on request and nobody asked for it. A cutover changes what another step made: as long as it waits, none of that is
/// its own.
fn waits(step: &Step, known: &ReportInput) -> bool {
    step.on_request && !known.cloud().is_some_and(|state| state.requested.contains(&step.id))
}

/// What a step makes: what is only looked up is not its doing.
fn own(step: &Step, built: &DesiredStack) -> Vec<Address> {
    let all = built.by_step.get(&step.id).into_iter().flatten();
    let made = |address: &&Address| {
        built.desired.resources.get(*address).is_some_and(|resource| !resource.kind.facts().lookup)
    };
    all.filter(made).cloned().collect()
}

/// Whether a resource is there as this step makes it: that of a cutover was there before, made by another step.
fn is_made(step: &Step, address: &Address, known: &ReportInput) -> bool {
    let record = known.present(address);
    record.is_some_and(|record| !matches!(step.work, StepConfig::Cutover(_)) || record.step == step.id)
}

fn standing(step: &Step, waits: bool, wanted: usize, present: usize, known: &ReportInput) -> String {
    let devices = matches!(step.work, StepConfig::Jetson(_) | StepConfig::JetsonApp(_));
    match &step.work {
        StepConfig::Report(_) if known.is_report => "this report".to_owned(),
        StepConfig::Report(_) => "not run (akidb-edge report)".to_owned(),
        StepConfig::Validate(validation) => checked(step, &format!("validate {}", validation.check()), known),
        StepConfig::JetsonShutdown(_) => checked(step, "jetson shutdown", known),
        _ if waits => "on request only".to_owned(),
        _ if wanted == 0 && devices => "no device is named (--inventory FILE)".to_owned(),
        _ if wanted == 0 => "no resources of its own".to_owned(),
        _ if present == wanted => "done".to_owned(),
        _ if present > 0 => "partly".to_owned(),
        _ if devices && known.made_something(&step.id) => {
            "on other devices than the plan's (--inventory FILE)".to_owned()
        }
        _ => "not begun".to_owned(),
    }
}

/// What the latest run of a step that keeps its result came to.
fn checked(step: &Step, verb: &str, known: &ReportInput) -> String {
    let of_step = |one: &&Measurement| one.step.as_deref() == Some(step.id.as_str());
    match known.measurements.iter().rfind(of_step).map(Measurement::code) {
        None => format!("not run (akidb-edge {verb})"),
        Some(exit::DONE) => "passed".to_owned(),
        Some(exit::PENDING) => "inconclusive".to_owned(),
        Some(_) => "failed".to_owned(),
    }
}
