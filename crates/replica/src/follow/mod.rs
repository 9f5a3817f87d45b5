//! Follows a bucket.

mod age;
mod bucket;
mod fault;
mod position;
mod replica;
mod state;
mod sync;
mod write;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

pub use fault::FollowFault;
pub use position::{Position, TooOld};

use crate::calls::Calls;
use crate::metrics::{Board, FollowMetrics};
use crate::store::ObjectStore;
use crate::trust::Trust;
use crate::txid::Txid;

use age::Watch;
use bucket::Bucket;
use sync::{Look, SyncSession};

/// After faults, the next look is no later than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How a replica is kept. [`FollowOptions::new`] has the defaults.
#[derive(Clone, Debug)]
pub struct FollowOptions {
    /// Where objects come from.
    pub store: Arc<dyn ObjectStore>,
    /// The replica's file. Its folder can be written; readers may see it through a read-only mount.
    pub database: PathBuf,
    /// Whom it believes.
    pub trust: Trust,
    /// A look in this distance: one conditional GET.
    pub poll: Duration,
    /// An older replica is a stall.
    pub max_staleness: Option<Duration>,
    /// One call of the store.
    pub request_timeout: Duration,
}

impl FollowOptions {
    /// The defaults: a look each second, 10 s for a call.
    pub fn new(store: Arc<dyn ObjectStore>, database: &Path, trust: Trust) -> Self {
        Self {
            store,
            database: database.to_owned(),
            trust,
            poll: Duration::from_secs(1),
            max_staleness: None,
            request_timeout: Duration::from_secs(10),
        }
    }
}

/// Something that happened to a replica.
#[derive(Clone, Debug)]
pub enum FollowEvent {
    /// Readers see a new state from their next transaction on.
    Applied {
        /// Which one.
        txid: Txid,
        /// Bytes that were read for it.
        bytes: u64,
        /// Pages that were written.
        pages: u64,
        /// From its publication to here, by both clocks.
        lag: Duration,
        /// The transaction of SQLite.
        swap: Duration,
    },
    /// A call failed, and is tried again.
    Retrying {
        /// What failed, and why.
        why: String,
        /// The pause before the next try.
        pause: Duration,
    },
    /// An object was refused, and the replica stays as it is.
    Refused {
        /// Which one, and why.
        why: String,
    },
    /// The replica is older than it may be.
    Stalled {
        /// Its age.
        staleness: Duration,
        /// What the last look said.
        why: String,
    },
    /// It is as new as the bucket again.
    CaughtUp {
        /// Its state.
        txid: Txid,
    },
    /// Somebody paused following.
    Paused {
        /// Who, and why.
        by: String,
    },
    /// It goes on.
    Resumed,
}

/// Hears what happens. Called from the follower's own task: it returns at once.
pub trait FollowObserver: Send + Sync {
    /// Something happened.
    fn event(&self, event: &FollowEvent);
}

impl FollowObserver for crate::publish::IgnoreEvents {
    fn event(&self, _: &FollowEvent) {}
}

/// What a look at the bucket brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Synced {
    /// Where the replica is now.
    pub position: Position,
    /// Whether it has changed.
    pub changed: bool,
    /// Bytes that were read.
    pub bytes: u64,
}

/// Keeps one replica.
pub struct Follower {
    options: FollowOptions,
    observer: Arc<dyn FollowObserver>,
    metrics: Board<FollowMetrics>,
    position: watch::Sender<Option<Position>>,
    desk: SyncSession,
    read_bytes: u64,
}

impl Follower {
    /// Makes one. Nothing is read or written yet.
    pub fn new(options: FollowOptions, observer: Arc<dyn FollowObserver>) -> Self {
        let calls = Calls::new(Arc::clone(&options.store), options.request_timeout);
        let bucket = Bucket::new(calls, options.trust.clone(), &state::folder(&options.database));
        let (metrics, position) = (Board::default(), watch::Sender::new(None));
        Self { options, observer, metrics, position, desk: SyncSession::new(bucket), read_bytes: 0 }
    }

    /// Its numbers, for another task to print.
    pub fn metrics(&self) -> Board<FollowMetrics> {
        self.metrics.clone()
    }

    /// Where the replica is, for another task to wait on; `None` until it is known.
    pub fn position(&self) -> watch::Receiver<Option<Position>> {
        self.position.subscribe()
    }

    /// Brings the replica to the newest state that is published. A replica that is not there is made.
    ///
    /// # Errors
    /// The store cannot be read, an object is refused, or the replica cannot be written. The replica stays as it was.
    pub async fn sync(&mut self) -> Result<Synced, FollowFault> {
        let looked = self.look(Look::Whole).await;
        self.judge(&looked);
        looked
    }

    /// Does so again and again, until `stop` ends. What may pass is told to the observer and tried again. A replica that is too old is
    /// told in time, also while the store gives no answer.
    ///
    /// # Errors
    /// A fault that stays: the replica cannot be written at all, its pages have another size than the primary's.
    pub async fn run(&mut self, stop: impl Future<Output = ()> + Send) -> Result<(), FollowFault> {
        let watch = Watch::new(self);
        tokio::select! {
            biased;
            ended = self.looks(stop) => ended,
            () = watch.keep() => Ok(()),
        }
    }

    async fn looks(&mut self, stop: impl Future<Output = ()> + Send) -> Result<(), FollowFault> {
        let mut stop = pin!(stop);
        let mut pause = self.options.poll;
        loop {
            let often = self.options.poll < Duration::from_secs(1);
            let looked = tokio::select! {
                looked = self.look(if often { Look::Quick } else { Look::Seldom }) => looked,
                () = &mut stop => return Ok(()),
            };
            self.judge(&looked);
            pause = match looked {
                Ok(_) => self.options.poll,
                Err(bad @ (FollowFault::PageSize { .. } | FollowFault::NoPages)) => return Err(bad),
                Err(bad) => self.complain(&bad, pause),
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = &mut stop => return Ok(()),
            }
        }
    }

    fn judge(&mut self, looked: &Result<Synced, FollowFault>) {
        let refused = matches!(looked, Err(FollowFault::Refused { .. }));
        let failed = looked.as_ref().is_err_and(|bad| !matches!(bad, FollowFault::Paused(_)));
        let paused = matches!(looked, Err(FollowFault::Paused(_)));
        let was = self.metrics.change(|all| {
            all.verify_failures += u64::from(refused);
            all.faults += u64::from(failed);
            std::mem::replace(&mut all.paused, paused)
        });
        match looked {
            Err(FollowFault::Paused(pause)) if !was => {
                let by = format!("{}: {}", pause.by, pause.reason);
                self.observer.event(&FollowEvent::Paused { by });
            }
            Ok(_) if was => self.observer.event(&FollowEvent::Resumed),
            Err(FollowFault::Refused { store, key, why }) => {
                self.observer.event(&FollowEvent::Refused { why: format!("{store}: {key}: {why}") });
            }
            _ => {}
        }
        if looked.is_err() {
            self.desk.bucket.forget();
        }
    }

    fn complain(&self, bad: &FollowFault, pause: Duration) -> Duration {
        let pause = (pause * 2).clamp(Duration::from_millis(100), LONGEST_PAUSE.max(self.options.poll));
        if !matches!(bad, FollowFault::Paused(_) | FollowFault::Refused { .. }) {
            self.observer.event(&FollowEvent::Retrying { why: bad.to_string(), pause });
        }
        self.last_fault(bad.to_string());
        pause
    }

    fn last_fault(&self, why: String) {
        self.metrics.change(|all| all.last_fault = Some(why));
    }
}
