//! Statistics of a sample: intervals of percentiles, shares and means.
//!
//! A percentile of a sample is one of its values, and a population's percentile lies between two of them with a probability that
//! the binomial distribution tells (order statistics; no assumption about the shape of the latencies). Where the upper one of the two
//! would lie beyond the largest value, nothing is known about how slow it can be, and the percentile is refused.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::beta;
use crate::latencies::Latencies;

/// A percentile with the interval that it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Percentile {
    /// 0.95 is the 95th.
    pub quantile: f64,
    /// That of the sample.
    #[serde(with = "crate::milliseconds")]
    pub value: Duration,
    /// The lower end of the interval.
    #[serde(with = "crate::milliseconds")]
    pub low: Duration,
    /// The upper end of the interval.
    #[serde(with = "crate::milliseconds")]
    pub high: Duration,
    /// How many values there are.
    pub samples: u64,
    /// The probability that such an interval contains the percentile.
    pub confidence: f64,
}

/// The ends that are known of a percentile's interval; `None` where the sample is too small for one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The percentile is hardly below this.
    pub low: Option<Duration>,
    /// The percentile is hardly above this.
    pub high: Option<Duration>,
}

/// A sample that says nothing about this percentile.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{}", self.said())]
pub struct TooFew {
    /// 0.99 is the 99th.
    pub quantile: f64,
    /// How many values there are.
    pub samples: u64,
    /// How many are needed.
    pub needed: u64,
}

impl TooFew {
    fn said(&self) -> String {
        let name = percentile_name(self.quantile);
        match self.samples {
            0 => format!("no request was measured, so {name} is unknown; at least {} are needed", self.needed),
            samples => format!("{name} of {samples} requests has no bound; at least {} are needed", self.needed),
        }
    }
}

/// `p95`, `p99.9`.
pub fn percentile_name(quantile: f64) -> String {
    // 0.999 * 100 is 99.9 only after it was rounded.
    format!("p{}", (quantile * 1e7).round() / 1e5)
}

/// P(X <= hits) for `total` tries of probability `p`.
fn binomial_at_most(hits: u64, total: u64, p: f64) -> f64 {
    if hits >= total {
        return 1.0;
    }
    if p <= 0.0 || p >= 1.0 {
        return if p <= 0.0 { 1.0 } else { 0.0 };
    }
    beta::regularized((total - hits) as f64, hits as f64 + 1.0, 1.0 - p)
}

/// The first number of `from..to` for which it holds; it holds for all after the first.
fn first(mut from: u64, mut to: u64, holds: impl Fn(u64) -> bool) -> u64 {
    while from < to {
        let middle = from + (to - from) / 2;
        if holds(middle) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    from
}

/// The ranks, from 1, between which the percentile lies: 0 and `samples + 1` stand for "no bound".
fn ranks(samples: u64, quantile: f64, confidence: f64) -> (u64, u64) {
    let tail = (1.0 - confidence) / 2.0;
    // The value of rank r is above the percentile when fewer than r values are at most it: P(X <= r - 1).
    let low = first(0, samples, |rank| binomial_at_most(rank, samples, quantile) > tail);
    let high = 1 + first(0, samples, |rank| 1.0 - binomial_at_most(rank, samples, quantile) <= tail);
    (low, high)
}

/// How many values a percentile needs before both ends of its interval are within the sample.
pub fn samples_needed(quantile: f64, confidence: f64) -> u64 {
    let tail = ((1.0 - confidence) / 2.0).ln();
    let of = |share: f64| (tail / share.ln()).ceil() as u64;
    of(quantile).max(of(1.0 - quantile)).max(1)
}

/// The ends that this sample gives.
pub fn bounds(of: &Latencies, quantile: f64, confidence: f64) -> Bounds {
    bounds_widened(of, quantile, confidence, 1.0)
}

/// The ends that this sample gives when it says no more than so many times fewer independent values would.
pub fn bounds_widened(of: &Latencies, quantile: f64, confidence: f64, effect: f64) -> Bounds {
    let samples = of.len();
    if samples == 0 {
        return Bounds { low: None, high: None };
    }
    let independent = ((samples as f64 / effect.max(1.0)).floor() as u64).max(1);
    let (low, high) = ranks(independent, quantile, confidence);
    let scale = samples as f64 / independent as f64;
    let (first, last) = ((low as f64 * scale).floor() as u64, (high as f64 * scale).ceil() as u64);
    Bounds {
        low: if low == 0 { None } else { of.value_at_rank(first.max(1)) },
        high: if high > independent { None } else { of.value_at_rank(last.min(samples)) },
    }
}

/// The fewest intervals of time that say how much they differ.
const ENOUGH_INTERVALS: usize = 10;

/// How many times fewer independent requests would say as much: the spread of the shares of intervals of time, in units of what it is
/// when requests are independent. 1 when it is no larger than chance makes it, or when there are too few intervals.
///
/// The shares are given as how many requests an interval had, and how many of them were hits.
pub fn design_effect(over_time: &[(u64, u64)]) -> f64 {
    let (total, hits) = over_time.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let used: Vec<_> = over_time.iter().filter(|(total, _)| *total > 0).collect();
    if used.len() < ENOUGH_INTERVALS || hits == 0 || hits == total {
        return 1.0;
    }
    let share = hits as f64 / total as f64;
    let of = |(total, hits): &(u64, u64)| {
        let (total, hits) = (*total as f64, *hits as f64);
        (hits - total * share).powi(2) / (total * share * (1.0 - share))
    };
    let freedom = used.len() as f64 - 1.0;
    let found = used.into_iter().map(of).sum::<f64>() / freedom;
    // Two standard deviations of what chance makes of it.
    if found > 1.0 + 2.0 * (2.0 / freedom).sqrt() { found } else { 1.0 }
}

/// A percentile with its interval.
///
/// # Errors
/// When the sample is too small to bound it: the 99th percentile of 71 values is their maximum and no 99th percentile.
pub fn percentile(of: &Latencies, quantile: f64, confidence: f64) -> Result<Percentile, TooFew> {
    let samples = of.len();
    match (of.value_at(quantile), bounds(of, quantile, confidence)) {
        (Some(value), Bounds { low: Some(low), high: Some(high) }) => {
            Ok(Percentile { quantile, value, low, high, samples, confidence })
        }
        _ => Err(TooFew { quantile, samples, needed: samples_needed(quantile, confidence) }),
    }
}

/// A share with the interval that it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// That of the sample.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
    /// How many were counted.
    pub samples: u64,
}

/// The share of hits with its exact interval (Clopper and Pearson). `None` when nothing was counted.
pub fn share(hits: u64, total: u64, confidence: f64) -> Option<Share> {
    if total == 0 || hits > total {
        return None;
    }
    let (missed, tail) = (total - hits, (1.0 - confidence) / 2.0);
    let low = if hits == 0 { 0.0 } else { beta::quantile(hits as f64, missed as f64 + 1.0, tail) };
    let high = if missed == 0 { 1.0 } else { beta::quantile(hits as f64 + 1.0, missed as f64, 1.0 - tail) };
    Some(Share { value: hits as f64 / total as f64, low, high, samples: total })
}

/// A mean with the interval that it lies in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// That of the sample.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

/// The mean of a few values, by Student's distribution. `None` of fewer than two.
pub fn mean(values: &[f64], confidence: f64) -> Option<Mean> {
    let count = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    let value = values.iter().sum::<f64>() / count;
    let spread = values.iter().map(|one| (one - value).powi(2)).sum::<f64>() / (count - 1.0);
    let half = student_quantile(f64::midpoint(1.0, confidence), count - 1.0) * (spread / count).sqrt();
    Some(Mean { value, low: value - half, high: value + half })
}

/// The probability that the amount of a value of Student's distribution is at least this.
pub(crate) fn student_two_sided(t: f64, freedom: f64) -> f64 {
    if !t.is_finite() {
        return if t.is_nan() { 1.0 } else { 0.0 };
    }
    beta::regularized(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

fn student_quantile(probability: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if 1.0 - student_two_sided(middle, freedom) / 2.0 < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The probability that the amount of a standard normal value is at least this.
pub(crate) fn normal_two_sided(z: f64) -> f64 {
    libm::erfc(z.abs() / std::f64::consts::SQRT_2)
}

#[cfg(test)]
#[path = "statistics_tests.rs"]
mod tests;
