//! The queue of texts for a worker: bounded, fair, and limited by the deadlines of requests.
//!
//! Each text has a place in line: the moment at which it came. The texts of one large request take places as if they came one
//! after another at half the measured speed, so that single texts beside it find their place between them, and none starves.

mod admit;
mod batch_delay;
mod batch_selection;
mod speed;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::batch::RequestedVectors;
use super::fault::{EmbedFault, ErrorCode};
use super::ticket::Ticket;

use admit::RequestTokens;
use speed::{CompletedBatch, Speeds};

pub use batch_selection::{BatchBudget, MOST_ROWS};
pub use speed::{CLASSES, QueuedTokens, class};

/// Share of the measured speed at which the texts of a large request take their places in line.
const BULK_SHARE: f64 = 0.5;
/// A request counts as alone only when none was beside another for this long: between the requests of many clients there are
/// moments with one, and the session that uses all cores would take them from the next to come.
const CALM: Duration = Duration::from_millis(20);

/// One text.
#[derive(Debug)]
pub struct QueueItem {
    /// Its token ids.
    pub ids: Box<[u32]>,
    /// Tokens at its beginning that belong to a prompt.
    pub prompt: usize,
    /// Which of its vectors.
    pub wanted: RequestedVectors,
    /// Its place in its request.
    pub place: usize,
    /// The request.
    pub ticket: Arc<Ticket>,
    /// When it came.
    pub since: Instant,
    /// When it is too late.
    pub deadline: Instant,
}

/// What a worker is to run.
#[derive(Debug)]
pub struct QueuedBatch {
    /// At least one text.
    pub items: Vec<QueueItem>,
    /// Nothing else waits or runs.
    pub alone: bool,
    /// Texts that were dropped on the way.
    pub skipped: usize,
    /// Its tokens, which the queue wants to hear of again when it has run.
    pub load: QueuedTokens,
}

/// How a batch ran.
#[derive(Clone, Copy, Debug)]
pub struct BatchTimes {
    /// Texts.
    pub rows: usize,
    /// How long it took.
    pub took: Duration,
    /// It had all cores.
    pub all_cores: bool,
}

/// A text that waits.
#[derive(Debug)]
struct Pending {
    item: QueueItem,
    /// Seconds until it is taken, as foreseen when it came; nothing for those that are behind others of their own request.
    foreseen: Option<f64>,
}

/// How long texts may wait, and how many.
#[derive(Clone, Copy, Debug)]
pub struct QueueBounds {
    /// A request that would wait longer before its first text runs is refused.
    pub wait: Duration,
    /// Tokens that may wait at the same time.
    pub tokens: usize,
}

/// What waits and runs at a moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct QueueDepth {
    /// Queued texts.
    pub texts: usize,
    /// Their tokens.
    pub tokens: usize,
    /// Workers that run something.
    pub busy: usize,
}

/// The queue of one model.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    /// Wakes the worker that waits for a larger batch.
    batch_delay: Condvar,
    began: Instant,
    bounds: QueueBounds,
    budget: BatchBudget,
    workers: usize,
}

#[derive(Debug)]
struct State {
    pending: BTreeMap<(u64, u64), Pending>,
    waiting: QueuedTokens,
    running: QueuedTokens,
    busy: usize,
    idle: usize,
    count: u64,
    speeds: Speeds,
    /// When two requests were last there at the same time.
    crowded: Option<Instant>,
    batch_delay: batch_delay::BatchDelay,
    stopped: bool,
}

impl State {
    /// For a while no two requests were there at the same time.
    fn calm(&self) -> bool {
        self.crowded.is_none_or(|at| at.elapsed() >= CALM)
    }

    /// Queued tokens.
    fn pending_tokens(&self) -> usize {
        self.waiting.total()
    }
}

impl Queue {
    /// An empty queue for so many workers. `speed` is the first guess, in tokens a second of all of them together.
    pub fn new(bounds: QueueBounds, budget: BatchBudget, workers: usize, speed: f64) -> Self {
        let state = State {
            pending: BTreeMap::new(),
            waiting: QueuedTokens::default(),
            running: QueuedTokens::default(),
            busy: 0,
            idle: 0,
            count: 0,
            speeds: Speeds::new(speed),
            crowded: None,
            batch_delay: batch_delay::BatchDelay::default(),
            stopped: false,
        };
        Self {
            state: Mutex::new(state),
            wake: Condvar::new(),
            batch_delay: Condvar::new(),
            began: Instant::now(),
            bounds,
            budget,
            workers,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The budget of a batch.
    pub fn budget(&self) -> BatchBudget {
        self.budget
    }

    /// Threads that take from it.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// What waits and runs.
    pub fn depth(&self) -> QueueDepth {
        let state = self.state();
        QueueDepth { texts: state.pending.len(), tokens: state.pending_tokens(), busy: state.busy }
    }

    /// Measured tokens per second of all workers.
    pub fn speed(&self) -> f64 {
        self.state().speeds.overall()
    }

    /// Takes the texts of a request in, or refuses all of them.
    ///
    /// # Errors
    /// `OVERLOADED` with the time after which there is room, `SHUTTING_DOWN`.
    pub fn put(&self, mut items: Vec<QueueItem>, deadline: Instant) -> Result<(), EmbedFault> {
        let now = Instant::now();
        let own = RequestTokens::of(items.iter().map(|item| item.ids.len()));
        let mut state = self.state();
        if state.stopped {
            return Err(EmbedFault::new(ErrorCode::ShuttingDown, "the server is shutting down; use another one"));
        }
        let place = nanos(now.duration_since(self.began));
        let several = items.len() > 1;
        // Those that are refused are a crowd, too.
        if several || state.busy > 0 || !state.pending.is_empty() {
            state.crowded = Some(now);
        }
        state.speeds.relax(now);
        let mut foreseen = Some(self.admit(&state, place, &own, deadline.saturating_duration_since(now))?);
        items.sort_by_key(|item| item.ids.len());
        let mut before = 0.0;
        for item in items {
            let at = place + (before * 1e9) as u64;
            before += state.speeds.text(item.ids.len()) / BULK_SHARE;
            state.count += 1;
            let count = state.count;
            state.pending.insert((at, count), Pending { item, foreseen: foreseen.take() });
        }
        state.waiting.with(&own.all);
        let enough = state.enough();
        drop(state);
        match enough {
            Some(true) => self.batch_delay.notify_one(),
            // The worker that waits takes it, and wakes others when there is more.
            Some(false) => {}
            None if several => self.wake.notify_all(),
            None => self.wake.notify_one(),
        }
        Ok(())
    }

    /// Waits for work; nothing when the queue was stopped and is empty.
    pub fn take(&self) -> Option<QueuedBatch> {
        let mut state = self.state();
        loop {
            state = self.wait_for_more(state);
            if state.enough() != Some(false)
                && let Some(work) = self.choose(&mut state)
            {
                let more = !state.pending.is_empty();
                drop(state);
                if more {
                    self.wake.notify_one();
                }
                return Some(work);
            }
            if state.stopped {
                return None;
            }
            state.idle += 1;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// A worker is done with what it took; `run` is nothing when it could not be run.
    pub fn done(&self, load: &QueuedTokens, run: Option<BatchTimes>) {
        let mut state = self.state();
        state.busy = state.busy.saturating_sub(1);
        state.running.without(load);
        let Some(BatchTimes { rows, took, all_cores }) = run else { return };
        let tokens = load.total();
        state.batch_delay.learn(tokens, took);
        let beside = if all_cores { 1 } else { self.workers };
        state.speeds.learn(&CompletedBatch { rows, tokens, took, beside, budget: self.budget.tokens }, Instant::now());
    }

    /// Takes nothing in any longer; what waits is still run.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.wake.notify_all();
        self.batch_delay.notify_all();
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
