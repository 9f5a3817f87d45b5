//! What a check found: shown, written as JSON, kept beside the journal for `report`, and turned into an exit code.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::commands::{Context, workflow, write_private};
use crate::exit::{self, Failure};
use crate::ledger::{ObjectApi, WriteCondition};
use crate::measure::verdict::{Finding, Verdict};
use crate::report;
use crate::resource::{SafeText, shown};

/// The format of the documents.
const FORMAT: u32 = 1;
/// A document of measurements is smaller than this.
const LARGEST: u64 = 4 << 20;
/// Checks of a plan are fewer than this.
const MOST: usize = 1000;

/// What one check found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measurement {
    format: u32,
    /// Which check: `latency`.
    pub check: String,
    /// The step of the plan; none for a check by command line alone.
    pub step: Option<String>,
    /// When it ended, RFC 3339.
    pub at: String,
    /// Where it was measured from.
    pub from: Vec<String>,
    /// What was found.
    pub found: Vec<Found>,
}

/// One figure against its limit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    /// The measure of a plan's criteria that it is: `latency.p95`.
    pub measure: String,
    /// What `of` of a criterion has to say to mean this figure.
    pub of: Option<String>,
    /// The figure, the limit and the verdict.
    pub finding: Finding,
}

impl Measurement {
    /// What was found by a check just now.
    pub fn now(check: &str, step: Option<&str>, from: Vec<String>, found: Vec<Found>) -> Self {
        let at = jiff::Timestamp::now().round(jiff::Unit::Second).map_or_else(|_| String::new(), |at| at.to_string());
        Self { format: FORMAT, check: check.to_owned(), step: step.map(str::to_owned), at, from, found }
    }

    fn name(&self) -> String {
        match &self.step {
            Some(step) => format!("{}.{step}", self.check),
            None => self.check.clone(),
        }
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

    fn line(found: &Found) -> SafeText {
        let one = &found.finding;
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let interval = match (one.low, one.high) {
            (Some(low), Some(high)) => format!(" [{low:.2} to {high:.2}]"),
            _ => String::new(),
        };
        shown!(
            "{:<12} {}: {}{} {}, wanted {} {} {} ({} samples) {}",
            word(one.verdict),
            one.name,
            number(one.value),
            interval,
            one.unit,
            one.compare,
            one.threshold,
            one.unit,
            one.samples,
            one.why
        )
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "inconclusive",
    }
}

/// Shows measurements, keeps them when they belong to a plan, and gives the exit code: the worst of them.
///
/// # Errors
/// When they cannot be kept.
pub async fn tell(all: &[Measurement], stack: Option<&str>, context: &Context) -> Result<u8, Failure> {
    for measurement in all {
        if !context.global.json {
            let step = measurement.step.as_deref().map_or_else(String::new, |step| format!(" ({step})"));
            context.printer.data(shown!("{}{} from {}", measurement.check, step, measurement.from.join(", ")));
            for found in &measurement.found {
                context.printer.data(shown!("  {}", Measurement::line(found)));
                for note in &found.finding.notes {
                    context.printer.data(shown!("               {}", note));
                }
            }
        }
        if let Some(stack) = stack {
            keep(measurement, stack, context).await?;
        }
    }
    let code = worst(all.iter().map(Measurement::code));
    if context.global.json {
        context.printer.json(&context.verb, &serde_json::json!({"measurements": all, "exit": code}));
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

/// Where the measurements of a stack are kept.
enum Shelf {
    Folder(PathBuf),
    Bucket(Arc<dyn ObjectApi>, String),
}

async fn shelf(stack: &str, context: &Context) -> Result<Shelf, Failure> {
    if let Some(directory) = workflow::directory(&context.global, stack) {
        return Ok(Shelf::Folder(directory.join("measurements")));
    }
    let (objects, prefix) = workflow::objects(&context.global, &context.session, stack).await?;
    Ok(Shelf::Bucket(objects, format!("{prefix}/measurements/")))
}

async fn keep(measurement: &Measurement, stack: &str, context: &Context) -> Result<(), Failure> {
    let bytes = serde_json::to_vec_pretty(measurement).unwrap_or_default();
    let name = format!("{}.json", measurement.name());
    match shelf(stack, context).await? {
        Shelf::Folder(folder) => {
            use std::os::unix::fs::DirBuilderExt;
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            write_private(&folder.join(name), &bytes)?;
        }
        Shelf::Bucket(objects, prefix) => {
            objects.put(&format!("{prefix}{name}"), &bytes, &WriteCondition::Always).await?;
        }
    }
    Ok(())
}

/// All measurements that were kept of a stack. One that cannot be read (another version wrote it) is said and left out.
///
/// # Errors
/// When the place cannot be read.
pub async fn kept(stack: &str, context: &Context) -> Result<Vec<Measurement>, Failure> {
    let mut documents = Vec::new();
    match shelf(stack, context).await? {
        Shelf::Folder(folder) => {
            let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(Vec::new()) };
            for entry in entries.flatten().take(MOST) {
                let bytes = crate::files::read(&entry.path(), LARGEST);
                documents.push((entry.path().display().to_string(), bytes.map_err(|bad| bad.to_string())));
            }
        }
        Shelf::Bucket(objects, prefix) => {
            for listed in objects.list(&prefix).await?.into_iter().take(MOST) {
                if let Some(object) = objects.get(&listed.key).await? {
                    documents.push((objects.place(&listed.key), Ok(object.bytes)));
                }
            }
        }
    }
    let mut all = Vec::new();
    for (place, bytes) in documents {
        match bytes.and_then(|bytes| serde_json::from_slice::<Measurement>(&bytes).map_err(|bad| bad.to_string())) {
            Ok(one) if one.format == FORMAT => all.push(one),
            Ok(_) => context.printer.remark(shown!("{} was written by another version: it is left out", place)),
            Err(why) => context.printer.remark(shown!("{} cannot be read and is left out: {}", place, why)),
        }
    }
    all.sort_by(|one, other| one.at.cmp(&other.at));
    Ok(all)
}

/// What reports say where nothing was measured.
pub fn hint(verb: &str) -> String {
    format!("not measured yet: akidb-edge {verb} measures it")
}

/// One line about how a figure was found.
pub fn how(measurement: &Measurement, found: &Found) -> String {
    let step = measurement.step.as_deref().map_or_else(String::new, |step| format!(", step {step}"));
    let samples = report::counted(usize::try_from(found.finding.samples).unwrap_or(usize::MAX), "sample");
    let from = measurement.from.join(", ");
    format!("validate {}{step} at {}: {samples} from {from}", measurement.check, measurement.at)
}
