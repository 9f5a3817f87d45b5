//! Signals that ask the process to end: SIGINT (Ctrl-C), SIGTERM, and SIGHUP (the terminal or the connection is gone).
//!
//! Until [`Interrupts::listen`] is called, they do what the system does by default: the process ends at once. It is called
//! before a lease is taken, so that whatever ends the process in order gives the lease back.

use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::{Either, select};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

/// Wrappers (make, timeout, a shell in a pipeline) pass on a signal that the terminal has sent to the whole group already: two of
/// them within this time are one request.
const ONE_REQUEST: Duration = Duration::from_millis(500);

/// Whether the process was asked to end. Clones share the answer.
#[derive(Clone, Debug)]
pub struct Interrupts {
    stop: Arc<watch::Sender<bool>>,
    listening: Arc<OnceLock<()>>,
}

impl Default for Interrupts {
    fn default() -> Self {
        Self { stop: Arc::new(watch::Sender::new(false)), listening: Arc::default() }
    }
}

impl Interrupts {
    /// From now on a signal is noted instead of ending the process; a second SIGINT or SIGTERM ends it at once. A signal that
    /// the process was started to ignore (nohup, a background job of a shell) stays ignored.
    pub fn listen(&self) {
        if self.listening.set(()).is_ok() {
            let stop = Arc::clone(&self.stop);
            let (interrupt, terminate, hangup) =
                (open(SignalKind::interrupt()), open(SignalKind::terminate()), open(SignalKind::hangup()));
            tokio::spawn(watch_signals(stop, interrupt, terminate, hangup));
        }
    }

    /// Becomes true at the first signal.
    pub fn stop(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Whether a signal has come.
    pub fn have_come(&self) -> bool {
        *self.stop.borrow()
    }

    /// Returns at the first signal.
    pub async fn asked(&self) {
        let mut stop = self.stop();
        // The sender lives as long as `self`.
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What `read` gives: a thread of its own waits for it, because a read from a terminal cannot be given up. None when a signal
    /// came first; the thread then ends with the process.
    pub fn unless_asked<T: Send + 'static>(&self, read: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (send, receive) = oneshot::channel();
        std::thread::spawn(move || send.send(read()));
        let asked = std::pin::pin!(self.asked());
        match futures::executor::block_on(select(receive, asked)) {
            Either::Left((answer, _)) => answer.ok(),
            Either::Right(_) => None,
        }
    }
}

/// The stream of a signal; none when it is ignored or cannot be listened to.
fn open(kind: SignalKind) -> Option<Signal> {
    if is_ignored(kind.as_raw_value()) { None } else { signal(kind).ok() }
}

/// Whether the process was started with a signal ignored: bit `number - 1` of `SigIgn` in `/proc/self/status` (proc(5)). Where
/// there is no such file, no.
fn is_ignored(number: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or_default();
    u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & (1 << (number - 1)) != 0)
}

async fn watch_signals(
    stop: Arc<watch::Sender<bool>>,
    mut interrupt: Option<Signal>,
    mut terminate: Option<Signal>,
    mut hangup: Option<Signal>,
) {
    let mut first: Option<Instant> = None;
    loop {
        let by_a_person = tokio::select! {
            () = next(&mut interrupt) => true,
            () = next(&mut terminate) => true,
            // A terminal that goes away is often told twice, by the kernel and by the shell: it never ends anything at once.
            () = next(&mut hangup) => false,
        };
        stop.send_replace(true);
        if !by_a_person {
            continue;
        }
        let since = *first.get_or_insert_with(Instant::now);
        if since.elapsed() > ONE_REQUEST {
            // Whoever listened may be gone.
            let _ = writeln!(std::io::stderr(), "ended at once: run the same command again to continue");
            end_at_once();
        }
    }
}

async fn next(signal: &mut Option<Signal>) {
    let received = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if received.is_none() {
        std::future::pending::<()>().await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the user asked twice: nothing may hold the process up")]
fn end_at_once() {
    std::process::exit(130);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_read_that_never_ends_is_given_up_at_a_signal() {
        let interrupts = Interrupts::default();
        assert_eq!(interrupts.unless_asked(|| 7), Some(7));
        interrupts.stop.send_replace(true);
        let (held, release) = std::sync::mpsc::channel::<()>();
        assert_eq!(interrupts.unless_asked(move || release.recv().is_ok()), None);
        drop(held);
        interrupts.asked().await;
    }

    #[test]
    fn what_is_ignored_is_read_from_the_kernel() {
        // A test process ignores SIGPIPE (13), as every Rust program does, and none of the signals that end it.
        assert!(is_ignored(13));
        assert!(!is_ignored(15));
    }
}
