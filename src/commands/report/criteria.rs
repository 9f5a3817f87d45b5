//! The criteria of a plan: what was measured against what was wanted. What was not measured is never met.

use std::fmt::Display;

use super::input::ReportInput;
use crate::commands::jetson::NodeSeen;
use crate::commands::validate::{self, Found};
use crate::desired::DesiredStack;
use crate::measure::verdict::Unit;
use crate::plan::{Criterion, Plan, Probe};
use crate::report::CriterionResult;

/// A figure with its interval, and where it comes from; or why there is none.
type Measurement = Result<Figure, String>;

/// What was counted or measured.
struct Figure {
    /// None where the sample is too small for one.
    value: Option<f64>,
    /// Between which values the true one lies; without a bound on a side where nothing is known.
    interval: (f64, f64),
    how: String,
}

impl Figure {
    fn counted(count: usize, how: String) -> Self {
        Self { value: Some(count as f64), interval: (count as f64, count as f64), how }
    }

    /// `met` or `missed` when the whole interval says so, else `inconclusive`.
    fn verdict(&self, one: &Criterion) -> &'static str {
        let (low, high) = self.interval;
        match (one.compare.holds(low, one.threshold), one.compare.holds(high, one.threshold)) {
            (true, true) => "met",
            (false, false) => "missed",
            _ => "inconclusive",
        }
    }
}

/// Every criterion, judged.
pub fn judged(plan: &Plan, built: &DesiredStack, known: &ReportInput) -> Vec<CriterionResult> {
    let priorities = [("P0", &plan.criteria.p0), ("P1", &plan.criteria.p1), ("P2", &plan.criteria.p2)];
    let criteria = priorities.into_iter().flat_map(|(priority, all)| all.iter().map(move |one| (priority, one)));
    criteria.map(|(priority, one)| judge(priority, one, built, known)).collect()
}

fn judge(priority: &'static str, one: &Criterion, built: &DesiredStack, known: &ReportInput) -> CriterionResult {
    let (measured, verdict, how) = match take(one, built, known) {
        Ok(figure) => (figure.value.map(shown_value), figure.verdict(one), figure.how),
        Err(why) => (None, "not measured", why),
    };
    CriterionResult {
        priority,
        id: one.id.clone(),
        title: one.title.clone(),
        wanted: format!("{} {}", one.compare.sign(), with_unit(one.threshold, &one.unit)),
        measured: measured.map(|value| with_unit(value, &one.unit)),
        verdict,
        how,
        note: one.note.clone(),
    }
}

/// A value in at most two decimals; whole numbers have none.
fn shown_value(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `1 resource`, `3 resources`, `25 ms`: a unit that is a word has its singular.
fn with_unit(value: impl Display, unit: &str) -> String {
    let value = value.to_string();
    let is_word = unit.len() > 3 && unit.bytes().all(|byte| byte.is_ascii_lowercase());
    // `status` is one already.
    match unit.strip_suffix('s').filter(|one| !one.ends_with(['s', 'u'])) {
        Some(one) if is_word && value == "1" => format!("{value} {one}"),
        _ => format!("{value} {unit}"),
    }
}

fn take(one: &Criterion, built: &DesiredStack, known: &ReportInput) -> Measurement {
    let pattern = one.subject.as_deref().unwrap_or("*");
    match one.measure.probe() {
        Some(Probe::NodesReady) => nodes(known, |node| node.node == Some("ready")),
        Some(Probe::DevicesProvisioned) => nodes(known, |node| node.node.is_some() && node.has_jetpack_of_plan),
        Some(Probe::Measured(verb)) => measured(one, verb, known),
        None => Err(format!("{} has no probe in this version", one.measure.name())),
        // An empty journal says nothing, not even that nothing is missing.
        Some(_) if known.is_empty() => Err("the journal is empty: nothing was deployed".to_owned()),
        Some(Probe::Present) => Ok(Figure::counted(known.count(pattern), format!("the journal, {pattern}"))),
        Some(Probe::Missing) => missing(pattern, built, known),
    }
}

fn missing(pattern: &str, built: &DesiredStack, known: &ReportInput) -> Measurement {
    let all = built.desired.resources.iter();
    let wanted = all.filter(|(address, resource)| address.matches(pattern) && !resource.kind.facts().lookup);
    let wanted: Vec<_> = wanted.map(|(address, _)| address).collect();
    if wanted.is_empty() {
        return Err(format!("the plan has no resource named {pattern}"));
    }
    let missing = wanted.into_iter().filter(|address| known.present(address).is_none()).count();
    Ok(Figure::counted(missing, format!("the journal, {pattern}")))
}

/// Counts nodes as `jetson status` shows them.
fn nodes(known: &ReportInput, counts: impl Fn(&NodeSeen) -> bool) -> Measurement {
    let Some(nodes) = &known.nodes else { return Err("report --devices asks the cluster".to_owned()) };
    if nodes.iter().all(|node| node.node.is_none()) {
        return Err("the cluster did not answer; akidb-edge jetson status says why".to_owned());
    }
    let count = nodes.iter().filter(|node| counts(node)).count();
    Ok(Figure::counted(count, "the cluster, as jetson status shows it".to_owned()))
}

/// The latest result of a check that `validate` ran. A result of another `subject` does not count.
fn measured(one: &Criterion, verb: &str, known: &ReportInput) -> Measurement {
    let mut all = known.measurements.iter().flat_map(|from| from.found.iter().map(move |found| (from, found)));
    let fits = |found: &Found| found.measure == one.measure.name() && found.of == one.subject;
    let latest = all.rfind(|(_, found)| fits(found));
    let (from, found) = latest.ok_or_else(|| validate::hint(verb))?;
    let (finding, how) = (&found.finding, validate::how(from, found));
    if finding.samples == 0 {
        return Err(format!("{}; {how}", finding.why));
    }
    // Criteria are in percent.
    let scale = if finding.unit == Unit::Share { 100.0 } else { 1.0 };
    let scaled = |value: f64| value * scale;
    let bound = |end: Option<f64>, unknown: f64| end.map_or(unknown, scaled);
    let interval = (bound(finding.low, f64::NEG_INFINITY), bound(finding.high, f64::INFINITY));
    let how = if finding.value.is_none() { format!("{}; {how}", finding.why) } else { how };
    Ok(Figure { value: finding.value.map(scaled), interval, how })
}

#[cfg(test)]
#[path = "criteria_tests.rs"]
mod tests;
