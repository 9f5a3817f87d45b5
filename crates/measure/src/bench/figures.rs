//! The figures of one level.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{BenchLevel, milliseconds};
use crate::load::Model;
use crate::statistics::{self, Percentile};

/// How long a burst takes until its last request is over, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Drain {
    /// How many bursts there were.
    pub bursts: usize,
    /// The median.
    pub median_ms: f64,
    /// The longest.
    pub most_ms: f64,
}

/// The figures of one level. Percentiles are of all requests, failures included at no less than the time-out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LevelFigures {
    /// How many requests there were, failures included.
    pub requests: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Answers as expected per second.
    pub per_second: f64,
    /// The median with its interval; none where the sample does not bound it, as with the others.
    pub p50: Option<Percentile>,
    /// The 95th percentile.
    pub p95: Option<Percentile>,
    /// The 99th percentile.
    pub p99: Option<Percentile>,
    /// The slowest request, in milliseconds.
    pub max_ms: Option<f64>,
    /// How late this machine sent requests for which a connection was free: the 99th percentile, in milliseconds. None in a closed loop.
    pub sent_late_p99_ms: Option<f64>,
    /// The medians of the phases of connections that were opened, in milliseconds: DNS, TCP, TLS, and from request to first byte.
    pub phases: BTreeMap<&'static str, f64>,
    /// How long bursts took.
    pub drain: Option<Drain>,
}

impl LevelFigures {
    /// Those of a level.
    pub fn of(level: &BenchLevel, confidence: f64) -> Self {
        let recording = &level.recording;
        let all = recording.all();
        let percentile = |quantile| statistics::percentile(&all, quantile, confidence).ok();
        let answered = recording.of(|_| true);
        let phases = [
            ("dns", &answered.dns),
            ("tcp", &answered.tcp),
            ("tls", &answered.tls),
            ("first_byte", &answered.first_byte),
        ];
        let median = |of: &crate::Latencies| of.value_at(0.5).map(milliseconds);
        Self {
            requests: recording.requests(),
            failed: recording.failed(),
            per_second: recording.throughput(),
            p50: percentile(0.5),
            p95: percentile(0.95),
            p99: percentile(0.99),
            max_ms: all.max().map(milliseconds),
            sent_late_p99_ms: recording.lateness.value_at(0.99).map(milliseconds),
            phases: phases.into_iter().filter_map(|(name, of)| Some((name, median(of)?))).collect(),
            drain: drain(level),
        }
    }

    /// By the names that a history has.
    pub fn named(&self) -> BTreeMap<String, f64> {
        let percentile = |of: Option<Percentile>| of.map(|found| milliseconds(found.value));
        let all = [
            ("p50_ms", percentile(self.p50)),
            ("p95_ms", percentile(self.p95)),
            ("p99_ms", percentile(self.p99)),
            ("drain_ms", self.drain.map(|drain| drain.median_ms)),
            ("per_second", (self.requests > 0).then_some(self.per_second)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// The requests of a burst are due at one instant, so the slowest of its bin of the time line is its last one. None when a request
/// failed: such a burst was never over.
fn drain(level: &BenchLevel) -> Option<Drain> {
    let Model::Bursts { every, .. } = level.load.model else { return None };
    let timeline = &level.recording.timeline;
    // Two bursts in one bin could not be told apart.
    if u128::from(timeline.bin_ms) >= every.as_millis() || level.recording.failed() > 0 {
        return None;
    }
    let answered = timeline.bins.iter().filter(|bin| bin.answered > 0);
    let mut slowest: Vec<f64> = answered.map(|bin| bin.worst_ms).collect();
    slowest.sort_unstable_by(f64::total_cmp);
    let most_ms = *slowest.last()?;
    Some(Drain { bursts: slowest.len(), median_ms: slowest[slowest.len() / 2], most_ms })
}
