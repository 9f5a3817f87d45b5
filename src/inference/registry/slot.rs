//! The slot of one model: its state, and the requests that wait for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{ModelSource, ModelStatus};
use crate::inference::engine::Engine;
use crate::inference::fault::{EmbedFault, ErrorCode};

pub enum SlotState {
    Available,
    Loading,
    Loaded { engine: Arc<Engine>, bytes: u64, used: Instant },
    Failed { why: String, at: Instant },
}

impl SlotState {
    pub fn loaded(engine: Arc<Engine>, bytes: u64) -> Self {
        Self::Loaded { engine, bytes, used: Instant::now() }
    }

    pub fn failed(why: String) -> Self {
        Self::Failed { why, at: Instant::now() }
    }
}

struct Inner {
    source: ModelSource,
    state: SlotState,
    since: jiff::Timestamp,
    /// Counts what was put here: a load that began before a swap must not undo it.
    turn: u64,
}

impl Inner {
    /// What was there before; it is dropped after the lock is gone, since ending an engine takes a while.
    #[must_use]
    fn put(&mut self, state: SlotState) -> SlotState {
        self.since = jiff::Timestamp::now();
        std::mem::replace(&mut self.state, state)
    }
}

pub struct ModelSlot {
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
}

/// The right to load what a slot names. Dropped without an end, the load has failed.
pub struct LoadTurn {
    slot: Arc<ModelSlot>,
    pub source: ModelSource,
    number: u64,
    ended: bool,
}

impl LoadTurn {
    /// Ends the load; whether its result counts. It does not when another engine was put there meanwhile.
    pub fn end(mut self, state: SlotState) -> bool {
        self.ended = true;
        self.slot.end(self.number, state)
    }
}

impl Drop for LoadTurn {
    fn drop(&mut self) {
        if !self.ended {
            self.slot.end(self.number, SlotState::failed("the thread that loaded it ended".to_owned()));
        }
    }
}

/// What a request finds.
pub enum SlotLookup {
    Engine(Arc<Engine>),
    Begin(LoadTurn),
    Wait,
    Fault(EmbedFault),
}

impl ModelSlot {
    pub fn new(source: ModelSource) -> Self {
        let inner = Inner { source, state: SlotState::Available, since: jiff::Timestamp::now(), turn: 0 };
        Self { inner: Mutex::new(inner), changed: watch::Sender::new(0) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn source(&self) -> ModelSource {
        self.inner().source.clone()
    }

    /// Another place, from which it is loaded next time. A model that failed is tried again at once.
    pub fn move_to(&self, source: ModelSource) {
        let mut inner = self.inner();
        if inner.source == source {
            return;
        }
        inner.source = source;
        if matches!(inner.state, SlotState::Failed { .. }) {
            drop(inner.put(SlotState::Available));
        }
    }

    pub fn is_in_use(&self) -> bool {
        matches!(self.inner().state, SlotState::Loading | SlotState::Loaded { .. })
    }

    /// What there is for a request of this moment. A failed model is tried again after a pause.
    pub fn find(self: &Arc<Self>, name: &str, again: Duration) -> SlotLookup {
        let mut inner = self.inner();
        match &mut inner.state {
            SlotState::Loaded { engine, used, .. } => {
                *used = Instant::now();
                return SlotLookup::Engine(engine.clone());
            }
            SlotState::Loading => return SlotLookup::Wait,
            SlotState::Failed { why, at } if at.elapsed() < again => {
                let left = Duration::from_secs(1).max(again.saturating_sub(at.elapsed()));
                let fault =
                    EmbedFault::new(ErrorCode::ModelFailed, format!("the model {name} cannot be loaded: {why}"));
                return SlotLookup::Fault(fault.again_after(left));
            }
            SlotState::Failed { .. } | SlotState::Available => {}
        }
        drop(inner.put(SlotState::Loading));
        inner.turn += 1;
        SlotLookup::Begin(LoadTurn {
            slot: self.clone(),
            source: inner.source.clone(),
            number: inner.turn,
            ended: false,
        })
    }

    fn end(&self, number: u64, state: SlotState) -> bool {
        let mut inner = self.inner();
        if inner.turn != number {
            return false;
        }
        let old = inner.put(state);
        drop(inner);
        self.changed.send_modify(|count| *count += 1);
        drop(old);
        true
    }

    /// Puts an engine in the place of whatever is there; whoever has the old one keeps it until its requests end.
    pub fn replace(&self, source: ModelSource, state: SlotState) {
        let mut inner = self.inner();
        inner.source = source;
        inner.turn += 1;
        let old = inner.put(state);
        drop(inner);
        self.changed.send_modify(|count| *count += 1);
        drop(old);
    }

    /// Tells when something has changed from now on.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// When it was last asked for, and its memory.
    pub fn use_of(&self) -> Option<(Instant, u64)> {
        match &self.inner().state {
            SlotState::Loaded { used, bytes, .. } => Some((*used, *bytes)),
            _ => None,
        }
    }

    /// Out of memory, as soon as its requests end.
    pub fn let_go(&self) -> bool {
        let mut inner = self.inner();
        if !matches!(inner.state, SlotState::Loaded { .. }) {
            return false;
        }
        let old = inner.put(SlotState::Available);
        drop(inner);
        drop(old);
        true
    }

    pub fn look(&self) -> SlotView {
        let inner = self.inner();
        let (status, engine, bytes) = match &inner.state {
            SlotState::Available => (ModelStatus::Available, None, 0),
            SlotState::Loading => (ModelStatus::Loading, None, 0),
            SlotState::Loaded { engine, bytes, .. } => (ModelStatus::Loaded, Some(engine.clone()), *bytes),
            SlotState::Failed { why, .. } => (ModelStatus::Failed(why.clone()), None, 0),
        };
        SlotView { source: inner.source.clone(), status, engine, bytes, since: inner.since }
    }
}

/// What a slot is doing.
pub struct SlotView {
    pub source: ModelSource,
    pub status: ModelStatus,
    pub engine: Option<Arc<Engine>>,
    pub bytes: u64,
    pub since: jiff::Timestamp,
}
