//! The result of a measurement: histograms by class and phase, counts, and its time window.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::class::{Cache, Class, Connection};
use crate::failure::FailureKind;
use crate::intervals::Intervals;
use crate::latencies::{BadHistogram, Latencies};
use crate::statistics::{self, Share};
use crate::timeline::Timeline;

/// The most values of a header that are counted by themselves; all others are counted as one.
pub(crate) const MOST_VALUES: usize = 64;
/// What those others are called.
pub const OTHER_VALUES: &str = "(others)";

/// The phases of requests that were answered as expected. A phase that a request did not have is not counted: a reused connection has no
/// DNS, TCP and TLS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Phases {
    /// Name to addresses.
    #[serde(skip_serializing_if = "Latencies::is_empty")]
    pub dns: Latencies,
    /// The TCP handshake: one round trip.
    #[serde(skip_serializing_if = "Latencies::is_empty")]
    pub tcp: Latencies,
    /// The TLS handshake.
    #[serde(skip_serializing_if = "Latencies::is_empty")]
    pub tls: Latencies,
    /// From the request to the first byte of its answer.
    #[serde(skip_serializing_if = "Latencies::is_empty")]
    pub first_byte: Latencies,
    /// From the time at which the request was due to the end of its answer.
    #[serde(skip_serializing_if = "Latencies::is_empty")]
    pub total: Latencies,
}

impl Phases {
    /// Adds another one.
    pub fn merge(&mut self, other: &Self) {
        self.dns.merge(&other.dns);
        self.tcp.merge(&other.tcp);
        self.tls.merge(&other.tls);
        self.first_byte.merge(&other.first_byte);
        self.total.merge(&other.total);
    }
}

/// Requests that failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Failures {
    /// How many of each kind.
    pub by_kind: BTreeMap<FailureKind, u64>,
    /// Their times, each at no less than the time-out: what was refused at once did not help its user sooner.
    pub latencies: Latencies,
}

/// Requests before the measurement, which are in no histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WarmUp {
    /// How many there were.
    pub requests: u64,
    /// How many of them failed.
    pub failed: u64,
}

/// What a measurement brought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recording {
    /// Where it was taken: a region, a host, `local`.
    pub vantage: String,
    /// When, in milliseconds since 1970.
    pub started_ms: i64,
    /// Until the last request was over.
    #[serde(with = "crate::milliseconds")]
    pub span: Duration,
    /// What was cut off before.
    pub warm_up: WarmUp,
    /// Requests that were answered as expected.
    pub classes: BTreeMap<Class, Phases>,
    /// The others.
    pub failures: Failures,
    /// How much later than due this program sent requests for which a connection was free: its own share of the latency.
    pub lateness: Latencies,
    /// How many answers had each status, failures by status included.
    pub statuses: BTreeMap<u16, u64>,
    /// How often each value of the headers was seen that are counted.
    pub headers: BTreeMap<String, BTreeMap<String, u64>>,
    /// The bytes of the answers' bodies.
    pub bytes: u64,
    /// Requests by the time at which they were due.
    pub timeline: Timeline,
    /// Histograms by the time of completion.
    pub intervals: Intervals,
    /// Whether it was ended early.
    pub stopped: bool,
}

impl Recording {
    /// All requests, failures included at no less than the time-out. This is what percentiles are told of.
    pub fn all(&self) -> Latencies {
        let mut all = self.answered();
        all.merge(&self.failures.latencies);
        all
    }

    /// The requests that were answered as expected.
    pub fn answered(&self) -> Latencies {
        self.of(|_| true).total
    }

    /// The phases of some classes.
    pub fn of(&self, which: impl Fn(&Class) -> bool) -> Phases {
        let mut sum = Phases::default();
        self.classes.iter().filter(|(class, _)| which(class)).for_each(|(_, phases)| sum.merge(phases));
        sum
    }

    /// The phases of requests that opened their connection.
    pub fn on_new_connections(&self) -> Phases {
        self.of(|class| class.connection == Connection::New)
    }

    /// The phases of requests whose connection was there.
    pub fn on_reused_connections(&self) -> Phases {
        self.of(|class| class.connection == Connection::Reused)
    }

    /// How many requests there were, failures included.
    pub fn requests(&self) -> u64 {
        self.answers() + self.failed()
    }

    /// How many were answered as expected.
    pub fn answers(&self) -> u64 {
        self.classes.values().map(|phases| phases.total.len()).sum()
    }

    /// How many failed.
    pub fn failed(&self) -> u64 {
        self.failures.by_kind.values().sum()
    }

    /// Answers as expected per second.
    pub fn throughput(&self) -> f64 {
        let seconds = self.span.as_secs_f64();
        if seconds > 0.0 { self.answers() as f64 / seconds } else { 0.0 }
    }

    /// How many answers came out of a cache, and how many said where they came from.
    pub fn cache_hits(&self) -> (u64, u64) {
        let count = |cache: Cache| self.of(|class| class.cache == cache).total.len();
        let hits = count(Cache::Hit);
        (hits, hits + count(Cache::Miss))
    }

    /// The share of hits among the answers that say where they came from. `None` when none does.
    pub fn hit_share(&self, confidence: f64) -> Option<Share> {
        let (hits, total) = self.cache_hits();
        statistics::share(hits, total, confidence)
    }

    /// When it was, in milliseconds since 1970.
    pub fn window(&self) -> (i64, i64) {
        let length = i64::try_from(self.span.as_millis()).unwrap_or(i64::MAX);
        (self.started_ms, self.started_ms.saturating_add(length))
    }

    /// Adds what another worker or region brought.
    ///
    /// # Errors
    /// Histograms of its intervals that are none; nothing was added then.
    pub fn merge(&mut self, other: &Self) -> Result<(), BadHistogram> {
        if other.is_unused() {
            return Ok(());
        }
        if self.is_unused() {
            *self = other.clone();
            return Ok(());
        }
        let (own, theirs) = (self.window(), other.window());
        let started = own.0.min(theirs.0);
        let later = |from: i64| from.saturating_sub(started).unsigned_abs();
        let mut intervals = self.intervals.clone();
        intervals.begin_earlier(later(own.0))?;
        intervals.merge(&other.intervals, later(theirs.0))?;
        self.intervals = intervals;
        self.timeline.begin_earlier(later(own.0));
        self.timeline.merge(&other.timeline, later(theirs.0));
        self.started_ms = started;
        let ends = [(own.0, self.span), (theirs.0, other.span)];
        self.span =
            ends.map(|(from, span)| span + Duration::from_millis(later(from))).into_iter().max().unwrap_or_default();
        self.add_counts(other);
        Ok(())
    }

    fn add_counts(&mut self, other: &Self) {
        if self.vantage != other.vantage {
            self.vantage = format!("{}, {}", self.vantage, other.vantage);
        }
        self.warm_up.requests += other.warm_up.requests;
        self.warm_up.failed += other.warm_up.failed;
        for (class, phases) in &other.classes {
            self.classes.entry(*class).or_default().merge(phases);
        }
        for (kind, count) in &other.failures.by_kind {
            *self.failures.by_kind.entry(*kind).or_default() += count;
        }
        self.failures.latencies.merge(&other.failures.latencies);
        self.lateness.merge(&other.lateness);
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (header, values) in &other.headers {
            let own = self.headers.entry(header.clone()).or_default();
            values.iter().for_each(|(value, count)| count_value(own, value, *count));
        }
        self.bytes += other.bytes;
        self.stopped |= other.stopped;
    }

    fn is_unused(&self) -> bool {
        self.requests() + self.warm_up.requests == 0 && self.span.is_zero()
    }
}

/// Counts a value of a header; beyond the most values, all others are one.
pub(crate) fn count_value(values: &mut BTreeMap<String, u64>, value: &str, times: u64) {
    let name = if values.contains_key(value) || values.len() < MOST_VALUES { value } else { OTHER_VALUES };
    *values.entry(name.to_owned()).or_default() += times;
}

#[cfg(test)]
#[path = "recording_tests.rs"]
mod tests;
