//! A histogram of durations: HdrHistogram, in nanoseconds, three significant digits.

use std::fmt;
use std::io::Cursor;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Deserializer as Reader, Serialize, Serializer as Writer};

/// The finest step that is told apart, in nanoseconds.
const FINEST: u64 = 1_000;
/// What lies above is recorded as this: an hour.
const LONGEST: u64 = 3_600_000_000_000;
/// Three significant digits: a value is known to 0.1 %.
const DIGITS: u8 = 3;
/// The longest text of a histogram that is read: every bucket with a large count needs less.
const MOST_TEXT: usize = 1 << 20;

/// A histogram that is not one.
#[derive(Debug, thiserror::Error)]
pub enum BadHistogram {
    /// The text is longer than any histogram of an hour.
    #[error(
        "the text of the histogram has {0} bytes, more than {MOST_TEXT}; send the V2 format of HdrHistogram, deflated"
    )]
    TooLong(usize),
    /// Not base64.
    #[error("the histogram is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// Not the format of HdrHistogram.
    #[error("the histogram is not in the V2 format of HdrHistogram: {0}")]
    Format(String),
    /// It could not be written.
    #[error("the histogram could not be written: {0}")]
    Write(String),
}

/// Durations by how many of them there were: constant memory, mergeable, exact to 0.1 %.
///
/// Empty ones take no memory; others grow with the longest duration, to 200 kB at most.
#[derive(Clone, Default)]
pub struct Latencies(Option<Histogram<u64>>);

/// An empty histogram that grows.
fn empty() -> Histogram<u64> {
    // The bounds are constants that `new_with_bounds` takes: 1 <= low, 2 * low <= high, digits <= 5.
    let mut histogram = Histogram::new_with_bounds(FINEST, 2 * FINEST, DIGITS).expect("constant bounds");
    histogram.auto(true);
    histogram
}

/// Counts a value; the histogram grows for it.
fn put(histogram: &mut Histogram<u64>, value: u64, times: u64) {
    if histogram.record_n(value, times).is_err() {
        // It cannot grow: the value counts as the longest that it has.
        histogram.saturating_record_n(value, times);
    }
}

fn nanoseconds(of: Duration) -> u64 {
    u64::try_from(of.as_nanos()).unwrap_or(LONGEST).min(LONGEST)
}

impl Latencies {
    /// Counts one duration. What is longer than an hour counts as an hour.
    pub fn record(&mut self, duration: Duration) {
        self.record_many(duration, 1);
    }

    /// Counts a duration several times.
    pub fn record_many(&mut self, duration: Duration, times: u64) {
        if times > 0 {
            put(self.0.get_or_insert_with(empty), nanoseconds(duration), times);
        }
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        let Some(theirs) = &other.0 else { return };
        match &mut self.0 {
            None => self.0 = Some(theirs.clone()),
            Some(own) => {
                if own.add(theirs).is_err() {
                    // Only a histogram that may not grow refuses; then each value is put in by itself, at its longest.
                    for step in theirs.iter_recorded() {
                        put(own, step.value_iterated_to(), step.count_at_value());
                    }
                }
            }
        }
    }

    /// How many were counted.
    pub fn len(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value that this share of all does not exceed, as HdrHistogram tells it in every language. `None` of nothing.
    ///
    /// This is the figure of the sample; `statistics::percentile` says how far it can be trusted.
    pub fn value_at(&self, quantile: f64) -> Option<Duration> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(Duration::from_nanos(histogram.value_at_quantile(quantile.clamp(0.0, 1.0))))
    }

    /// The value with this rank, from 1 for the shortest. `None` when there are fewer.
    pub fn value_at_rank(&self, rank: u64) -> Option<Duration> {
        let mut left = rank.max(1);
        for (value, count) in self.steps() {
            match left.checked_sub(count) {
                Some(0) | None => return Some(value),
                Some(more) => left = more,
            }
        }
        None
    }

    /// Each value that was seen and how often, from the shortest.
    pub fn steps(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let recorded = self.0.iter().flat_map(Histogram::iter_recorded);
        recorded.map(|step| (Duration::from_nanos(step.value_iterated_to()), step.count_at_value()))
    }

    /// How many were surely below a limit: a step that contains the limit is not counted, so it is never too many.
    pub fn count_below(&self, limit: Duration) -> u64 {
        self.steps().take_while(|(value, _)| *value < limit).map(|(_, count)| count).sum()
    }

    /// The shortest, at the resolution of the histogram.
    pub fn min(&self) -> Option<Duration> {
        self.0.as_ref().filter(|histogram| !histogram.is_empty()).map(|own| Duration::from_nanos(own.min()))
    }

    /// The longest, at the resolution of the histogram.
    pub fn max(&self) -> Option<Duration> {
        self.0.as_ref().filter(|histogram| !histogram.is_empty()).map(|own| Duration::from_nanos(own.max()))
    }

    /// The mean.
    pub fn mean(&self) -> Option<Duration> {
        let own = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(Duration::from_secs_f64((own.mean() / 1e9).max(0.0)))
    }

    /// The histogram itself, for what writes other formats.
    pub(crate) fn histogram(&self) -> Option<&Histogram<u64>> {
        self.0.as_ref()
    }

    /// The V2 format of HdrHistogram, deflated, in base64: what every implementation reads.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn encode(&self) -> Result<String, BadHistogram> {
        let made;
        let own = match &self.0 {
            Some(own) => own,
            None => {
                made = empty();
                &made
            }
        };
        let mut bytes = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        serializer.serialize(own, &mut bytes).map_err(|error| BadHistogram::Write(error.to_string()))?;
        Ok(STANDARD.encode(bytes))
    }

    /// Reads what `encode`, or another implementation, wrote.
    ///
    /// # Errors
    /// A text that is too long, or no histogram.
    pub fn decode(text: &str) -> Result<Self, BadHistogram> {
        if text.len() > MOST_TEXT {
            return Err(BadHistogram::TooLong(text.len()));
        }
        let bytes = STANDARD.decode(text)?;
        let read = Deserializer::new().deserialize::<u64, _>(&mut Cursor::new(bytes));
        let mut histogram: Histogram<u64> = read.map_err(|error| BadHistogram::Format(format!("{error:?}")))?;
        histogram.auto(true);
        Ok(Self((!histogram.is_empty()).then_some(histogram)))
    }
}

impl fmt::Debug for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |quantile| self.value_at(quantile).unwrap_or_default();
        write!(f, "Latencies({}: p50 {:?}, p99 {:?}, max {:?})", self.len(), shown(0.5), shown(0.99), shown(1.0))
    }
}

impl PartialEq for Latencies {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.steps().eq(other.steps())
    }
}

impl Serialize for Latencies {
    fn serialize<S: Writer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.is_empty() {
            true => serializer.serialize_str(""),
            false => serializer.serialize_str(&self.encode().map_err(serde::ser::Error::custom)?),
        }
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: Reader<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.is_empty() {
            true => Ok(Self::default()),
            false => Self::decode(&text).map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
#[path = "latencies_tests.rs"]
mod tests;
