//! The recent throughput of a model: a sliding histogram that costs two atomic additions per request.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Length of a part of the window.
const PART: Duration = Duration::from_secs(10);
/// Parts that are kept: the window is one less, and what has come of the current one.
const PARTS: usize = 7;
/// Steps of the histogram: a quarter of a doubling each, from 64 microseconds to about 70 seconds.
const STEPS: usize = 81;
const FIRST: f64 = 64e-6;

/// What was measured in the last minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThroughputSample {
    /// Requests that were answered.
    pub requests: u64,
    /// Requests a second.
    pub per_second: f64,
    /// 95 of 100 requests took no longer; exact to a fifth.
    pub p95: Duration,
}

struct ThroughputPart {
    /// Which part of time it counts, from 1; 0: none yet.
    number: AtomicU64,
    steps: [AtomicU32; STEPS],
}

/// Requests of the last minute.
pub struct Throughput {
    began: Instant,
    parts: [ThroughputPart; PARTS],
}

impl Throughput {
    /// Nothing measured.
    pub fn new() -> Self {
        let part = |_| ThroughputPart { number: AtomicU64::new(0), steps: [const { AtomicU32::new(0) }; STEPS] };
        Self { began: Instant::now(), parts: std::array::from_fn(part) }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_secs() / PART.as_secs() + 1
    }

    /// A request was answered.
    pub fn add(&self, took: Duration) {
        self.add_at(self.now(), took);
    }

    fn add_at(&self, now: u64, took: Duration) {
        let part = &self.parts[now as usize % PARTS];
        let known = part.number.load(Ordering::Acquire);
        // Whoever is first in a part empties it; a count that comes in between is lost, which a statistic may.
        if known < now && part.number.compare_exchange(known, now, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            for step in &part.steps {
                step.store(0, Ordering::Relaxed);
            }
        }
        let step = ((took.as_secs_f64() / FIRST).max(1.0).log2() * 4.0).ceil() as usize;
        part.steps[step.min(STEPS - 1)].fetch_add(1, Ordering::Relaxed);
    }

    /// What was measured in the last minute; nothing when nobody asked.
    pub fn measured(&self) -> Option<ThroughputSample> {
        self.measured_at(self.now(), self.began.elapsed())
    }

    fn measured_at(&self, now: u64, lived: Duration) -> Option<ThroughputSample> {
        let mut steps = [0_u64; STEPS];
        for part in &self.parts {
            let number = part.number.load(Ordering::Acquire);
            if number != 0 && number + PARTS as u64 > now {
                for (sum, step) in steps.iter_mut().zip(&part.steps) {
                    *sum += u64::from(step.load(Ordering::Relaxed));
                }
            }
        }
        let requests: u64 = steps.iter().sum();
        let wanted = (requests * 95).div_ceil(100);
        let mut below = 0;
        let step = steps.iter().position(|count| {
            below += count;
            requests > 0 && below >= wanted
        })?;
        let oldest = PART * u32::try_from(now.saturating_sub(PARTS as u64)).unwrap_or(u32::MAX);
        let window = lived.saturating_sub(oldest).as_secs_f64().max(1.0);
        let p95 = Duration::from_secs_f64(FIRST * (step as f64 / 4.0).exp2());
        Some(ThroughputSample { requests, per_second: requests as f64 / window, p95 })
    }
}

impl Default for Throughput {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Throughput;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn nothing_is_measured_while_nobody_asks() {
        assert_eq!(Throughput::new().measured(), None);
    }

    #[test]
    fn the_slow_requests_make_the_percentile() {
        let throughput = Throughput::new();
        for took in std::iter::repeat_n(MS, 94).chain(std::iter::repeat_n(100 * MS, 6)) {
            throughput.add_at(1, took);
        }
        let measured = throughput.measured_at(1, Duration::from_secs(5)).unwrap();
        assert_eq!((measured.requests, measured.per_second), (100, 20.0));
        assert!(measured.p95 >= 100 * MS && measured.p95 <= 120 * MS, "{measured:?}");
        throughput.add_at(2, MS);
        for _ in 0..30 {
            throughput.add_at(2, MS);
        }
        let p95 = throughput.measured_at(2, Duration::from_secs(15)).unwrap().p95;
        assert!(p95 >= MS && p95 <= Duration::from_micros(1200), "{p95:?}");
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let throughput = Throughput::new();
        throughput.add_at(1, 100 * MS);
        assert!(throughput.measured_at(7, Duration::from_secs(70)).is_some());
        assert!(throughput.measured_at(8, Duration::from_secs(80)).is_none());
        // The same place in the ring is used again.
        throughput.add_at(8, MS);
        assert_eq!(throughput.measured_at(8, Duration::from_secs(80)).unwrap().requests, 1);
    }
}
