//! What a check found: figures against their limits, and the recordings that they are of.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{junit, storage};
use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::measure::Recording;
use crate::measure::verdict::{self, Compare, MeasuredFinding, Unit, Verdict, Wanted};
use crate::report;
use crate::resource::{SafeText, shown};

/// The format of the documents.
pub(super) const FORMAT: u32 = 1;

/// One check: when, from where, and what was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measurement {
    pub(super) format: u32,
    /// Which check: `latency`.
    pub check: String,
    /// The step of the plan; none for a check by command line alone.
    pub step: Option<String>,
    /// When it ended, RFC 3339.
    pub at: String,
    /// The same in milliseconds since 1970: which of several results of one second is the latest. 0 in results of earlier versions.
    #[serde(default)]
    pub at_ms: i64,
    /// Where it was measured from.
    pub from: Vec<String>,
    /// What was found.
    pub found: Vec<Found>,
    /// What the figures are of, by vantage point: for plots and further statistics.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recordings: BTreeMap<String, Recording>,
    /// Only why the check did not run: what an earlier run found stays.
    #[serde(skip)]
    not_run: bool,
}

/// One figure against its limit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    /// The measure of a plan's criteria that it is: `latency.p95`.
    pub measure: String,
    /// The `subject` of the criteria that this result counts for.
    pub of: Option<String>,
    /// The figure, the limit and the verdict.
    pub finding: MeasuredFinding,
}

/// What a check brought, before it is written down.
#[derive(Clone, Debug, Default)]
pub struct CheckResult {
    /// Figures against limits.
    pub found: Vec<Found>,
    /// What they are of, by vantage point.
    pub recordings: BTreeMap<String, Recording>,
}

impl From<Vec<Found>> for CheckResult {
    fn from(found: Vec<Found>) -> Self {
        Self { found, recordings: BTreeMap::new() }
    }
}

impl Measurement {
    /// What a check found just now.
    pub fn now(check: &str, step: Option<&str>, from: Vec<String>, result: impl Into<CheckResult>) -> Self {
        let now = jiff::Timestamp::now();
        let at = now.round(jiff::Unit::Second).map_or_else(|_| String::new(), |at| at.to_string());
        let at_ms = now.as_millisecond();
        let CheckResult { found, recordings } = result.into();
        let (check, step) = (check.to_owned(), step.map(str::to_owned));
        Self { format: FORMAT, check, step, at, at_ms, from, found, recordings, not_run: false }
    }

    /// A check that did not run, with the reason.
    pub fn not_run(check: &str, step: &str, why: &str) -> Self {
        let wish = Wanted::new(format!("validate {check}"), Unit::Count, Compare::AtLeast, 1.0);
        let finding = verdict::unmeasured(&wish, why);
        let found = vec![Found { measure: format!("validate.{check}"), of: None, finding }];
        Self { not_run: true, ..Self::now(check, Some(step), Vec::new(), found) }
    }

    /// Whether the check ran.
    pub const fn was_run(&self) -> bool {
        !self.not_run
    }

    fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        self.found.iter().map(|found| found.finding.verdict)
    }

    /// The exit code: 1 when something fails, 2 when something is inconclusive, 0 when all pass.
    pub fn code(&self) -> u8 {
        if self.verdicts().any(|verdict| verdict == Verdict::Fail) {
            return exit::ERROR;
        }
        let certain = !self.found.is_empty() && self.verdicts().all(|verdict| verdict == Verdict::Pass);
        if certain { exit::DONE } else { exit::PENDING }
    }

    fn show(&self, context: &Context) {
        let step = self.step.as_deref().map_or_else(String::new, |step| format!(" ({step})"));
        match self.from.as_slice() {
            [] => context.printer.data(shown!("{}{}: not run", self.check, step)),
            from => context.printer.data(shown!("{}{} from {}", self.check, step, from.join(", "))),
        }
        for found in &self.found {
            context.printer.data(shown!("  {}", line(&found.finding)));
            for note in &found.finding.notes {
                context.printer.data(shown!("               {}", note));
            }
        }
    }
}

/// One line about a finding.
pub fn line(one: &MeasuredFinding) -> SafeText {
    let number = |value: f64| match one.unit {
        Unit::Share => format!("{:.2}", value * 100.0),
        _ => format!("{value:.2}"),
    };
    let interval = match (one.low, one.high) {
        (Some(low), Some(high)) if low < high => format!(" [{} to {}]", number(low), number(high)),
        _ => String::new(),
    };
    let with_unit = |number: String| format!("{number} {}", unit(one.unit)).trim_end().to_owned();
    let measured =
        one.value.map_or_else(|| "not measured".to_owned(), |value| with_unit(format!("{}{interval}", number(value))));
    shown!(
        "{:<12} {}: {}, wanted {} {} ({}), {}",
        word(one.verdict),
        one.name,
        measured,
        one.compare.sign(),
        with_unit(number(one.threshold)),
        samples(one),
        one.why
    )
}

fn samples(one: &MeasuredFinding) -> String {
    report::counted(usize::try_from(one.samples).unwrap_or(usize::MAX), "sample")
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "inconclusive",
    }
}

/// A unit as people write it. Shares are shown in percent.
pub const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Milliseconds => "ms",
        Unit::Seconds => "s",
        Unit::Share => "%",
        Unit::PerSecond => "/s",
        Unit::Count => "",
        Unit::Usd => "USD",
        Unit::Bytes => "bytes",
    }
}

/// A point that holds or does not.
pub fn point(name: impl Into<String>, holds: bool) -> MeasuredFinding {
    let wish = Wanted::new(name, Unit::Count, Compare::AtLeast, 1.0);
    verdict::known(&wish, if holds { 1.0 } else { 0.0 })
}

/// Where findings go, beside the terminal.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// The stack of the plan that they belong to: `report` finds them there.
    pub stack: Option<&'a str>,
    /// A file for JUnit XML.
    pub junit: Option<&'a Path>,
}

/// Shows measurements, keeps them, and gives the exit code: the worst of them.
///
/// # Errors
/// When they cannot be kept or written.
pub async fn finish(all: &[Measurement], output: Output<'_>, context: &Context) -> Result<u8, Failure> {
    let code = worst(all.iter().map(Measurement::code));
    finish_with(all, code, output, context).await
}

/// The same with an exit code that something else decides.
///
/// # Errors
/// When they cannot be kept or written.
pub async fn finish_with(all: &[Measurement], code: u8, output: Output<'_>, context: &Context) -> Result<u8, Failure> {
    for measurement in all {
        if !context.global.json {
            measurement.show(context);
        }
        if let Some(stack) = output.stack.filter(|_| !measurement.not_run) {
            storage::keep(measurement, stack, context).await?;
        }
    }
    if let Some(file) = output.junit {
        junit::write(file, all)?;
    }
    if context.global.json {
        // Histograms are kept beside the journal; the document has the figures.
        let figures = |one: &Measurement| Measurement { recordings: BTreeMap::new(), ..one.clone() };
        let figures: Vec<Measurement> = all.iter().map(figures).collect();
        context.printer.json(&context.verb, &serde_json::json!({"measurements": figures, "exit": code}));
    } else {
        let count = |verdict| all.iter().flat_map(Measurement::verdicts).filter(|one| *one == verdict).count();
        let (pass, fail, open) = (count(Verdict::Pass), count(Verdict::Fail), count(Verdict::Inconclusive));
        context.printer.data(shown!("{} passed, {} failed, {} inconclusive", pass, fail, open));
    }
    Ok(code)
}

/// A failure is worse than something inconclusive, which is worse than a pass.
fn worst(codes: impl Iterator<Item = u8>) -> u8 {
    let rank = |code: &u8| match *code {
        exit::DONE => 0,
        exit::PENDING => 1,
        _ => 2,
    };
    codes.max_by_key(rank).unwrap_or(exit::PENDING)
}

/// What reports say where nothing was measured.
pub fn hint(verb: &str) -> String {
    format!("not measured yet: akidb-edge {verb} measures it")
}

/// One line about how a figure was found.
pub fn how(measurement: &Measurement, found: &Found) -> String {
    let step = measurement.step.as_deref().map_or_else(String::new, |step| format!(", step {step}"));
    let (samples, from) = (samples(&found.finding), measurement.from.join(", "));
    format!("validate {}{step} at {}: {samples} from {from}", measurement.check, measurement.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(findings: Vec<MeasuredFinding>) -> Measurement {
        let found = |finding| Found { measure: "latency.p95".to_owned(), of: None, finding };
        Measurement::now("latency", None, vec!["here".to_owned()], findings.into_iter().map(found).collect::<Vec<_>>())
    }

    #[test]
    fn the_worst_verdict_decides_the_exit_code() {
        let wish = Wanted::new("things", Unit::Count, Compare::AtLeast, 1.0);
        let (pass, fail) = (verdict::known(&wish, 1.0), verdict::known(&wish, 0.0));
        let open = verdict::unmeasured(&wish, "nobody looked");
        for (findings, code) in [
            (vec![pass.clone()], exit::DONE),
            (vec![pass.clone(), open.clone()], exit::PENDING),
            (vec![open.clone(), fail.clone(), pass], exit::ERROR),
            (vec![], exit::PENDING),
        ] {
            assert_eq!(measurement(findings).code(), code);
        }
        assert_eq!(worst([exit::DONE, exit::ERROR, exit::PENDING].into_iter()), exit::ERROR);
        assert_eq!(worst([exit::DONE, exit::PENDING].into_iter()), exit::PENDING);
        assert_eq!(measurement(vec![open, fail]).verdicts().count(), 2);
    }

    #[test]
    fn shares_are_shown_in_percent_with_their_interval() {
        let text = line(&verdict::share("cache hit rate", 990, 1000, Compare::AtLeast, 0.95, 0.95));
        let text = text.as_str();
        assert!(text.starts_with("pass") && text.contains("99.00 ["), "{text}");
        assert!(text.contains("wanted >= 95.00 %") && text.contains("1000 samples"), "{text}");
    }
}
