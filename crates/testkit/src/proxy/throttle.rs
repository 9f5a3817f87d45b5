//! The request limit of a service, as a token bucket.

use std::time::Instant;

/// Lets a service take so many calls a second, and as many at once.
pub(super) struct Throttle {
    pub(super) service: &'static str,
    per_second: f64,
    tokens: f64,
    since: Instant,
    /// Calls that were turned away.
    pub(super) refused: usize,
}

impl Throttle {
    pub(super) fn new(service: &'static str, per_second: f64) -> Self {
        Self { service, per_second, tokens: per_second, since: Instant::now(), refused: 0 }
    }

    /// Whether one more call is too much.
    pub(super) fn is_full(&mut self) -> bool {
        let now = Instant::now();
        let grown = now.duration_since(self.since).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + grown).min(self.per_second);
        self.since = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return false;
        }
        self.refused += 1;
        true
    }
}
