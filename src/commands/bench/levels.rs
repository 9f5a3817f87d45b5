//! The levels of a run, one after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use super::load_args::{LoadArgs, ModeArg};
use super::{cold, tables};
use crate::commands::validate::send;
use crate::commands::{Context, workflow};
use crate::exit::{Failure, codes};
use crate::measure::bench::{BenchLevel, BreakingPoint, Growth, Run, confirmed};
use crate::measure::load::{self, Load, StressStep};
use crate::measure::verdict::CONFIDENCE;
use crate::measure::{Target, TrustedRoots};
use crate::report;
use crate::resource::shown;

/// The percentile that a stress test holds to its limit.
const STRESSED: f64 = 0.95;
/// How long the metrics of a server are waited for.
const METRICS_TIME: Duration = Duration::from_secs(5);
/// The metrics of a GPU begin with this.
const GPU: &str = "akidb_gpu_";

/// What is measured, and how its answers are held to be right.
pub struct Subject {
    /// Requests that are sent.
    pub targets: Vec<Target>,
    /// Whom TLS believes.
    pub trust: TrustedRoots,
    /// Where the metrics of the server are; none when it has none.
    pub metrics: Option<Target>,
}

/// Measures each level of the mode.
///
/// # Errors
/// When nothing can be sent at all, or the run is interrupted before its first level is measured. A later signal leaves the levels so
/// far.
pub async fn measure(run: &mut Run, of: &Subject, args: &LoadArgs, context: &Context) -> Result<(), Failure> {
    workflow::end_in_order(context);
    match args.mode {
        ModeArg::Sustained | ModeArg::Burst => {
            for connections in &args.connections {
                let level = level(&args.name(*connections), &args.load(*connections), of, context).await?;
                if context.session.interrupts.have_come() {
                    break;
                }
                run.levels.push(level);
            }
        }
        ModeArg::Stress => stress(run, of, args, context).await?,
        ModeArg::ColdStart => cold::measure(run, of, args, context).await?,
    }
    if context.session.interrupts.have_come() {
        if run.levels.is_empty() {
            return Err(
                codes::INTERRUPTED.refused("interrupted before a level was measured", "run the same command again")
            );
        }
        let levels = report::counted(run.levels.len(), "level");
        context.printer.remark(shown!("interrupted: {} measured, the others were not", levels));
    }
    answered(run)
}

/// One level.
///
/// # Errors
/// When nothing can be sent at all.
pub async fn level(name: &str, load: &Load, of: &Subject, context: &Context) -> Result<BenchLevel, Failure> {
    if let Some(first) = of.targets.first() {
        load.check_for(first).map_err(|bad| codes::ARGUMENT.refused(shown!("{}", bad), "correct the load"))?;
    }
    let recording = send(&of.targets, load, &of.trust, context).await?;
    let level = BenchLevel { name: name.to_owned(), load: load.clone(), recording, gpu: gpu(of).await };
    context.printer.talk(tables::progress(&level));
    Ok(level)
}

async fn stress(run: &mut Run, of: &Subject, args: &LoadArgs, context: &Context) -> Result<(), Failure> {
    let (mut steps, mut how): (Vec<StressStep>, _) = (Vec::new(), None);
    let step =
        |level: &BenchLevel, connections| StressStep::of(&level.recording, connections, None, STRESSED, CONFIDENCE);
    for connections in Growth::new(&args.connections, args.most()) {
        let (name, load) = (args.name(connections), args.load(connections));
        let first = level(&name, &load, of, context).await?;
        if context.session.interrupts.have_come() {
            break;
        }
        steps.push(step(&first, connections));
        let last = steps.len() - 1;
        let breaks = load::breaking_point(&steps, args.limit()).is_some_and(|(at, _)| at == last);
        if !breaks {
            run.levels.push(first);
            continue;
        }
        context.printer.talk(shown!("{} is measured once more: it may be the breaking point", name));
        let again = level(&name, &load, of, context).await?;
        if context.session.interrupts.have_come() {
            run.levels.push(first);
            break;
        }
        let repeated = step(&again, connections);
        how = confirmed(&steps, &repeated, args.limit());
        run.levels.push(again);
        steps[last] = repeated;
        if how.is_some() {
            break;
        }
    }
    run.breaking_point = Some(BreakingPoint::of(&steps, how));
    Ok(())
}

/// A run without any answer has no figures.
fn answered(run: &Run) -> Result<(), Failure> {
    if run.levels.is_empty() || run.levels.iter().any(|level| level.recording.answers() > 0) {
        return Ok(());
    }
    let mut kinds = BTreeMap::new();
    for (kind, count) in run.levels.iter().flat_map(|level| &level.recording.failures.by_kind) {
        *kinds.entry(kind.said()).or_insert(0) += count;
    }
    let kinds: Vec<String> = kinds.into_iter().map(|(kind, count)| format!("{kind} ({count})")).collect();
    Err(codes::MEASUREMENT.error(
        shown!("none of the requests to {} was answered as expected: {}", run.test, kinds.join(", ")),
        "check the address, the method and the key",
    ))
}

/// What the server says about its GPU. Metrics that cannot be read have no figures: the load itself was measured.
async fn gpu(of: &Subject) -> BTreeMap<String, f64> {
    let Some(target) = &of.metrics else { return BTreeMap::new() };
    match load::once(target, METRICS_TIME, &of.trust).await {
        Ok(answer) if answer.status == 200 => gpu_figures(&String::from_utf8_lossy(&answer.body)),
        Ok(_) | Err(_) => BTreeMap::new(),
    }
}

/// The lines of a text of metrics that are about a GPU: `akidb_gpu_utilization_percent{gpu="0"} 93`.
fn gpu_figures(text: &str) -> BTreeMap<String, f64> {
    let of = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse::<f64>().ok()?))
    };
    text.lines().filter(|line| line.starts_with(GPU)).filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::bench::Mode;
    use crate::measure::{FailureKind, Recording};

    #[test]
    fn metrics_of_a_gpu_are_found() {
        let text = "# HELP akidb_gpu_utilization_percent x\nakidb_gpu_utilization_percent{gpu=\"0\"} 93\n\
                    akidb_gpu_memory_used_bytes{gpu=\"0\"} 1.5e9\nakidb_requests_total 5\n";
        let found = gpu_figures(text);
        let wanted = [
            ("akidb_gpu_memory_used_bytes{gpu=\"0\"}".to_owned(), 1.5e9),
            ("akidb_gpu_utilization_percent{gpu=\"0\"}".to_owned(), 93.0),
        ];
        assert_eq!(found, wanted.into());
        assert_eq!(gpu_figures("akidb_requests_total 5\n"), BTreeMap::new());
    }

    #[test]
    fn a_run_without_an_answer_is_an_error_that_says_why() {
        let mut run = Run::new("http://nobody/", "a", 0, Mode::Sustained);
        let mut recording = Recording::default();
        recording.failures.by_kind.insert(FailureKind::Connect, 7);
        let load = Load::closed(1, crate::measure::Extent::Requests(7));
        run.levels.push(BenchLevel { name: "1 connection".to_owned(), load, recording, gpu: BTreeMap::new() });
        let bad = answered(&run).expect_err("an error");
        assert_eq!(bad.id.id(), "MS001-measurement");
        assert!(bad.problem.as_str().ends_with("no TCP connection (7)"), "{}", bad.problem.as_str());
    }
}
