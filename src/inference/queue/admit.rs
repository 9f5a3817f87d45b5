//! Whether there is room, and time, for a request.

use std::time::Duration;

use super::{Queue, State};
use crate::inference::fault::{Code, EmbedFault};

impl Queue {
    /// Whether a request can be answered in time; what stands before it in line is looked at no further than needed.
    pub(super) fn admit(&self, state: &State, place: u64, own: usize, left: Duration) -> Result<(), EmbedFault> {
        let most = self.bounds.wait.min(left).as_secs_f64() * state.speed;
        let mut before = state.running / 2;
        for (_, item) in state.pending.range(..=(place, u64::MAX)) {
            before += item.ids.len();
            if before as f64 > most {
                break;
            }
        }
        let late = before as f64 > most;
        let full = state.tokens > 0 && state.tokens + own > self.bounds.tokens;
        let slow = (before + own) as f64 / state.speed > left.as_secs_f64();
        if slow && state.tokens == 0 && state.busy == 0 {
            let needs = own as f64 / state.speed;
            return Err(EmbedFault::new(
                Code::DeadlineExceeded,
                format!(
                    "{own} tokens need about {needs:.1} s, more than the request's time; send fewer texts or allow more"
                ),
            ));
        }
        if late || full || slow {
            let wait = Duration::from_secs_f64((state.tokens + state.running) as f64 / state.speed);
            let message =
                format!("{} tokens wait already, about {} ms of work; ask again later", state.tokens, wait.as_millis());
            return Err(EmbedFault::new(Code::Overloaded, message).again_after(wait));
        }
        Ok(())
    }
}
