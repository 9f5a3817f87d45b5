//! Publishes a database.

mod continuous;
mod event;
mod every;
mod fault;
mod lane;
mod leases;
mod once;
mod options;
mod prune;
mod put;
mod queue;
mod scratch;
mod seat;
mod wake;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub use event::{IgnoreEvents, Observer, PublishEvent, Reason};
pub use fault::{PrimaryFault, PublishFault};
pub use options::{PublishOptions, PublishTarget, Retention};

use crate::calls::Calls;
use crate::head::Mode;
use crate::metrics::{Board, PublishMetrics};
use crate::txid::Txid;
use once::Turn;
use scratch::Scratch;
use seat::LeaseDuration;

/// What became of one target.
#[derive(Debug)]
pub struct TargetResult {
    /// Its name.
    pub target: String,
    /// The state that lies there now, or why not.
    pub outcome: Result<Delivered, PublishFault>,
}

/// A state that lies in a target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Delivered {
    /// Which one.
    pub txid: Txid,
    /// Whether something was written; `false`: the database is as it was.
    pub changed: bool,
    /// Bytes that were written.
    pub bytes: u64,
}

/// What all loops of a publisher share.
struct Core {
    options: PublishOptions,
    observer: Arc<dyn Observer>,
    metrics: Board<PublishMetrics>,
    calls: Vec<(String, Calls)>,
    /// When old objects were looked for in a target.
    pruned: Mutex<BTreeMap<String, Instant>>,
}

/// Publishes one database to all targets. It holds their leases while it publishes, and gives them back at the end.
pub struct Publisher {
    core: Core,
    ask: mpsc::Sender<continuous::Asked>,
    asks: mpsc::Receiver<continuous::Asked>,
}

impl Publisher {
    /// Makes one. Nothing is read or written yet.
    ///
    /// # Errors
    /// There is no target.
    pub fn new(options: PublishOptions, observer: Arc<dyn Observer>) -> Result<Self, PublishFault> {
        if options.targets.is_empty() {
            return Err(PublishFault::NoTarget);
        }
        let calls = |target: &PublishTarget| {
            (target.name.clone(), Calls::new(Arc::clone(&target.store), options.request_timeout))
        };
        let calls = options.targets.iter().map(calls).collect();
        let (ask, asks) = mpsc::channel(64);
        let core = Core { options, observer, metrics: Board::default(), calls, pruned: Mutex::default() };
        Ok(Self { core, ask, asks })
    }

    /// Its numbers, for another task to print.
    pub fn metrics(&self) -> Board<PublishMetrics> {
        self.core.metrics.clone()
    }

    /// Takes a snapshot, checks it, and publishes it to all targets at the same time. An unchanged database is not written again.
    /// `Err` is what concerns all of them; what became of each is in the list, in the order of the targets.
    ///
    /// # Errors
    /// The primary cannot be read or is damaged, or there is no room for the copy.
    pub async fn once(&mut self) -> Result<Vec<TargetResult>, PublishFault> {
        let scratch = Scratch::take(&self.core.options.scratch)?;
        once::once(&self.core, &scratch, Turn { mode: Mode::Once, holds: LeaseDuration::Not }).await
    }

    /// `once`, again and again, until `stop` ends. A fault that may pass is told to the observer and tried again at the next turn.
    ///
    /// # Errors
    /// A fault that stays: another primary took over, the primary is not a database.
    pub async fn every(&mut self, period: Duration, stop: impl Future<Output = ()> + Send) -> Result<(), PublishFault> {
        every::every(&self.core, period, stop).await
    }

    /// Publishes each change as soon as it is committed, until `stop` ends; then what is left, within a bounded time.
    ///
    /// # Errors
    /// A fault that stays: another primary took over, the primary has no WAL or is damaged.
    pub async fn continuous(&mut self, stop: impl Future<Output = ()> + Send) -> Result<(), PublishFault> {
        continuous::continuous(&self.core, &mut self.asks, stop).await
    }

    /// A handle for another task, to learn which state has what was just committed.
    pub fn flusher(&self) -> Flusher {
        Flusher { ask: self.ask.clone() }
    }
}

/// Asks a running publisher for what was just committed.
#[derive(Clone, Debug)]
pub struct Flusher {
    ask: mpsc::Sender<continuous::Asked>,
}

impl Flusher {
    /// The state that has everything which was committed before this call, once all targets that can be reached have it.
    /// A client that hands it to a reader (`Position::covers`) reads its own writes.
    ///
    /// # Errors
    /// The publisher has ended, or did not do it in that time.
    pub async fn flush(&self, within: Duration) -> Result<Txid, FlushFault> {
        let flushed = async {
            let (tell, told) = oneshot::channel();
            self.ask.send(tell).await.map_err(|_| FlushFault::Ended)?;
            told.await.map_err(|_| FlushFault::Ended)?
        };
        timeout(within, flushed).await.unwrap_or(Err(FlushFault::TimedOut))
    }
}

/// Why it is not known which state has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FlushFault {
    /// No publisher runs.
    #[error("the publisher has ended")]
    Ended,
    /// It was not published in time.
    #[error("what was committed was not published in time")]
    TimedOut,
}
