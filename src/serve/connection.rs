//! One connection: TLS when it is wanted, HTTP/1 or HTTP/2 by its first bytes, watched until it ends.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::activity::{IdleTimeouts, TimeoutAction, TrackedIo};
use super::certificate;
use super::linger::LingeringClose;
use super::problem::ApiProblem;
use super::request_service::RequestService;
use super::tls::Tls;

/// Time for a kind end of an idle connection.
const GOODBYE: Duration = Duration::from_secs(5);

/// Whether connections are to end once nothing is under way on them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConnectionDrain {
    /// They go on.
    No,
    /// They end.
    Yes,
}

/// How large the headers of a request may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeaderLimits {
    /// All together, in bytes.
    pub bytes: usize,
    /// Their number.
    pub count: usize,
}

/// Serves HTTP on a stream.
pub type Builder = auto::Builder<TokioExecutor>;

/// Requests of a connection of HTTP/2 at a time.
const STREAMS: u32 = 256;
/// Bytes of a body that nobody reads yet, of a stream and of its connection; clients are held back by them.
pub const STREAM_WINDOW: u32 = 128 << 10;
const WINDOW: u32 = 512 << 10;
/// Bytes that the frames of a connection take, besides what they carry, while nobody reads them: half the window is what the library
/// of HTTP/2 takes for frames of less than 256 bytes, 256 for each. A connection with more ends (`ENHANCE_YOUR_CALM`).
pub const FRAMES: usize = WINDOW as usize / 2;
/// Bytes of an answer of HTTP/2 that wait to be sent.
pub const SEND_BUFFER: usize = 64 << 10;

/// One for all connections of a listener.
pub fn builder(header_limits: &HeaderLimits) -> Builder {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Timeouts use the activity record, which also covers connections that have not sent a byte.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None);
    builder.http1().max_buf_size(header_limits.bytes).max_headers(header_limits.count);
    let most = u32::try_from(header_limits.bytes).unwrap_or(u32::MAX);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS).max_header_list_size(most);
    builder.http2().initial_stream_window_size(STREAM_WINDOW).initial_connection_window_size(WINDOW);
    builder.http2().max_send_buf_size(SEND_BUFFER);
    builder
}

/// Serves a connection to its end.
pub async fn serve(
    stream: TcpStream,
    tls: Option<Arc<Tls>>,
    builder: &Builder,
    mut request_service: RequestService,
    timeouts: IdleTimeouts,
    drain: watch::Receiver<ConnectionDrain>,
) {
    match tls {
        None => speak(stream, builder, request_service, timeouts, drain).await,
        Some(tls) => {
            request_service.near.authorities = tls.authorities();
            match timeout(timeouts.headers, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                    request_service.near.holder = shown.map(|own| certificate::holder(own.as_ref()).into());
                    speak(stream, builder, request_service, timeouts, drain).await;
                }
                Ok(Err(why)) => tracing::debug!("no TLS with {}: {why}", request_service.peer),
                Err(_) => tracing::debug!("no TLS with {}: too slow", request_service.peer),
            }
        }
    }
}

/// Waits until an authority of clients is taken away; for ever where no certificate is asked for.
async fn taken_away(authorities: &mut Option<watch::Receiver<u64>>) {
    if let Some(authorities) = authorities
        && authorities.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

async fn speak<S>(
    stream: S,
    builder: &Builder,
    request_service: RequestService,
    timeouts: IdleTimeouts,
    mut drain: watch::Receiver<ConnectionDrain>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (activity, mut authorities) = (request_service.activity.clone(), request_service.near.authorities.clone());
    let stream = TokioIo::new(LingeringClose::new(TrackedIo::new(stream, activity.clone()), activity.clone()));
    let mut connection = pin!(builder.serve_connection(stream, request_service));
    let mut look = pin!(sleep(timeouts.headers.min(timeouts.idle)));
    let (mut hushed, mut leaving, mut outdated) = (false, false, false);
    loop {
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            _ = drain.wait_for(|drain| *drain == ConnectionDrain::Yes), if !hushed => {
                hushed = true;
                connection.as_mut().graceful_shutdown();
            }
            // What was admitted is finished; then its client has to show a certificate again.
            () = taken_away(&mut authorities), if !outdated => {
                outdated = true;
                connection.as_mut().graceful_shutdown();
            }
            () = look.as_mut() => {
                let next = match activity.verdict(&timeouts) {
                    TimeoutAction::Fine(next) => next,
                    TimeoutAction::Idle if !leaving => {
                        leaving = true;
                        connection.as_mut().graceful_shutdown();
                        GOODBYE
                    }
                    TimeoutAction::Idle | TimeoutAction::Cut => return,
                };
                look.as_mut().reset(Instant::now() + next);
            }
        }
    }
}

/// Tells one connection too many to come again; without waiting for anything.
pub fn refuse(stream: &TcpStream, encrypted: bool) {
    if encrypted {
        return;
    }
    let problem = ApiProblem::of_status(http::StatusCode::SERVICE_UNAVAILABLE);
    let body = format!(r#"{{"error":"{}","code":"{}","request_id":""}}"#, problem.message, problem.code);
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\nretry-after: 1\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.try_write(answer.as_bytes());
}
