//! Connections: a name, an address, a TCP and a TLS handshake, each with its time.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::failure::{ConnectionFailure, FailureKind};
use crate::target::{Parsed, Protocol};
use crate::trust::TrustedRoots;

/// A connection with or without TLS.
pub(crate) enum Stream {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

/// How long the parts of opening one took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub dns: Option<Duration>,
    pub tcp: Duration,
    pub tls: Option<Duration>,
    pub remote: SocketAddr,
}

/// Opens connections to one place.
pub(crate) struct Connector {
    host: String,
    port: u16,
    /// No name has to be looked up.
    fixed: Option<SocketAddr>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    http2: bool,
}

/// TLS that cannot be set up at all.
#[derive(Debug, thiserror::Error)]
pub enum BadTls {
    /// The configuration is refused.
    #[error("TLS cannot be set up: {0}")]
    Config(#[from] rustls::Error),
    /// A host that no certificate can be for.
    #[error("invalid TLS server name `{0}`")]
    Name(String),
}

impl Connector {
    pub fn new(
        parsed: &Parsed,
        protocol: Protocol,
        to: Option<SocketAddr>,
        trust: &TrustedRoots,
    ) -> Result<Self, BadTls> {
        let (place, http2) = (&parsed.place, protocol != Protocol::Http1);
        let literal = place.host.parse().ok().map(|address| SocketAddr::new(address, place.port));
        let tls = match place.secure {
            false => None,
            true => {
                let name = ServerName::try_from(place.host.clone()).map_err(|_| BadTls::Name(place.host.clone()))?;
                let config = trust.config(if http2 { b"h2" } else { b"http/1.1" })?;
                Some((TlsConnector::from(config), name))
            }
        };
        Ok(Self { host: place.host.clone(), port: place.port, fixed: to.or(literal), tls, http2 })
    }

    pub async fn open(&self) -> Result<(Stream, Opened), ConnectionFailure> {
        let (addresses, dns) = self.addresses().await?;
        let (tcp, remote, tcp_time) = connected(&addresses).await?;
        let _ = tcp.set_nodelay(true);
        let Some((connector, name)) = &self.tls else {
            return Ok((Stream::Plain(tcp), Opened { dns, tcp: tcp_time, tls: None, remote }));
        };
        let began = Instant::now();
        let shaken = connector.connect(name.clone(), tcp).await;
        let secure = shaken.map_err(|error| ConnectionFailure::new(FailureKind::Tls, error))?;
        if self.http2 && secure.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(ConnectionFailure::new(FailureKind::Tls, "the server does not offer HTTP/2"));
        }
        let opened = Opened { dns, tcp: tcp_time, tls: Some(began.elapsed()), remote };
        Ok((Stream::Secure(Box::new(secure)), opened))
    }

    async fn addresses(&self) -> Result<(Vec<SocketAddr>, Option<Duration>), ConnectionFailure> {
        if let Some(fixed) = self.fixed {
            return Ok((vec![fixed], None));
        }
        let began = Instant::now();
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let found: Vec<SocketAddr> = found.map_err(|error| ConnectionFailure::new(FailureKind::Dns, error))?.collect();
        Ok((found, Some(began.elapsed())))
    }
}

/// The first address that takes a connection; the time is that of this one.
async fn connected(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr, Duration), ConnectionFailure> {
    let mut last = ConnectionFailure::new(FailureKind::Dns, "the name has no address");
    for address in addresses {
        let began = Instant::now();
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok((stream, *address, began.elapsed())),
            Err(error) => last = ConnectionFailure::new(FailureKind::Connect, format!("{address}: {error}")),
        }
    }
    Err(last)
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Secure(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Secure(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Secure(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Secure(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
