//! When to stop.

use tokio::signal::unix::{SignalKind, signal as on};

/// Ends with the first SIGTERM or SIGINT.
pub async fn signal() {
    let (term, int) = (on(SignalKind::terminate()), on(SignalKind::interrupt()));
    match (term, int) {
        (Ok(mut term), Ok(mut int)) => {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
        }
        // Without a handler the system's own way of ending applies.
        _ => std::future::pending().await,
    }
}
