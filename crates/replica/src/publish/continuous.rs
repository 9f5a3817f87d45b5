//! Publishes each change as soon as it is committed.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{sleep, sleep_until, timeout};

use super::lane::{TargetWorker, beside};
use super::leases;
use super::once::{blocking, finish};
use super::queue::{Queue, TargetRequest};
use super::scratch::Scratch;
use super::wake::Wake;
use super::{Core, FlushFault, PrimaryFault, PublishEvent, PublishFault, Reason};
use crate::head::Mode;
use crate::primary::{Capture, Outlook, Segment, SnapshotTask};
use crate::txid::Txid;

/// While something in the log is not visible yet, it is looked at in these distances.
const UNSETTLED: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(20));
/// What is not settled after that time was given up, and is looked at seldom.
const GIVEN_UP: Duration = Duration::from_secs(10);
/// How often one that was given up is looked at.
const SELDOM: Duration = Duration::from_millis(250);
/// Numbers are brought up to date in this distance while something waits.
const TICK: Duration = Duration::from_millis(250);
/// What is left at the end may take this long.
pub(super) const AT_THE_END: Duration = Duration::from_secs(10);
/// A primary that cannot be read is tried again after this time.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// Somebody who wants to know which state has what was committed.
pub(super) type Asked = oneshot::Sender<Result<Txid, FlushFault>>;

/// The loop of a continuous publisher.
struct Engine<'a> {
    publisher: &'a Core,
    scratch: &'a Scratch,
    queues: &'a [Queue],
    moved: Arc<Notify>,
    /// On its way to a thread that may wait, and back.
    capture: Option<Box<Capture>>,
    /// When the next increment may be made.
    next_look: Instant,
    /// When the log was written to last, and the pause before the next look at what is not settled.
    written: Instant,
    unsettled: Option<Duration>,
    /// The log is emptied when it has this many bytes.
    empty_at: u64,
    /// When the last snapshot was taken, and whether something was published since.
    snapshot_at: Instant,
    changed: bool,
    asked: Vec<(Txid, Asked)>,
}

/// Publishes until `stop` ends.
pub(super) async fn continuous(
    publisher: &Core,
    asks: &mut mpsc::Receiver<Asked>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), PublishFault> {
    let options = &publisher.options;
    let scratch = Scratch::take(&options.scratch)?;
    let heartbeat_ms = options.heartbeat.map(|every| u64::try_from(every.as_millis()).unwrap_or(u64::MAX));
    let mode = Mode::Continuous { heartbeat_ms };
    let mut stop = pin!(stop);
    let Some(seats) = leases::take(publisher, mode, &mut stop).await? else { return Ok(()) };
    let (behind, at) = seats.iter().flatten().fold((Txid(0), jiff::Timestamp::UNIX_EPOCH), |(txid, at), seat| {
        (txid.max(seat.newest), at.max(seat.newest_at))
    });
    let database = options.database.clone();
    let spool = scratch.spool.clone();
    let mut capture = Box::new(blocking(publisher, move || Capture::open(&database, &spool)).await?);
    capture.renumber(behind, at);
    let moved = Arc::new(Notify::new());
    let queues: Vec<Queue> = options.targets.iter().map(|_| Queue::new(Arc::clone(&moved))).collect();
    let mut engine = Engine::new(publisher, &scratch, &queues, moved, capture);
    let lanes: FuturesUnordered<_> = options
        .targets
        .iter()
        .zip(&queues)
        .zip(seats)
        .map(|((target, queue), seat)| {
            let lane = TargetWorker::new(publisher, target, queue, mode, &scratch.spool, seat);
            async move { futures::try_join!(lane.run(), beside(publisher, target, queue)).map(drop) }
        })
        .collect();
    let mut lanes = lanes;
    let ended = tokio::select! {
        biased;
        Some(Err(bad)) = lanes.next() => return Err(bad),
        ended = engine.run(asks, stop) => ended,
    };
    queues.iter().for_each(Queue::end);
    let rest = async {
        while let Some(done) = lanes.next().await {
            done?;
        }
        Ok(())
    };
    ended.and(timeout(AT_THE_END, rest).await.unwrap_or(Ok(())))
}

impl<'a> Engine<'a> {
    fn new(
        publisher: &'a Core,
        scratch: &'a Scratch,
        queues: &'a [Queue],
        moved: Arc<Notify>,
        capture: Box<Capture>,
    ) -> Self {
        let now = Instant::now();
        Self {
            publisher,
            scratch,
            queues,
            moved,
            capture: Some(capture),
            next_look: now,
            written: now,
            unsettled: None,
            empty_at: publisher.options.wal_limit,
            snapshot_at: now,
            changed: false,
            asked: Vec::new(),
        }
    }

    async fn run(
        &mut self,
        asks: &mut mpsc::Receiver<Asked>,
        mut stop: std::pin::Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> Result<(), PublishFault> {
        let watched = |source| PublishFault::Local { path: self.publisher.options.database.clone(), source };
        let mut wake = Wake::on(&self.publisher.options.database).map_err(watched)?;
        if !self.begin_chain(Reason::Start, &mut stop).await? {
            return Ok(());
        }
        loop {
            let look = self.next_step();
            tokio::select! {
                () = &mut stop => {
                    self.look().await?;
                    return Ok(());
                }
                woken = wake.woken() => {
                    woken.map_err(|source| PublishFault::Local { path: self.publisher.options.database.clone(), source })?;
                    self.written = Instant::now();
                    self.unsettled = Some(UNSETTLED.0);
                    // A storm of writes wakes no more often than there are increments.
                    sleep_until(self.next_look.into()).await;
                    self.step(&mut stop).await?;
                }
                () = sleep_until(look.into()) => self.step(&mut stop).await?,
                () = self.moved.notified() => self.answer(),
                Some(ask) = asks.recv() => {
                    self.step(&mut stop).await?;
                    let txid = self.capture.as_ref().map_or(Txid(0), |capture| capture.txid());
                    self.asked.push((txid, ask));
                    self.answer();
                }
            }
            self.measure();
            self.grant(&mut stop).await?;
        }
    }

    /// When something is due although nothing was written.
    fn next_step(&self) -> Instant {
        let now = Instant::now();
        let options = &self.publisher.options;
        let mut next = now + Duration::from_secs(3600);
        if let Some(pause) = self.unsettled {
            next = next.min((now + pause).max(self.next_look));
        }
        if self.queues.iter().any(|queue| queue.bytes() > 0) {
            next = next.min(now + TICK);
        }
        if self.changed {
            next = next.min(self.snapshot_at + options.snapshot_every);
        }
        next
    }

    /// Looks at the log, and does what is due.
    async fn step(&mut self, stop: &mut (impl Future<Output = ()> + Send + Unpin)) -> Result<(), PublishFault> {
        let outlook = self.look().await?;
        self.heed(outlook, stop).await?;
        let filled = self.capture.as_ref().map_or(0, |capture| capture.filled());
        let limit = self.publisher.options.wal_limit;
        if filled < limit {
            self.empty_at = limit;
        } else if filled >= self.empty_at {
            // The first try keeps nobody waiting.
            let firmly = filled >= limit + limit / 4;
            let outlook = self.with(move |capture, found| capture.empty_log(firmly, found)).await?;
            self.empty_at = filled + limit / 4;
            if filled > limit * 4 {
                self.publisher.observer.event(&PublishEvent::WalHeld { bytes: filled });
            }
            self.heed(outlook, stop).await?;
        }
        if self.changed && self.snapshot_at.elapsed() >= self.publisher.options.snapshot_every {
            self.snapshot_beside(Reason::Age).await?;
        }
        Ok(())
    }

    async fn heed(
        &mut self,
        outlook: Outlook,
        stop: &mut (impl Future<Output = ()> + Send + Unpin),
    ) -> Result<(), PublishFault> {
        match outlook {
            Outlook::Settled => self.unsettled = None,
            Outlook::Unsettled => {
                let pause = self.unsettled.map_or(UNSETTLED.0, |pause| (pause * 2).min(UNSETTLED.1));
                self.unsettled = Some(if self.written.elapsed() > GIVEN_UP { SELDOM } else { pause });
            }
            Outlook::Broken(reason) => {
                self.begin_chain(reason, stop).await?;
            }
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<Outlook, PublishFault> {
        let txid = self.capture.as_ref().map(|capture| capture.txid());
        let outlook = self.with(|capture, found| capture.look(found)).await?;
        if self.capture.as_ref().map(|capture| capture.txid()) != txid {
            self.next_look = Instant::now() + self.publisher.options.sync_interval;
        }
        Ok(outlook)
    }

    /// Does something with the capture on a thread that may wait, and puts what was found into the queues.
    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Capture, &mut Vec<Segment>) -> Result<T, PrimaryFault> + Send + 'static,
    ) -> Result<T, PublishFault> {
        let Some(mut capture) = self.capture.take() else { return Err(PublishFault::NoTarget) };
        let worked = blocking(self.publisher, move || {
            let mut found = Vec::new();
            let done = work(&mut capture, &mut found);
            Ok((capture, found, done))
        });
        let (capture, found, done) = worked.await?;
        self.publisher.metrics.change(|all| {
            all.wal_bytes = capture.filled();
            all.longest_lock_seconds = capture.primary().longest_lock().as_secs_f64();
        });
        self.capture = Some(capture);
        for segment in found {
            self.changed = true;
            let segment = Arc::new(segment);
            self.queues.iter().for_each(|queue| queue.push(&segment));
        }
        Ok(done?)
    }

    /// Begins a chain anew; `false` when it was stopped meanwhile.
    async fn begin_chain(
        &mut self,
        reason: Reason,
        stop: &mut (impl Future<Output = ()> + Send + Unpin),
    ) -> Result<bool, PublishFault> {
        loop {
            let begun = tokio::select! {
                begun = self.try_chain(reason) => begun,
                () = &mut *stop => return Ok(false),
            };
            match begun {
                Ok(()) => return Ok(true),
                // It may be written anew, or locked.
                Err(PublishFault::Primary(
                    bad @ (PrimaryFault::Busy { .. } | PrimaryFault::File { .. } | PrimaryFault::Unread { .. }),
                )) => {
                    let (target, why) = ("primary".to_owned(), bad.to_string());
                    self.publisher.observer.event(&PublishEvent::Retrying { target, why, pause: AGAIN });
                }
                Err(bad) => return Err(bad),
            }
            tokio::select! {
                () = sleep(AGAIN) => {}
                () = &mut *stop => return Ok(false),
            }
        }
    }

    async fn try_chain(&mut self, reason: Reason) -> Result<(), PublishFault> {
        let options = &self.publisher.options;
        if reason == Reason::Replaced || self.capture.is_none() {
            let (database, spool) = (options.database.clone(), self.scratch.spool.clone());
            let mut fresh = Box::new(blocking(self.publisher, move || Capture::open(&database, &spool)).await?);
            let newest = self.queues.iter().map(Queue::newest).max().unwrap_or_default();
            let former = self.capture.take();
            let (txid, at) = former.map_or((newest, jiff::Timestamp::now()), |former| former.last());
            fresh.renumber(txid.max(newest), at);
            self.capture = Some(fresh);
        }
        let task = self.with(|capture, _| capture.begin_chain()).await?;
        let snapshot = finish(self.publisher, self.scratch, task, reason).await?;
        if let Some(capture) = self.capture.as_mut() {
            capture.adopt(snapshot.tree);
        }
        let segment = Arc::new(snapshot.segment);
        self.queues.iter().for_each(|queue| queue.begin(&segment));
        (self.snapshot_at, self.changed, self.unsettled) = (Instant::now(), false, Some(UNSETTLED.0));
        Ok(())
    }

    /// A snapshot beside the chain, which goes on: for all targets by age, for those that wish for one otherwise.
    async fn snapshot_beside(&mut self, reason: Reason) -> Result<(), PublishFault> {
        let task: SnapshotTask = self.with(|capture, found| capture.snapshot_beside(found)).await?;
        let root = self.capture.as_ref().map(|capture| capture.root()).transpose()?.flatten();
        let snapshot = finish(self.publisher, self.scratch, task, Reason::Age).await?;
        (self.snapshot_at, self.changed) = (Instant::now(), false);
        if root != Some(snapshot.segment.root) {
            // What was published is not what is there: nothing of the chain can be trusted.
            self.publisher.metrics.change(|all| all.verify_failures += 1);
            return self.try_chain(Reason::WalReset).await;
        }
        let segment = Arc::new(snapshot.segment);
        for queue in self.queues {
            match (reason, queue.wished()) {
                (_, Some(TargetRequest::Snapshot)) => queue.begin(&segment),
                (Reason::Age, _) => queue.beside(&segment),
                _ => {}
            }
        }
        Ok(())
    }

    /// Does what the targets wish for.
    async fn grant(&mut self, stop: &mut (impl Future<Output = ()> + Send + Unpin)) -> Result<(), PublishFault> {
        let wishes: Vec<TargetRequest> = self.queues.iter().filter_map(Queue::wished).collect();
        let chain = wishes.iter().filter_map(|wish| match wish {
            TargetRequest::Chain(txid, at) => Some((*txid, *at)),
            TargetRequest::Snapshot => None,
        });
        if let Some((txid, at)) = chain.max() {
            if let Some(capture) = self.capture.as_mut() {
                capture.renumber(txid, at);
            }
            self.begin_chain(Reason::Start, stop).await?;
        } else if !wishes.is_empty() {
            self.snapshot_beside(Reason::Backlog).await?;
        }
        Ok(())
    }

    /// Tells those who asked, once all targets that can be reached have their state.
    fn answer(&mut self) {
        let reached: Vec<&Queue> = self.queues.iter().filter(|queue| queue.failing().is_none()).collect();
        let everywhere = reached.iter().map(|queue| queue.newest()).min();
        let (done, waiting) = std::mem::take(&mut self.asked)
            .into_iter()
            .partition::<Vec<_>, _>(|(txid, _)| everywhere.is_some_and(|newest| newest >= *txid));
        self.asked = waiting;
        for (txid, ask) in done {
            // Whoever asked may have gone.
            let _ = ask.send(Ok(txid));
        }
    }

    /// Brings the numbers up to date, and tells of stalls.
    fn measure(&self) {
        let now = Instant::now();
        for (target, queue) in self.publisher.options.targets.iter().zip(self.queues) {
            let (lag, failing) = (queue.lag(now), queue.failing());
            let turned = queue.stalls(lag > self.publisher.options.stall_after);
            self.publisher.metrics.change(|all| {
                let one = all.targets.entry(target.name.clone()).or_default();
                one.lag_seconds = lag.as_secs_f64();
                one.stalled = turned.unwrap_or(one.stalled);
                one.stalls += u64::from(turned == Some(true));
            });
            let target = target.name.clone();
            match turned {
                Some(true) => {
                    let why = failing.unwrap_or_else(|| "no answer yet".to_owned());
                    self.publisher.observer.event(&PublishEvent::Stalled { target, lag, why });
                }
                Some(false) => self.publisher.observer.event(&PublishEvent::CaughtUp { target, txid: queue.newest() }),
                None => {}
            }
        }
    }
}
