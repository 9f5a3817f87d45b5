//! What one worker writes down while it works.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::answer::Seen;
use crate::class::{CLASSES, Class, Connection};
use crate::client::{Client, Taken};
use crate::failure::FailureKind;
use crate::intervals::Intervals;
use crate::latencies::{BadHistogram, Latencies};
use crate::recording::{Failures, Phases, Recording, WarmUp, count_value};
use crate::timeline::Timeline;

/// What became of a request.
#[expect(
    clippy::large_enum_variant,
    reason = "passed by value once for each request, never stored; a box would allocate in the measured path"
)]
pub(super) enum Outcome {
    Answered(Seen, Taken),
    /// The status, when an answer came that was not the right one.
    Failed(FailureKind, Option<u16>),
}

/// What one worker writes down.
pub(super) struct Recorder {
    measured: Instant,
    timeout: Duration,
    last: Instant,
    warm_up: WarmUp,
    classes: [Option<Box<Phases>>; CLASSES],
    failures: Failures,
    lateness: Latencies,
    statuses: BTreeMap<u16, u64>,
    headers: Vec<(String, BTreeMap<String, u64>)>,
    bytes: u64,
    timeline: Timeline,
    intervals: Intervals,
    /// The interval that is going on.
    current: (u32, Latencies),
    /// A histogram that could not be written.
    broken: Option<BadHistogram>,
}

impl Recorder {
    pub fn new(client: &Client, measured: Instant, timeout: Duration, intervals: Intervals) -> Self {
        Self {
            measured,
            timeout,
            last: measured,
            warm_up: WarmUp::default(),
            classes: Default::default(),
            failures: Failures::default(),
            lateness: Latencies::default(),
            statuses: BTreeMap::new(),
            headers: client.counted().map(|name| (name.to_owned(), BTreeMap::new())).collect(),
            bytes: 0,
            timeline: Timeline::default(),
            intervals,
            current: (0, Latencies::default()),
            broken: None,
        }
    }

    /// How late a request was sent for which a connection was free.
    pub fn late(&mut self, due: Instant, by: Duration) {
        if due >= self.measured {
            self.lateness.record(by);
        }
    }

    /// Writes down a request that was due at one instant and over at another.
    pub fn over(&mut self, due: Instant, done: Instant, outcome: Outcome) {
        if due < self.measured {
            self.warm_up.requests += 1;
            self.warm_up.failed += u64::from(matches!(outcome, Outcome::Failed(..)));
            return;
        }
        self.last = self.last.max(done);
        let total = done.duration_since(due);
        let since = due.duration_since(self.measured);
        match outcome {
            Outcome::Answered(seen, taken) => {
                self.timeline.record(since, Some(total));
                self.interval(done, total);
                self.answered(&seen, &taken, total);
            }
            Outcome::Failed(kind, status) => {
                // What was refused at once did not help its user sooner.
                let long = total.max(self.timeout);
                self.timeline.record(since, None);
                self.interval(done, long);
                *self.failures.by_kind.entry(kind).or_default() += 1;
                self.failures.latencies.record(long);
                if let Some(status) = status {
                    *self.statuses.entry(status).or_default() += 1;
                }
            }
        }
    }

    fn answered(&mut self, seen: &Seen, taken: &Taken, total: Duration) {
        let connection = if taken.opened.is_some() { Connection::New } else { Connection::Reused };
        let class = Class { connection, cache: seen.cache, start: seen.start };
        let phases = self.classes[class.place()].get_or_insert_default();
        phases.total.record(total);
        phases.first_byte.record(taken.first_byte);
        if let Some(opened) = taken.opened {
            phases.tcp.record(opened.tcp);
            opened.dns.iter().for_each(|dns| phases.dns.record(*dns));
            opened.tls.iter().for_each(|tls| phases.tls.record(*tls));
        }
        *self.statuses.entry(seen.status).or_default() += 1;
        self.bytes += seen.bytes;
        for (place, value) in &seen.values {
            if let Some((_, values)) = self.headers.get_mut(*place) {
                count_value(values, value, 1);
            }
        }
    }

    fn interval(&mut self, done: Instant, latency: Duration) {
        let index = self.intervals.index(done.saturating_duration_since(self.measured));
        if index != self.current.0 {
            self.close_interval();
            self.current.0 = index;
        }
        self.current.1.record(latency);
    }

    fn close_interval(&mut self) {
        let (index, latencies) = std::mem::take(&mut self.current);
        if let Err(bad) = self.intervals.add(index, &latencies) {
            self.broken.get_or_insert(bad);
        }
    }

    /// All of it. The span reaches to the end of the measurement or of the last request.
    pub fn finish(mut self, started_ms: i64, end: Option<Instant>, stopped: bool) -> Result<Recording, BadHistogram> {
        self.close_interval();
        if let Some(bad) = self.broken {
            return Err(bad);
        }
        let end = end.filter(|_| !stopped).map_or(self.last, |end| self.last.max(end));
        let classes = Class::all().zip(self.classes);
        Ok(Recording {
            vantage: "local".to_owned(),
            started_ms,
            span: end.duration_since(self.measured),
            warm_up: self.warm_up,
            classes: classes.filter_map(|(class, phases)| phases.map(|phases| (class, *phases))).collect(),
            failures: self.failures,
            lateness: self.lateness,
            statuses: self.statuses,
            headers: self.headers.into_iter().collect(),
            bytes: self.bytes,
            timeline: self.timeline,
            intervals: self.intervals,
            stopped,
        })
    }
}
