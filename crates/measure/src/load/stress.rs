//! The breaking point: the load increases step by step until throughput stops growing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::recording::Recording;
use crate::statistics;

/// How much more throughput a step has to bring: less is none.
const WORTH: f64 = 0.03;

/// What one step of a growing load brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StressStep {
    /// How many connections it had.
    pub connections: u32,
    /// The rate that was asked for, in the open model.
    pub rate: Option<f64>,
    /// Answers per second.
    pub throughput: f64,
    /// The share of requests that failed.
    pub failed: f64,
    /// The percentile that is looked at, failures included; `None` when the sample is too small for one.
    pub latency_ms: Option<f64>,
    /// How many requests.
    pub requests: u64,
}

/// Why a step is the first one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breaking {
    /// More than 1 % of the requests failed.
    Failures,
    /// The percentile is above the limit.
    Latency,
    /// The server answers fewer than are due.
    Behind,
    /// More connections bring no more answers.
    Saturated,
}

impl StressStep {
    /// Of a recording.
    pub fn of(recording: &Recording, connections: u32, rate: Option<f64>, quantile: f64, confidence: f64) -> Self {
        let requests = recording.requests();
        let found = statistics::percentile(&recording.all(), quantile, confidence);
        Self {
            connections,
            rate,
            throughput: recording.throughput(),
            failed: if requests == 0 { 0.0 } else { recording.failed() as f64 / requests as f64 },
            latency_ms: found.ok().map(|found| crate::milliseconds::of(found.value)),
            requests,
        }
    }
}

/// The first step at which it breaks, and how; `None` when none does.
pub fn breaking_point(steps: &[StressStep], limit: Duration) -> Option<(usize, Breaking)> {
    let limit = crate::milliseconds::of(limit);
    let mut before: Option<&StressStep> = None;
    for (at, step) in steps.iter().enumerate() {
        let behind = step.rate.is_some_and(|rate| step.throughput < rate * (1.0 - WORTH));
        let more = before.is_some_and(|before| step.connections > before.connections && step.rate.is_none());
        let saturated = more && before.is_some_and(|before| step.throughput < before.throughput * (1.0 + WORTH));
        let broken = [
            (step.failed > 0.01, Breaking::Failures),
            (step.latency_ms.is_some_and(|latency| latency >= limit), Breaking::Latency),
            (behind, Breaking::Behind),
            (saturated, Breaking::Saturated),
        ];
        if let Some((_, how)) = broken.into_iter().find(|(broken, _)| *broken) {
            return Some((at, how));
        }
        before = Some(step);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(connections: u32, throughput: f64, latency: f64) -> StressStep {
        StressStep { connections, rate: None, throughput, failed: 0.0, latency_ms: Some(latency), requests: 1_000 }
    }

    #[test]
    fn it_breaks_where_more_connections_bring_nothing_or_too_slow_answers() {
        let steps = [step(1, 100.0, 10.0), step(5, 480.0, 11.0), step(10, 700.0, 15.0), step(15, 702.0, 22.0)];
        assert_eq!(breaking_point(&steps, Duration::from_secs(1)), Some((3, Breaking::Saturated)));
        assert_eq!(breaking_point(&steps, Duration::from_millis(15)), Some((2, Breaking::Latency)));
        assert_eq!(breaking_point(&steps[..3], Duration::from_secs(1)), None);
    }

    #[test]
    fn it_breaks_where_answers_fail_or_fall_behind_the_rate() {
        let failing = StressStep { failed: 0.02, ..step(10, 700.0, 15.0) };
        assert_eq!(breaking_point(&[failing], Duration::from_secs(1)), Some((0, Breaking::Failures)));
        let behind = StressStep { rate: Some(1_000.0), ..step(10, 700.0, 15.0) };
        assert_eq!(breaking_point(&[behind], Duration::from_secs(1)), Some((0, Breaking::Behind)));
        let unknown = StressStep { latency_ms: None, ..step(1, 3.0, 0.0) };
        assert_eq!(breaking_point(&[unknown], Duration::from_millis(1)), None);
    }
}
