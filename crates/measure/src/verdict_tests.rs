use super::*;
use crate::class::{Cache, Class, Connection, Start};
use crate::failure::FailureKind;
use crate::latencies::Latencies;

const CLASS: Class = Class { connection: Connection::Reused, cache: Cache::Unstated, start: Start::Warm };

/// So many requests in each of ten seconds; the n-th of a second takes what the function says.
fn recording(each_second: u64, latency: impl Fn(u64, u64) -> f64) -> Recording {
    let mut made = Recording { started_ms: 1_000, span: Duration::from_secs(10), ..Recording::default() };
    for second in 0..10 {
        let mut interval = Latencies::default();
        for n in 0..each_second {
            let latency = Duration::from_secs_f64(latency(second, n) / 1e3);
            made.classes.entry(CLASS).or_default().total.record(latency);
            interval.record(latency);
            made.timeline.record(Duration::from_millis(second * 1000 + n * 1000 / each_second), Some(latency));
        }
        made.intervals.add(u32::try_from(second).unwrap(), &interval).unwrap();
    }
    made
}

fn p95(of: &Recording) -> MeasuredFinding {
    latency("p95", of, 0.95, Compare::Less, Duration::from_millis(25), CONFIDENCE)
}

#[test]
fn the_whole_interval_decides() {
    // 1 of 50 is slow: 98 % are below the limit. Then 1 of 20, which is just at it, and 1 of 10.
    let of = |every: u64| recording(100, move |_, n| if n % every == 0 { 40.0 } else { 10.0 });
    let (good, near, bad) = (p95(&of(50)), p95(&of(20)), p95(&of(10)));
    assert_eq!(good.verdict, Verdict::Pass, "{good:?}");
    assert_eq!(near.verdict, Verdict::Inconclusive, "{near:?}");
    assert_eq!(bad.verdict, Verdict::Fail, "{bad:?}");
    assert_eq!((good.samples, good.window), (1_000, Some(Window { from_ms: 1_000, to_ms: 11_000 })));
    assert!(good.low <= good.value && good.value <= good.high, "{good:?}");
    assert_eq!(good.confidence, Some(0.95));
}

#[test]
fn a_small_sample_is_inconclusive_unless_it_is_surely_slow() {
    let few = |latency: f64| recording(7, move |_, _| latency);
    let fast = latency("p99", &few(5.0), 0.99, Compare::Less, Duration::from_millis(25), CONFIDENCE);
    assert_eq!((fast.verdict, fast.value, fast.high), (Verdict::Inconclusive, None, None), "{fast:?}");
    assert_eq!(fast.why, "p99 of 70 requests has no bound; at least 368 are needed");
    let slow = latency("p99", &few(80.0), 0.99, Compare::Less, Duration::from_millis(25), CONFIDENCE);
    assert_eq!((slow.verdict, slow.value), (Verdict::Fail, None), "{slow:?}");
}

#[test]
fn no_traffic_is_neither_pass_nor_fail() {
    let none = p95(&Recording::default());
    assert_eq!((none.verdict, none.samples, &*none.why), (Verdict::Inconclusive, 0, "no request was measured"));
    assert_eq!(share("hits", 0, 0, Compare::More, 0.99, CONFIDENCE).verdict, Verdict::Inconclusive);
    assert_eq!(rate("rate", &Recording::default(), Compare::More, 50.0, CONFIDENCE).verdict, Verdict::Inconclusive);
    let wish = Wanted::new("fail-over", Unit::Seconds, Compare::Less, 30.0);
    assert_eq!(each(&wish, &[], 1).verdict, Verdict::Inconclusive);
    let missing = unmeasured(&wish, "CloudWatch has no such metric");
    assert_eq!(
        (missing.verdict, missing.value, &*missing.why),
        (Verdict::Inconclusive, None, "CloudWatch has no such metric")
    );
}

#[test]
fn failures_are_slow_answers() {
    let mut with = recording(100, |_, _| 10.0);
    assert_eq!(p95(&with).verdict, Verdict::Pass);
    with.failures.by_kind.insert(FailureKind::Connect, 100);
    with.failures.latencies.record_many(Duration::from_secs(10), 100);
    let found = p95(&with);
    assert_eq!(found.verdict, Verdict::Fail, "{found:?}");
    assert!(found.why.ends_with("; 100 failed and count as slow as the time-out"), "{}", found.why);
}

#[test]
fn requests_that_were_slow_together_say_less() {
    // 4 % are slow in both. Spread over the time they are surely below 5 %, all in one second they are not.
    let spread = recording(1_000, |_, n| if n % 25 == 0 { 40.0 } else { 10.0 });
    let together = recording(1_000, |second, n| if second == 4 && n < 400 { 40.0 } else { 10.0 });
    assert_eq!(p95(&spread).verdict, Verdict::Pass);
    let found = p95(&together);
    assert_eq!(found.verdict, Verdict::Inconclusive, "{found:?}");
    assert!(found.notes[0].starts_with("slow requests came together"), "{found:?}");
}

#[test]
fn shares_and_rates_have_intervals() {
    assert_eq!(share("hits", 9_950, 10_000, Compare::More, 0.99, CONFIDENCE).verdict, Verdict::Pass);
    assert_eq!(share("hits", 99, 100, Compare::More, 0.99, CONFIDENCE).verdict, Verdict::Inconclusive);
    assert_eq!(share("hits", 9_800, 10_000, Compare::More, 0.99, CONFIDENCE).verdict, Verdict::Fail);
    // No failure in 1,000 requests is not 99.99 %.
    assert_eq!(
        share("availability", 1_000, 1_000, Compare::AtLeast, 0.9999, CONFIDENCE).verdict,
        Verdict::Inconclusive
    );
    assert_eq!(share("availability", 50_000, 50_000, Compare::AtLeast, 0.9999, CONFIDENCE).verdict, Verdict::Pass);
    let run = recording(60, |_, _| 5.0);
    assert_eq!(rate("rate", &run, Compare::More, 50.0, CONFIDENCE).verdict, Verdict::Pass);
    assert_eq!(rate("rate", &run, Compare::More, 150.0, CONFIDENCE).verdict, Verdict::Fail);
}

#[test]
fn of_a_few_each_one_counts() {
    let wish = Wanted::new("fail-over", Unit::Seconds, Compare::Less, 30.0);
    let three = each(&wish, &[12.0, 25.0, 18.0], 3);
    assert_eq!(
        (three.verdict, three.value, three.low, three.high),
        (Verdict::Pass, Some(25.0), Some(12.0), Some(25.0))
    );
    assert_eq!(each(&wish, &[12.0, 31.0], 3).verdict, Verdict::Fail);
    assert_eq!(each(&wish, &[12.0], 3).why, "only 1 of at least 3 were measured");
    assert_eq!(known(&Wanted::new("regions", Unit::Count, Compare::AtLeast, 10.0), 10.0).verdict, Verdict::Pass);
}

#[test]
fn json_is_read_back() {
    let found = p95(&recording(100, |_, _| 10.0)).with_note("a note");
    let text = serde_json::to_string(&found).unwrap();
    assert!(text.contains("\"compare\":\"<\"") && text.contains("\"verdict\":\"pass\""), "{text}");
    assert_eq!(serde_json::from_str::<MeasuredFinding>(&text).unwrap(), found);
}
