//! Whether a request can be admitted: capacity and time.

use std::time::{Duration, Instant};

use super::speed::QueuedTokens;
use super::{CALM, Queue, State, nanos};
use crate::inference::fault::{EmbedFault, ErrorCode};

/// An idle server refuses only what needs so many times the request's time: an estimate may be wrong, and what is not run is
/// not measured.
const HOPELESS: f64 = 8.0;

/// Full batches that may wait for each worker however long they take: fewer are not queue, but what keeps a slow machine busy.
const BATCHES: usize = 2;

/// Tokens of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestTokens {
    /// Of all of its texts.
    pub all: QueuedTokens,
    /// Of the longest: one worker runs it, however many there are.
    pub longest: usize,
    /// Its texts.
    pub texts: usize,
}

impl RequestTokens {
    /// Of texts with so many tokens.
    pub fn of(lengths: impl Iterator<Item = usize>) -> Self {
        lengths.fold(Self { all: QueuedTokens::default(), longest: 0, texts: 0 }, |mut own, length| {
            own.all.add(length);
            own.longest = own.longest.max(length);
            own.texts += 1;
            own
        })
    }
}

impl Queue {
    /// Refuses a request that has no chance, before it costs a tokenizer its time: under overload most of the work would be that.
    /// `lengths` are guesses of its texts' tokens. While a worker is free nothing is refused by a guess.
    ///
    /// # Errors
    /// `OVERLOADED` with the time after which there is room.
    pub fn check_deadline(&self, lengths: impl Iterator<Item = usize>, deadline: Instant) -> Result<(), EmbedFault> {
        let mut state = self.state();
        if state.stopped || self.has_free(&state) {
            return Ok(());
        }
        let now = Instant::now();
        state.crowded = Some(now);
        state.speeds.relax(now);
        let place = nanos(now.duration_since(self.began));
        self.admit(&state, place, &RequestTokens::of(lengths), deadline.saturating_duration_since(now)).map(drop)
    }

    /// Time until what is there now has run; zero when there is nothing.
    pub fn wait(&self) -> Duration {
        self.state().wait()
    }

    /// Whether a worker has nothing to do, and nothing waits for it.
    fn has_free(&self, state: &State) -> bool {
        state.busy < self.workers && state.pending.is_empty()
    }

    /// Whether a request can be answered in time, and the seconds until its first text is taken; what is before it in line
    /// is looked at no further than needed.
    pub(super) fn admit(
        &self,
        state: &State,
        place: u64,
        own: &RequestTokens,
        left: Duration,
    ) -> Result<f64, EmbedFault> {
        let speeds = &state.speeds;
        let (all, left) = (speeds.seconds(&own.all), left.as_secs_f64());
        // A free worker begins at once, and may be faster than it was: when it is refused work, nobody learns that.
        if self.has_free(state) {
            return if all > left * HOPELESS { Err(never(own.all.total(), all)) } else { Ok(0.0) };
        }
        let crowd = state.pending_tokens() > BATCHES * self.budget.tokens * self.workers;
        let most = if crowd { self.bounds.wait.as_secs_f64().min(left) } else { left };
        let correction = speeds.correction();
        // What runs is half done, and one worker will run the longest text.
        let mut before = speeds.seconds(&state.running) / 2.0 * correction;
        for (_, pending) in state.pending.range(..=(place, u64::MAX)) {
            before += speeds.text(pending.item.ids.len()) * correction;
            if before > most {
                break;
            }
        }
        let run = all.max(speeds.text(own.longest) * self.workers as f64);
        let full = state.pending_tokens() > 0 && state.pending_tokens() + own.all.total() > self.bounds.tokens;
        // Its first text is soon taken, but the others share with all that wait: it ends when those have run.
        let shared = own.texts > 1 && crowd && state.wait().as_secs_f64() > most + all;
        if before > most || full || shared || before + run > left {
            return Err(state.overloaded());
        }
        Ok(before)
    }
}

impl State {
    pub(super) fn wait(&self) -> Duration {
        let seconds = self.speeds.seconds(&self.waiting) + self.speeds.seconds(&self.running);
        Duration::try_from_secs_f64(seconds * self.speeds.correction()).unwrap_or(Duration::MAX)
    }

    fn overloaded(&self) -> EmbedFault {
        let (tokens, wait) = (self.pending_tokens(), self.wait());
        let message = format!("{tokens} tokens are queued, about {} ms of work; try again later", wait.as_millis());
        EmbedFault::new(ErrorCode::Overloaded, message).again_after(wait.max(CALM))
    }
}

fn never(tokens: usize, needs: f64) -> EmbedFault {
    let message = format!(
        "{tokens} tokens need about {needs:.1} s, more than the request's timeout; send fewer texts or allow more \
         time"
    );
    EmbedFault::new(ErrorCode::DeadlineExceeded, message)
}
