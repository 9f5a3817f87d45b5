//! A token bucket for services whose limit is per account.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Lets `per_second` calls pass, with a burst of as many. The account's limit is shared by everybody who uses it, so
/// this only keeps our own share fair; throttling answers are retried besides.
#[derive(Debug)]
pub struct RateLimiter {
    spacing: Option<Duration>,
    burst: u32,
    next: Mutex<Option<Instant>>,
}

impl RateLimiter {
    /// A pace of so many calls a second; none for no limit.
    pub fn new(per_second: Option<f64>) -> Self {
        let rate = per_second.filter(|rate| *rate > 0.0);
        Self {
            spacing: rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
            burst: rate.map_or(1, |rate| (rate.floor() as u32).max(1)),
            next: Mutex::new(None),
        }
    }

    /// Waits for a place.
    pub async fn wait(&self) {
        let Some(spacing) = self.spacing else { return };
        let due = {
            let mut next = self.next.lock().await;
            let now = Instant::now();
            let earliest = now.checked_sub(spacing * (self.burst - 1)).unwrap_or(now);
            let due = next.map_or(earliest, |held| held.max(earliest));
            *next = Some(due + spacing);
            due
        };
        tokio::time::sleep_until(due).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_at_once_then_one_each_fifth_of_a_second() {
        let rate_limiter = RateLimiter::new(Some(5.0));
        let begin = Instant::now();
        let mut at = Vec::new();
        for _ in 0..15 {
            rate_limiter.wait().await;
            at.push(begin.elapsed().as_millis());
        }
        assert_eq!(at[..5], [0; 5]);
        assert!((199..=201).contains(&at[5]), "{at:?}");
        assert!((1_999..=2_002).contains(&at[14]), "{at:?}");
    }
}
