//! `report`: what was done, day by day, and what was measured against what was wanted.

mod criteria;
mod gate;
mod input;
mod plots;
mod steps;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use input::ReportInput;

use super::Context;
use super::jetson::{DevicesArgs, NodeSeen, need_devices, seen_nodes, seen_replicas};
use super::validate::{Found, Measurement};
use crate::desired::{self, DesiredStack};
use crate::exit::{self, Failure, codes};
use crate::files;
use crate::plan::Plan;
use crate::report::{self, Figures, PlanReport};
use crate::resource::{SafeText, StackState, sensitive, shown};

/// Write a report: Markdown, JSON and one HTML page that needs nothing else.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    devices: DevicesArgs,
    /// Also query the devices and count their nodes, as `jetson status` does
    #[arg(long = "devices")]
    ask_devices: bool,
    /// Results that another program measured (JSON); no criterion is judged by them
    #[arg(long, value_name = "FILE")]
    external_results: Option<PathBuf>,
    /// Directory for report.md, report.json and report.html
    #[arg(long, value_name = "DIRECTORY", default_value = "report")]
    out: PathBuf,
    /// Overwrite files in the --out directory even if they are not reports
    #[arg(long)]
    force: bool,
    /// Write one format to stdout
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Markdown,
    Json,
    Html,
}

/// Writes it.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.devices.whole_plan(context)?;
    let mut known = ReportInput { is_report: true, ..ReportInput::read(&plan, context).await? };
    if args.ask_devices {
        let devices = args.devices.load(&[], context)?;
        let (nodes, replicas) = tokio::join!(seen_nodes(&devices), seen_replicas(&devices));
        known.nodes = Some(nodes);
        known.replicas = Some(replicas);
    }
    let plan_report = PlanReport { figures: figures(args.external_results.as_deref())?, ..tell(&plan, &known)? };
    let html = || plan_report.html().map_err(|bad| Failure::internal(shown!("{}", bad)));
    let mut json = serde_json::to_value(&plan_report).unwrap_or_default();
    report::former_fields::add_new_names(&mut json);
    sensitive::hide(&mut json);
    let json = serde_json::to_string_pretty(&json).unwrap_or_default();
    match args.format {
        Some(Format::Markdown) => report::put(plan_report.markdown()),
        Some(Format::Html) => report::put(SafeText::document(&html()?)),
        Some(Format::Json) => context.printer.json("report", &plan_report),
        None => {
            let ours = |text: &str| text.contains("by akidb-edge ") || text.contains("\"criteria\"");
            for name in ["report.md", "report.json", "report.html"] {
                super::may_overwrite(&args.out.join(name), args.force, ours)?;
            }
            fs::create_dir_all(&args.out)?;
            let markdown = plan_report.markdown().as_str().to_owned();
            for (name, text) in [("report.md", markdown), ("report.json", json), ("report.html", html()?)] {
                let path = args.out.join(name);
                let text = if name == "report.json" { report::in_json(&text) } else { report::printable(&text) };
                fs::write(&path, text.as_bytes()).map_err(|bad| {
                    codes::OUTPUT_FILE.error(shown!("{}: {}", path.display(), bad), "name another directory with --out")
                })?;
                context.printer.talk(shown!("wrote {}", path.display()));
            }
            if context.global.json {
                context.printer.json("report", &plan_report);
            }
        }
    }
    Ok(exit::DONE)
}

/// What the gate of a plan says now, by what was measured before and by `measured` just now; none when the plan has no gate.
///
/// # Errors
/// When a journal cannot be read.
pub async fn gate(
    plan: &Plan,
    measured: &[Measurement],
    nodes: Option<Vec<NodeSeen>>,
    context: &Context,
) -> Result<Option<Found>, Failure> {
    if plan.criteria.gate.is_none() {
        return Ok(None);
    }
    let mut known = ReportInput { nodes, ..ReportInput::read(plan, context).await? };
    known.measurements.extend(measured.iter().filter(|one| one.was_run()).cloned());
    let judged = criteria::judged(plan, &built(plan)?, &known);
    Ok(gate::decided(&plan.criteria, &judged).map(|result| gate::finding(&result)))
}

/// A file of figures has no more bytes.
const MOST_BYTES: u64 = 1 << 20;

/// What something else measured.
fn figures(file: Option<&Path>) -> Result<Option<Figures>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let text = files::read_text(file, MOST_BYTES).map_err(|bad| shown!("{}", bad));
    text.and_then(|text| Figures::of(&text)).map(Some).map_err(|bad| {
        codes::ARGUMENT.refused(
            shown!("{}: {}; no report was written", file.display(), bad),
            "name a file in the schema akidb-edge/measured/v1, such as localstack/system writes",
        )
    })
}

/// What a plan wants of the cloud and of its devices, all steps asked for.
fn built(plan: &Plan) -> Result<DesiredStack, Failure> {
    let every: BTreeSet<String> = plan.steps.iter().map(|step| step.id.clone()).collect();
    let cloud = desired::build(plan, &every)?;
    if need_devices(plan).is_err() {
        return Ok(cloud);
    }
    Ok(cloud.joined(desired::jetson::build(plan)?))
}

/// The account that the last run of the cloud was in. One over clusters alone is in none.
fn account_of(cloud: Option<&StackState>) -> String {
    match cloud.and_then(|state| state.account.as_deref()) {
        None => "none yet".to_owned(),
        Some("") => "none".to_owned(),
        Some(account) => account.to_owned(),
    }
}

fn tell(plan: &Plan, known: &ReportInput) -> Result<PlanReport, Failure> {
    let built = built(plan)?;
    let cloud = known.cloud();
    let criteria = criteria::judged(plan, &built, known);
    Ok(PlanReport {
        title: plan.metadata.title.clone(),
        stack: plan.stack.clone(),
        plan: plan.file.clone(),
        account: account_of(cloud),
        made_at: jiff::Timestamp::now().round(jiff::Unit::Second).map_or_else(|_| String::new(), |at| at.to_string()),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        fallback: cloud.and_then(|state| state.fallback.clone()),
        days: steps::days(plan, &built, known),
        gate: gate::decided(&plan.criteria, &criteria),
        criteria,
        runs: known.runs(),
        pending_deletions: known.pending_deletions(),
        figures: None,
        plots: plots::of(&known.measurements),
    })
}
