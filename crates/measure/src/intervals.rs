//! One histogram for each second or more, by the time of completion: what an interval log is made of.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::latencies::{BadHistogram, Latencies};

/// The most intervals that are kept. What comes later goes into the last one.
pub(crate) const MOST: u32 = 600;

/// The requests that were over within one interval; their histogram is kept as text, since a day has many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The how many-th it is, from the start on.
    pub index: u32,
    /// How many requests.
    pub requests: u64,
    /// The V2 format of HdrHistogram, deflated, in base64.
    pub histogram: String,
}

/// Histograms of equal width from the start of the measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// The width of each.
    pub width_ms: u64,
    /// Those with requests, in order.
    pub each: Vec<Interval>,
}

impl Default for Intervals {
    fn default() -> Self {
        Self { width_ms: 1000, each: Vec::new() }
    }
}

impl Intervals {
    /// For a measurement of this length: a second each, or more.
    pub(crate) fn over(length: Duration) -> Self {
        let width = length.as_secs_f64() / f64::from(MOST);
        Self { width_ms: 1000 * width.ceil().clamp(1.0, 1e6) as u64, each: Vec::new() }
    }

    /// The interval of something that was over so long after the start.
    pub(crate) fn index(&self, after: Duration) -> u32 {
        let index = after.as_millis() / u128::from(self.width_ms.max(1));
        u32::try_from(index).unwrap_or(MOST).min(MOST - 1)
    }

    /// Takes a histogram in. What an interval has already is added to.
    ///
    /// # Errors
    /// A text that is not a histogram.
    pub(crate) fn add(&mut self, index: u32, latencies: &Latencies) -> Result<(), BadHistogram> {
        if latencies.is_empty() {
            return Ok(());
        }
        match self.each.binary_search_by_key(&index, |interval| interval.index) {
            Ok(at) => {
                let mut sum = Latencies::decode(&self.each[at].histogram)?;
                sum.merge(latencies);
                self.each[at] = Interval { index, requests: sum.len(), histogram: sum.encode()? };
            }
            Err(at) => {
                let interval = Interval { index, requests: latencies.len(), histogram: latencies.encode()? };
                self.each.insert(at, interval);
            }
        }
        Ok(())
    }

    /// Adds another one that began so much later. The wider of the two widths is kept.
    ///
    /// # Errors
    /// A text that is not a histogram.
    pub(crate) fn merge(&mut self, other: &Self, later_ms: u64) -> Result<(), BadHistogram> {
        if self.width_ms < other.width_ms {
            let narrow = std::mem::replace(self, Self { width_ms: other.width_ms, each: Vec::new() });
            self.merge(&narrow, 0)?;
        }
        for interval in &other.each {
            let at = u64::from(interval.index).saturating_mul(other.width_ms).saturating_add(later_ms);
            let index = self.index(Duration::from_millis(at));
            match self.each.binary_search_by_key(&index, |interval| interval.index) {
                // Nothing is there: the text is taken as it is.
                Err(place) => self.each.insert(place, Interval { index, ..interval.clone() }),
                Ok(_) => self.add(index, &Latencies::decode(&interval.histogram)?)?,
            }
        }
        Ok(())
    }

    /// Puts the start earlier.
    ///
    /// # Errors
    /// A text that is not a histogram.
    pub(crate) fn begin_earlier(&mut self, by_ms: u64) -> Result<(), BadHistogram> {
        if by_ms > 0 {
            let later = std::mem::replace(self, Self { width_ms: self.width_ms, each: Vec::new() });
            self.merge(&later, by_ms)?;
        }
        Ok(())
    }

    /// How many requests of each interval there were and how many of them surely took less than this.
    ///
    /// # Errors
    /// A text that is not a histogram.
    pub fn below(&self, limit: Duration) -> Result<Vec<(u64, u64)>, BadHistogram> {
        let of = |interval: &Interval| {
            Latencies::decode(&interval.histogram).map(|latencies| (latencies.len(), latencies.count_below(limit)))
        };
        self.each.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(milliseconds: &[u64]) -> Latencies {
        let mut all = Latencies::default();
        milliseconds.iter().for_each(|one| all.record(Duration::from_millis(*one)));
        all
    }

    #[test]
    fn the_width_follows_the_length_of_the_measurement() {
        assert_eq!(Intervals::over(Duration::from_secs(60)).width_ms, 1_000);
        assert_eq!(Intervals::over(Duration::from_secs(3_600)).width_ms, 6_000);
        assert_eq!(Intervals::over(Duration::from_secs(10)).index(Duration::from_secs(100_000)), MOST - 1);
    }

    #[test]
    fn merged_they_have_what_both_had_at_their_times() {
        let (mut one, mut other) = (Intervals::default(), Intervals::over(Duration::from_secs(1_200)));
        one.add(0, &of(&[1, 2])).unwrap();
        one.add(1, &of(&[3])).unwrap();
        one.add(5, &of(&[4])).unwrap();
        other.add(0, &of(&[100, 200])).unwrap();
        assert_eq!(other.width_ms, 2_000);
        one.merge(&other, 4_000).unwrap();
        let found: Vec<_> = one.each.iter().map(|interval| (interval.index, interval.requests)).collect();
        assert_eq!((one.width_ms, found), (2_000, vec![(0, 3), (2, 3)]));
        assert_eq!(one.below(Duration::from_millis(50)).unwrap(), [(3, 3), (3, 1)]);
        one.begin_earlier(2_000).unwrap();
        assert_eq!(one.each.iter().map(|interval| interval.index).collect::<Vec<_>>(), [1, 3]);
    }
}
