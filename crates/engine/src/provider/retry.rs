//! Retry policy: number of attempts, delays, and for which faults.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::resource::{Fault, FaultClass};

/// Code of a fault that says: no answer came.
pub const NO_ANSWER: &str = "NoAnswer";
/// The first pause; each one after is twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);
/// A change is given up after so long: IAM takes up to a minute until a new role is known everywhere.
pub const ACTING: Duration = Duration::from_secs(120);
/// A read is given up after this part of the time for a change.
const READING: u32 = 6;
/// A service that answers is tried so often at least: while it throttles, most of the time is spent waiting for the rate.
const TRIES: u32 = 4;

/// How long a service in trouble is tried, for one run.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    acting: Duration,
    reading: Duration,
    /// Services that a change was given up for: the next one is not given as long.
    given_up: Arc<Mutex<BTreeSet<String>>>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::of(ACTING)
    }
}

impl RetryPolicy {
    /// A change is given up after `acting`, a read after a sixth of it.
    pub fn of(acting: Duration) -> Self {
        Self { acting, reading: acting / READING, given_up: Arc::default() }
    }

    /// Pauses between the tries of a change.
    pub fn acting(&self) -> Backoff {
        Backoff::new(self, self.acting, true)
    }

    /// Reads within a run, again and again as long as the fault says that it may help.
    ///
    /// # Errors
    /// The last fault.
    pub async fn reading<T>(&self, call: impl AsyncFn() -> Result<T, Fault>) -> Result<T, Fault> {
        repeated(Backoff::new(self, self.reading, true), call).await
    }

    /// Reads before a run: nothing is under way yet, so an endpoint where nobody listens is told at once.
    ///
    /// # Errors
    /// The last fault.
    pub async fn first_reading<T>(&self, call: impl AsyncFn() -> Result<T, Fault>) -> Result<T, Fault> {
        repeated(Backoff::new(self, self.reading, false), call).await
    }
}

async fn repeated<T>(mut backoff: Backoff, call: impl AsyncFn() -> Result<T, Fault>) -> Result<T, Fault> {
    loop {
        match call().await {
            Err(fault) => match backoff.after(&fault) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(fault),
            },
            answer => return answer,
        }
    }
}

/// Pauses that grow, with jitter so that calls that failed together do not come back together.
pub struct Backoff {
    retry_policy: RetryPolicy,
    span: Duration,
    unreachable_may_pass: bool,
    next: Duration,
    begun: Instant,
    /// Tries made so far.
    pub attempt: u32,
}

impl Backoff {
    fn new(retry_policy: &RetryPolicy, span: Duration, unreachable_may_pass: bool) -> Self {
        let begun = Instant::now();
        Self { retry_policy: retry_policy.clone(), span, unreachable_may_pass, next: FIRST, begun, attempt: 1 }
    }

    /// The pause after this fault; none when another try does not help, or the time is up.
    pub fn after(&mut self, fault: &Fault) -> Option<Duration> {
        let span = match fault.class {
            FaultClass::Retry | FaultClass::Stale => self.span,
            FaultClass::Unreachable if self.unreachable_may_pass => self.retry_policy.reading.min(self.span),
            _ => return None,
        };
        let pause = self.next.mul_f64(0.5 + jitter() / 2.0);
        self.next = (self.next * 2).min(LONGEST);
        let mut given_up = self.retry_policy.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        let span = if given_up.contains(&fault.service) { self.retry_policy.reading.min(span) } else { span };
        let owed = fault.class == FaultClass::Retry && fault.code != NO_ANSWER && self.attempt < TRIES;
        if owed || self.begun.elapsed() + pause < span {
            self.attempt += 1;
            return Some(pause);
        }
        if span == self.retry_policy.acting {
            given_up.insert(fault.service.clone());
        }
        None
    }

    /// The fault with how long it was tried.
    pub fn told(&self, mut fault: Fault) -> Fault {
        if self.attempt > 1 {
            let seconds = self.begun.elapsed().as_secs_f64();
            fault.message = fault.message.and(&format!(" ({} tries in {seconds:.0} s)", self.attempt));
        }
        fault
    }
}

/// A number from 0 to 1.
fn jitter() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(class: FaultClass, service: &str) -> Fault {
        Fault::new(class, service, "Try", "Code", "words")
    }

    /// Seconds until a change is given up.
    async fn given_up_after(retry_policy: &RetryPolicy, fault: &Fault) -> u64 {
        let begun = Instant::now();
        let mut backoff = retry_policy.acting();
        while let Some(pause) = backoff.after(fault) {
            tokio::time::sleep(pause).await;
        }
        begun.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_was_given_up_is_not_waited_for_as_long_again() {
        let retry_policy = RetryPolicy::default();
        let down = fault(FaultClass::Retry, "iam");
        assert!((114..=120).contains(&given_up_after(&retry_policy, &down).await));
        assert!((14..=20).contains(&given_up_after(&retry_policy, &down).await));
        assert!((114..=120).contains(&given_up_after(&retry_policy, &fault(FaultClass::Retry, "s3")).await));
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_answers_slowly_is_tried_a_few_times_all_the_same() {
        let retry_policy = RetryPolicy::default();
        for (fault, wanted) in [
            (fault(FaultClass::Retry, "s3"), 4),
            (Fault { code: NO_ANSWER.into(), ..fault(FaultClass::Retry, "s3") }, 1),
        ] {
            let tries = std::cell::Cell::new(0);
            let call = async || {
                tries.set(tries.get() + 1);
                tokio::time::sleep(Duration::from_secs(30)).await;
                Err::<(), _>(fault.clone())
            };
            assert!(retry_policy.reading(call).await.is_err());
            assert_eq!(tries.get(), wanted, "{fault}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_help_is_not_tried_again() {
        let retry_policy = RetryPolicy::default();
        assert_eq!(given_up_after(&retry_policy, &fault(FaultClass::Refused, "s3")).await, 0);
        assert!((14..=20).contains(&given_up_after(&retry_policy, &fault(FaultClass::Unreachable, "s3")).await));
        let begun = Instant::now();
        let answer = retry_policy.first_reading(async || Err::<(), _>(fault(FaultClass::Unreachable, "s3"))).await;
        assert!(answer.is_err() && begun.elapsed().is_zero());
    }
}
