//! Runs, comparisons and changes for people.

use crate::measure::bench::{Against, BenchLevel, BreakingPoint, ComparedOutcome, LevelFigures, Run, more_is_worse};
use crate::measure::compare::{ChangeVerdict, Difference};
use crate::measure::history::Changed;
use crate::measure::load::Breaking;
use crate::measure::statistics::{Percentile, percentile_name};
use crate::measure::verdict::CONFIDENCE;
use crate::report::{self, Screen};
use crate::resource::{SafeText, shown};

/// The columns of a run.
pub const LEVEL_HEADER: [&str; 9] =
    ["level", "requests", "failed", "per second", "p50", "p95", "p99", "max", "sent late"];
/// The columns of a comparison.
pub const COMPARED_HEADER: [&str; 6] = ["level", "figure", "before", "after", "ratio", "result"];
/// The columns of a list of changes.
pub const CHANGED_HEADER: [&str; 8] = ["test", "figure", "from run", "at", "before", "after", "change", "p"];

/// Requests that this machine sends later than this share of their median are told.
const LATE: f64 = 0.1;

/// Milliseconds with as many digits as are worth reading.
pub fn ms(value: f64) -> String {
    match value {
        value if value < 1.0 => format!("{value:.3}"),
        value if value < 100.0 => format!("{value:.2}"),
        value => format!("{value:.1}"),
    }
}

fn in_ms(of: std::time::Duration) -> String {
    ms(of.as_secs_f64() * 1e3)
}

/// A percentile with its interval, in milliseconds.
fn percentile(of: Option<Percentile>) -> String {
    of.map_or_else(
        || "-".to_owned(),
        |found| format!("{} [{}-{}]", in_ms(found.value), in_ms(found.low), in_ms(found.high)),
    )
}

/// The cells of a level.
pub fn level_row(level: &BenchLevel) -> Vec<String> {
    let figures = LevelFigures::of(level, CONFIDENCE);
    let maybe = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), ms);
    vec![
        level.name.clone(),
        figures.requests.to_string(),
        figures.failed.to_string(),
        format!("{:.1}", figures.per_second),
        percentile(figures.p50),
        percentile(figures.p95),
        percentile(figures.p99),
        maybe(figures.max_ms),
        maybe(figures.sent_late_p99_ms),
    ]
}

/// One line about a level that is over.
pub fn progress(level: &BenchLevel) -> SafeText {
    let figures = LevelFigures::of(level, CONFIDENCE);
    let median = figures.p50.map_or_else(|| "-".to_owned(), |found| in_ms(found.value));
    let rate = format!("{:.1}", figures.per_second);
    shown!("{}: {} answers a second, p50 {} ms, {} failed", level.name, rate, median, figures.failed)
}

/// A run: its levels, and what is said beside them.
pub fn run(run: &Run, screen: Screen) -> SafeText {
    let rows: Vec<Vec<String>> = run.levels.iter().map(level_row).collect();
    let notes = SafeText::join(notes(run), "\n");
    if rows.is_empty() {
        return notes;
    }
    let table = report::rows_table(&LEVEL_HEADER, &rows, &["sent late", "max", "p50"], screen);
    shown!(
        "{}\nmilliseconds with their 95 % intervals; - is a percentile that the sample is too small for\n{}",
        table,
        notes
    )
}

/// What is said beside the table.
pub fn notes(run: &Run) -> Vec<SafeText> {
    let mut all: Vec<SafeText> = run.levels.iter().flat_map(about).collect();
    all.extend(run.breaking_point.as_ref().map(breaking));
    if let Some(ready) = run.median(|one| one.ready_ms) {
        let most = run.starts.iter().map(|one| one.ready_ms).fold(0.0, f64::max);
        let least = run.starts.iter().map(|one| one.ready_ms).fold(f64::MAX, f64::min);
        let of = |pick: fn(&crate::measure::bench::ServerStart) -> f64| ms(run.median(pick).unwrap_or_default());
        all.push(shown!(
            "{} starts of the server, medians: listening after {} ms, ready after {} ms ({} to {}), first answer after {} ms; the first \
             request took {} ms",
            run.starts.len(),
            of(|one| one.listening_ms),
            ms(ready),
            ms(least),
            ms(most),
            of(|one| one.first_answer_ms),
            of(|one| one.first_request_ms)
        ));
    }
    all
}

/// Bursts, phases, cold starts, failures and the GPU of a level.
fn about(level: &BenchLevel) -> Vec<SafeText> {
    let figures = LevelFigures::of(level, CONFIDENCE);
    let mut all = Vec::new();
    if let Some(drain) = figures.drain {
        all.push(shown!(
            "{}: {} bursts, over after {} ms in the median, {} ms at most",
            level.name,
            drain.bursts,
            ms(drain.median_ms),
            ms(drain.most_ms)
        ));
    }
    if let (Some(late), Some(half)) = (figures.sent_late_p99_ms, figures.p50)
        && late > LATE * half.value.as_secs_f64() * 1e3
    {
        all.push(shown!(
            "{}: this machine sent requests late, 1 % of them by {} ms or more, which is in these figures: use one with less load",
            level.name,
            ms(late)
        ));
    }
    let cold = level.recording.of(|class| class.start == crate::measure::Start::Cold).total.len();
    if cold > 0 {
        all.push(shown!("{}: for {} of {} answers a process started", level.name, cold, figures.requests));
    }
    let phases: Vec<String> = figures.phases.iter().map(|(name, value)| format!("{name} {}", ms(*value))).collect();
    if figures.phases.len() > 1 {
        all.push(shown!("{}: medians of the phases in ms: {}", level.name, phases.join(", ")));
    }
    for (kind, count) in &level.recording.failures.by_kind {
        all.push(shown!("{}: {} failed: {}", level.name, count, kind.said()));
    }
    for (metric, value) in &level.gpu {
        all.push(shown!("{}: {} {}", level.name, metric, value));
    }
    all
}

fn breaking(point: &BreakingPoint) -> SafeText {
    let best = match (point.best_connections, point.best_per_second) {
        (Some(connections), Some(rate)) => format!("; most answers: {rate:.1}/s at {connections} connections"),
        _ => String::new(),
    };
    match (point.connections, point.how) {
        (Some(connections), Some(how)) => {
            shown!("breaking point: {} connections, {}{}", connections, breaks(how), best)
        }
        _ => shown!("no breaking point up to the most connections (--most){}", best),
    }
}

const fn breaks(how: Breaking) -> &'static str {
    match how {
        Breaking::Failures => "more than 1 % of the requests fail",
        Breaking::Latency => "the 95th percentile is above the limit (--limit-ms)",
        Breaking::Behind => "fewer requests are answered than are due",
        Breaking::Saturated => "more connections add less than 3 % throughput",
    }
}

/// The cells of a comparison.
pub fn compared_rows(found: &Against) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for level in &found.levels {
        let of = |one: &Difference| {
            let ratio = match one.change {
                ChangeVerdict::TooFew => format!("{:.3}", one.ratio),
                _ => format!("{:.3} [{:.3}-{:.3}]", one.ratio, one.low, one.high),
            };
            let (before, after) = (in_ms(one.before), in_ms(one.after));
            let name = percentile_name(one.quantile);
            vec![level.level.clone(), format!("{name}, ms"), before, after, ratio, change(one.change).to_owned()]
        };
        rows.extend(level.comparison.quantiles.iter().map(of));
        if let Some(rates) = level.comparison.rates {
            let ratio = if rates.before > 0.0 { format!("{:.3}", rates.after / rates.before) } else { "-".to_owned() };
            let (before, after) = (format!("{:.1}", rates.before), format!("{:.1}", rates.after));
            rows.push(vec![
                level.level.clone(),
                "per second".to_owned(),
                before,
                after,
                ratio,
                format!("p {}", p(rates.p)),
            ]);
        }
        if let Some(whole) = level.comparison.whole {
            let slower = format!("slower in {:.1} % of pairs", whole.slower * 100.0);
            let cells = ["all requests", "-", "-", slower.as_str()].map(str::to_owned);
            rows.push([vec![level.level.clone()], cells.to_vec(), vec![format!("p {}", p(whole.p))]].concat());
        }
        let ((failed, requests), (later, all)) = level.failed;
        if failed + later > 0 {
            let cells =
                [format!("{failed} of {requests}"), format!("{later} of {all}"), "-".to_owned(), "-".to_owned()];
            rows.push([vec![level.level.clone(), "failed".to_owned()], cells.to_vec()].concat());
        }
    }
    rows
}

const fn change(of: ChangeVerdict) -> &'static str {
    match of {
        ChangeVerdict::Faster => "faster",
        ChangeVerdict::Slower => "SLOWER",
        ChangeVerdict::None => "no difference shown",
        ChangeVerdict::TooFew => "too few requests",
    }
}

/// A probability.
fn p(value: f64) -> String {
    if value < 0.0001 { "< 0.0001".to_owned() } else { format!("{value:.4}") }
}

/// How a comparison was made, and what came of it.
pub fn compared_notes(found: &Against) -> Vec<SafeText> {
    let outcome = match found.outcome {
        ComparedOutcome::Slower => "slower",
        ComparedOutcome::Faster => "faster",
        ComparedOutcome::Mixed => "some percentiles are slower and some are faster",
        ComparedOutcome::Same => "no difference is shown",
        ComparedOutcome::TooFew => "the samples are too small for a result",
    };
    let mut all = vec![
        shown!("{} against {}: {}", found.after, found.before, outcome),
        shown!(
            "test: intervals of the ratio of percentiles by resampling, {} % each, so that all of them together are wrong in at most {} % of \
             comparisons (Bonferroni); all requests: Mann-Whitney; per second: Welch. Requests that were slow together count as fewer",
            format!("{:.2}", found.confidence * 100.0),
            format!("{:.0}", found.error * 100.0)
        ),
        "two runs differ by more than the program (time of day, load of the machine): repeat both, or check the history".into(),
    ];
    if !found.alone.is_empty() {
        all.push(shown!("only one of them has: {}", found.alone.join("; ")));
    }
    all
}

/// A comparison.
pub fn compared(found: &Against, screen: Screen) -> SafeText {
    let rows = compared_rows(found);
    let notes = SafeText::join(compared_notes(found), "\n");
    if rows.is_empty() {
        return notes;
    }
    shown!("{}\n{}", report::rows_table(&COMPARED_HEADER, &rows, &[], screen), notes)
}

/// The cells of a change.
pub fn changed_row(one: &Changed) -> Vec<String> {
    let relative = one.change.relative() * 100.0;
    let worse = more_is_worse(&one.figure).map(|more| more == (relative > 0.0));
    let word = match worse {
        Some(true) => " WORSE",
        Some(false) => " better",
        None => "",
    };
    let at = jiff::Timestamp::from_millisecond(one.at_ms).map_or_else(|_| "-".to_owned(), |at| at.to_string());
    vec![
        one.test.clone(),
        one.figure.clone(),
        one.commit.clone(),
        at,
        ms(one.change.before),
        ms(one.change.after),
        format!("{relative:+.1} %{word}"),
        p(one.change.p),
    ]
}

/// Changes of a history.
pub fn changed(all: &[Changed], screen: Screen) -> SafeText {
    let rows: Vec<Vec<String>> = all.iter().map(changed_row).collect();
    report::rows_table(&CHANGED_HEADER, &rows, &["p", "at"], screen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::change_point::ChangePoint;

    #[test]
    fn a_change_is_better_or_worse_by_its_figure() {
        let row = |figure: &str, after: f64| {
            let change = ChangePoint { at: 3, before: 100.0, after, p: 1e-9 };
            let changed = Changed {
                test: "t".to_owned(),
                figure: figure.to_owned(),
                commit: "c3".to_owned(),
                at_ms: 1_700_000_000_000,
                change,
            };
            changed_row(&changed)
        };
        assert_eq!(row("p95_ms", 112.0)[6], "+12.0 % WORSE");
        assert_eq!(row("per_second", 112.0)[6], "+12.0 % better");
        assert_eq!(row("p95_ms", 88.0)[6], "-12.0 % better");
        assert_eq!(row("other", 88.0)[6..], ["-12.0 %".to_owned(), "< 0.0001".to_owned()]);
        assert_eq!(row("p95_ms", 112.0)[3], "2023-11-14T22:13:20Z");
    }

    #[test]
    fn milliseconds_have_the_digits_that_are_worth_reading() {
        assert_eq!([0.04321, 4.3214, 432.14].map(ms), ["0.043", "4.32", "432.1"]);
    }
}
