//! What a probe is asked, and its answer as a recording. `templates/lambda/probe/index.mjs` is the other side in a region,
//! `templates/probe/probe.py` on a machine behind SSH.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::measure::intervals::{Interval, Intervals};
use crate::measure::latencies::BadHistogram;
use crate::measure::timeline::{Bin, Timeline};
use crate::measure::{Cache, Class, Connection, FailureKind, Latencies, Recording, Start};

/// The format of orders and answers.
const FORMAT: u32 = 1;
/// The most requests that a probe sends.
pub const MOST_REQUESTS: u64 = 5_000;
/// The longest that a probe sends requests, in seconds: gateways forget a connection on which nothing is sent for longer.
pub const MOST_SECONDS: f64 = 300.0;
/// What takes longer has failed.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that each probe opens before it measures, for what a first visitor waits for.
const OPENINGS: u32 = 20;
/// Connections at most.
const CONNECTIONS: u32 = 64;
/// The bins of a time line, and their width at the beginning.
const MOST_BINS: u64 = 1200;
const FINEST_MS: u64 = 50;
/// Intervals at most.
const MOST_INTERVALS: u64 = 600;

/// What a probe is asked.
#[derive(Clone, Debug, Serialize)]
pub struct ProbeOrder {
    format: u32,
    /// The only host that it asks, with its port.
    pub host: String,
    /// What is asked for, in turn.
    pub urls: Vec<String>,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// How many requests.
    pub requests: u64,
    /// A second.
    pub rate: f64,
    timeout_ms: u64,
    connections: u32,
    openings: u32,
    /// Bodies that are sent by POST, in turn with the addresses; without any, the addresses are asked for by GET.
    pub bodies: Vec<String>,
    /// A header whose value is a number of milliseconds; with it, the vectors of answers are counted.
    own_time: Option<String>,
}

impl ProbeOrder {
    /// An order.
    pub fn new(host: String, urls: Vec<String>, requests: u64, rate: f64) -> Self {
        let timeout_ms = u64::try_from(TIMEOUT.as_millis()).unwrap_or(u64::MAX);
        let (connections, openings) = (CONNECTIONS, OPENINGS);
        let (headers, bodies) = (Vec::new(), Vec::new());
        let own_time = None;
        Self {
            format: FORMAT,
            host,
            urls,
            headers,
            requests,
            rate,
            timeout_ms,
            connections,
            openings,
            bodies,
            own_time,
        }
    }

    /// The numbers of the first vector of each answer are counted, and this header is read. No connection is opened beforehand.
    pub fn read_vectors(&mut self, own_time: &str) {
        self.own_time = Some(own_time.to_owned());
        self.openings = 0;
    }

    /// As JSON.
    ///
    /// # Errors
    /// A number that JSON cannot write.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// What a probe answers. Times are microseconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeAnswer {
    format: u32,
    /// The version of Node.js or Python that sent the requests.
    #[serde(rename = "node")]
    _node: String,
    started_ms: i64,
    span: u64,
    openings: Vec<Sample>,
    samples: Vec<Sample>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    /// Since the start.
    due: u64,
    /// How much later the probe sent it.
    late: u64,
    /// From when it was due to the end.
    total: u64,
    first_byte: u64,
    status: u16,
    cache: CacheWord,
    bytes: u64,
    new: bool,
    dns: u64,
    tcp: u64,
    tls: u64,
    #[serde(default)]
    failure: Option<FailureKind>,
    /// The numbers of its first vector, where they are counted.
    #[serde(default)]
    numbers: Option<usize>,
    /// The value of the header that is read, in microseconds.
    #[serde(default)]
    own: Option<u64>,
}

/// An answer whose vector was counted.
#[derive(Clone, Copy, Debug)]
pub struct VectorAnswer {
    /// Its status; 0 where none came.
    pub status: u16,
    /// The numbers of its first vector.
    pub numbers: Option<usize>,
    /// What the header says that was read.
    pub own: Option<Duration>,
    /// Why it failed.
    pub failure: Option<FailureKind>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CacheWord {
    Hit,
    Miss,
    Unstated,
}

/// An answer that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadAnswer {
    /// Not JSON of this shape.
    #[error("the answer of the probe cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Of another version.
    #[error("the answer of the probe has format {0}; this version reads {FORMAT}")]
    Format(u32),
    /// More than was asked for.
    #[error("the probe answered with {0} samples, more than it sends")]
    TooMany(usize),
    /// A histogram could not be written.
    #[error(transparent)]
    Histogram(#[from] BadHistogram),
}

const fn micros(value: u64) -> Duration {
    Duration::from_micros(value)
}

impl ProbeAnswer {
    /// Reads it.
    ///
    /// # Errors
    /// When it is not the answer of a probe of this version.
    pub fn read(bytes: &[u8]) -> Result<Self, BadAnswer> {
        let answer: Self = serde_json::from_slice(bytes)?;
        if answer.format != FORMAT {
            return Err(BadAnswer::Format(answer.format));
        }
        match answer.samples.len().max(answer.openings.len()) {
            many if many as u64 > MOST_REQUESTS => Err(BadAnswer::TooMany(many)),
            _ => Ok(answer),
        }
    }

    /// The TCP handshakes of connections of their own: a round trip each, to whoever answers for the host.
    pub fn round_trips(&self) -> Latencies {
        let mut all = Latencies::default();
        let opened = self.openings.iter().chain(&self.samples).filter(|one| one.new && one.tcp > 0);
        opened.for_each(|one| all.record(micros(one.tcp)));
        all
    }

    /// The median of what a first visitor waits for, over connections of their own that were answered.
    pub fn first_visit(&self) -> Option<Duration> {
        let mut all = Latencies::default();
        let answered = self.openings.iter().filter(|one| one.failure.is_none());
        answered.for_each(|one| all.record(micros(one.total)));
        all.value_at(0.5)
    }

    /// The answers with the vectors that were counted in them.
    pub fn vectors(&self) -> impl Iterator<Item = VectorAnswer> {
        self.samples.iter().map(|one| VectorAnswer {
            status: one.status,
            numbers: one.numbers,
            own: one.own.map(micros),
            failure: one.failure,
        })
    }

    /// The requests as a recording of a region; what failed took at least the time-out.
    ///
    /// # Errors
    /// A histogram that cannot be written.
    pub fn recording(&self, region: &str) -> Result<Recording, BadAnswer> {
        let (started_ms, span) = (self.started_ms, micros(self.span));
        let mut recording = Recording { vantage: region.to_owned(), started_ms, span, ..Recording::default() };
        for sample in &self.samples {
            sample.add_to(&mut recording);
        }
        recording.timeline = self.timeline();
        recording.intervals = self.intervals()?;
        Ok(recording)
    }

    fn timeline(&self) -> Timeline {
        let last = self.samples.iter().map(|one| one.due / 1000).max().unwrap_or(0);
        let mut bin_ms = FINEST_MS;
        while last / bin_ms >= MOST_BINS {
            bin_ms *= 2;
        }
        let mut bins = vec![Bin::default(); usize::try_from(last / bin_ms + 1).unwrap_or(0)];
        for one in &self.samples {
            let at = usize::try_from(one.due / 1000 / bin_ms).unwrap_or(usize::MAX);
            let Some(bin) = bins.get_mut(at) else { continue };
            if one.failure.is_some() {
                bin.failed += 1;
            } else {
                bin.answered += 1;
                bin.worst_ms = bin.worst_ms.max(one.total as f64 / 1000.0);
            }
        }
        Timeline { bin_ms, bins }
    }

    fn intervals(&self) -> Result<Intervals, BadHistogram> {
        let over = |one: &Sample| one.due.saturating_add(one.total) / 1000;
        let last = self.samples.iter().map(over).max().unwrap_or(0);
        let width_ms = 1000 * (last / 1000 / MOST_INTERVALS + 1);
        let mut all: BTreeMap<u32, Latencies> = BTreeMap::new();
        for one in &self.samples {
            let index = u32::try_from(over(one) / width_ms).unwrap_or(u32::MAX);
            all.entry(index).or_default().record(one.latency());
        }
        let interval = |(index, latencies): (u32, Latencies)| {
            let requests = latencies.len();
            latencies.encode().map(|histogram| Interval { index, requests, histogram })
        };
        let each: Result<Vec<Interval>, BadHistogram> = all.into_iter().map(interval).collect();
        Ok(Intervals { width_ms, each: each? })
    }
}

impl Sample {
    /// What was refused at once did not help its user sooner.
    fn latency(&self) -> Duration {
        let total = micros(self.total);
        if self.failure.is_some() { total.max(TIMEOUT) } else { total }
    }

    fn class(&self) -> Class {
        let cache = match self.cache {
            CacheWord::Hit => Cache::Hit,
            CacheWord::Miss => Cache::Miss,
            CacheWord::Unstated => Cache::Unstated,
        };
        let connection = if self.new { Connection::New } else { Connection::Reused };
        Class { connection, cache, start: Start::Warm }
    }

    fn add_to(&self, recording: &mut Recording) {
        recording.lateness.record(micros(self.late));
        if self.status != 0 {
            *recording.statuses.entry(self.status).or_default() += 1;
        }
        if let Some(kind) = self.failure {
            *recording.failures.by_kind.entry(kind).or_default() += 1;
            recording.failures.latencies.record(self.latency());
            return;
        }
        recording.bytes = recording.bytes.saturating_add(self.bytes);
        let phases = recording.classes.entry(self.class()).or_default();
        phases.first_byte.record(micros(self.first_byte));
        phases.total.record(micros(self.total));
        if self.new {
            let parts = [(self.dns, &mut phases.dns), (self.tcp, &mut phases.tcp), (self.tls, &mut phases.tls)];
            // A phase that the connection did not have took no time.
            parts.into_iter().filter(|(took, _)| *took > 0).for_each(|(took, phase)| phase.record(micros(took)));
        }
    }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
