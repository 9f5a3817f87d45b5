//! `report`: what was done, day by day, and what was measured against what was wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use super::Context;
use super::walk::{self, PlanArgs};
use crate::cli::has_verb;
use crate::desired::{self, Built};
use crate::exit::{self, Failure};
use crate::ledger::{Entry, Fact, Ledger};
use crate::plan::{Criterion, Plan, Probe, Work};
use crate::report::{self, Judged, Story, StoryDay, StoryStep, duration};
use crate::resource::{Address, Remembered, Shown, Standing, sensitive, shown};

/// Write a report: Markdown, JSON and one HTML page that needs nothing else.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// Directory for report.md, report.json and report.html
    #[arg(long, value_name = "DIRECTORY", default_value = "report")]
    out: PathBuf,
    /// Overwrite files in the directory of --out, even if they are not reports
    #[arg(long)]
    force: bool,
    /// Only one format, to standard output
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
    let plan = args.plan.load(&context.session)?;
    let store = walk::store(&context.global, &context.session, &plan.stack, None).await?;
    let ledger = Ledger::read(store, &plan.stack).await?;
    let story = tell(&plan, &ledger.remembered(), &ledger.entries().await?)?;
    let html = || story.html().map_err(|bad| Failure { internal: true, ..Failure::error(shown!("{}", bad), "") });
    let mut json = serde_json::to_value(&story).unwrap_or_default();
    sensitive::hide(&mut json);
    let json = serde_json::to_string_pretty(&json).unwrap_or_default();
    match args.format {
        Some(Format::Markdown) => report::put(Shown::document(&story.markdown())),
        Some(Format::Html) => report::put(Shown::document(&html()?)),
        Some(Format::Json) => context.voice.json("report", &story),
        None => {
            let ours = |text: &str| text.contains("by akidb-edge ") || text.contains("\"criteria\"");
            for name in ["report.md", "report.json", "report.html"] {
                super::may_overwrite(&args.out.join(name), args.force, ours)?;
            }
            fs::create_dir_all(&args.out)?;
            for (name, text) in [("report.md", story.markdown()), ("report.json", json), ("report.html", html()?)] {
                let path = args.out.join(name);
                let text = if name == "report.json" { report::in_json(&text) } else { report::printable(&text) };
                fs::write(&path, text.as_bytes()).map_err(|bad| {
                    Failure::error(shown!("{}: {}", path.display(), bad), "name another directory with --out")
                })?;
                context.voice.talk(shown!("wrote {}", path.display()));
            }
            if context.global.json {
                context.voice.json("report", &story);
            }
        }
    }
    Ok(exit::DONE)
}

fn tell(plan: &Plan, state: &Remembered, entries: &[Entry]) -> Result<Story, Failure> {
    let every: BTreeSet<String> = plan.steps.iter().map(|step| step.id.clone()).collect();
    let built = desired::build(plan, &every)?;
    let took = took(entries);
    let mut days: BTreeMap<u32, StoryDay> = BTreeMap::new();
    for step in &plan.steps {
        let title = plan.days.get(&step.day).cloned().unwrap_or_default();
        let day = days.entry(step.day).or_insert_with(|| StoryDay { day: step.day, title, steps: Vec::new() });
        let own = built.by_step.get(&step.id).cloned().unwrap_or_default();
        let own: Vec<Address> =
            own.into_iter().filter(|address| !built.desired.resources[address].kind.facts().lookup).collect();
        // A cutover changes what another step made: as long as it waits, none of that is its own.
        let waits = step.on_request && !state.requested.contains(&step.id);
        let own = if waits { Vec::new() } else { own };
        let present = own.iter().filter(|address| is_present(state, address)).count();
        let took_ms = own.iter().filter_map(|address| took.get(address)).sum();
        let standing = match &step.work {
            Work::Later(later) if later.verb == "report" => "this report".to_owned(),
            Work::Later(later) if has_verb(&later.verb) => format!("run separately (akidb-edge {})", later.verb),
            Work::Later(later) => format!("not available yet ({})", later.verb),
            _ if waits => "on request only".to_owned(),
            _ if present == own.len() => "done".to_owned(),
            _ if present == 0 => "not begun".to_owned(),
            _ => "partly".to_owned(),
        };
        let (id, title) = (step.id.clone(), step.title.clone());
        let shown = if took_ms == 0 { "–".to_owned() } else { duration(took_ms) };
        day.steps.push(StoryStep { id, title, state: standing, present, wanted: own.len(), took_ms, took: shown });
    }
    let priorities = [("P0", &plan.criteria.p0), ("P1", &plan.criteria.p1), ("P2", &plan.criteria.p2)];
    let criteria = priorities.into_iter().flat_map(|(priority, all)| all.iter().map(move |one| (priority, one)));
    Ok(Story {
        title: plan.metadata.title.clone(),
        stack: plan.stack.clone(),
        plan: plan.file.clone(),
        account: state.account.clone().unwrap_or_else(|| "none yet".to_owned()),
        made_at: jiff::Timestamp::now().round(jiff::Unit::Second).map_or_else(|_| String::new(), |at| at.to_string()),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        fallback: state.fallback.clone(),
        days: days.into_values().collect(),
        criteria: criteria.map(|(priority, one)| judge(priority, one, state, &built)).collect(),
        runs: state.runs.clone(),
        leftovers: state.leftovers.iter().map(|left| (left.address.to_string(), left.reason.clone())).collect(),
    })
}

fn is_present(state: &Remembered, address: &Address) -> bool {
    state.resources.get(address).is_some_and(|record| record.standing == Standing::Present)
}

/// Milliseconds of the last answered call at each address.
fn took(entries: &[Entry]) -> BTreeMap<Address, u64> {
    let mut all = BTreeMap::new();
    for entry in entries {
        if let Fact::Succeeded { subject, took_ms, .. } = &entry.fact {
            all.insert(subject.address.clone(), *took_ms);
        }
    }
    all
}

/// Judges what the journal itself can measure; the rest is said to be unmeasured.
fn judge(priority: &'static str, one: &Criterion, state: &Remembered, built: &Built) -> Judged {
    let pattern = one.of.as_deref().unwrap_or("*");
    let measured = match one.measure.probe() {
        Some(Probe::Present) => Some(
            state.resources.keys().filter(|address| address.matches(pattern) && is_present(state, address)).count(),
        ),
        Some(Probe::Missing) => {
            let wanted = built
                .desired
                .resources
                .iter()
                .filter(|(address, resource)| address.matches(pattern) && !resource.kind.facts().lookup);
            Some(wanted.filter(|(address, _)| !is_present(state, address)).count())
        }
        None => None,
    };
    let (verdict, how) = match measured {
        Some(value) if one.compare.holds(value as f64, one.threshold) => ("met", format!("the journal, {pattern}")),
        Some(_) => ("missed", format!("the journal, {pattern}")),
        None => ("not measured", format!("{} has no probe in this version", one.measure.name())),
    };
    Judged {
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
