//! Trying again: how often, how long between, and for which faults.

use std::time::Duration;

use tokio::time::Instant;

use crate::resource::{Class, Fault};

/// The first pause; each one after is twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);
/// A read is given up after so long.
const READING: Duration = Duration::from_secs(20);
/// A change is given up after so long: IAM takes up to a minute until a new role is known everywhere.
pub const ACTING: Duration = Duration::from_secs(120);

/// Pauses that grow, with jitter so that calls that failed together do not come back together.
pub struct Pauses {
    next: Duration,
    until: Instant,
    /// Tries made so far.
    pub attempt: u32,
}

impl Pauses {
    /// Pauses for at most `span` in all.
    pub fn within(span: Duration) -> Self {
        Self { next: FIRST, until: Instant::now() + span, attempt: 1 }
    }

    /// The next pause; none when the time is up.
    pub fn pause(&mut self) -> Option<Duration> {
        let pause = self.next.mul_f64(0.5 + jitter() / 2.0);
        self.next = (self.next * 2).min(LONGEST);
        self.attempt += 1;
        (Instant::now() + pause < self.until).then_some(pause)
    }
}

/// A number from 0 to 1.
fn jitter() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0
}

/// Reads, again and again as long as the fault says that it may help.
///
/// # Errors
/// The last fault.
pub async fn reading<T>(call: impl AsyncFn() -> Result<T, Fault>) -> Result<T, Fault> {
    let mut pauses = Pauses::within(READING);
    loop {
        match call().await {
            Err(fault) if fault.class == Class::Retry => match pauses.pause() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(fault),
            },
            answer => return answer,
        }
    }
}
