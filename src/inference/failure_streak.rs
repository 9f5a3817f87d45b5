//! Whether a model still returns usable vectors: recorded by its workers, read by the readiness check.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// So many batches in a row without one usable vector, and the model is not sound.
const REPEATED: u32 = 3;

/// Batches in a row that gave nothing usable.
#[derive(Debug, Default)]
pub struct FailureStreak {
    bad: AtomicU32,
    why: Mutex<String>,
    lost: Notify,
}

impl FailureStreak {
    /// A batch gave at least one usable vector.
    pub fn good(&self) {
        // Written only when it changes: all workers read it after each batch.
        if self.bad.load(Ordering::Relaxed) != 0 {
            self.bad.store(0, Ordering::Relaxed);
        }
    }

    /// A batch gave none, and why.
    pub fn bad(&self, why: &str) {
        why.clone_into(&mut self.why.lock().unwrap_or_else(PoisonError::into_inner));
        if self.bad.fetch_add(1, Ordering::Relaxed) + 1 == REPEATED {
            self.lost.notify_one();
        }
    }

    /// Why the model is not sound; nothing when it is.
    pub fn unsound(&self) -> Option<String> {
        let bad = self.bad.load(Ordering::Relaxed);
        (bad >= REPEATED).then(|| {
            let why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
            format!("{bad} batches in a row returned no usable vector; the last one: {why}")
        })
    }

    /// Waits until the model is not sound any longer; at once when that happened since the last wait.
    pub async fn lost(&self) {
        self.lost.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::FailureStreak;

    #[tokio::test]
    async fn three_in_a_row_and_a_good_one_mends_it() {
        let soundness = FailureStreak::default();
        soundness.bad("a");
        soundness.bad("b");
        soundness.good();
        soundness.bad("c");
        soundness.bad("d");
        assert_eq!(soundness.unsound(), None);
        soundness.bad("e");
        soundness.lost().await;
        assert!(
            soundness.unsound().unwrap().contains("3 batches in a row") && soundness.unsound().unwrap().ends_with('e')
        );
        soundness.good();
        assert_eq!(soundness.unsound(), None);
    }
}
