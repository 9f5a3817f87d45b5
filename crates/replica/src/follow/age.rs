//! Tells of a replica that is too old.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;

use super::{FollowEvent, FollowObserver, Follower, Position};
use crate::metrics::{Board, FollowMetrics};
use crate::txid::Txid;

/// The age is looked at in this distance, and more often when little of it is allowed.
const EVERY: Duration = Duration::from_millis(250);

/// Looks at the age of a replica while its follower waits for the store.
pub(super) struct Watch {
    allowed: Option<Duration>,
    observer: Arc<dyn FollowObserver>,
    metrics: Board<FollowMetrics>,
    position: watch::Receiver<Option<Position>>,
    begun: Instant,
}

impl Watch {
    /// Of this follower.
    pub fn new(follower: &Follower) -> Self {
        Self {
            allowed: follower.options.max_staleness,
            observer: Arc::clone(&follower.observer),
            metrics: follower.metrics.clone(),
            position: follower.position.subscribe(),
            begun: Instant::now(),
        }
    }

    /// Never ends.
    pub async fn keep(self) {
        let Some(allowed) = self.allowed else { return std::future::pending().await };
        loop {
            sleep(EVERY.min(allowed / 4).max(Duration::from_millis(10))).await;
            self.measure(allowed);
        }
    }

    fn measure(&self, allowed: Duration) {
        let position = self.position.borrow().clone();
        // Until the first look has ended, nothing is known but how long that takes.
        let staleness = position.as_ref().map_or(self.begun.elapsed(), |known| known.staleness(Timestamp::now()));
        let stalled = staleness > allowed;
        let (was, why) = self.metrics.change(|all| {
            let was = std::mem::replace(&mut all.stalled, stalled);
            all.stalls += u64::from(stalled && !was);
            (was, all.last_fault.clone())
        });
        let txid = position.map_or(Txid(0), |position| position.txid);
        match (was, stalled) {
            (false, true) => {
                let why =
                    why.unwrap_or_else(|| "the store gives no answer, or the publisher no sign of life".to_owned());
                self.observer.event(&FollowEvent::Stalled { staleness, why });
            }
            (true, false) => self.observer.event(&FollowEvent::CaughtUp { txid }),
            _ => {}
        }
    }
}
