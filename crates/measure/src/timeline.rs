//! What happened when: requests by the time at which they were due, for outages.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The width of a bin at the beginning.
const FINEST: u64 = 50;
/// The most bins. When they do not suffice, two become one.
const MOST: usize = 1200;

/// Requests that were due within one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Answered as expected.
    #[serde(default)]
    pub answered: u64,
    /// Failed.
    #[serde(default)]
    pub failed: u64,
    /// The slowest answer, in milliseconds.
    #[serde(default)]
    pub worst_ms: f64,
}

impl Bin {
    fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.worst_ms = self.worst_ms.max(other.worst_ms);
    }

    fn is_empty(&self) -> bool {
        self.answered + self.failed == 0
    }
}

/// Bins of equal width from the start of the measurement; constant memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// The width of each.
    pub bin_ms: u64,
    /// From the start on.
    pub bins: Vec<Bin>,
}

/// A time in which requests failed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outage {
    /// From the start of the measurement to the first request that failed, to the width of a bin.
    pub from_ms: u64,
    /// To the first bin with answers alone.
    pub to_ms: u64,
    /// How many failed.
    pub failed: u64,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { bin_ms: FINEST, bins: Vec::new() }
    }
}

impl Timeline {
    /// Counts a request that was due so long after the start. A latency of `None` is a failure.
    pub(crate) fn record(&mut self, due: Duration, latency: Option<Duration>) {
        let bin = self.bin_at(u64::try_from(due.as_millis()).unwrap_or(u64::MAX));
        match latency {
            Some(latency) => {
                bin.answered += 1;
                bin.worst_ms = bin.worst_ms.max(crate::milliseconds::of(latency));
            }
            None => bin.failed += 1,
        }
    }

    fn bin_at(&mut self, at_ms: u64) -> &mut Bin {
        while at_ms / self.bin_ms >= MOST as u64 {
            self.halve();
        }
        let index = (at_ms / self.bin_ms) as usize;
        if index >= self.bins.len() {
            self.bins.resize(index + 1, Bin::default());
        }
        &mut self.bins[index]
    }

    /// Two bins become one.
    fn halve(&mut self) {
        let pairs = self.bins.chunks(2).map(|pair| {
            let mut sum = pair[0];
            pair.iter().skip(1).for_each(|bin| sum.add(bin));
            sum
        });
        self.bins = pairs.collect();
        self.bin_ms = self.bin_ms.saturating_mul(2);
    }

    /// Adds another one that began so much later.
    pub(crate) fn merge(&mut self, other: &Self, later_ms: u64) {
        while self.bin_ms < other.bin_ms {
            self.halve();
        }
        for (index, bin) in other.bins.iter().enumerate().filter(|(_, bin)| !bin.is_empty()) {
            let at = (index as u64).saturating_mul(other.bin_ms).saturating_add(later_ms);
            self.bin_at(at).add(bin);
        }
    }

    /// Puts the start earlier.
    pub(crate) fn begin_earlier(&mut self, by_ms: u64) {
        if by_ms > 0 {
            let later = std::mem::replace(self, Self { bin_ms: self.bin_ms.max(1), bins: Vec::new() });
            self.merge(&later, by_ms);
        }
    }

    /// Answers per second, for each whole second (or bin, where bins are wider) of this length.
    pub(crate) fn per_second(&self, span: Duration) -> Vec<f64> {
        let bins = 1000_u64.div_ceil(self.bin_ms);
        let width = bins * self.bin_ms;
        let whole = u64::try_from(span.as_millis()).unwrap_or(u64::MAX) / width;
        let bin = |index: u64| self.bins.get(index as usize).map_or(0, |bin| bin.answered);
        let answers = (0..whole.min(MOST as u64)).map(|at| (at * bins..(at + 1) * bins).map(bin).sum::<u64>());
        answers.map(|answered| answered as f64 * 1000.0 / width as f64).collect()
    }

    /// The times in which more than this share of the requests failed. A bin without requests says nothing and ends none.
    pub fn outages(&self, share: f64) -> Vec<Outage> {
        let mut found: Vec<Outage> = Vec::new();
        let mut open = false;
        for (index, bin) in self.bins.iter().enumerate().filter(|(_, bin)| !bin.is_empty()) {
            let (from_ms, to_ms) = (index as u64 * self.bin_ms, (index as u64 + 1) * self.bin_ms);
            let out = bin.failed > 0 && bin.failed as f64 > share * (bin.answered + bin.failed) as f64;
            match (out, open, found.last_mut()) {
                (true, true, Some(last)) => {
                    last.to_ms = to_ms;
                    last.failed += bin.failed;
                }
                (true, _, _) => found.push(Outage { from_ms, to_ms, failed: bin.failed }),
                // It lasted until the first request that was answered.
                (false, true, Some(last)) => last.to_ms = from_ms,
                _ => {}
            }
            open = out;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn an_outage_is_from_the_first_failure_to_the_next_answer() {
        let mut line = Timeline::default();
        for due in (0..10_000).step_by(10) {
            let fails = (3_000..4_500).contains(&due) || due == 8_000;
            line.record(at(due), (!fails).then_some(at(5)));
        }
        let found = line.outages(0.5);
        assert_eq!(found, [Outage { from_ms: 3_000, to_ms: 4_500, failed: 150 }]);
        assert_eq!(line.outages(0.0).len(), 2, "one single failure is seen, too");
        assert_eq!(Timeline::default().outages(0.0), []);
    }

    #[test]
    fn requests_that_are_seldom_do_not_end_an_outage() {
        let mut line = Timeline::default();
        (0..30).for_each(|second| line.record(at(second * 1000), (!(10..20).contains(&second)).then_some(at(5))));
        assert_eq!(line.outages(0.5), [Outage { from_ms: 10_000, to_ms: 20_000, failed: 10 }]);
    }

    #[test]
    fn a_long_time_takes_no_more_memory_and_loses_nothing() {
        let mut line = Timeline::default();
        (0..86_400).for_each(|second| line.record(at(second * 1000), (second % 100 != 7).then_some(at(second % 50))));
        assert!(line.bins.len() <= MOST, "{}", line.bins.len());
        assert_eq!(line.bins.iter().map(|bin| bin.failed).sum::<u64>(), 864);
        assert_eq!(line.bins.iter().map(|bin| bin.answered).sum::<u64>(), 86_400 - 864);
    }

    #[test]
    fn rates_are_those_of_whole_seconds() {
        let mut line = Timeline::default();
        (0..2_500).for_each(|due| line.record(at(due), (due < 2_000).then_some(at(1))));
        assert_eq!(line.per_second(at(2_999)), [1_000.0, 1_000.0]);
        assert_eq!(line.per_second(at(3_000)), [1_000.0, 1_000.0, 0.0]);
        assert_eq!(line.per_second(at(900)), [0.0; 0]);
    }

    #[test]
    fn two_are_laid_over_one_another_by_the_clock() {
        let (mut one, mut other) = (Timeline::default(), Timeline::default());
        one.record(at(100), Some(at(3)));
        other.record(at(0), None);
        one.merge(&other, 1_000);
        one.begin_earlier(2_000);
        let filled = one.bins.iter().enumerate().filter(|(_, bin)| !bin.is_empty()).map(|(index, _)| index as u64 * 50);
        assert_eq!(filled.collect::<Vec<_>>(), [2_100, 3_000]);
    }
}
