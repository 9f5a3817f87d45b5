//! Publishes a snapshot to all targets.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::put::{Put, claim, put};
use super::scratch::Scratch;
use super::seat::{LeaseDuration, TargetSession};
use super::{Core, Delivered, PrimaryFault, PublishEvent, PublishFault, PublishTarget, Reason, TargetResult, prune};
use crate::calls::Calls;
use crate::head::{Head, Mode, Signed, SnapshotRef, history_key};
use crate::ltx::SNAPSHOT_LEVEL;
use crate::primary::{Segment, Snapshot, SnapshotTask};
use crate::store::{ObjectBody, ObjectMetadata, Precondition, StoreFault};

/// A killed publisher may have left a snapshot under the next number.
const TRIES: usize = 3;

/// How a snapshot is published.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// What readers are told.
    pub mode: Mode,
    /// How long the lease holds then.
    pub holds: LeaseDuration,
}

/// A target's place, or why there is none.
type OpenedTarget = (PublishTarget, Result<TargetSession, PublishFault>);

/// Takes a snapshot, and publishes it to all that can be reached.
pub(super) async fn once(publisher: &Core, scratch: &Scratch, turn: Turn) -> Result<Vec<TargetResult>, PublishFault> {
    let mut seats = join_all(publisher.options.targets.iter().map(|target| sit(publisher, target, None))).await;
    if seats.iter().all(|(_, seat)| seat.is_err()) {
        return Ok(seats.into_iter().map(|(target, seat)| failed(target, seat.err())).collect());
    }
    for _ in 0..TRIES {
        let snapshot = Arc::new(snapshot(publisher, scratch, &seats).await?.segment);
        let put = |(target, seat): OpenedTarget| {
            let snapshot = Arc::clone(&snapshot);
            async move { (target, deliver(publisher, seat, &snapshot, turn).await) }
        };
        let done = join_all(seats.into_iter().map(put)).await;
        if !done.iter().any(|(_, outcome)| matches!(outcome, Ok(Outcome::Taken))) {
            return Ok(done.into_iter().map(|(target, outcome)| delivery(target, outcome)).collect());
        }
        // One that has it already is looked at again, and found unchanged.
        seats = join_all(done.iter().map(|(target, _)| sit(publisher, target, Some(snapshot.max)))).await;
    }
    Err(publisher.contended())
}

/// What became of a snapshot.
#[derive(Debug)]
enum Outcome {
    /// It lies there.
    Delivered(Delivered),
    /// Something else has its number.
    Taken,
}

fn delivery(target: PublishTarget, outcome: Result<Outcome, PublishFault>) -> TargetResult {
    match outcome {
        Ok(Outcome::Delivered(done)) => TargetResult { target: target.name, outcome: Ok(done) },
        Ok(Outcome::Taken) => failed(target, None),
        Err(bad) => failed(target, Some(bad)),
    }
}

fn failed(target: PublishTarget, bad: Option<PublishFault>) -> TargetResult {
    let detail = "others publish there all the time".to_owned();
    let store = target.store.name();
    let contended = || PublishFault::Store { target: target.name.clone(), source: StoreFault::Other { store, detail } };
    let outcome = Err(bad.unwrap_or_else(contended));
    TargetResult { target: target.name, outcome }
}

/// Takes a place; the next number is behind `taken`.
async fn sit(publisher: &Core, target: &PublishTarget, taken: Option<crate::txid::Txid>) -> OpenedTarget {
    let options = &publisher.options;
    let calls = publisher.calls(target);
    let seat = async {
        let mut seat = TargetSession::look(target, calls, options).await?;
        if seat.haunted {
            seat.take(options, LeaseDuration::For(options.lease)).await?;
            claim(&mut seat, options).await?;
        }
        seat.newest = seat.newest.max(taken.unwrap_or_default());
        Ok(seat)
    };
    (target.clone(), seat.await)
}

async fn snapshot(publisher: &Core, scratch: &Scratch, seats: &[OpenedTarget]) -> Result<Snapshot, PublishFault> {
    let there = || seats.iter().filter_map(|(_, seat)| seat.as_ref().ok());
    let txid = there().map(|seat| seat.newest).max().unwrap_or_default().next();
    let at = there().map(|seat| seat.newest_at).max().unwrap_or(Timestamp::UNIX_EPOCH).max(Timestamp::now());
    let database = publisher.options.database.clone();
    let task = move || SnapshotTask::begin(&database).map(|task| task.numbered(txid, at));
    let task = blocking(publisher, task).await?;
    finish(publisher, scratch, task, Reason::Asked).await
}

/// Copies and checks a snapshot, and tells of it.
pub(super) async fn finish(
    publisher: &Core,
    scratch: &Scratch,
    task: SnapshotTask,
    reason: Reason,
) -> Result<Snapshot, PublishFault> {
    let (copies, spool) = (scratch.copies.clone(), scratch.spool.clone());
    let trees = if reason == Reason::Age { scratch.beside.clone() } else { scratch.tree.clone() };
    let taken = blocking(publisher, move || task.run(&copies, &trees, &spool)).await;
    publisher.metrics.change(|all| {
        all.snapshots += 1;
        all.verify_failures += u64::from(matches!(taken, Err(PublishFault::Primary(PrimaryFault::Damaged { .. }))));
    });
    let taken = taken?;
    publisher.observer.event(&PublishEvent::Snapshot {
        reason,
        txid: taken.segment.max,
        pages: taken.segment.pages,
        bytes: taken.segment.size,
        took: taken.took,
    });
    Ok(taken)
}

/// Does what waits for the disk or for SQLite on a thread that may wait.
pub(super) async fn blocking<T: Send + 'static>(
    publisher: &Core,
    work: impl FnOnce() -> Result<T, PrimaryFault> + Send + 'static,
) -> Result<T, PublishFault> {
    let ended =
        |bad| PublishFault::Local { path: publisher.options.database.clone(), source: std::io::Error::other(bad) };
    Ok(spawn_blocking(work).await.map_err(ended)??)
}

async fn deliver(
    publisher: &Core,
    seat: Result<TargetSession, PublishFault>,
    snapshot: &Segment,
    turn: Turn,
) -> Result<Outcome, PublishFault> {
    let mut seat = seat?;
    let options = &publisher.options;
    // Another key has to sign it anew.
    let key = options.key.as_ref().map(|key| key.public().id());
    let same = seat.head.clone().filter(|head| head.root == snapshot.root && seat.signed_by() == key.as_deref());
    if let Some(head) = same {
        return unchanged(publisher, seat, head, turn).await.map(Outcome::Delivered);
    }
    if seat.epoch == 0 || !turn_is_ours(&seat, options) {
        seat.take(options, LeaseDuration::For(options.lease)).await?;
    }
    if put(&seat, snapshot, SNAPSHOT_LEVEL, options).await? == Put::Taken {
        return Ok(Outcome::Taken);
    }
    let head = head_of(&seat, snapshot, turn.mode, snapshot_ref(snapshot), Vec::new());
    remember(&seat, &head, options.key.as_deref()).await?;
    seat.move_head(head, options, turn.holds).await?;
    let lag = snapshot.captured.elapsed();
    publisher.published(&seat, snapshot, lag, true);
    prune::prune(publisher, &seat).await;
    Ok(Outcome::Delivered(Delivered { txid: snapshot.max, changed: true, bytes: snapshot.size }))
}

fn turn_is_ours(seat: &TargetSession, options: &super::PublishOptions) -> bool {
    seat.lease().is_some_and(|lease| lease.holder == options.holder && !lease.released)
}

async fn unchanged(
    publisher: &Core,
    mut seat: TargetSession,
    mut head: Head,
    turn: Turn,
) -> Result<Delivered, PublishFault> {
    let (target, txid) = (seat.target.clone(), head.txid);
    // Readers are told that somebody looked, when they are told of a period.
    if matches!(turn.mode, Mode::Every { .. }) {
        if !turn_is_ours(&seat, &publisher.options) {
            seat.take(&publisher.options, turn.holds).await?;
        }
        (head.alive, head.mode) = (Timestamp::now(), turn.mode);
        seat.move_head(head, &publisher.options, turn.holds).await?;
    }
    publisher.alive(&seat, txid);
    publisher.observer.event(&PublishEvent::Unchanged { target, txid });
    Ok(Delivered { txid, changed: false, bytes: 0 })
}

/// What readers are told of a snapshot.
pub(super) fn snapshot_ref(snapshot: &Segment) -> SnapshotRef {
    let Segment { max, size, sha256, at, .. } = snapshot;
    SnapshotRef { txid: *max, size: *size, sha256: sha256.clone(), at: *at }
}

/// What readers are told of a state.
pub(super) fn head_of(
    seat: &TargetSession,
    state: &Segment,
    mode: Mode,
    snapshot: SnapshotRef,
    spans: Vec<(crate::txid::Txid, crate::txid::Txid)>,
) -> Head {
    Head {
        epoch: seat.epoch,
        txid: state.max,
        at: state.at,
        alive: Timestamp::now(),
        page_size: state.page_size,
        pages: state.pages,
        root: state.root,
        mode,
        snapshot,
        spans,
    }
}

/// Writes the history's copy of a head.
pub(super) async fn remember(
    seat: &TargetSession,
    head: &Head,
    key: Option<&crate::trust::SigningKey>,
) -> Result<(), PublishFault> {
    // Plain data.
    let text = serde_json::to_vec_pretty(&Signed::of(head, key)).unwrap_or_default();
    let name = history_key(head.at, head.txid);
    let put = seat.calls.put(&name, &ObjectBody::Bytes(text.into()), &ObjectMetadata::new(), &Precondition::None).await;
    put.map(drop).map_err(|bad| seat.fault(bad))
}

impl Core {
    /// The calls of a target.
    pub(super) fn calls(&self, target: &PublishTarget) -> Calls {
        let same = self.calls.iter().find(|(name, _)| *name == target.name);
        let made = || Calls::new(Arc::clone(&target.store), self.options.request_timeout);
        same.map_or_else(made, |(_, calls)| calls.clone())
    }

    fn contended(&self) -> PublishFault {
        let target = &self.options.targets[0];
        failed(target.clone(), None).outcome.err().unwrap_or(PublishFault::NoTarget)
    }

    /// Something was published.
    pub(super) fn published(&self, seat: &TargetSession, segment: &Segment, lag: Duration, snapshot: bool) {
        self.metrics.change(|all| {
            let one = all.targets.entry(seat.target.clone()).or_default();
            one.txid = segment.max;
            one.bytes += segment.size;
            one.files += 1;
            one.chain_length = if snapshot { 1 } else { one.chain_length + 1 };
        });
        self.alive(seat, segment.max);
        let (target, txid, bytes) = (seat.target.clone(), segment.max, segment.size);
        self.observer.event(&PublishEvent::Published { target, txid, bytes, lag });
    }

    /// A target is up to date.
    pub(super) fn alive(&self, seat: &TargetSession, txid: crate::txid::Txid) {
        self.metrics.change(|all| {
            let one = all.targets.entry(seat.target.clone()).or_default();
            (one.txid, one.last_success) = (txid, Some(Timestamp::now()));
            (one.requests, one.faults) = seat.calls.totals();
        });
    }
}
