//! Whether this process may still make changes: how long its lease is valid, as its holder sees it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::error::LedgerError;
use super::lease::{Lease, span};
use super::store::Store;

/// This part of a lease is left unused at its end: clocks of machines differ, and a call that is sent takes its time.
const MARGIN: u32 = 6;

/// Closed for good as soon as the lease may be somebody else's.
///
/// Two clocks are asked, the first one that says no counts. The steady one goes on while the process is stopped, but rests
/// while the machine sleeps; the wall clock goes on through both, but may be set back.
pub struct Fence {
    until: Mutex<Option<(Instant, Timestamp)>>,
    closed: watch::Sender<Option<String>>,
}

impl Fence {
    /// No lease, nothing that could be lost: for reading.
    pub fn open() -> Self {
        Self { until: Mutex::new(None), closed: watch::Sender::new(None) }
    }

    /// Open as long as a lease that was written after `asked` is good.
    pub fn of(asked: Instant, lease: &Lease, time_to_live: Duration) -> Self {
        let fence = Self::open();
        fence.extend(asked, lease, time_to_live);
        fence
    }

    /// The lease was written again, some time after `asked`.
    pub fn extend(&self, asked: Instant, lease: &Lease, time_to_live: Duration) {
        let margin = time_to_live / MARGIN;
        let until = (asked + time_to_live - margin, lease.expires - span(margin));
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// Nothing may be done any longer.
    pub fn close(&self, why: &str) {
        self.closed.send_if_modified(|closed| {
            let first = closed.is_none();
            closed.get_or_insert_with(|| why.to_owned());
            first
        });
    }

    /// Whether a call may be made now.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), String> {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_some_and(|(steady, wall)| Instant::now() >= steady || Timestamp::now() >= wall) {
            self.close("no heartbeat came through in time (was the process stopped, or the machine asleep?)");
        }
        self.closed.borrow().clone().map_or(Ok(()), Err)
    }

    /// Comes back when it is closed, with the reason.
    pub async fn closed(&self) -> String {
        let mut closed = self.closed.subscribe();
        // The sender lives as long as `self`.
        match closed.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }
}

/// Four heartbeats in the life of a lease, until it is lost.
pub(super) async fn beat(store: Arc<dyn Store>, mut lease: Lease, time_to_live: Duration, fence: Arc<Fence>) {
    let between = time_to_live / 4;
    loop {
        tokio::time::sleep(between).await;
        if fence.check().is_err() {
            return;
        }
        let asked = Instant::now();
        lease = lease.renewed(time_to_live);
        match tokio::time::timeout(between, store.renew(&lease)).await {
            Ok(Ok(())) => fence.extend(asked, &lease, time_to_live),
            Ok(Err(LedgerError::LeaseLost(why))) => fence.close(&why),
            // One failed heartbeat is not loss: the next may come through before the time is up.
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn the_steady_clock_closes_it_before_the_lease_ends() {
        let fence = Fence::of(Instant::now(), &Lease::new("me", "here", "deploy"), MINUTE);
        tokio::time::advance(Duration::from_secs(49)).await;
        assert_eq!(fence.check(), Ok(()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(fence.check().is_err());
        fence.extend(Instant::now(), &Lease::new("me", "here", "deploy"), MINUTE);
        assert!(fence.check().is_err(), "what was lost once is never ours again");
        assert!(fence.closed().await.contains("no heartbeat"));
    }

    #[tokio::test]
    async fn the_wall_clock_closes_it_though_the_steady_one_rested() {
        let lease = Lease::new("me", "here", "deploy");
        let late = Lease { expires: Timestamp::now() + span(Duration::from_secs(9)), ..lease };
        let fence = Fence::of(Instant::now(), &late, MINUTE);
        assert!(fence.check().is_err(), "nine of the last ten seconds");
    }

    #[tokio::test]
    async fn the_first_reason_counts() {
        let fence = Fence::open();
        assert_eq!(fence.check(), Ok(()));
        fence.close("it was taken away");
        fence.close("something later");
        assert_eq!(fence.check(), Err("it was taken away".to_owned()));
    }
}
