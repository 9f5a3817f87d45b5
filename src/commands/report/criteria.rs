//! The criteria of a plan: what was measured against what was wanted. What was not measured is never met.

use super::input::ReportInput;
use crate::commands::jetson::NodeSeen;
use crate::desired::DesiredStack;
use crate::plan::{Criterion, Plan, Probe};
use crate::report::CriterionResult;

/// A figure and where it comes from, or why there is none.
type Measurement = Result<(usize, String), String>;

/// Every criterion, judged.
pub fn judged(plan: &Plan, built: &DesiredStack, known: &ReportInput) -> Vec<CriterionResult> {
    let priorities = [("P0", &plan.criteria.p0), ("P1", &plan.criteria.p1), ("P2", &plan.criteria.p2)];
    let criteria = priorities.into_iter().flat_map(|(priority, all)| all.iter().map(move |one| (priority, one)));
    criteria.map(|(priority, one)| judge(priority, one, built, known)).collect()
}

fn judge(priority: &'static str, one: &Criterion, built: &DesiredStack, known: &ReportInput) -> CriterionResult {
    let (measured, verdict, how) = match take(one, built, known) {
        Ok((value, how)) if one.compare.holds(value as f64, one.threshold) => (Some(value), "met", how),
        Ok((value, how)) => (Some(value), "missed", how),
        Err(why) => (None, "not measured", why),
    };
    CriterionResult {
        priority,
        id: one.id.clone(),
        title: one.title.clone(),
        wanted: format!("{} {} {}", one.compare.sign(), one.threshold, one.unit),
        measured: measured.map(|value| format!("{value} {}", one.unit)),
        verdict,
        how,
        note: one.note.clone(),
    }
}

fn take(one: &Criterion, built: &DesiredStack, known: &ReportInput) -> Measurement {
    let pattern = one.of.as_deref().unwrap_or("*");
    match one.measure.probe() {
        Some(Probe::NodesReady) => nodes(known, |node| node.node == Some("ready")),
        Some(Probe::DevicesProvisioned) => nodes(known, |node| node.node.is_some() && node.has_jetpack_of_plan),
        None => Err(format!("{} has no probe in this version", one.measure.name())),
        // An empty journal says nothing, not even that nothing is missing.
        Some(_) if known.is_empty() => Err("the journal is empty: nothing was deployed".to_owned()),
        Some(Probe::Present) => Ok((known.count(pattern), format!("the journal, {pattern}"))),
        Some(Probe::Missing) => missing(pattern, built, known),
    }
}

fn missing(pattern: &str, built: &DesiredStack, known: &ReportInput) -> Measurement {
    let all = built.desired.resources.iter();
    let wanted = all.filter(|(address, resource)| address.matches(pattern) && !resource.kind.facts().lookup);
    let wanted: Vec<_> = wanted.map(|(address, _)| address).collect();
    if wanted.is_empty() {
        return Err(format!("the plan wants nothing that is called {pattern}"));
    }
    let missing = wanted.into_iter().filter(|address| known.present(address).is_none()).count();
    Ok((missing, format!("the journal, {pattern}")))
}

/// Counts nodes as `jetson status` shows them.
fn nodes(known: &ReportInput, counts: impl Fn(&NodeSeen) -> bool) -> Measurement {
    let Some(nodes) = &known.nodes else { return Err("report --devices asks the cluster".to_owned()) };
    if nodes.iter().all(|node| node.node.is_none()) {
        return Err("the cluster did not answer; akidb-edge jetson status says why".to_owned());
    }
    Ok((nodes.iter().filter(|node| counts(node)).count(), "the cluster, as jetson status shows it".to_owned()))
}

#[cfg(test)]
#[path = "criteria_tests.rs"]
mod tests;
