//! Detects requests that this machine sent late although a connection was free.
//!
//! Their latency counts from when they were due, so a pause of the load generator looks like one of the server. Which request was sent how
//! late is not kept, so the best case for the server is taken: the slowest requests are those that were sent late.

use std::time::Duration;

use crate::latencies::Latencies;
use crate::recording::Recording;
use crate::statistics;

/// How late is late: the lower end is worked out for each of these percentiles of the lateness, and the highest one counts.
const LATE: [f64; 6] = [0.0, 0.5, 0.9, 0.99, 0.999, 1.0];

/// What is left of a percentile when lateness is taken out.
pub(crate) struct LatenessCorrection {
    /// The lower end of its interval in the case that is best for the server; `None` where nothing bounds it.
    pub low: Option<Duration>,
    /// The longest lateness.
    pub most: Duration,
}

/// The percentile as it is at least if each request had been sent in time. `None` when the lateness is not known, as in a closed loop.
///
/// For each time t: requests that were sent later than t are taken as the slowest ones and count as the fastest, and the others took at
/// least their latency less t.
pub(crate) fn excuse(
    of: &Recording,
    all: &Latencies,
    quantile: f64,
    confidence: f64,
    effect: f64,
) -> Option<LatenessCorrection> {
    let most = of.lateness.max()?;
    let low = |share: f64| {
        let late = of.lateness.value_at(share)?;
        let later = of.lateness.steps().filter(|(value, _)| *value > late).map(|(_, count)| count).sum();
        let rest = without_slowest(all, later);
        let low = statistics::bounds_widened(&rest, quantile, confidence, effect).low?;
        Some(low.saturating_sub(late))
    };
    Some(LatenessCorrection { low: LATE.into_iter().filter_map(low).max(), most })
}

/// The same number of values, of which the slowest count as the fastest.
fn without_slowest(all: &Latencies, count: u64) -> Latencies {
    let (mut kept, mut left) = (Latencies::default(), all.len().saturating_sub(count));
    for (value, times) in all.steps() {
        let taken = times.min(left);
        if taken > 0 {
            kept.record_many(value, taken);
        }
        left -= taken;
    }
    let least = all.min().unwrap_or_default();
    kept.record_many(least, count.min(all.len()));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Compare, Verdict, latency};

    /// A thousand requests of 10 ms and so many slow ones; so many of all were sent late.
    fn recording(slow: u64, slow_ms: u64, late: u64, late_ms: u64) -> Recording {
        let (mut made, ms) = (Recording::default(), Duration::from_millis);
        let total = &mut made.classes.entry("reused/unstated/warm".parse().unwrap()).or_default().total;
        total.record_many(ms(10), 1_000 - slow);
        total.record_many(ms(slow_ms), slow);
        made.lateness.record_many(Duration::from_micros(50), 1_000 - late);
        made.lateness.record_many(ms(late_ms), late);
        made
    }

    fn p95(of: &Recording) -> Verdict {
        latency("p95", of, 0.95, Compare::Less, Duration::from_millis(25), 0.95).verdict
    }

    #[test]
    fn a_limit_that_only_late_requests_miss_is_not_decided() {
        assert_eq!(p95(&recording(100, 60, 0, 0)), Verdict::Fail);
        assert_eq!(p95(&recording(100, 60, 100, 55)), Verdict::Inconclusive);
        // One pause of the sender does not excuse a server that is slow without it.
        assert_eq!(p95(&recording(200, 60, 50, 55)), Verdict::Fail);
        assert_eq!(
            p95(&recording(100, 60, 1_000, 5)),
            Verdict::Fail,
            "5 ms late are not why 60 ms are more than 25 ms"
        );
        assert_eq!(p95(&recording(100, 29, 1_000, 5)), Verdict::Inconclusive);
        assert_eq!(p95(&recording(0, 60, 100, 55)), Verdict::Pass);
        let found = latency("p95", &recording(100, 60, 100, 55), 0.95, Compare::Less, Duration::from_millis(25), 0.95);
        assert!(found.why.starts_with("this machine sent requests up to 5"), "{}", found.why);
    }

    #[test]
    fn nothing_is_said_where_nobody_looked_at_the_clock() {
        let closed = Recording { lateness: Latencies::default(), ..recording(100, 60, 0, 0) };
        assert!(excuse(&closed, &closed.all(), 0.95, 0.95, 1.0).is_none());
    }

    #[test]
    fn the_number_of_values_stays() {
        let all = recording(100, 60, 0, 0).all();
        for count in [0, 50, 100, 500, 1_000, 2_000] {
            assert_eq!(without_slowest(&all, count).len(), 1_000, "{count}");
        }
        assert!(without_slowest(&all, 100).max().unwrap() < Duration::from_millis(11));
        assert!(without_slowest(&all, 99).max().unwrap() > Duration::from_millis(59));
    }
}
