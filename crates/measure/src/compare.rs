//! Two runs against one another: by their percentiles, and as a whole.
//!
//! Percentiles: the interval of their ratio, of resamples of both (the distribution of a resample's percentile is known without drawing).
//! As a whole: the test of Mann and Whitney. Answers per second: Welch's test of the whole seconds. Requests that are slow together say less
//! than independent ones: the samples count as many times fewer as the spread over time shows (`statistics::design_effect`).
//!
//! What is told apart here are two samples. Runs differ by more than their requests (another minute, another neighbour on the machine): a
//! difference that matters shows in several runs, which is what the history is for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::beta;
use crate::latencies::{BadHistogram, Latencies};
use crate::recording::Recording;
use crate::statistics::{self, normal_two_sided, samples_needed, student_two_sided};

/// The percentiles that are compared.
pub(crate) const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];
/// How many values of each percentile's distribution are laid against those of the other.
const DRAWS: usize = 200;

/// What can be said of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeVerdict {
    /// It got faster.
    Faster,
    /// It got slower.
    Slower,
    /// No difference is shown.
    None,
    /// One of the samples is too small for this percentile.
    TooFew,
}

/// One percentile of both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// 0.95 is the 95th.
    pub quantile: f64,
    /// Before, in the sample.
    #[serde(with = "crate::milliseconds")]
    pub before: Duration,
    /// After, in the sample.
    #[serde(with = "crate::milliseconds")]
    pub after: Duration,
    /// After, in units of before: 1.12 is 12 % slower.
    pub ratio: f64,
    /// The lower end of the interval of the ratio.
    pub low: f64,
    /// The upper end of the interval of the ratio.
    pub high: f64,
    /// What can be said.
    pub change: ChangeVerdict,
}

/// The test of Mann and Whitney, ties included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MannWhitney {
    /// The probability that a request after is slower than one before; ties count half.
    pub slower: f64,
    /// In units of its standard deviation if both were the same.
    pub z: f64,
    /// The probability of such a difference if both were the same.
    pub p: f64,
}

/// Answers per second of both, by Welch's test of their whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// The mean before.
    pub before: f64,
    /// The mean after.
    pub after: f64,
    /// The probability of such a difference if both were the same.
    pub p: f64,
}

/// Two runs against one another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunComparison {
    /// By percentile.
    pub quantiles: Vec<Difference>,
    /// As a whole; `None` when one of them is empty.
    pub whole: Option<MannWhitney>,
    /// How many requests before and after.
    pub samples: (u64, u64),
    /// How many times fewer independent requests would say as much, before and after.
    pub effects: (f64, f64),
    /// Answers per second; `None` where one lasted less than two seconds.
    pub rates: Option<Rates>,
    /// How sure the intervals are.
    pub confidence: f64,
}

/// Compares the latencies of two runs as if each request were independent of the others.
pub fn runs(before: &Latencies, after: &Latencies, confidence: f64) -> RunComparison {
    widened(Sample { of: before, effect: 1.0 }, Sample { of: after, effect: 1.0 }, confidence)
}

/// Compares two recordings, failures included at no less than the time-out.
///
/// # Errors
/// An interval whose histogram cannot be decoded.
pub fn recordings(before: &Recording, after: &Recording, confidence: f64) -> Result<RunComparison, BadHistogram> {
    let (old, new) = (before.all(), after.all());
    let effect = |of: &Recording, all: &Latencies| match all.value_at(0.5) {
        Some(median) => of.intervals.below(median).map(|over_time| statistics::design_effect(&over_time)),
        None => Ok(1.0),
    };
    let (first, second) = (effect(before, &old)?, effect(after, &new)?);
    let found = widened(Sample { of: &old, effect: first }, Sample { of: &new, effect: second }, confidence);
    let seconds = |of: &Recording| of.timeline.per_second(of.span);
    Ok(RunComparison { rates: welch(&seconds(before), &seconds(after)), ..found })
}

/// A sample, and how many times fewer independent values say as much.
#[derive(Clone, Copy)]
struct Sample<'a> {
    of: &'a Latencies,
    effect: f64,
}

impl Sample<'_> {
    fn independent(self) -> f64 {
        (self.of.len() as f64 / self.effect.max(1.0)).max(1.0)
    }
}

fn widened(before: Sample<'_>, after: Sample<'_>, confidence: f64) -> RunComparison {
    let of = |quantile| difference(before, after, quantile, confidence);
    let inflated = {
        let (n, m) = (before.of.len().max(1) as f64, after.of.len().max(1) as f64);
        (1.0 / before.independent() + 1.0 / after.independent()) / (1.0 / n + 1.0 / m)
    };
    let whole = mann_whitney(before.of, after.of).map(|whole| {
        let z = whole.z / inflated.max(1.0).sqrt();
        MannWhitney { z, p: normal_two_sided(z), ..whole }
    });
    RunComparison {
        quantiles: QUANTILES.into_iter().filter_map(of).collect(),
        whole,
        samples: (before.of.len(), after.of.len()),
        effects: (before.effect, after.effect),
        rates: None,
        confidence,
    }
}

/// Welch's test: two means whose spreads may differ. `None` of fewer than two values on one side.
fn welch(before: &[f64], after: &[f64]) -> Option<Rates> {
    if before.len() < 2 || after.len() < 2 {
        return None;
    }
    let of = |values: &[f64]| {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let spread = values.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, spread / count, count - 1.0)
    };
    let ((old, first, freedom), (new, second, other)) = (of(before), of(after));
    let error = first + second;
    let p = if error > 0.0 {
        let joined = error.powi(2) / (first.powi(2) / freedom + second.powi(2) / other);
        student_two_sided((new - old) / error.sqrt(), joined)
    } else {
        // Without any spread the means are the same, or surely are not.
        f64::from(u8::from(old.total_cmp(&new).is_eq()))
    };
    Some(Rates { before: old, after: new, p })
}

/// Values of a percentile as resamples would have it: a resample's percentile is a value of the sample whose rank has a Beta
/// distribution, so its distribution is known without drawing.
fn resampled(sample: Sample<'_>, quantile: f64) -> Vec<f64> {
    let (all, count) = (sample.of.len() as f64, sample.independent());
    let rank = (quantile * count).ceil().min(count).max(1.0);
    let place = |draw: usize| beta::quantile(rank, count - rank + 1.0, (draw as f64 + 0.5) / DRAWS as f64);
    let ranks = (0..DRAWS).map(|draw| (place(draw) * all).ceil().clamp(1.0, all) as u64);
    // Ranks grow, so one walk over the steps finds all of them.
    let mut steps = sample.of.steps();
    let (mut seen, mut value) = (0, Duration::ZERO);
    ranks
        .map(|rank| {
            while seen < rank {
                let Some((at, times)) = steps.next() else { break };
                (seen, value) = (seen + times, at);
            }
            value.as_secs_f64()
        })
        .collect()
}

fn difference(before: Sample<'_>, after: Sample<'_>, quantile: f64, confidence: f64) -> Option<Difference> {
    let (first, second) = (before.of.value_at(quantile)?, after.of.value_at(quantile)?);
    let ratio = second.as_secs_f64() / first.as_secs_f64().max(1e-9);
    let needed = samples_needed(quantile, confidence);
    let bare = Difference {
        quantile,
        before: first,
        after: second,
        ratio,
        low: 0.0,
        high: f64::MAX,
        change: ChangeVerdict::TooFew,
    };
    if before.independent().min(after.independent()) < needed as f64 {
        return Some(bare);
    }
    let (olds, news) = (resampled(before, quantile), resampled(after, quantile));
    let mut ratios: Vec<f64> = olds.iter().flat_map(|old| news.iter().map(move |new| new / old.max(1e-9))).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| ratios[((ratios.len() - 1) as f64 * share).round() as usize];
    let tail = (1.0 - confidence) / 2.0;
    let (low, high) = (at(tail), at(1.0 - tail));
    let change = match () {
        () if low > 1.0 => ChangeVerdict::Slower,
        () if high < 1.0 => ChangeVerdict::Faster,
        () => ChangeVerdict::None,
    };
    Some(Difference { low, high, change, ..bare })
}

fn mann_whitney(before: &Latencies, after: &Latencies) -> Option<MannWhitney> {
    let (n, m) = (before.len() as f64, after.len() as f64);
    if before.is_empty() || after.is_empty() {
        return None;
    }
    let (mut olds, mut news) = (before.steps().peekable(), after.steps().peekable());
    let (mut below, mut wins, mut ties) = (0.0, 0.0, 0.0);
    loop {
        let value = match (olds.peek(), news.peek()) {
            (Some((old, _)), Some((new, _))) => *old.min(new),
            (Some((one, _)), None) | (None, Some((one, _))) => *one,
            (None, None) => break,
        };
        let old = olds.next_if(|(at, _)| *at == value).map_or(0.0, |(_, count)| count as f64);
        let new = news.next_if(|(at, _)| *at == value).map_or(0.0, |(_, count)| count as f64);
        wins += new * (below + old / 2.0);
        below += old;
        ties += (old + new).powi(3) - (old + new);
    }
    let all = n + m;
    let spread = n * m / 12.0 * ((all + 1.0) - ties / (all * (all - 1.0)).max(1.0));
    let z = if spread > 0.0 { (wins - n * m / 2.0) / spread.sqrt() } else { 0.0 };
    Some(MannWhitney { slower: wins / (n * m), z, p: normal_two_sided(z) })
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
