//! How fast texts are run: learned for each class of length apart, from batches that were full, and corrected by how long texts
//! really waited. What was not measured for a while drifts back to what was measured at start: a refusal teaches nothing, so that
//! a wrong estimate must not last.

use std::time::{Duration, Instant};

/// Classes of length: texts below 16 tokens, below 32, and so on; the last one has no end.
pub const CLASSES: usize = 11;
/// The first class holds texts of fewer than twice this.
const SHORTEST: usize = 8;
/// Weight of a full batch in what is learned.
const WEIGHT: f64 = 0.1;
/// Part of a batch's budget from which it counts as full: a smaller one costs more for each token than those of a queue would.
const FULL: f64 = 0.5;
/// A class that was measured within this time keeps its estimate.
const FRESH: Duration = Duration::from_secs(2);
/// What is left of a stale error after a second.
const LEFT: f64 = 0.9;
/// Weight of one text's wait in the correction.
const WAIT_WEIGHT: f64 = 0.02;
/// Shorter waits tell more of the clock than of the estimate.
const SHORT_WAIT: f64 = 0.001;
/// The correction stays between these.
const CORRECTION: (f64, f64) = (0.5, 8.0);

/// The class of a text with so many tokens.
pub fn class(tokens: usize) -> usize {
    let doublings = (tokens.max(SHORTEST) / SHORTEST).ilog2() as usize;
    doublings.min(CLASSES - 1)
}

/// Tokens of texts, by the class of the text's length.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct QueuedTokens {
    tokens: [usize; CLASSES],
}

impl QueuedTokens {
    /// Of texts with so many tokens.
    pub fn of(lengths: impl Iterator<Item = usize>) -> Self {
        let mut load = Self::default();
        lengths.for_each(|length| load.add(length));
        load
    }

    /// One more text.
    pub fn add(&mut self, length: usize) {
        self.tokens[class(length)] += length;
    }

    /// One text less.
    pub fn take(&mut self, length: usize) {
        let tokens = &mut self.tokens[class(length)];
        *tokens = tokens.saturating_sub(length);
    }

    /// What is left without `other`.
    pub fn without(&mut self, other: &Self) {
        for (tokens, others) in self.tokens.iter_mut().zip(other.tokens) {
            *tokens = tokens.saturating_sub(others);
        }
    }

    /// Both together.
    pub fn with(&mut self, other: &Self) {
        for (tokens, others) in self.tokens.iter_mut().zip(other.tokens) {
            *tokens += others;
        }
    }

    /// All tokens.
    pub fn total(&self) -> usize {
        self.tokens.iter().sum()
    }
}

#[derive(Clone, Copy, Debug)]
struct Speed {
    /// Tokens a second of all workers together.
    rate: f64,
    measured: Option<Instant>,
}

/// What is known of the speed.
#[derive(Debug)]
pub struct Speeds {
    /// Measured at start.
    first: f64,
    each: [Speed; CLASSES],
    /// Of all batches, for people.
    overall: f64,
    /// Average seconds that texts waited, and that they were expected to wait.
    waits: Option<(f64, f64)>,
    relaxed: Instant,
}

/// A batch that has run.
#[derive(Clone, Copy, Debug)]
pub struct CompletedBatch {
    /// Texts.
    pub rows: usize,
    /// Their tokens, padding left out.
    pub tokens: usize,
    /// How long it took.
    pub took: Duration,
    /// Batches that run at the same time when there is enough to do, itself included.
    pub beside: usize,
    /// Tokens of a full batch.
    pub budget: usize,
}

impl Speeds {
    /// Every class at this speed.
    pub fn new(first: f64) -> Self {
        let first = first.max(1.0);
        let each = [Speed { rate: first, measured: None }; CLASSES];
        Self { first, each, overall: first, waits: None, relaxed: Instant::now() }
    }

    /// Tokens a second as measured lately, whatever the texts.
    pub fn overall(&self) -> f64 {
        self.overall
    }

    /// Tokens a second for texts of this length.
    pub fn rate(&self, length: usize) -> f64 {
        self.each[class(length)].rate
    }

    /// Seconds of all workers for a text of this length.
    pub fn text(&self, length: usize) -> f64 {
        length as f64 / self.rate(length)
    }

    /// Seconds of all workers for this.
    pub fn seconds(&self, load: &QueuedTokens) -> f64 {
        load.tokens.iter().zip(&self.each).map(|(tokens, speed)| *tokens as f64 / speed.rate).sum()
    }

    /// How much longer texts wait than the speed says: others use the cores, too.
    pub fn correction(&self) -> f64 {
        let (least, most) = CORRECTION;
        self.waits.map_or(1.0, |(waited, foreseen)| (waited / foreseen).clamp(least, most))
    }

    /// A batch has run.
    pub fn learn(&mut self, ran: &CompletedBatch, now: Instant) {
        let Some(length) = ran.tokens.checked_div(ran.rows) else { return };
        let measured = ran.tokens as f64 / ran.took.as_secs_f64().max(1e-6) * ran.beside as f64;
        let fullness = ran.tokens as f64 / ran.budget.max(1) as f64;
        self.overall += (measured - self.overall) * WEIGHT * fullness.min(1.0);
        let speed = &mut self.each[class(length)];
        // A small batch says little of the speed of a queue, unless it was faster than that.
        if fullness >= FULL || measured > speed.rate {
            speed.rate += (measured - speed.rate) * WEIGHT * (fullness / FULL).min(1.0);
            speed.measured = Some(now);
        }
    }

    /// A text was taken after it had waited so long; when it came, another wait was foreseen.
    pub fn waited(&mut self, waited: f64, foreseen: f64) {
        if foreseen < SHORT_WAIT {
            return;
        }
        let (sum, expected) = self.waits.unwrap_or((foreseen, foreseen));
        self.waits = Some((sum + (waited - sum) * WAIT_WEIGHT, expected + (foreseen - expected) * WAIT_WEIGHT));
    }

    /// Lets what is stale drift back to what was measured at start.
    pub fn relax(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.relaxed);
        if passed < Duration::from_secs(1) {
            return;
        }
        self.relaxed = now;
        let left = LEFT.powf(passed.as_secs_f64());
        let first = self.first;
        let stale = |at: Option<Instant>| at.is_none_or(|at| now.saturating_duration_since(at) >= FRESH);
        for speed in self.each.iter_mut().filter(|speed| stale(speed.measured) && speed.rate < first) {
            speed.rate = first - (first - speed.rate) * left;
        }
        self.waits = self.waits.map(|(waited, foreseen)| (foreseen + (waited - foreseen) * left, foreseen));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(rows: usize, length: usize, rate: f64) -> CompletedBatch {
        let tokens = rows * length;
        CompletedBatch { rows, tokens, took: Duration::from_secs_f64(tokens as f64 / rate), beside: 1, budget: 512 }
    }

    #[test]
    fn lengths_are_known_apart() {
        let mut speeds = Speeds::new(17_636.0);
        let now = Instant::now();
        for _ in 0..4000 {
            speeds.learn(&ran(1, 10, 3000.0), now);
        }
        let texts = QueuedTokens::of(std::iter::repeat_n(252, 500));
        assert_eq!(texts.total(), 126_000);
        assert!(speeds.seconds(&texts) < 8.0, "short queries say nothing of long texts: {}", speeds.seconds(&texts));
        for _ in 0..100 {
            speeds.learn(&ran(2, 252, 5000.0), now);
        }
        assert!(speeds.seconds(&texts) > 24.0, "now it is measured");
        assert!((speeds.rate(10) - 17_636.0).abs() < 1.0, "single texts are not a queue");
    }

    #[test]
    fn a_stale_estimate_does_not_last() {
        let mut speeds = Speeds::new(10_000.0);
        let now = Instant::now();
        for _ in 0..100 {
            speeds.learn(&ran(2, 252, 100.0), now);
            speeds.waited(4.0, 1.0);
        }
        assert!(speeds.rate(252) < 110.0 && speeds.correction() > 2.0);
        speeds.relax(now + Duration::from_millis(1500));
        assert!(speeds.rate(252) < 110.0, "measured a moment ago");
        speeds.relax(now + Duration::from_secs(60));
        assert!(speeds.rate(252) > 9000.0, "{}", speeds.rate(252));
        assert!(speeds.correction() < 1.1, "{}", speeds.correction());
    }

    #[test]
    fn real_waits_correct_the_estimate() {
        let mut speeds = Speeds::new(1000.0);
        for _ in 0..300 {
            speeds.waited(0.3, 0.1);
        }
        assert!((speeds.correction() - 3.0).abs() < 0.1, "{}", speeds.correction());
        speeds.waited(100.0, 0.0001);
        assert!((speeds.correction() - 3.0).abs() < 0.1, "nothing was foreseen");
    }

    #[test]
    fn classes_are_doublings() {
        assert_eq!([0, 1, 15, 16, 31, 32, 255, 256, 100_000].map(class), [0, 0, 0, 1, 1, 2, 4, 5, CLASSES - 1]);
        let mut load = QueuedTokens::of([10, 20, 300].into_iter());
        load.take(20);
        load.without(&QueuedTokens::of([10].into_iter()));
        assert_eq!(load.total(), 300);
    }
}
