//! The criteria of a plan: what was measured against what was wanted. What was not measured is never met.

use std::fmt::Display;

use serde_json::Value;

use super::input::ReportInput;
use crate::commands::jetson::NodeSeen;
use crate::commands::validate::{self, Found};
use crate::desired::DesiredStack;
use crate::measure::verdict::Unit;
use crate::plan::closing::EarlierWeek;
use crate::plan::{Criterion, Plan, Probe, StepConfig};
use crate::report::CriterionResult;

/// What is said where devices were not asked.
const ASK_DEVICES: &str = "report --devices asks the devices, as jetson status does";

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
    let earlier = Expected::of(plan);
    let judged = |(priority, one): (&'static str, &Criterion)| {
        let result = judge(priority, one, built, known);
        let how = earlier.notes(one).into_iter().fold(result.how, |how, note| format!("{how}; {note}"));
        CriterionResult { how, ..result }
    };
    criteria.map(judged).collect()
}

/// What the plan's step of kind `report` compares with.
#[derive(Default)]
struct Expected<'p> {
    week: Option<&'p EarlierWeek>,
    cost_usd: f64,
}

impl<'p> Expected<'p> {
    fn of(plan: &'p Plan) -> Self {
        let report = plan.steps.iter().find_map(|step| match &step.work {
            StepConfig::Report(report) => Some(report),
            _ => None,
        });
        let Some(report) = report else { return Self::default() };
        Self { week: report.compare_with.as_ref(), cost_usd: report.cost_usd.values().sum() }
    }

    /// What is said beside a criterion.
    fn notes(&self, one: &Criterion) -> Vec<String> {
        let week = |figure: Option<f64>, unit: &str| {
            Some(format!("week {}: {} {unit}", self.week?.week, shown_value(figure?)))
        };
        match one.measure.name() {
            "cost.month" => {
                let earlier = week(self.week.and_then(|week| week.cost_usd), "USD");
                let sum = (self.cost_usd > 0.0)
                    .then(|| format!("the plan's items add up to {} USD", shown_value(self.cost_usd)));
                earlier.into_iter().chain(sum).collect()
            }
            "load.throughput" => {
                week(self.week.and_then(|week| week.throughput_rps), "requests/s").into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
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
        Probe::NodesReady => nodes(known, |node| node.node == Some("ready")),
        Probe::DevicesProvisioned => nodes(known, |node| node.node.is_some() && node.has_jetpack_of_plan),
        Probe::GpuUse => gpu_use(known),
        Probe::GpuReplicas => gpu_replicas(known),
        Probe::Measured(verb) => measured(one, verb, known),
        // An empty journal says nothing, not even that nothing is missing.
        _ if known.is_empty() => Err("the journal is empty: nothing was deployed".to_owned()),
        Probe::ReportWritten if known.is_report => Ok(Figure::counted(1, "this report".to_owned())),
        Probe::ReportWritten => Err("akidb-edge report writes it".to_owned()),
        Probe::FileMegabytes => file_size(pattern, known),
        Probe::Dashboards => dashboards(pattern, known),
        Probe::Present => Ok(Figure::counted(known.count(pattern), format!("the journal, {pattern}"))),
        Probe::Missing => missing(pattern, built, known),
    }
}

/// ConfigMaps with a Grafana dashboard. A stack without any says how they come.
fn dashboards(pattern: &str, known: &ReportInput) -> Measurement {
    let is_one = |spec: &&Value| {
        let labels = spec.pointer("/object/metadata/labels").and_then(Value::as_object);
        spec["kind"] == "ConfigMap" && labels.is_some_and(|labels| labels.contains_key("grafana_dashboard"))
    };
    match known.specs(pattern).filter(is_one).count() {
        0 => Err(
            "no ConfigMap with a Grafana dashboard was deployed (deploy --request STEP, step of kind observability)"
                .to_owned(),
        ),
        count => Ok(Figure::counted(count, "the journal, ConfigMaps with the label grafana_dashboard".to_owned())),
    }
}

/// Replicas on the devices whose model runs on a GPU, as each says in its metrics.
fn gpu_replicas(known: &ReportInput) -> Measurement {
    match &known.replicas {
        None => Err(ASK_DEVICES.to_owned()),
        Some(Err(why)) => Err(why.clone()),
        Some(Ok(replicas)) => {
            let on_gpu = replicas.iter().filter(|replica| replica.is_on_gpu()).count();
            let how =
                format!("akidb_execution_provider_info of {} replicas, through the cluster's API", replicas.len());
            Ok(Figure::counted(on_gpu, how))
        }
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
    let Some(nodes) = &known.nodes else { return Err(ASK_DEVICES.to_owned()) };
    if nodes.iter().all(|node| node.node.is_none()) {
        return Err("the cluster did not answer; akidb-edge jetson status shows why".to_owned());
    }
    let count = nodes.iter().filter(|node| counts(node)).count();
    Ok(Figure::counted(count, "the cluster, as jetson status shows it".to_owned()))
}

/// The use of the GPUs at one moment: that of the least used device decides `>=`, that of the most used one `<=`.
fn gpu_use(known: &ReportInput) -> Measurement {
    let Some(nodes) = &known.nodes else { return Err(ASK_DEVICES.to_owned()) };
    let used: Vec<f64> = nodes.iter().filter_map(|node| node.gpu_percent).map(f64::from).collect();
    let (low, high) = used.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), one| (low.min(*one), high.max(*one)));
    if used.len() < nodes.len() || used.is_empty() {
        return Err(format!("{} of {} devices report their GPU utilization (tegrastats)", used.len(), nodes.len()));
    }
    let value = used.iter().sum::<f64>() / used.len() as f64;
    let how = format!("tegrastats on {} devices at the time of this report; run it under load", used.len());
    Ok(Figure { value: Some(value), interval: (low, high), how })
}

/// The size of the largest object of a pattern that is there.
fn file_size(pattern: &str, known: &ReportInput) -> Measurement {
    let sizes = known.specs(pattern).filter_map(|spec| spec.get("bytes")?.as_u64());
    let largest = sizes.max().ok_or_else(|| format!("the journal has no object {pattern}"))?;
    let megabytes = largest as f64 / 1e6;
    Ok(Figure { value: Some(megabytes), interval: (megabytes, megabytes), how: format!("the journal, {pattern}") })
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
    let scale = match finding.unit {
        // Criteria are in percent.
        Unit::Share => 100.0,
        Unit::Bytes if one.unit == "MB" => 1e-6,
        _ => 1.0,
    };
    let scaled = |value: f64| value * scale;
    let bound = |end: Option<f64>, unknown: f64| end.map_or(unknown, scaled);
    let interval = (bound(finding.low, f64::NEG_INFINITY), bound(finding.high, f64::INFINITY));
    let how = if finding.value.is_none() { format!("{}; {how}", finding.why) } else { how };
    Ok(Figure { value: finding.value.map(scaled), interval, how })
}

#[cfg(test)]
#[path = "criteria_tests.rs"]
mod tests;
