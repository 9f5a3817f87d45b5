//! Control and progress of a running load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadProgress {
    /// Requests that became due.
    pub due: u64,
    /// Answered as expected.
    pub answered: u64,
    /// Failed.
    pub failed: u64,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    due: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
}

/// Ends a run early and counts with it. Clones are the same one; it belongs to one run.
#[derive(Clone, Debug, Default)]
pub struct Control(Arc<Shared>);

impl Control {
    /// Sends nothing more. What is under way is still waited for, up to the time-out.
    pub fn stop(&self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it was ended.
    pub fn is_stopped(&self) -> bool {
        self.0.stop.load(Ordering::Relaxed)
    }

    /// How far it has come, the warm-up included.
    pub fn progress(&self) -> LoadProgress {
        LoadProgress {
            due: self.0.due.load(Ordering::Relaxed),
            answered: self.0.answered.load(Ordering::Relaxed),
            failed: self.0.failed.load(Ordering::Relaxed),
        }
    }

    pub(super) fn count_due(&self) {
        self.0.due.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_over(&self, answered: bool) {
        let counted = if answered { &self.0.answered } else { &self.0.failed };
        counted.fetch_add(1, Ordering::Relaxed);
    }
}
