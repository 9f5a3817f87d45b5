//! How the cost of planning grows: plans of 100, 1,000 and 10,000 buckets in ten steps, each after the one before it.
//!
//! `cargo run --release --example scale`
//!
//! What a run does besides its calls to the world, whole: read the plan and build its graph; check it (`validate plan`); the
//! difference to an empty world, its preview and its order (`deploy --dry-run`); the difference to a world that has everything
//! (a run without changes). Prints milliseconds and the most memory that this process had.

use std::error::Error;
use std::fmt::Write;
use std::time::Instant;

use akidb_edge::change::{self, DiffScope};
use akidb_edge::plan::{self, PlanSettings};
use akidb_edge::report;
use akidb_edge::resource::{
    Desired, Level, Observed, ObservedResource, Owner, ResourceOrigin, ResourceRecord, ResourceStatus, StackState,
};
use akidb_edge::{check, desired};

const STEPS: usize = 10;

fn plan(each: usize) -> String {
    let mut text = "version: 1\nstack: scale\nmetadata: {name: scale, title: Scale}\ndays:\n  - day: 1\n    title: One\n    steps:\n".to_owned();
    for step in 0..STEPS {
        let needs = if step == 0 { String::new() } else { format!("s{}", step - 1) };
        let _ = writeln!(
            text,
            "      - id: s{step}\n        title: step {step}\n        kind: models\n        needs: [{needs}]\n        with:\n          buckets:"
        );
        for number in 0..each {
            let _ = writeln!(text, "            b{step}-{number}: {{name: scale-{step}-{number}, region: us-east-1}}");
        }
    }
    text
}

/// Nothing is there, or everything as it is wanted.
fn world(desired: &Desired, there: bool) -> (StackState, Observed) {
    let (mut recorded, mut observed) = (StackState::default(), Observed::default());
    recorded.stack.clone_from(&desired.stack);
    for (address, resource) in &desired.resources {
        let id = address.name().to_owned();
        let found = ObservedResource {
            id: id.clone(),
            spec: resource.spec.clone(),
            attributes: Default::default(),
            owner: Owner::Ours,
            extras: Vec::new(),
        };
        observed.seen.insert(address.clone(), Ok(there.then_some(found)));
        let record = ResourceRecord {
            kind: resource.kind,
            id: Some(id),
            generation: 0,
            spec: resource.spec.clone(),
            attributes: Default::default(),
            needs: resource.needs.clone(),
            step: resource.step.clone(),
            after: resource.after.clone(),
            standing: ResourceStatus::Present,
            pending: None,
            made_at: None,
            origin: ResourceOrigin::Made,
        };
        if there {
            recorded.resources.insert(address.clone(), record);
        }
    }
    (recorded, observed)
}

/// Milliseconds of some work, and what it gives.
fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begun = Instant::now();
    let done = work();
    (begun.elapsed().as_secs_f64() * 1e3, done)
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    peak.map_or_else(|| "-".to_owned(), |kilobytes| format!("{} MB", kilobytes / 1024))
}

fn row(each: usize) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("scale.yaml");
    std::fs::write(&file, plan(each))?;
    let name = file.display().to_string();
    let (load, loaded) = timed(|| plan::load(&name, &PlanSettings::default()));
    let loaded = loaded?;
    let (build, built) = timed(|| desired::build(&loaded, &Default::default()));
    let wanted = built?.desired;
    let (checks, found) = timed(|| check::all(&wanted, jiff::civil::date(2026, 11, 30)));
    let preview = |there: bool| {
        let (recorded, observed) = world(&wanted, there);
        timed(|| {
            let changes =
                change::diff(&wanted, &recorded, &observed, &DiffScope::default()).map_err(|refused| refused.len())?;
            let omitted = report::OmittedResources::default();
            let text = report::changes_text(&changes, false, report::Screen::unbounded(false), Level::Usable, &omitted);
            Ok::<_, usize>((change::order(&changes).nodes.len(), text.lines().count()))
        })
    };
    let ((dry, made), (nothing, kept)) = (preview(false), preview(true));
    let (made, kept) =
        (made.map_err(|count| format!("{count} refused"))?, kept.map_err(|count| format!("{count} refused"))?);
    let first = load + build;
    println!(
        "| {} | {:.0} ms | {:.0} ms | {:.0} ms | {} | {} / {} / {} |",
        wanted.resources.len(),
        first + checks,
        first + checks + dry,
        first + nothing,
        memory(),
        made.0,
        kept.0,
        found.len()
    );
    println!(
        "<!-- load {load:.0}, build {build:.0}, checks {checks:.0}, difference and preview {dry:.0}, the same without changes {nothing:.0} -->"
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "| resources | validate | dry run | no changes | memory | steps / steps without changes / findings |\n|---|---|---|---|---|---|"
    );
    [10, 100, 1000].into_iter().try_for_each(row)
}
