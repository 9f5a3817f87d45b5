//! The queue of one target.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::head::SnapshotRef;
use crate::primary::Segment;
use crate::txid::Txid;

/// What is delivered in its turn.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// A chain begins: nothing behind it may be there before it.
    Snapshot(Arc<Segment>),
    /// It goes on.
    Increment(Arc<Segment>),
}

impl Item {
    /// Its file.
    pub fn segment(&self) -> &Arc<Segment> {
        match self {
            Self::Snapshot(segment) | Self::Increment(segment) => segment,
        }
    }
}

/// What a target asks the publisher for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TargetRequest {
    /// A snapshot: what waits has grown too large.
    Snapshot,
    /// A chain with higher numbers, and no earlier times: others are taken there.
    Chain(Txid, Timestamp),
}

#[derive(Debug, Default)]
struct Inner {
    items: VecDeque<Item>,
    bytes: u64,
    beside: Option<Arc<Segment>>,
    beside_done: Option<SnapshotRef>,
    ended: bool,
    wish: Option<TargetRequest>,
    delivered: Txid,
    failing: Option<String>,
    stalled: bool,
}

/// What waits for one target. The publisher puts in, the target's own loop takes out.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    /// Something was put in.
    pub filled: Notify,
    /// Something was taken out, failed, or is wished for: the publisher looks.
    pub moved: Arc<Notify>,
}

impl Queue {
    /// An empty one, which tells the publisher so.
    pub fn new(moved: Arc<Notify>) -> Self {
        Self { inner: Mutex::default(), filled: Notify::new(), moved }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an increment behind the others.
    pub fn push(&self, segment: &Arc<Segment>) {
        let mut inner = self.inner();
        inner.bytes += segment.size;
        inner.items.push_back(Item::Increment(Arc::clone(segment)));
        drop(inner);
        self.filled.notify_waiters();
    }

    /// A chain begins with this snapshot; what it has in it waits no longer.
    pub fn begin(&self, snapshot: &Arc<Segment>) {
        let mut inner = self.inner();
        inner.items.retain(|item| item.segment().max > snapshot.max);
        inner.items.push_front(Item::Snapshot(Arc::clone(snapshot)));
        inner.bytes = inner.items.iter().map(|item| item.segment().size).sum();
        inner.wish = None;
        drop(inner);
        self.filled.notify_waiters();
    }

    /// A snapshot that is delivered beside the others, without keeping them waiting.
    pub fn beside(&self, snapshot: &Arc<Segment>) {
        self.inner().beside = Some(Arc::clone(snapshot));
        self.filled.notify_waiters();
    }

    /// The snapshot that is delivered beside.
    pub fn take_beside(&self) -> Option<Arc<Segment>> {
        self.inner().beside.take()
    }

    /// It lies there.
    pub fn beside_done(&self, done: SnapshotRef) {
        self.inner().beside_done = Some(done);
        self.filled.notify_waiters();
    }

    /// The snapshot that lies there since the last question.
    pub fn take_beside_done(&self) -> Option<SnapshotRef> {
        self.inner().beside_done.take()
    }

    /// Nothing comes any more.
    pub fn end(&self) {
        self.inner().ended = true;
        self.filled.notify_waiters();
    }

    /// Whether nothing comes any more.
    pub fn has_ended(&self) -> bool {
        self.inner().ended
    }

    /// What is next.
    pub fn front(&self) -> Option<Item> {
        self.inner().items.front().cloned()
    }

    /// What is next has been delivered.
    pub fn delivered(&self, item: &Item) {
        let mut inner = self.inner();
        let same = inner.items.front().is_some_and(|front| Arc::ptr_eq(front.segment(), item.segment()));
        if same && let Some(gone) = inner.items.pop_front() {
            inner.bytes = inner.bytes.saturating_sub(gone.segment().size);
        }
        inner.delivered = inner.delivered.max(item.segment().max);
        inner.failing = None;
        drop(inner);
        self.moved.notify_one();
    }

    /// The newest state that lies there.
    pub fn newest(&self) -> Txid {
        self.inner().delivered
    }

    /// A try failed.
    pub fn failed(&self, why: String) {
        self.inner().failing = Some(why);
        self.moved.notify_one();
    }

    /// What the last try said, when it failed.
    pub fn failing(&self) -> Option<String> {
        self.inner().failing.clone()
    }

    /// The increments behind the front one, when there are so many, or so many bytes, that they are better merged.
    pub fn to_merge(&self, more_than: usize, bytes: u64, at_once: usize) -> Vec<Arc<Segment>> {
        let inner = self.inner();
        if inner.items.len() <= more_than && inner.bytes <= bytes {
            return Vec::new();
        }
        let behind = inner.items.iter().skip(1).take(at_once);
        let run = behind.map_while(|item| matches!(item, Item::Increment(_)).then(|| Arc::clone(item.segment())));
        let run: Vec<_> = run.collect();
        if run.len() < 2 { Vec::new() } else { run }
    }

    /// Those were merged into this one.
    pub fn merged(&self, parts: &[Arc<Segment>], whole: Segment) {
        let mut inner = self.inner();
        let first =
            parts.first().and_then(|first| inner.items.iter().position(|one| Arc::ptr_eq(one.segment(), first)));
        // A chain may have begun meanwhile.
        let Some(first) = first else { return };
        inner.items.drain(first..first + parts.len());
        inner.items.insert(first, Item::Increment(Arc::new(whole)));
        inner.bytes = inner.items.iter().map(|item| item.segment().size).sum();
    }

    /// Asks the publisher for something. Without a snapshot, nothing that waits is of any use.
    pub fn wish(&self, wish: TargetRequest) {
        let mut inner = self.inner();
        inner.wish = Some(wish);
        inner.items.clear();
        inner.bytes = 0;
        drop(inner);
        self.moved.notify_one();
    }

    /// What was asked for.
    pub fn wished(&self) -> Option<TargetRequest> {
        self.inner().wish
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> u64 {
        self.inner().bytes
    }

    /// How long the oldest change waits.
    pub fn lag(&self, now: Instant) -> Duration {
        let inner = self.inner();
        inner.items.front().map_or(Duration::ZERO, |item| now.saturating_duration_since(item.segment().captured))
    }

    /// Whether changes wait too long; `Some` when that has just changed.
    pub fn stalls(&self, stalled: bool) -> Option<bool> {
        let mut inner = self.inner();
        let changed = inner.stalled != stalled;
        inner.stalled = stalled;
        changed.then_some(stalled)
    }
}
