//! A short batching delay: clients that just received a response are about to send their next request.
//!
//! Without it, the first of them would make a batch of one, and the others would wait until that has run.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Queue, State};

/// The longest wait; longer ones leave cores without work (measured with 32 clients on 2 cores).
const LONGEST: Duration = Duration::from_micros(300);
/// The part of the last batch's time that the wait may take: so much is lost when nobody comes.
const PART: u32 = 8;
/// Weight of a batch in what is expected.
const WEIGHT: f64 = 0.3;

/// What the last batches tell about the next.
#[derive(Debug, Default)]
pub(super) struct BatchDelay {
    /// Tokens of a batch.
    usual: f64,
    /// Time of the last one.
    took: Duration,
    /// A worker waits for this many tokens.
    wanted: Option<usize>,
}

impl BatchDelay {
    /// A batch has run.
    pub(super) fn learn(&mut self, tokens: usize, took: Duration) {
        self.usual += (tokens as f64 - self.usual) * WEIGHT;
        self.took = took;
    }

    /// How many tokens are worth how long a wait, when `free` workers have nothing to run.
    fn expects(&self, free: usize, budget: usize) -> (usize, Duration) {
        ((self.usual as usize).min(budget) * free, LONGEST.min(self.took / PART))
    }
}

impl State {
    /// `None`: no worker waits for a larger batch; otherwise whether the batch is large enough.
    pub(super) fn enough(&self) -> Option<bool> {
        self.batch_delay.wanted.map(|wanted| self.pending_tokens() >= wanted || self.stopped)
    }
}

impl Queue {
    /// Holds the first texts back for a moment when there are fewer than in the last batches.
    pub(super) fn wait_for_more<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if state.calm() || state.pending.is_empty() || state.batch_delay.wanted.is_some() {
            return state;
        }
        let (wanted, delay) = state.batch_delay.expects(state.idle + 1, self.budget.tokens);
        state.batch_delay.wanted = Some(wanted);
        let until = Instant::now() + delay;
        while state.enough() == Some(false) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.batch_delay.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.batch_delay.wanted = None;
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_as_usual_is_expected_for_a_part_of_the_usual_time() {
        let mut batch_delay = BatchDelay::default();
        assert_eq!(batch_delay.expects(1, 512), (0, Duration::ZERO), "nothing is known yet: nobody waits");
        for _ in 0..50 {
            batch_delay.learn(100, Duration::from_micros(800));
        }
        assert_eq!(batch_delay.expects(1, 512), (99, Duration::from_micros(100)));
        assert_eq!(batch_delay.expects(2, 512).0, 198, "two workers are free");
        assert_eq!(batch_delay.expects(1, 64).0, 64, "no more than fits");
        batch_delay.learn(100, Duration::from_secs(1));
        assert_eq!(batch_delay.expects(1, 512).1, LONGEST);
    }
}
