use std::time::Duration;

use super::*;

fn run(number: u32, milliseconds: u64) -> RecordedRun {
    let mut latencies = Latencies::default();
    (0..1_000).for_each(|n| latencies.record(Duration::from_micros(milliseconds * 1_000 + n)));
    RecordedRun::new("https://edge/embed", &format!("c{number}"), i64::from(number) * 1_000, latencies)
}

#[test]
fn a_history_is_read_as_it_was_written() {
    let runs: Vec<RecordedRun> = (0..5).map(|number| run(number, 20)).collect();
    let text: String = runs.iter().map(|run| run.line().unwrap()).collect();
    assert_eq!(text.lines().count(), 5);
    assert_eq!(read(&text).unwrap(), runs);
    // Whoever wrote the last line was cut off.
    assert_eq!(read(&format!("{text}{{\"format\": 1, \"at")).unwrap(), runs);
    assert_eq!(read("").unwrap(), []);
}

#[test]
fn a_line_that_is_no_run_is_named() {
    let good = run(0, 20).line().unwrap();
    let bad = read(&format!("{good}{{\"format\": 1}}\n")).unwrap_err();
    assert!(matches!(bad, BadHistory::Line { line: 2, .. }), "{bad}");
    let newer = read(&format!("{good}\n{{\"format\": 2, \"other\": 1}}\n")).unwrap_err();
    assert!(matches!(newer, BadHistory::Newer { line: 3, format: 2 }), "{newer}");
}

#[test]
fn a_planted_regression_is_found_at_its_commit_in_each_figure() {
    let mut runs = Vec::new();
    for number in 0..60 {
        // Some noise, and 12 % more from the 40th run on.
        let level = 500 + u64::from((number * 7_919) % 13);
        runs.push(run(number, if number < 40 { level } else { level * 112 / 100 }));
        runs.push(RecordedRun { test: "another".to_owned(), ..run(number, 500) });
    }
    let found = changes(&runs, &Settings::default());
    let told: Vec<_> = found.iter().map(|one| (&*one.test, &*one.figure, &*one.commit, one.at_ms)).collect();
    assert_eq!(
        told,
        [
            ("https://edge/embed", "p50_ms", "c40", 40_000),
            ("https://edge/embed", "p95_ms", "c40", 40_000),
            ("https://edge/embed", "p99_ms", "c40", 40_000),
        ]
    );
    assert!((0.11..0.13).contains(&found[0].change.relative()));
}
