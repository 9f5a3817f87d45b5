//! The trace of a request from arrival to response: recorded by the embedder, used for logs and spans.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use crate::inference::fault::ErrorCode;

/// What the embedder tells.
#[derive(Clone, Debug)]
pub struct RequestTrace {
    /// The model.
    pub model: String,
    /// Texts.
    pub texts: usize,
    /// Their tokens.
    pub tokens: usize,
    /// Why there are no vectors.
    pub code: Option<ErrorCode>,
    /// When tokenizing began.
    pub began: Instant,
    /// Time in the tokenizer.
    pub tokenizing: Duration,
    /// Longest wait in the queue.
    pub waited: Duration,
    /// When the vectors were there.
    pub ended: Instant,
}

struct TraceRecorder {
    /// Stories with a good end are wanted, too.
    all: bool,
    heard: Option<RequestTrace>,
}

tokio::task_local! {
    static EAR: RefCell<TraceRecorder>;
}

/// Runs a request and listens; `all`: to those that end well, too.
pub async fn listen<F: Future>(all: bool, request: F) -> (F::Output, Option<RequestTrace>) {
    let mut scope = pin!(EAR.scope(RefCell::new(TraceRecorder { all, heard: None }), request));
    let output = scope.as_mut().await;
    let heard = scope.take_value().and_then(|ear| ear.into_inner().heard);
    (output, heard)
}

/// Tells, when somebody wants to know.
pub fn tell(failed: bool, request_trace: impl FnOnce() -> RequestTrace) {
    // Without a scope (a stream after its head, a canary) nobody listens.
    let _ = EAR.try_with(|ear| {
        let mut ear = ear.borrow_mut();
        if ear.all || failed {
            ear.heard = Some(request_trace());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request_trace(code: Option<ErrorCode>) -> RequestTrace {
        let (now, nothing) = (Instant::now(), Duration::ZERO);
        RequestTrace {
            model: "m".into(),
            texts: 1,
            tokens: 2,
            code,
            began: now,
            tokenizing: nothing,
            waited: nothing,
            ended: now,
        }
    }

    #[tokio::test]
    async fn failures_are_always_heard() {
        let good = async { tell(false, || request_trace(None)) };
        assert!(listen(false, good).await.1.is_none());
        let good = async { tell(false, || request_trace(None)) };
        assert_eq!(listen(true, good).await.1.unwrap().tokens, 2);
        let bad = async { tell(true, || request_trace(Some(ErrorCode::Overloaded))) };
        assert_eq!(listen(false, bad).await.1.unwrap().code, Some(ErrorCode::Overloaded));
        tell(true, || unreachable!("nobody listens"));
    }
}
