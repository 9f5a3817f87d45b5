use std::time::Duration;

use super::*;
use crate::change_point::Settings;
use crate::load::{Extent, StressStep};

/// Numbers from 0 to 1, the same ones for the same seed.
fn random(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    }
}

/// A level with so many requests whose latency has this mean in milliseconds, over ten seconds.
fn level(connections: u32, mean: f64, requests: u32, seed: u64) -> BenchLevel {
    let mut next = random(seed);
    let mut recording = Recording { span: Duration::from_secs(10), ..Recording::default() };
    let total = &mut recording.classes.entry("reused/unstated/warm".parse().unwrap()).or_default().total;
    for _ in 0..requests {
        total.record(Duration::from_secs_f64(-mean * (1.0 - next()).ln() / 1e3));
    }
    let load = Load::closed(connections, Extent::For(Duration::from_secs(10)));
    BenchLevel { name: format!("{connections} connections"), load, recording, gpu: BTreeMap::new() }
}

fn run(label: &str, mean: f64, seed: u64) -> Run {
    run_of(3_000, label, mean, seed)
}

fn run_of(requests: u32, label: &str, mean: f64, seed: u64) -> Run {
    let mut run = Run::new("http://edge/embed", label, 1_000, Mode::Sustained);
    run.levels = vec![level(1, mean, requests, seed), level(5, 2.0 * mean, requests, seed + 1)];
    run
}

#[test]
fn a_run_is_read_as_it_was_written() {
    let written = run("a", 10.0, 1);
    let text = serde_json::to_string(&written).unwrap();
    assert_eq!(Run::read(&text).unwrap(), written);
    let other = text.replace("bench-run/v1", "bench-run/v2");
    assert!(matches!(Run::read(&other), Err(BadRun::Schema(found)) if found.ends_with("v2")));
    assert!(matches!(Run::read("{}"), Err(BadRun::Json(_))));
    assert!(matches!(Run::read(&text.replace("\"label\"", "\"labels\"")), Err(BadRun::Json(_))));
}

#[test]
fn a_slower_run_is_told_from_the_same_one() {
    let (before, same, slower) = (run("a", 10.0, 1), run("b", 10.0, 50), run("c", 12.0, 90));
    let found = against(&before, &same, 0.05).unwrap();
    assert_eq!((found.outcome, found.levels.len()), (ComparedOutcome::Same, 2), "{found:?}");
    assert!((found.confidence - (1.0 - 0.05 / 8.0)).abs() < 1e-12);
    assert_eq!(against(&before, &slower, 0.05).unwrap().outcome, ComparedOutcome::Slower);
    assert_eq!(against(&slower, &before, 0.05).unwrap().outcome, ComparedOutcome::Faster);
    let mut mixed = slower.clone();
    mixed.levels[1] = level(5, 10.0, 3_000, 7);
    assert_eq!(against(&before, &mixed, 0.05).unwrap().outcome, ComparedOutcome::Mixed);
}

/// All percentiles of all levels together are called different in at most 5 % of pairs of the same.
#[test]
fn two_runs_of_the_same_are_seldom_told_apart_at_any_level() {
    let different = (0..40_u64)
        .filter(|pair| {
            let (one, other) = (run("a", 10.0, 1_000 + pair * 10), run("b", 10.0, 9_000 + pair * 10));
            against(&one, &other, 0.05).unwrap().outcome != ComparedOutcome::Same
        })
        .count();
    assert!(different <= 5, "{different} of 40");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let (before, mut after) = (run("a", 10.0, 1), run("b", 10.0, 50));
    after.levels[1] = level(10, 10.0, 100, 3);
    let found = against(&before, &after, 0.05).unwrap();
    assert_eq!(found.alone, ["5 connections", "10 connections"]);
    let few = |seed| Run { levels: vec![level(1, 10.0, 2, seed)], ..run("a", 10.0, 1) };
    assert_eq!(against(&few(1), &few(2), 0.05).unwrap().outcome, ComparedOutcome::TooFew);
    let none = Run { levels: Vec::new(), ..before };
    assert_eq!(against(&none, &after, 0.05).unwrap().outcome, ComparedOutcome::TooFew);
}

/// Sixty runs of a server with seeded latencies, 12 % slower from the 41st one on: found at that run, in each percentile, and only there.
#[test]
fn planted_twelve_percent_are_found_at_the_right_run() {
    let mut text = String::new();
    for number in 0..60_u32 {
        // From run to run the machine is up to 2 % faster or slower.
        let machine = 0.98 + 0.04 * random(u64::from(number) + 77)();
        let mean = 10.0 * machine * if number < 40 { 1.0 } else { 1.12 };
        let seed = u64::from(number) * 31 + 5;
        let run = Run { at_ms: i64::from(number), ..run_of(20_000, &format!("c{number}"), mean, seed) };
        text.extend(run.history(0.95).iter().map(|line| line.line().unwrap()));
    }
    let found = history::changes(&history::read(&text).unwrap(), &Settings::default());
    let medians: Vec<_> = found.iter().filter(|one| one.figure == "p50_ms").collect();
    assert_eq!(medians.len(), 2, "one for each level: {found:?}");
    for one in &medians {
        assert_eq!((one.commit.as_str(), one.at_ms, one.change.at), ("c40", 40, 40), "{one:?}");
        assert!((0.10..0.14).contains(&one.change.relative()), "{one:?}");
        assert_eq!(more_is_worse(&one.figure), Some(true));
    }
    assert!(found.iter().filter(|one| one.figure == "p95_ms").all(|one| one.commit == "c40"), "{found:?}");
    assert!(found.iter().all(|one| one.figure != "per_second"), "as many answers as before: {found:?}");
}

#[test]
fn a_percentile_without_a_bound_is_in_no_history() {
    let mut few = run("a", 10.0, 1);
    few.levels = vec![level(1, 10.0, 71, 1)];
    let figures = few.history(0.95).remove(0).figures;
    assert!(figures.contains_key("p50_ms") && !figures.contains_key("p99_ms"), "{figures:?}");
    assert_eq!(Run { levels: Vec::new(), ..few }.history(0.95), []);
}

#[test]
fn connections_grow_by_half_after_those_that_were_named() {
    assert_eq!(Growth::new(&[1, 5, 10], 40).collect::<Vec<_>>(), [1, 5, 10, 15, 23, 35, 40]);
    assert_eq!(Growth::new(&[10, 1, 10], 10).collect::<Vec<_>>(), [1, 10]);
    assert_eq!(Growth::new(&[1, 50], 20).collect::<Vec<_>>(), [1]);
    assert_eq!(Growth::new(&[], 3).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn one_disturbance_is_not_a_breaking_point() {
    let step = |connections: u32, throughput: f64| StressStep {
        connections,
        rate: None,
        throughput,
        failed: 0.0,
        latency_ms: Some(10.0),
        requests: 1_000,
    };
    let steps = [step(1, 100.0), step(5, 480.0), step(10, 470.0)];
    let limit = Duration::from_secs(1);
    assert_eq!(confirmed(&steps, &step(10, 900.0), limit), None);
    assert_eq!(confirmed(&steps, &step(10, 481.0), limit), Some(Breaking::Saturated));
    assert_eq!(confirmed(&steps[..2], &step(5, 100.0), limit), None, "it did not break the first time");
    let found = BreakingPoint::of(&steps, Some(Breaking::Saturated));
    assert_eq!((found.connections, found.best_connections, found.best_per_second), (Some(10), Some(5), Some(480.0)));
    let held = BreakingPoint::of(&steps, None);
    assert_eq!((held.connections, held.best_connections), (None, Some(5)));
    assert_eq!(BreakingPoint::of(&[], None).best_connections, None);
}

#[test]
fn a_burst_is_over_with_its_last_request() {
    let every = Duration::from_millis(200);
    let mut bursts = level(10, 10.0, 1, 1);
    bursts.load = Load::bursts(10, every, Extent::Requests(50));
    bursts.recording = Recording::default();
    for burst in 0..5_u32 {
        for request in 1..=10_u32 {
            let latency = Duration::from_millis(u64::from(request) * 3 + u64::from(burst));
            bursts.recording.timeline.record(every * burst, Some(latency));
        }
    }
    let drain = LevelFigures::of(&bursts, 0.95).drain.unwrap();
    assert_eq!((drain.bursts, drain.median_ms, drain.most_ms), (5, 32.0, 34.0));
    bursts.recording.failures.by_kind.insert(crate::FailureKind::Timeout, 1);
    assert_eq!(LevelFigures::of(&bursts, 0.95).drain, None);
    assert_eq!(LevelFigures::of(&level(1, 10.0, 100, 1), 0.95).drain, None);
}

#[test]
fn starts_have_a_median() {
    let mut run = Run::new("serve", "a", 0, Mode::ColdStart);
    assert_eq!(run.median(|one| one.ready_ms), None);
    run.starts = [300.0, 100.0, 200.0, 900.0]
        .map(|ready_ms| ServerStart {
            listening_ms: 10.0,
            ready_ms,
            first_answer_ms: ready_ms + 5.0,
            first_request_ms: 5.0,
        })
        .to_vec();
    assert_eq!(run.median(|one| one.ready_ms), Some(250.0));
    let line = run.history(0.95).remove(0);
    assert_eq!((line.test.as_str(), line.figures["ready_ms"]), ("serve, cold-start, starts", 250.0));
}
