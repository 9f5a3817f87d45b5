//! Verdicts: pass, fail, or inconclusive, each with its sample, window and interval.
//!
//! A figure passes when its whole interval is on the right side of the threshold, fails when all of it is on the wrong side, and is
//! inconclusive otherwise: a threshold within the interval is decided by more requests, not by the luck of these. No traffic and
//! a metric that is missing are inconclusive, never pass and never fail.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::lateness;
use crate::milliseconds;
use crate::recording::Recording;
use crate::statistics::{self, percentile_name};

/// How sure an interval is when nobody says otherwise.
pub const CONFIDENCE: f64 = 0.95;

/// What can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// Neither can be said.
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// On which side of the threshold a figure has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compare {
    /// Below it.
    #[serde(rename = "<")]
    Less,
    /// Below it, or on it.
    #[serde(rename = "<=")]
    AtMost,
    /// Above it.
    #[serde(rename = ">")]
    More,
    /// Above it, or on it.
    #[serde(rename = ">=")]
    AtLeast,
}

impl Compare {
    /// Whether a figure is on the right side.
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Less => value < threshold,
            Self::AtMost => value <= threshold,
            Self::More => value > threshold,
            Self::AtLeast => value >= threshold,
        }
    }

    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Whether small figures are the good ones.
    fn wants_little(self) -> bool {
        matches!(self, Self::Less | Self::AtMost)
    }
}

/// What a figure is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// A share, from 0 to 1.
    Share,
    /// Per second.
    PerSecond,
    /// A number of things.
    Count,
    /// Money.
    Usd,
    /// Bytes.
    Bytes,
}

/// When it was measured, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The beginning.
    pub from_ms: i64,
    /// The end.
    pub to_ms: i64,
}

/// A figure, what was wanted of it, and what can be said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredFinding {
    /// What it is about.
    pub name: String,
    /// What can be said.
    pub verdict: Verdict,
    /// The figure; `None` where nothing was measured.
    pub value: Option<f64>,
    /// The lower end of its interval; `None` where there is no bound.
    pub low: Option<f64>,
    /// The upper end of its interval; `None` where there is no bound.
    pub high: Option<f64>,
    /// What it is in.
    pub unit: Unit,
    /// On which side of the threshold it has to be.
    pub compare: Compare,
    /// The threshold.
    pub threshold: f64,
    /// How many requests, probes or values there were.
    pub samples: u64,
    /// When it was.
    pub window: Option<Window>,
    /// The probability that such an interval contains the figure; `None` where each value counts by itself.
    pub confidence: Option<f64>,
    /// Why the verdict is what it is.
    pub why: String,
    /// What else has to be known, like a floor that physics sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What is wanted of a figure.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What it is about.
    pub name: String,
    /// What it is in.
    pub unit: Unit,
    /// On which side of the threshold it has to be.
    pub compare: Compare,
    /// The threshold.
    pub threshold: f64,
}

impl Wanted {
    /// A wish.
    pub fn new(name: impl Into<String>, unit: Unit, compare: Compare, threshold: f64) -> Self {
        Self { name: name.into(), unit, compare, threshold }
    }

    fn found(&self, verdict: Verdict, why: impl Into<String>) -> MeasuredFinding {
        MeasuredFinding {
            name: self.name.clone(),
            verdict,
            value: None,
            low: None,
            high: None,
            unit: self.unit,
            compare: self.compare,
            threshold: self.threshold,
            samples: 0,
            window: None,
            confidence: None,
            why: why.into(),
            notes: Vec::new(),
        }
    }

    /// The verdict of an interval whose ends may be unknown.
    fn of_interval(&self, low: Option<f64>, high: Option<f64>) -> (Verdict, &'static str) {
        let (best, worst) = if self.compare.wants_little() { (low, high) } else { (high, low) };
        let holds = |value: f64| self.compare.holds(value, self.threshold);
        match (best, worst) {
            (_, Some(worst)) if holds(worst) => (Verdict::Pass, "the whole interval is on the right side"),
            (Some(best), _) if !holds(best) => (Verdict::Fail, "the whole interval is on the wrong side"),
            (_, None) => (Verdict::Inconclusive, "the sample is too small to bound it"),
            _ => (Verdict::Inconclusive, "the threshold is within the interval; more requests would decide"),
        }
    }
}

impl MeasuredFinding {
    /// Adds something that has to be known.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says when it was.
    #[must_use]
    pub fn within(mut self, window: Window) -> Self {
        self.window = Some(window);
        self
    }
}

impl Window {
    /// That of a recording.
    pub fn of(recording: &Recording) -> Self {
        let (from_ms, to_ms) = recording.window();
        Self { from_ms, to_ms }
    }
}

/// A percentile of all requests of a recording, failures included, against a limit.
///
/// Requests that come in bursts of slow ones say less than as many independent ones would. How much less is seen in the shares of
/// the intervals (`statistics::design_effect`), and the interval is widened by it.
///
/// A limit that is missed only if the requests count which this machine itself sent late is inconclusive: the server may have been in time.
pub fn latency(
    wanted: &str,
    of: &Recording,
    quantile: f64,
    compare: Compare,
    limit: Duration,
    confidence: f64,
) -> MeasuredFinding {
    let wish = Wanted::new(wanted, Unit::Milliseconds, compare, milliseconds::of(limit));
    let all = of.all();
    if all.is_empty() {
        return wish.found(Verdict::Inconclusive, "no request was measured");
    }
    let (effect, unread) = match of.intervals.below(limit) {
        Ok(over_time) => (statistics::design_effect(&over_time), None),
        Err(bad) => (1.0, Some(format!("whether slow requests came together is not known: {bad}"))),
    };
    let bounds = statistics::bounds_widened(&all, quantile, confidence, effect);
    let (low, high) = (bounds.low.map(milliseconds::of), bounds.high.map(milliseconds::of));
    let (verdict, mut why) = match wish.of_interval(low, high) {
        (verdict, why) if high.is_some() || verdict != Verdict::Inconclusive => (verdict, why.to_owned()),
        (verdict, _) => {
            let needed = statistics::samples_needed(quantile, confidence);
            let name = percentile_name(quantile);
            (verdict, format!("{name} of {} requests has no bound; at least {needed} are needed", all.len()))
        }
    };
    let (mut verdict, failed) = (verdict, of.failed());
    if verdict == Verdict::Fail
        && compare.wants_little()
        && let Some(late) = lateness::excuse(of, &all, quantile, confidence, effect)
        && late.low.is_none_or(|low| wish.compare.holds(milliseconds::of(low), wish.threshold))
    {
        verdict = Verdict::Inconclusive;
        why = format!(
            "this machine sent requests up to {:.1} ms late, which alone may be why; measure again from a machine with less load",
            milliseconds::of(late.most)
        );
    }
    if failed > 0 {
        why = format!("{why}; {failed} failed and count as slow as the time-out");
    }
    // A percentile that the sample does not bound is not a figure to show: it would be the slowest request.
    let value = all.value_at(quantile).filter(|_| high.is_some()).map(milliseconds::of);
    let mut found = MeasuredFinding { value, low, high, samples: all.len(), ..wish.found(verdict, why) };
    found.confidence = Some(confidence);
    found.notes.extend(unread);
    if effect > 1.5 {
        found.notes.push(format!(
            "slow requests came together: the interval is that of {:.0} independent ones",
            all.len() as f64 / effect
        ));
    }
    found.within(Window::of(of))
}

/// A share (hits, answers without failure, traffic of a region) against a threshold.
pub fn share(name: &str, hits: u64, total: u64, compare: Compare, wanted: f64, confidence: f64) -> MeasuredFinding {
    let wish = Wanted::new(name, Unit::Share, compare, wanted);
    let Some(found) = statistics::share(hits, total, confidence) else {
        return wish.found(Verdict::Inconclusive, "nothing was counted");
    };
    let (verdict, why) = wish.of_interval(Some(found.low), Some(found.high));
    MeasuredFinding {
        value: Some(found.value),
        low: Some(found.low),
        high: Some(found.high),
        samples: total,
        confidence: Some(confidence),
        ..wish.found(verdict, why)
    }
}

/// Answers per second against a threshold. The interval is that of the intervals of the recording among one another.
pub fn rate(name: &str, of: &Recording, compare: Compare, per_second: f64, confidence: f64) -> MeasuredFinding {
    let wish = Wanted::new(name, Unit::PerSecond, compare, per_second);
    if of.requests() == 0 {
        return wish.found(Verdict::Inconclusive, "no request was measured");
    }
    // The answers of each whole second; the last one is cut off by the end.
    let seconds = of.timeline.per_second(of.span);
    let found = MeasuredFinding {
        value: Some(of.throughput()),
        samples: of.answers(),
        ..wish.found(Verdict::Inconclusive, "")
    };
    let found = found.within(Window::of(of));
    let Some(mean) = statistics::mean(&seconds, confidence) else {
        return MeasuredFinding { why: "it was measured for less than two seconds".to_owned(), ..found };
    };
    let (verdict, why) = wish.of_interval(Some(mean.low), Some(mean.high));
    let (low, high, confidence) = (Some(mean.low.max(0.0)), Some(mean.high), Some(confidence));
    MeasuredFinding { verdict, why: why.to_owned(), low, high, confidence, ..found }
}

/// A few values of which each has to be on the right side: fail-overs, test objects that were replicated.
pub fn each(wish: &Wanted, values: &[f64], at_least: usize) -> MeasuredFinding {
    let fold = |pick: fn(f64, f64) -> f64| values.iter().copied().reduce(pick);
    let (low, high) = (fold(f64::min), fold(f64::max));
    let value = if wish.compare.wants_little() { high } else { low };
    let wrong = values.iter().filter(|value| !wish.compare.holds(**value, wish.threshold)).count();
    let (verdict, why) = match (wrong, values.len()) {
        (_, 0) => (Verdict::Inconclusive, "nothing was measured".to_owned()),
        (0, count) if count < at_least => {
            (Verdict::Inconclusive, format!("only {count} of at least {at_least} were measured"))
        }
        (0, count) => (Verdict::Pass, format!("each of {count} is on the right side")),
        (wrong, count) => (Verdict::Fail, format!("{wrong} of {count} are on the wrong side")),
    };
    MeasuredFinding { value, low, high, samples: values.len() as u64, ..wish.found(verdict, why) }
}

/// A figure that is known exactly, like a count of things.
pub fn known(wish: &Wanted, value: f64) -> MeasuredFinding {
    let (verdict, why) = match wish.compare.holds(value, wish.threshold) {
        true => (Verdict::Pass, "it is on the right side"),
        false => (Verdict::Fail, "it is on the wrong side"),
    };
    let value = Some(value);
    MeasuredFinding { value, low: value, high: value, samples: 1, ..wish.found(verdict, why) }
}

/// A figure that there is none of: no traffic, no metric, a step that did not run.
pub fn unmeasured(wish: &Wanted, why: impl Into<String>) -> MeasuredFinding {
    wish.found(Verdict::Inconclusive, why)
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
