//! Contains panics: each becomes an error of its request and a log line.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;

use futures::FutureExt;

use super::log::{LogLevel, LogWriter};
use crate::inference::fault::{EmbedFault, ErrorCode};

/// What became of a future, or the fault that its panic is.
///
/// # Errors
/// It panicked.
pub async fn caught<T>(future: impl Future<Output = T>) -> Result<T, EmbedFault> {
    // What it shares with other requests is behind locks that outlive a panic, or counts that are given back on drop.
    AssertUnwindSafe(future)
        .catch_unwind()
        .await
        .map_err(|_| EmbedFault::new(ErrorCode::Internal, "internal error in this request only; see the server's log"))
}

/// From now on panics are lines of this log, whichever thread they happen on.
pub fn tell(log: &Arc<LogWriter>) {
    let log = log.clone();
    panic::set_hook(Box::new(move |about| {
        let place = about.location().map(ToString::to_string).unwrap_or_default();
        let current = thread::current();
        let thread = current.name().unwrap_or("unnamed");
        let fields = [("thread", thread.into()), ("place", place.into()), ("why", words(about.payload()).into())];
        log.say(LogLevel::Error, "a thread panicked", &fields);
    }));
}

/// What a panic says of itself.
fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_fault() {
        assert_eq!(caught(async { 3 }).await.unwrap(), 3);
        let fault = caught(async { panic!("the value {}", 7) }).await.map(|(): ()| ()).unwrap_err();
        assert_eq!(fault.code, ErrorCode::Internal);
        assert!(!fault.message.contains('7'), "clients do not see what happened inside: {fault}");
    }

    #[test]
    fn words_of_a_panic() {
        let payload = panic::catch_unwind(|| panic!("the value {}", 7)).unwrap_err();
        assert_eq!(words(payload.as_ref()), "the value 7");
        let payload = panic::catch_unwind(|| panic!("plain")).unwrap_err();
        assert_eq!(words(payload.as_ref()), "plain");
    }
}
