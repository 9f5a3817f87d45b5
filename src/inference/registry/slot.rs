//! The place of one model: what it is doing, and who waits for that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Source, Status};
use crate::inference::engine::Engine;
use crate::inference::fault::{Code, EmbedFault};

pub enum State {
    Available,
    Loading,
    Loaded { engine: Arc<Engine>, bytes: u64, used: Instant },
    Failed { why: String, at: Instant },
}

impl State {
    pub fn loaded(engine: Arc<Engine>, bytes: u64) -> Self {
        Self::Loaded { engine, bytes, used: Instant::now() }
    }

    pub fn failed(why: String) -> Self {
        Self::Failed { why, at: Instant::now() }
    }
}

pub struct Slot {
    inner: Mutex<(Source, State)>,
    changed: watch::Sender<u64>,
}

impl Slot {
    pub fn new(source: Source) -> Self {
        Self { inner: Mutex::new((source, State::Available)), changed: watch::Sender::new(0) }
    }

    fn inner(&self) -> MutexGuard<'_, (Source, State)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn source(&self) -> Source {
        self.inner().0.clone()
    }

    /// Another place, from which it is loaded next time.
    pub fn move_to(&self, source: Source) {
        self.inner().0 = source;
    }

    pub fn is_in_use(&self) -> bool {
        matches!(self.inner().1, State::Loading | State::Loaded { .. })
    }

    /// The engine when it is in memory; it counts as used now.
    pub fn loaded(&self) -> Option<Arc<Engine>> {
        match &mut self.inner().1 {
            State::Loaded { engine, used, .. } => {
                *used = Instant::now();
                Some(engine.clone())
            }
            _ => None,
        }
    }

    /// Whether the caller is to load it now.
    pub fn begin(&self, again: Duration) -> bool {
        let mut inner = self.inner();
        let wanted = match &inner.1 {
            State::Available => true,
            State::Failed { at, .. } => at.elapsed() >= again,
            State::Loading | State::Loaded { .. } => false,
        };
        if wanted {
            inner.1 = State::Loading;
        }
        wanted
    }

    pub fn finish(&self, state: State) {
        self.inner().1 = state;
        self.changed.send_modify(|count| *count += 1);
    }

    /// Waits until a load has ended.
    pub async fn settled(&self, name: &str, deadline: Instant) -> Result<Arc<Engine>, EmbedFault> {
        let mut changed = self.changed.subscribe();
        loop {
            match &self.inner().1 {
                State::Loaded { engine, .. } => return Ok(engine.clone()),
                State::Failed { why, at } => {
                    let again = Duration::from_secs(1).max(Duration::from_secs(30).saturating_sub(at.elapsed()));
                    let fault = EmbedFault::new(Code::ModelFailed, format!("the model {name} cannot be loaded: {why}"));
                    return Err(fault.again_after(again));
                }
                State::Available | State::Loading => {}
            }
            if tokio::time::timeout_at(deadline.into(), changed.changed()).await.is_err() {
                let fault = EmbedFault::new(Code::ModelLoading, format!("the model {name} is still being loaded"));
                return Err(fault.again_after(Duration::from_secs(1)));
            }
        }
    }

    /// When it was last asked for, and its memory.
    pub fn use_of(&self) -> Option<(Instant, u64)> {
        match &self.inner().1 {
            State::Loaded { used, bytes, .. } => Some((*used, *bytes)),
            _ => None,
        }
    }

    /// Out of memory, as soon as its requests end.
    pub fn let_go(&self) -> bool {
        let mut inner = self.inner();
        let loaded = matches!(inner.1, State::Loaded { .. });
        if loaded {
            inner.1 = State::Available;
        }
        loaded
    }

    pub fn look(&self) -> (Status, Option<Arc<Engine>>, u64) {
        match &self.inner().1 {
            State::Available => (Status::Available, None, 0),
            State::Loading => (Status::Loading, None, 0),
            State::Loaded { engine, bytes, .. } => (Status::Loaded, Some(engine.clone()), *bytes),
            State::Failed { why, .. } => (Status::Failed(why.clone()), None, 0),
        }
    }
}
