//! Connections: accepted, served, and closed without losing admitted requests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::activity::{ConnectionActivity, IdleTimeouts};
use super::admission::AdmissionGate;
use super::admission::connection_slots::ConnectionSlots;
use super::admission::slots::Slots;
use super::connection::{self, ConnectionDrain, HeaderLimits};
use super::log::LogWriter;
use super::request_service::{RequestService, RequestSettings};
use super::shutdown::{ShutdownHandle, ShutdownOutcome, ShutdownPhase};
use super::tls::Tls;

/// At the end, clients that are busy on a connection get this long to hear `connection: close` with their next answer: a
/// connection that is closed between two requests loses the second when it is already on its way.
const LINGER: Duration = Duration::from_millis(200);

/// How a listener treats connections; the same for REST and gRPC.
#[derive(Clone, Debug)]
pub struct ListenerOptions {
    /// Who may pass.
    pub gate: Arc<AdmissionGate>,
    /// What is told to people.
    pub log: Arc<LogWriter>,
    /// Encryption, when it is wanted.
    pub tls: Option<Arc<Tls>>,
    /// Connections at a time, of all listeners that share this.
    pub connections: Slots,
    /// How long a connection may be silent.
    pub timeouts: IdleTimeouts,
    /// Size and number of a request's headers.
    pub header_limits: HeaderLimits,
    /// Time for what was admitted, at the end.
    pub last: Duration,
}

/// Listens.
///
/// # Errors
/// The address is taken or not of this machine.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|why| std::io::Error::new(why.kind(), format!("cannot listen on {address}: {why}")))
}

/// Serves connections until the server is to stop; then takes no more, and finishes what was admitted. `grpc` says whether its router
/// answers calls of gRPC.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    grpc: bool,
    options: ListenerOptions,
    stop: ShutdownHandle,
) -> ShutdownOutcome {
    let (drain, open) = watch::channel(ConnectionDrain::No);
    let certified = options.tls.as_ref().is_some_and(|tls| tls.files().clients.is_some());
    let manner = RequestSettings { grpc, certified };
    let acceptor = Acceptor { builder: connection::builder(&options.header_limits), router, manner, options, open };
    tokio::select! {
        never = acceptor.accept(&listener) => match never {},
        _ = stop.reached(ShutdownPhase::Closing) => {}
    }
    // Clients whose connection waits to be accepted believe that they are connected.
    while let Some(Ok((stream, peer))) = futures::FutureExt::now_or_never(listener.accept()) {
        acceptor.welcome(stream, peer);
    }
    drop(listener);
    let last = acceptor.options.last;
    drop(acceptor);
    tokio::select! {
        biased;
        code = stop.reached(ShutdownPhase::Cut(0)) => match code {
            ShutdownPhase::Cut(code) => ShutdownOutcome::Forced(code),
            _ => ShutdownOutcome::Done,
        },
        ended = finish(&drain, last) => ended,
    }
}

/// Waits for the connections: a while as they are, then as long as it takes, at most `last`.
async fn finish(drain: &watch::Sender<ConnectionDrain>, last: Duration) -> ShutdownOutcome {
    let whole = async {
        if tokio::time::timeout(LINGER, drain.closed()).await.is_err() {
            let _ = drain.send(ConnectionDrain::Yes);
            drain.closed().await;
        }
    };
    match tokio::time::timeout(last, whole).await {
        Ok(()) => ShutdownOutcome::Done,
        Err(_) => ShutdownOutcome::Unfinished(drain.receiver_count()),
    }
}

struct Acceptor {
    builder: connection::Builder,
    router: Router,
    manner: RequestSettings,
    options: ListenerOptions,
    open: watch::Receiver<ConnectionDrain>,
}

impl Acceptor {
    async fn accept(&self, listener: &TcpListener) -> std::convert::Infallible {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.welcome(stream, peer),
                // No file handles left: those that end make room.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    fn welcome(&self, stream: TcpStream, peer: SocketAddr) {
        let Some(slot) = self.options.connections.take() else {
            return connection::refuse(&stream, self.options.tls.is_some());
        };
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(ConnectionActivity::new());
        let (gate, router, manner) = (self.options.gate.clone(), self.router.clone(), self.manner);
        let log = self.options.log.clone();
        let request_service =
            RequestService { gate, log, router, activity, near: ConnectionSlots::new(), peer: peer.ip(), manner };
        let (builder, tls, timeouts) = (self.builder.clone(), self.options.tls.clone(), self.options.timeouts);
        let drain = self.open.clone();
        tokio::spawn(async move {
            connection::serve(stream, tls, &builder, request_service, timeouts, drain).await;
            drop(slot);
        });
    }
}
