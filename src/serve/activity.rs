//! The activity of a connection: when bytes were last transferred, and whether requests are in progress.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long a connection may be silent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IdleTimeouts {
    /// From the first byte of a request to the end of its headers.
    pub headers: Duration,
    /// Between requests.
    pub idle: Duration,
    /// With a request under way and no byte moved.
    pub stalled: Duration,
}

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TimeoutAction {
    /// Look again after this time.
    Fine(Duration),
    /// Close it kindly: nothing is under way.
    Idle,
    /// End it.
    Cut,
}

/// When things happened on a connection, in milliseconds since it began.
#[derive(Debug)]
pub struct ConnectionActivity {
    began: Instant,
    requests: AtomicUsize,
    /// When the last request ended.
    idle_since: AtomicU64,
    /// When the first byte of the next request came; 0 for not yet.
    head_since: AtomicU64,
    /// When a byte moved.
    moved: AtomicU64,
    /// Frames come between requests, so that bytes say nothing about a request's beginning.
    http2: AtomicBool,
    /// A request was answered while its client may still have been sending.
    unread: AtomicBool,
}

impl ConnectionActivity {
    /// Of a connection that begins now.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            requests: AtomicUsize::new(0),
            idle_since: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            http2: AtomicBool::new(false),
            unread: AtomicBool::new(false),
        }
    }

    /// Milliseconds, at least one.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// A request's headers are here; it is under way until what comes back is dropped.
    pub fn begin(self: &Arc<Self>, http2: bool) -> ActiveRequest {
        self.requests.fetch_add(1, Ordering::AcqRel);
        self.http2.store(http2, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
        ActiveRequest(self.clone())
    }

    /// A request is answered while its client may still be sending.
    pub fn leave_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// Whether that happened.
    pub fn has_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    /// Requests under way.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Acquire)
    }

    fn read(&self) {
        let now = self.now();
        self.moved.store(now, Ordering::Relaxed);
        if self.requests() == 0 && !self.http2.load(Ordering::Relaxed) {
            let _ = self.head_since.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    fn wrote(&self) {
        self.moved.store(self.now(), Ordering::Relaxed);
    }

    /// What is to be done now.
    pub fn verdict(&self, timeouts: &IdleTimeouts) -> TimeoutAction {
        let now = self.now();
        let since = |mark: &AtomicU64| Duration::from_millis(now.saturating_sub(mark.load(Ordering::Relaxed)));
        let (passed, most, otherwise) = if self.requests() > 0 {
            (since(&self.moved), timeouts.stalled, TimeoutAction::Cut)
        } else if self.head_since.load(Ordering::Relaxed) > 0 {
            (since(&self.head_since), timeouts.headers, TimeoutAction::Cut)
        } else {
            (since(&self.idle_since), timeouts.idle, TimeoutAction::Idle)
        };
        match most.checked_sub(passed) {
            // Headers may begin right after this look, and their time is the shortest.
            Some(left) if !left.is_zero() => TimeoutAction::Fine(left.min(timeouts.headers)),
            _ => otherwise,
        }
    }
}

impl Default for ConnectionActivity {
    fn default() -> Self {
        Self::new()
    }
}

/// A request under way.
#[derive(Debug)]
pub struct ActiveRequest(Arc<ConnectionActivity>);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.idle_since.store(self.0.now(), Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A stream whose bytes are felt.
#[derive(Debug)]
pub struct TrackedIo<S> {
    stream: S,
    activity: Arc<ConnectionActivity>,
}

impl<S> TrackedIo<S> {
    /// This stream, with its reads and writes recorded here.
    pub fn new(stream: S, activity: Arc<ConnectionActivity>) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TrackedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if polled.is_ready() && buffer.filled().len() > before {
            self.activity.read();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TrackedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if polled.is_ready() {
            self.activity.wrote();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        if polled.is_ready() {
            self.activity.wrote();
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: IdleTimeouts = IdleTimeouts {
        headers: Duration::from_millis(10),
        idle: Duration::from_secs(60),
        stalled: Duration::from_secs(90),
    };

    fn aged(milliseconds: u64) -> Arc<ConnectionActivity> {
        let began = Instant::now() - Duration::from_millis(milliseconds);
        Arc::new(ConnectionActivity { began, ..ConnectionActivity::new() })
    }

    #[test]
    fn headers_have_less_time_than_silence() {
        let silent = aged(1_000);
        assert!(matches!(silent.verdict(&PATIENCE), TimeoutAction::Fine(_)));
        let slow = aged(1_000);
        slow.head_since.store(500, Ordering::Relaxed);
        assert_eq!(slow.verdict(&PATIENCE), TimeoutAction::Cut);
        assert_eq!(aged(61_000).verdict(&PATIENCE), TimeoutAction::Idle);
    }

    #[test]
    fn a_request_under_way_is_waited_for() {
        let activity = aged(80_000);
        let under_way = activity.begin(false);
        assert!(matches!(activity.verdict(&PATIENCE), TimeoutAction::Fine(_)));
        drop(under_way);
        assert!(matches!(activity.verdict(&PATIENCE), TimeoutAction::Fine(_)), "silence counts from the request's end");
    }

    #[test]
    fn frames_between_requests_of_http2_are_no_slow_headers() {
        let activity = aged(5_000);
        drop(activity.begin(true));
        activity.read();
        assert_eq!(activity.head_since.load(Ordering::Relaxed), 0);
    }
}
