//! Sends requests to one target, one after another, on the available connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::answer::{CapturedAnswer, Seen};
use crate::connect::{BadTls, Connector, Opened};
use crate::failure::{ConnectionFailure, FailureKind};
use crate::http1::{self, Http1};
use crate::http2::{self, Http2};
use crate::target::{BadTarget, Expect, Parsed, Protocol, Target};
use crate::trust::TrustedRoots;

/// A target that cannot be asked for, or TLS that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum BadClient {
    /// The target.
    #[error(transparent)]
    Target(#[from] BadTarget),
    /// Its TLS.
    #[error(transparent)]
    Tls(#[from] BadTls),
    /// The request.
    #[error("the request cannot be made: {0}")]
    Request(#[from] http::Error),
}

/// What is sent.
enum Message {
    Http1(Bytes),
    Http2(Box<Request<Full<Bytes>>>),
}

/// Everything that the requests to one target share.
pub(crate) struct Client {
    connector: Connector,
    message: Message,
    parsed: Parsed,
    expect: Expect,
    grpc: bool,
}

/// A connection of either protocol.
pub(crate) enum Link {
    Http1(Box<Http1>),
    Http2(Http2),
}

/// How long the parts of a request took that was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// Of the connection, where it was opened for this request.
    pub opened: Option<Opened>,
    pub first_byte: Duration,
    pub done: Instant,
}

impl Client {
    pub fn new(target: &Target, trust: &TrustedRoots) -> Result<Arc<Self>, BadClient> {
        let parsed = target.parsed()?;
        let connector = Connector::new(&parsed, target.protocol, target.connect_to, trust)?;
        let message = match target.protocol {
            Protocol::Http1 => Message::Http1(http1::request(target, &parsed)),
            Protocol::Http2 | Protocol::Grpc => Message::Http2(Box::new(http2::request(target, &parsed)?)),
        };
        let (expect, grpc) = (target.expect.clone(), target.protocol == Protocol::Grpc);
        Ok(Arc::new(Self { connector, message, parsed, expect, grpc }))
    }

    /// Whether a request may be sent again that perhaps reached the server and was not answered. With HTTP/2 it is known that it did not.
    pub fn may_repeat(&self) -> bool {
        self.is_http2() || self.parsed.method.is_idempotent()
    }

    /// The names of the headers whose values are counted.
    pub fn counted(&self) -> impl Iterator<Item = &str> {
        self.parsed.count.iter().map(|name| name.as_str())
    }

    pub fn is_http2(&self) -> bool {
        matches!(self.message, Message::Http2(_))
    }

    pub async fn open(&self) -> Result<(Link, Opened), ConnectionFailure> {
        let (stream, opened) = self.connector.open().await?;
        let link = match &self.message {
            Message::Http1(_) => Link::Http1(Box::new(Http1::new(stream))),
            Message::Http2(_) => Link::Http2(Http2::new(stream).await?),
        };
        Ok((link, opened))
    }

    /// Sends the request and reads its answer. The second of the answer: whether the connection can be used again.
    pub async fn exchange(
        &self,
        link: &mut Link,
        keep: Option<&mut CapturedAnswer>,
    ) -> Result<(Seen, bool), ConnectionFailure> {
        match (link, &self.message) {
            (Link::Http1(connection), Message::Http1(bytes)) => connection.exchange(bytes, &self.parsed, keep).await,
            (Link::Http2(connection), Message::Http2(request)) => {
                connection.exchange(request, &self.parsed, keep).await.map(|seen| (seen, true))
            }
            // `open` made the connection of the protocol of the message.
            _ => Err(ConnectionFailure::new(FailureKind::Protocol, "a connection of another protocol")),
        }
    }

    /// Why an answer is not the right one.
    pub fn wrong(&self, seen: &Seen) -> Option<ConnectionFailure> {
        if !self.expect.status(seen.status) {
            return Some(ConnectionFailure::new(FailureKind::Status, format!("status {}", seen.status)));
        }
        if !self.grpc {
            return None;
        }
        match &seen.grpc {
            Some(status) if status.code == "0" => None,
            Some(status) => Some(ConnectionFailure::new(
                FailureKind::Grpc,
                format!("grpc-status {}: {}", status.code, status.message),
            )),
            None => Some(ConnectionFailure::new(FailureKind::Grpc, "the answer has no grpc-status")),
        }
    }
}

impl Link {
    pub fn is_open(&mut self) -> bool {
        match self {
            Self::Http1(connection) => connection.is_open(),
            Self::Http2(connection) => connection.is_open(),
        }
    }
}
