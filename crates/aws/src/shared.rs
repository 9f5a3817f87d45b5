//! One response shared by concurrent callers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::resource::Fault;

/// How long an answer serves: a run's reads are all sent together, in a moment.
const FRESH: Duration = Duration::from_secs(5);

/// One request, under way or done.
struct SharedRequest<T> {
    begun: Instant,
    answer: OnceCell<T>,
}

/// The last answer to one question.
pub struct SharedAnswer<T> {
    last: Mutex<Option<Arc<SharedRequest<T>>>>,
}

impl<T> Default for SharedAnswer<T> {
    fn default() -> Self {
        Self { last: Mutex::new(None) }
    }
}

impl<T: Clone> SharedAnswer<T> {
    /// Whoever asks from now on gets a new answer.
    pub fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The answer. Whoever asks while a request is under way, or just after, gets its answer, and `ask` is not begun.
    ///
    /// # Errors
    /// Those of `ask`; they are not kept.
    pub async fn get(&self, ask: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let asked = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let usable = last.take().filter(|a| !a.answer.initialized() || a.begun.elapsed() < FRESH);
            let asked =
                usable.unwrap_or_else(|| Arc::new(SharedRequest { begun: Instant::now(), answer: OnceCell::new() }));
            *last = Some(Arc::clone(&asked));
            asked
        };
        asked.answer.get_or_try_init(|| ask).await.cloned()
    }
}
