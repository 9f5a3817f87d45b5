//! Shutdown: readiness fails first, then no connection is accepted, then admitted requests are finished.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How far the end has come.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ShutdownPhase {
    /// Not at all.
    Serving,
    /// Readiness says so; connections are still taken, so that those who ask may go elsewhere first.
    Draining,
    /// No new connections; what was admitted is finished.
    Closing,
    /// At once, with this exit code.
    Cut(u8),
}

/// How a server ended.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ShutdownOutcome {
    /// All that was admitted was answered.
    Done,
    /// The time was up for this many connections.
    Unfinished(usize),
    /// It was told twice; the exit code of the second signal.
    Forced(u8),
}

/// The end, seen and told by everybody who holds it.
#[derive(Clone, Debug)]
pub struct ShutdownHandle(Arc<watch::Sender<ShutdownPhase>>);

impl ShutdownHandle {
    /// Nobody wants to stop.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(ShutdownPhase::Serving)))
    }

    /// How far it has come.
    pub fn phase(&self) -> ShutdownPhase {
        *self.0.borrow()
    }

    /// Whether readiness is over.
    pub fn is_stopping(&self) -> bool {
        self.phase() > ShutdownPhase::Serving
    }

    /// Goes forward to this phase, never back.
    pub fn advance(&self, to: ShutdownPhase) {
        self.0.send_if_modified(|phase| {
            let forward = to > *phase;
            *phase = to.max(*phase);
            forward
        });
    }

    /// Waits until this phase, or a later one, has come.
    pub async fn reached(&self, wanted: ShutdownPhase) -> ShutdownPhase {
        let mut receiver = self.0.subscribe();
        // The sender lives as long as this does.
        receiver.wait_for(|phase| *phase >= wanted).await.map_or(wanted, |phase| *phase)
    }

    /// Listens to SIGTERM and SIGINT: the first one drains for `drain` and then closes, a second one cuts.
    pub async fn on_signals(self, drain: Duration) {
        // Without a handler the system's own way of ending applies.
        let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
            return;
        };
        first(&mut term, &mut int).await;
        self.advance(ShutdownPhase::Draining);
        tokio::select! {
            code = first(&mut term, &mut int) => return self.advance(ShutdownPhase::Cut(code)),
            () = tokio::time::sleep(drain) => self.advance(ShutdownPhase::Closing),
        }
        let code = first(&mut term, &mut int).await;
        self.advance(ShutdownPhase::Cut(code));
    }
}

impl Default for ShutdownHandle {
    fn default() -> Self {
        Self::new()
    }
}

/// The code of the next signal, as a shell gives it for a process that a signal ended.
async fn first(term: &mut Signal, int: &mut Signal) -> u8 {
    tokio::select! {
        _ = term.recv() => 143,
        _ = int.recv() => 130,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_never_goes_back() {
        let stop = ShutdownHandle::new();
        assert!(!stop.is_stopping());
        stop.advance(ShutdownPhase::Closing);
        stop.advance(ShutdownPhase::Draining);
        assert_eq!(stop.phase(), ShutdownPhase::Closing);
        assert_eq!(stop.reached(ShutdownPhase::Draining).await, ShutdownPhase::Closing);
        stop.advance(ShutdownPhase::Cut(143));
        assert_eq!(stop.reached(ShutdownPhase::Cut(0)).await, ShutdownPhase::Cut(143));
    }
}
