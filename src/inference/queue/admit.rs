//! Whether there is room, and time, for a request.

use std::time::{Duration, Instant};

use super::{CALM, Queue, State, nanos};
use crate::inference::fault::{Code, EmbedFault};

/// Tokens of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    /// Of all of its texts.
    pub all: usize,
    /// Of the longest: one worker runs it, however many there are.
    pub longest: usize,
}

impl Own {
    /// Of texts with so many tokens.
    pub fn of(lengths: impl Iterator<Item = usize>) -> Self {
        lengths.fold(Self { all: 0, longest: 0 }, |own, length| Self {
            all: own.all + length,
            longest: own.longest.max(length),
        })
    }
}

impl Queue {
    /// Refuses a request that has no chance, before it costs a tokeniser its time: under overload most of the work would be that.
    /// `lengths` are guesses of its texts' tokens. While a worker is free nothing is refused by a guess.
    ///
    /// # Errors
    /// `OVERLOADED` with the time after which there is room.
    pub fn foresee(&self, lengths: impl Iterator<Item = usize>, deadline: Instant) -> Result<(), EmbedFault> {
        let mut state = self.state();
        if state.stopped || self.has_free(&state) {
            return Ok(());
        }
        let now = Instant::now();
        state.crowded = Some(now);
        let place = nanos(now.duration_since(self.began));
        self.admit(&state, place, Own::of(lengths), deadline.saturating_duration_since(now))
    }

    /// Whether a worker has nothing to do, and nothing waits for it.
    fn has_free(&self, state: &State) -> bool {
        state.busy < self.workers && state.pending.is_empty()
    }

    /// Whether a request can be answered in time; what stands before it in line is looked at no further than needed.
    pub(super) fn admit(&self, state: &State, place: u64, own: Own, left: Duration) -> Result<(), EmbedFault> {
        let most = self.bounds.wait.min(left).as_secs_f64() * state.speed;
        // A free worker begins at once, and may be faster than it was: when it is refused work, nobody learns that.
        let free = self.has_free(state);
        // What runs is half done, and one worker will run the longest text.
        let (mut before, run) =
            if free { (0, own.all) } else { (state.running / 2, own.all.max(own.longest * self.workers)) };
        for (_, item) in state.pending.range(..=(place, u64::MAX)) {
            before += item.ids.len();
            if before as f64 > most {
                break;
            }
        }
        let late = before as f64 > most;
        let full = state.tokens > 0 && state.tokens + own.all > self.bounds.tokens;
        let slow = (before + run) as f64 / state.speed > left.as_secs_f64();
        if slow && state.busy == 0 && free {
            return Err(never(own.all, own.all as f64 / state.speed));
        }
        if late || full || slow {
            let wait = Duration::from_secs_f64((state.tokens + state.running) as f64 / state.speed);
            let message =
                format!("{} tokens wait already, about {} ms of work; ask again later", state.tokens, wait.as_millis());
            return Err(EmbedFault::new(Code::Overloaded, message).again_after(wait.max(CALM)));
        }
        Ok(())
    }
}

fn never(tokens: usize, needs: f64) -> EmbedFault {
    let message = format!(
        "{tokens} tokens need about {needs:.1} s, more than the request's time; send fewer texts or allow more"
    );
    EmbedFault::new(Code::DeadlineExceeded, message)
}
