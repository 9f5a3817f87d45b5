//! Delivers to one target, in order.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufWriter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, sleep_until};

use super::once::{head_of, remember, snapshot_ref};
use super::prune;
use super::put::{Put, claim, put};
use super::queue::{Item, Queue, TargetRequest};
use super::seat::{LeaseDuration, TargetSession};
use super::{Core, PublishEvent, PublishFault, PublishTarget};
use crate::head::{Mode, SnapshotRef};
use crate::ltx::{LtxFault, SNAPSHOT_LEVEL, merge};
use crate::primary::{Hashing, Segment, spool_file};
use crate::store::StoreFault;
use crate::txid::Txid;

/// While increments follow each other, the head moves in this distance.
const HEAD_EVERY: Duration = Duration::from_millis(500);
/// The first pause after a fault, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// More increments than that are merged before they are delivered.
const WAITING: usize = 64;
/// Names of merged increments in a head.
const SPANS: usize = 64;

/// Delivers to one target.
pub(super) struct TargetWorker<'a> {
    publisher: &'a Core,
    target: &'a PublishTarget,
    queue: &'a Queue,
    mode: Mode,
    spool: std::path::PathBuf,
    seat: Option<TargetSession>,
    /// What was delivered last.
    last: Option<Arc<Segment>>,
    snapshot: Option<SnapshotRef>,
    spans: VecDeque<(Txid, Txid)>,
    head_moved: Instant,
    /// Whether the head is behind what was delivered.
    head_waits: bool,
    paused: bool,
}

impl<'a> TargetWorker<'a> {
    /// Delivers what this queue has.
    pub fn new(
        publisher: &'a Core,
        target: &'a PublishTarget,
        queue: &'a Queue,
        mode: Mode,
        spool: &std::path::Path,
        seat: Option<TargetSession>,
    ) -> Self {
        Self {
            publisher,
            target,
            queue,
            mode,
            spool: spool.to_owned(),
            seat,
            last: None,
            snapshot: None,
            spans: VecDeque::new(),
            head_moved: Instant::now() - HEAD_EVERY,
            head_waits: false,
            paused: false,
        }
    }

    fn holds(&self) -> LeaseDuration {
        let lease = self.publisher.options.lease;
        match self.mode {
            Mode::Continuous { heartbeat_ms: None } => LeaseDuration::UntilReleased,
            Mode::Continuous { heartbeat_ms: Some(every) } => LeaseDuration::For(lease + Duration::from_millis(every)),
            Mode::Every { period_ms } => LeaseDuration::For(lease + Duration::from_millis(period_ms)),
            Mode::Once => LeaseDuration::For(lease),
        }
    }

    /// Delivers until the queue has ended and is empty.
    ///
    /// # Errors
    /// What ends publishing: another primary took over.
    pub async fn run(mut self) -> Result<(), PublishFault> {
        let mut pause = PAUSES.0;
        loop {
            let wait = match self.turn().await {
                Ok(true) => return self.leave().await,
                Ok(false) => {
                    self.resumed();
                    pause = PAUSES.0;
                    continue;
                }
                Err(bad @ (PublishFault::Fenced { .. } | PublishFault::Held { .. } | PublishFault::Foreign { .. })) => {
                    return Err(bad);
                }
                Err(PublishFault::Paused { pause, .. }) => self.pause(&pause),
                Err(bad) => {
                    self.complain(&bad, pause);
                    pause
                }
            };
            pause = (pause * 2).min(PAUSES.1);
            self.lessen().await?;
            if self.queue.has_ended() && self.paused {
                return Ok(());
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = self.ending() => {}
            }
        }
    }

    /// Returns when the queue ends while it was open.
    async fn ending(&self) {
        if self.queue.has_ended() {
            return std::future::pending().await;
        }
        loop {
            let filled = self.queue.filled.notified();
            if self.queue.has_ended() {
                return;
            }
            filled.await;
        }
    }

    fn complain(&self, bad: &PublishFault, pause: Duration) {
        let why = bad.to_string();
        self.queue.failed(why.clone());
        self.count();
        self.publisher.observer.event(&PublishEvent::Retrying { target: self.target.name.clone(), why, pause });
    }

    fn count(&self) {
        let Some(seat) = &self.seat else { return };
        self.publisher.metrics.change(|all| {
            let one = all.targets.entry(seat.target.clone()).or_default();
            (one.requests, one.faults) = seat.calls.totals();
        });
    }

    fn pause(&mut self, pause: &crate::control::Pause) -> Duration {
        if !self.paused {
            self.paused = true;
            self.publisher.metrics.change(|all| all.paused = true);
            let by = format!("{}: {}", pause.by, pause.reason);
            self.queue.failed(format!("paused by {by}"));
            self.publisher.observer.event(&PublishEvent::Paused { by });
        }
        // The next turn looks whether the pause is over.
        PAUSES.1
    }

    fn resumed(&mut self) {
        if std::mem::take(&mut self.paused) {
            self.publisher.metrics.change(|all| all.paused = false);
            self.publisher.observer.event(&PublishEvent::Resumed);
        }
    }

    /// One step; whether all is done.
    async fn turn(&mut self) -> Result<bool, PublishFault> {
        if self.seat.is_none() {
            self.sit().await?;
        }
        if self.paused
            && let Some(seat) = self.seat.as_mut()
        {
            seat.look_again(&self.publisher.options).await?;
        }
        if let Some(done) = self.queue.take_beside_done() {
            self.snapshot = Some(done);
            self.head_waits = self.last.is_some();
        }
        if self.head_waits && self.head_moved.elapsed() >= HEAD_EVERY {
            self.move_head(self.holds()).await?;
        }
        self.lessen().await?;
        match self.queue.front() {
            Some(item) => self.deliver(item).await.map(|()| false),
            None if self.queue.has_ended() => Ok(true),
            None => self.idle().await.map(|()| false),
        }
    }

    async fn sit(&mut self) -> Result<(), PublishFault> {
        let options = &self.publisher.options;
        let mut seat = TargetSession::look(self.target, self.publisher.calls(self.target), options).await?;
        seat.take(options, self.holds()).await?;
        if seat.haunted {
            claim(&mut seat, options).await?;
        }
        let too_low = self.queue.front().is_some_and(|item| seat.newest >= item.segment().max);
        if too_low {
            self.queue.wish(TargetRequest::Chain(seat.newest, seat.newest_at));
        }
        self.seat = Some(seat);
        Ok(())
    }

    /// Waits for something to do.
    async fn idle(&mut self) -> Result<(), PublishFault> {
        let filled = self.queue.filled.notified();
        if self.queue.front().is_some() || self.queue.has_ended() {
            return Ok(());
        }
        let heartbeat = match self.mode {
            Mode::Continuous { heartbeat_ms: Some(every) } => Duration::from_millis(every),
            _ => Duration::from_secs(365 * 24 * 3600),
        };
        let due = self.head_moved + if self.head_waits { HEAD_EVERY } else { heartbeat };
        tokio::select! {
            () = filled => Ok(()),
            () = sleep_until(due.into()) => {
                self.head_waits = self.last.is_some();
                Ok(())
            }
        }
    }

    async fn deliver(&mut self, item: Item) -> Result<(), PublishFault> {
        let segment = Arc::clone(item.segment());
        let options = &self.publisher.options;
        let Some(seat) = self.seat.as_mut() else { return Ok(()) };
        let snapshot = matches!(item, Item::Snapshot(_));
        if put(seat, &segment, if snapshot { SNAPSHOT_LEVEL } else { 0 }, options).await? == Put::Taken {
            seat.look_again(options).await?;
            // Not fenced: what lies there was left by somebody who was killed.
            self.queue.wish(TargetRequest::Chain(segment.max, segment.at));
            return Ok(());
        }
        self.last = Some(Arc::clone(&segment));
        self.head_waits = true;
        if snapshot {
            self.snapshot = Some(snapshot_ref(&segment));
            self.spans.clear();
            self.move_head(self.holds()).await?;
            self.remember().await?;
        } else if segment.min < segment.max {
            self.spans.push_back((segment.min, segment.max));
            let many = self.spans.len().saturating_sub(SPANS);
            self.spans.drain(..many);
        }
        if let Some(seat) = &self.seat {
            self.publisher.published(seat, &segment, segment.captured.elapsed(), snapshot);
            if snapshot {
                prune::prune(self.publisher, seat).await;
            }
        }
        self.queue.delivered(&item);
        Ok(())
    }

    async fn move_head(&mut self, holds: LeaseDuration) -> Result<(), PublishFault> {
        let (Some(seat), Some(last), Some(snapshot)) = (self.seat.as_mut(), &self.last, &self.snapshot) else {
            return Ok(());
        };
        let spans = self.spans.iter().copied().collect();
        let head = head_of(seat, last, self.mode, snapshot.clone(), spans);
        seat.move_head(head, &self.publisher.options, holds).await?;
        self.publisher.alive(seat, last.max);
        (self.head_moved, self.head_waits) = (Instant::now(), false);
        Ok(())
    }

    async fn remember(&self) -> Result<(), PublishFault> {
        match &self.seat {
            Some(seat) => match &seat.head {
                Some(head) => remember(seat, head, self.publisher.options.key.as_deref()).await,
                None => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// Gives the turn back.
    async fn leave(&mut self) -> Result<(), PublishFault> {
        let mut pause = PAUSES.0;
        loop {
            let released = match self.seat.as_mut() {
                // Ended before the first snapshot was there: no head to write, but a lease to give back.
                Some(seat) if self.last.is_none() || self.snapshot.is_none() => seat.release().await,
                _ => self.move_head(LeaseDuration::Not).await,
            };
            match released {
                Err(bad @ PublishFault::Store { .. }) => self.complain(&bad, pause),
                other => return other,
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Merges what waits, so that it takes less room and fewer requests; when that is not enough, a snapshot has to take its place.
    async fn lessen(&mut self) -> Result<(), PublishFault> {
        let limit = self.publisher.options.spool_limit;
        loop {
            let parts = self.queue.to_merge(WAITING, limit / 2, WAITING);
            if parts.is_empty() {
                break;
            }
            let (spool, inputs) = (self.spool.clone(), parts.clone());
            let path = spool.clone();
            let whole = spawn_blocking(move || merged(&inputs, &spool)).await;
            let local = |source| PublishFault::Local { path: path.clone(), source };
            let whole = whole.map_err(|ended| local(std::io::Error::other(ended)))?;
            let whole = whole.map_err(|bad| local(std::io::Error::other(bad.to_string())))?;
            self.queue.merged(&parts, whole);
        }
        if self.queue.bytes() > limit && matches!(self.queue.front(), Some(Item::Increment(_))) {
            self.queue.wish(TargetRequest::Snapshot);
        }
        Ok(())
    }
}

/// Makes one increment of several.
fn merged(parts: &[Arc<Segment>], spool: &std::path::Path) -> Result<Segment, LtxFault> {
    let inputs = parts.iter().map(|part| File::open(&part.path)).collect::<Result<Vec<_>, _>>()?;
    let (file, path) = spool_file(spool)?;
    let (out, header, size) = merge(inputs, Hashing::new(BufWriter::new(file)))?;
    let nothing = || LtxFault::Invalid("nothing to merge".to_owned());
    let (first, last) = (parts.first().ok_or_else(nothing)?, parts.last().ok_or_else(nothing)?);
    Ok(Segment {
        min: header.min,
        max: header.max,
        path,
        size,
        sha256: out.finish(),
        pages: last.pages,
        page_size: last.page_size,
        root: last.root,
        before: first.before,
        at: last.at,
        captured: first.captured,
        page_bytes: parts.iter().map(|part| part.page_bytes).sum(),
    })
}

/// Delivers snapshots beside a lane, as they come.
pub(super) async fn beside(publisher: &Core, target: &PublishTarget, queue: &Queue) -> Result<(), PublishFault> {
    let mut pause = PAUSES.0;
    loop {
        let filled = queue.filled.notified();
        let Some(snapshot) = queue.take_beside() else {
            if queue.has_ended() {
                return Ok(());
            }
            filled.await;
            continue;
        };
        match beside_once(publisher, target, &snapshot).await {
            Ok(()) => queue.beside_done(snapshot_ref(&snapshot)),
            Err(bad @ (PublishFault::Fenced { .. } | PublishFault::Foreign { .. })) => return Err(bad),
            Err(bad) => {
                let (target, why) = (target.name.clone(), bad.to_string());
                publisher.observer.event(&PublishEvent::Retrying { target, why, pause });
                if queue.has_ended() {
                    return Ok(());
                }
                sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
                queue.beside(&snapshot);
            }
        }
    }
}

async fn beside_once(publisher: &Core, target: &PublishTarget, snapshot: &Segment) -> Result<(), PublishFault> {
    let seat = TargetSession::borrowed(target, publisher.calls(target), &publisher.options).await?;
    if put(&seat, snapshot, SNAPSHOT_LEVEL, &publisher.options).await? == Put::Taken {
        let detail = format!("another snapshot of {} lies there", snapshot.max);
        return Err(seat.fault(StoreFault::Other { store: seat.calls.name(), detail }));
    }
    if let Some(head) = &seat.head {
        let head = crate::head::Head {
            txid: snapshot.max,
            at: snapshot.at,
            alive: Timestamp::now(),
            pages: snapshot.pages,
            root: snapshot.root,
            snapshot: snapshot_ref(snapshot),
            spans: Vec::new(),
            ..head.clone()
        };
        remember(&seat, &head, publisher.options.key.as_deref()).await?;
    }
    prune::prune(publisher, &seat).await;
    Ok(())
}
