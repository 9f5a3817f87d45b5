//! Stops a run of a graph that takes too long: a loop in a graph may not terminate.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use ort::session::{NoSelectedOutputs, RunOptions};

use crate::inference::backend::RunFault;

/// How often running graphs are looked at, as a share of their limit.
const LOOKS: u32 = 8;
/// The longest pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Every session of the process. A thread looks at them as long as one is there.
static SESSIONS: Mutex<Vec<Weak<Watched>>> = Mutex::new(Vec::new());
/// Another session is there: its limit may be shorter.
static MORE: Condvar = Condvar::new();

/// A session's run, as the watching thread sees it.
struct Watched {
    options: RunOptions<NoSelectedOutputs>,
    limit: Duration,
    since: Instant,
    /// Milliseconds from `since` to the begin of the run, plus one; 0 between runs.
    began: AtomicU64,
}

impl Watched {
    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn is_late(&self) -> bool {
        let began = self.began.load(Ordering::Acquire);
        began > 0 && u128::from((self.now() + 1).saturating_sub(began)) > self.limit.as_millis()
    }
}

/// The limit of one session.
pub(super) struct RunLimit(Arc<Watched>);

impl RunLimit {
    /// A limit that is watched from now on.
    pub(super) fn new(limit: Duration) -> ort::Result<Self> {
        let watched = Watched { options: RunOptions::new()?, limit, since: Instant::now(), began: AtomicU64::new(0) };
        let watched = Arc::new(watched);
        let mut sessions = SESSIONS.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.is_empty() {
            thread::Builder::new().name("run-limit".to_owned()).spawn(watch).map_err(ort::Error::wrap)?;
        }
        sessions.push(Arc::downgrade(&watched));
        MORE.notify_all();
        Ok(Self(watched))
    }

    /// Options for a run; it is watched until they are dropped.
    pub(super) fn begin(&self) -> WatchedRun<'_> {
        // Of the run before, which was stopped.
        let _ = self.0.options.unterminate();
        self.0.began.store(self.0.now() + 1, Ordering::Release);
        WatchedRun(self)
    }
}

/// A run that is watched.
pub(super) struct WatchedRun<'a>(&'a RunLimit);

impl WatchedRun<'_> {
    /// What the runtime is to be given.
    pub(super) fn options(&self) -> &RunOptions<NoSelectedOutputs> {
        &self.0.0.options
    }

    /// Why the run was stopped, when it was stopped for its time.
    pub(super) fn stopped(&self) -> Option<RunFault> {
        let watched = &*self.0.0;
        watched.is_late().then_some(RunFault::TooSlow { limit: watched.limit })
    }
}

impl Drop for WatchedRun<'_> {
    fn drop(&mut self) {
        self.0.0.began.store(0, Ordering::Release);
    }
}

fn watch() {
    let mut sessions = SESSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        sessions.retain(|session| session.strong_count() > 0);
        if sessions.is_empty() {
            return;
        }
        let mut pause = PAUSE;
        for watched in sessions.iter().filter_map(Weak::upgrade) {
            pause = pause.min(watched.limit / LOOKS);
            if watched.is_late() {
                // Said at each look: a run resets it when it begins.
                let _ = watched.options.terminate();
            }
        }
        sessions = MORE.wait_timeout(sessions, pause).unwrap_or_else(PoisonError::into_inner).0;
    }
}
