//! What became of a request between its arrival and its answer: told by the embedder, read by whoever writes logs and spans.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use crate::inference::fault::Code;

/// What the embedder tells.
#[derive(Clone, Debug)]
pub struct Story {
    /// The model.
    pub model: String,
    /// Texts.
    pub texts: usize,
    /// Their tokens.
    pub tokens: usize,
    /// Why there are no vectors.
    pub code: Option<Code>,
    /// When tokenising began.
    pub began: Instant,
    /// Time in the tokenizer.
    pub tokenising: Duration,
    /// Longest wait in the queue.
    pub waited: Duration,
    /// When the vectors were there.
    pub ended: Instant,
}

struct Ear {
    /// Stories with a good end are wanted, too.
    all: bool,
    heard: Option<Story>,
}

tokio::task_local! {
    static EAR: RefCell<Ear>;
}

/// Runs a request and listens; `all`: to those that end well, too.
pub async fn listen<F: Future>(all: bool, request: F) -> (F::Output, Option<Story>) {
    let mut scope = pin!(EAR.scope(RefCell::new(Ear { all, heard: None }), request));
    let output = scope.as_mut().await;
    let heard = scope.take_value().and_then(|ear| ear.into_inner().heard);
    (output, heard)
}

/// Tells, when somebody wants to know.
pub fn tell(failed: bool, story: impl FnOnce() -> Story) {
    // Without a scope (a stream after its head, a canary) nobody listens.
    let _ = EAR.try_with(|ear| {
        let mut ear = ear.borrow_mut();
        if ear.all || failed {
            ear.heard = Some(story());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(code: Option<Code>) -> Story {
        let (now, nothing) = (Instant::now(), Duration::ZERO);
        Story {
            model: "m".into(),
            texts: 1,
            tokens: 2,
            code,
            began: now,
            tokenising: nothing,
            waited: nothing,
            ended: now,
        }
    }

    #[tokio::test]
    async fn failures_are_always_heard() {
        let good = async { tell(false, || story(None)) };
        assert!(listen(false, good).await.1.is_none());
        let good = async { tell(false, || story(None)) };
        assert_eq!(listen(true, good).await.1.unwrap().tokens, 2);
        let bad = async { tell(true, || story(Some(Code::Overloaded))) };
        assert_eq!(listen(false, bad).await.1.unwrap().code, Some(Code::Overloaded));
        tell(true, || unreachable!("nobody listens"));
    }
}
