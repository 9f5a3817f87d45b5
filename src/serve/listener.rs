//! Connections: accepted, served, and ended without losing what was admitted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::admission::Gate;
use super::admission::near::Near;
use super::admission::slots::Slots;
use super::connection::{self, Heads, Hush};
use super::door::{Door, Manner};
use super::log::Log;
use super::pulse::{Patience, Pulse};
use super::shutdown::{Ended, Phase, Stop};
use super::tls::Tls;

/// At the end, clients that are busy on a connection get this long to hear `connection: close` with their next answer: a
/// connection that is closed between two requests loses the second when it is already on its way.
const LINGER: Duration = Duration::from_millis(200);

/// How a listener treats connections; the same for REST and gRPC.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who may pass.
    pub gate: Arc<Gate>,
    /// What is told to people.
    pub log: Arc<Log>,
    /// Encryption, when it is wanted.
    pub tls: Option<Arc<Tls>>,
    /// Connections at a time, of all listeners that share this.
    pub connections: Slots,
    /// How long a connection may be silent.
    pub patience: Patience,
    /// Size and number of a request's headers.
    pub heads: Heads,
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
pub async fn serve(listener: TcpListener, router: Router, grpc: bool, options: Options, stop: Stop) -> Ended {
    let (hush, open) = watch::channel(Hush::No);
    let certified = options.tls.as_ref().is_some_and(|tls| tls.files().clients.is_some());
    let manner = Manner { grpc, certified };
    let house = House { builder: connection::builder(&options.heads), router, manner, options, open };
    tokio::select! {
        never = house.accept(&listener) => match never {},
        _ = stop.reached(Phase::Closing) => {}
    }
    // Clients whose connection waits to be accepted believe that they are connected.
    while let Some(Ok((stream, peer))) = futures::FutureExt::now_or_never(listener.accept()) {
        house.welcome(stream, peer);
    }
    drop(listener);
    let last = house.options.last;
    drop(house);
    tokio::select! {
        biased;
        code = stop.reached(Phase::Cut(0)) => match code {
            Phase::Cut(code) => Ended::Forced(code),
            _ => Ended::Done,
        },
        ended = finish(&hush, last) => ended,
    }
}

/// Waits for the connections: a while as they are, then as long as it takes, at most `last`.
async fn finish(hush: &watch::Sender<Hush>, last: Duration) -> Ended {
    let whole = async {
        if tokio::time::timeout(LINGER, hush.closed()).await.is_err() {
            let _ = hush.send(Hush::Yes);
            hush.closed().await;
        }
    };
    match tokio::time::timeout(last, whole).await {
        Ok(()) => Ended::Done,
        Err(_) => Ended::Unfinished(hush.receiver_count()),
    }
}

struct House {
    builder: connection::Builder,
    router: Router,
    manner: Manner,
    options: Options,
    open: watch::Receiver<Hush>,
}

impl House {
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
        let pulse = Arc::new(Pulse::new());
        let (gate, router, manner) = (self.options.gate.clone(), self.router.clone(), self.manner);
        let log = self.options.log.clone();
        let door = Door { gate, log, router, pulse, near: Near::new(), peer: peer.ip(), manner };
        let (builder, tls, patience) = (self.builder.clone(), self.options.tls.clone(), self.options.patience);
        let hush = self.open.clone();
        tokio::spawn(async move {
            connection::serve(stream, tls, &builder, door, patience, hush).await;
            drop(slot);
        });
    }
}
