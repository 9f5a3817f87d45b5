//! Change points of a series: lasting changes of its level, not single outliers.
//!
//! Candidates are found by the energy statistic (Matteson and James, E-divisive, arXiv 1306.4933) in windows that overlap, and are kept when
//! Student's test of what is before and after them says so, the weakest removed first (Fleming et al., "Hunter", ICPE 2023, which
//! Apache Otava carries on). No random numbers: the same series has the same changes.

use serde::{Deserialize, Serialize};

use crate::statistics::student_two_sided;

/// What counts as a change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How many runs are looked at together.
    pub window: usize,
    /// The probability of a change that is none, at each.
    pub p: f64,
    /// The least relative change.
    pub least: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { window: 50, p: 0.001, least: 0.0 }
    }
}

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangePoint {
    /// The first value after it, from 0.
    pub at: usize,
    /// The mean before, back to the change before this one.
    pub before: f64,
    /// The mean after, up to the next change.
    pub after: f64,
    /// The probability of such a difference if there were none.
    pub p: f64,
}

impl ChangePoint {
    /// The relative change: 0.12 is 12 % more.
    pub fn relative(&self) -> f64 {
        if self.before == 0.0 { 0.0 } else { self.after / self.before - 1.0 }
    }

    /// The larger of the relative change there and back.
    fn magnitude(&self) -> f64 {
        let back = if self.after == 0.0 { 0.0 } else { self.before / self.after - 1.0 };
        self.relative().abs().max(back.abs())
    }
}

/// The change points of a series, in order; none when a value of it is not finite.
pub fn find(series: &[f64], settings: &Settings) -> Vec<ChangePoint> {
    if series.iter().any(|value| !value.is_finite()) {
        return Vec::new();
    }
    let window = settings.window.max(4);
    let mut candidates = Vec::new();
    let mut start = 0;
    while start < series.len() {
        let end = (start + window).min(series.len());
        // Candidates may be ten times weaker than what is kept; the last step weighs them against all of their surroundings.
        divide(series, start, end, 10.0 * settings.p, &mut candidates);
        if end == series.len() {
            break;
        }
        start += window / 2;
    }
    candidates.sort_unstable();
    candidates.dedup();
    merged(series, candidates, settings)
}

/// Divides a part of the series as long as its best division is significant.
fn divide(series: &[f64], start: usize, end: usize, p: f64, found: &mut Vec<usize>) {
    let Some(at) = best(&series[start..end]).map(|at| start + at) else { return };
    if tested(&series[start..at], &series[at..end]).p < p {
        found.push(at);
        divide(series, start, at, p, found);
        divide(series, at, end, p, found);
    }
}

/// The division of a series with the largest energy distance between what is before it and some of what follows.
fn best(series: &[f64]) -> Option<usize> {
    let count = series.len();
    if count < 4 {
        return None;
    }
    let distance = |i: usize, j: usize| (series[i] - series[j]).abs();
    // Sums of all distances within the first n values.
    let mut first = vec![0.0; count + 1];
    for n in 1..=count {
        first[n] = first[n - 1] + (0..n - 1).map(|i| distance(i, n - 1)).sum::<f64>();
    }
    let (mut largest, mut at) = (0.0, None);
    for (split, &of_first) in first.iter().enumerate().take(count).skip(1) {
        let (mut within, mut between) = (0.0, 0.0);
        for end in split + 1..=count {
            let last = end - 1;
            within += (split..last).map(|i| distance(i, last)).sum::<f64>();
            between += (0..split).map(|i| distance(i, last)).sum::<f64>();
            let (n, m) = (split as f64, (end - split) as f64);
            let own =
                |sum: f64, of: f64, other: f64| if of > 1.0 { 2.0 * other / (n + m) / (of - 1.0) * sum } else { 0.0 };
            let energy = 2.0 / (n + m) * between - own(of_first, n, m) - own(within, m, n);
            if energy > largest {
                (largest, at) = (energy, Some(split));
            }
        }
    }
    at
}

/// Student's test of two parts.
fn tested(before: &[f64], after: &[f64]) -> ChangePoint {
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let (left, right) = (mean(before), mean(after));
    let squares = |of: &[f64], mean: f64| of.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    let freedom = (before.len() + after.len()) as f64 - 2.0;
    let p = if freedom < 1.0 {
        1.0
    } else {
        let spread = (squares(before, left) + squares(after, right)) / freedom;
        let error = (spread * (1.0 / before.len() as f64 + 1.0 / after.len() as f64)).sqrt();
        student_two_sided((right - left) / error, freedom)
    };
    ChangePoint { at: before.len(), before: left, after: right, p }
}

/// Removes the weakest candidate until all that are left are significant and large enough.
fn merged(series: &[f64], mut candidates: Vec<usize>, settings: &Settings) -> Vec<ChangePoint> {
    loop {
        let changes: Vec<ChangePoint> = (0..candidates.len())
            .map(|place| {
                let from = if place == 0 { 0 } else { candidates[place - 1] };
                let (at, to) = (candidates[place], candidates.get(place + 1).copied().unwrap_or(series.len()));
                ChangePoint { at, ..tested(&series[from..at], &series[at..to]) }
            })
            .collect();
        let places = || changes.iter().enumerate();
        let unlikely = places().max_by(|one, other| one.1.p.total_cmp(&other.1.p));
        let smallest = places().min_by(|one, other| one.1.magnitude().total_cmp(&other.1.magnitude()));
        let weakest = match (unlikely, smallest) {
            (Some((place, change)), _) if change.p >= settings.p => place,
            (_, Some((place, change))) if change.magnitude() < settings.least => place,
            _ => return changes,
        };
        candidates.remove(weakest);
    }
}

#[cfg(test)]
#[path = "change_point_tests.rs"]
mod tests;
