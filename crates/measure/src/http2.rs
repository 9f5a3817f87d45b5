//! HTTP/2 and gRPC, by hyper: many requests at once on one connection.

use std::time::Instant;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::answer::{CapturedAnswer, MOST_READ, Seen};
use crate::connect::Stream;
use crate::failure::{ConnectionFailure, FailureKind};
use crate::target::{Parsed, Protocol, Target};

/// How much is read ahead of one answer, and of all on a connection.
const WINDOWS: (u32, u32) = (1 << 20, 8 << 20);

/// A connection. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Http2(SendRequest<Full<Bytes>>);

/// The message of a gRPC request, as it stands on the wire: not compressed, its length, itself.
fn framed(message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(5 + message.len());
    bytes.put_u8(0);
    // At most `MOST_BODY`, which a target was checked for.
    bytes.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    bytes.put_slice(message);
    bytes.freeze()
}

/// A request, ready to be sent again and again.
pub(crate) fn request(target: &Target, parsed: &Parsed) -> Result<Request<Full<Bytes>>, http::Error> {
    let grpc = target.protocol == Protocol::Grpc;
    let scheme = if parsed.place.secure { "https" } else { "http" };
    let uri = format!("{scheme}://{}{}", parsed.place.authority, parsed.place.path);
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_static(crate::USER_AGENT));
    if grpc {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    } else {
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    }
    // The first of a name replaces what stands there by itself; `host` is in the URI.
    for (name, value) in parsed.headers.iter().filter(|(name, _)| *name != header::HOST) {
        let own = [header::USER_AGENT, header::CONTENT_TYPE, header::ACCEPT];
        if own.contains(name) {
            headers.insert(name, value.clone());
        } else {
            headers.append(name, value.clone());
        }
    }
    let body = if grpc { framed(&target.body) } else { Bytes::copy_from_slice(&target.body) };
    let mut request = Request::builder().method(parsed.method.clone()).uri(uri).body(Full::new(body))?;
    *request.headers_mut() = headers;
    Ok(request)
}

impl Http2 {
    /// Greets the server. The connection is driven by a task of its own, which ends with the last clone.
    pub async fn new(stream: Stream) -> Result<Self, ConnectionFailure> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(WINDOWS.0).initial_connection_window_size(WINDOWS.1);
        builder.max_header_list_size(64 << 10);
        let shaken = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|error| broken(&error))?;
        // Its failure reaches each request that is on it.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self(sender))
    }

    /// Whether requests can be sent on it.
    pub fn is_open(&self) -> bool {
        !self.0.is_closed()
    }

    /// Sends a request and reads its answer to the end.
    pub async fn exchange(
        &mut self,
        request: &Request<Full<Bytes>>,
        parsed: &Parsed,
        mut keep: Option<&mut CapturedAnswer>,
    ) -> Result<Seen, ConnectionFailure> {
        let answer = self.0.try_send_request(request.clone()).await;
        let answer = answer.map_err(|mut error| {
            let stale = error.take_message().is_some();
            ConnectionFailure { stale, ..broken(error.error()) }
        })?;
        let mut seen = Seen::new(answer.status().as_u16(), Instant::now());
        for (name, value) in answer.headers() {
            seen.header(parsed, name.as_str(), value.as_bytes());
        }
        seen.grpc(answer.headers());
        let (head, mut body) = answer.into_parts();
        if let Some(kept) = keep.as_deref_mut() {
            kept.headers = head.headers;
        }
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broken(&error))?;
            if let Some(bytes) = frame.data_ref() {
                seen.bytes += bytes.len() as u64;
                if let Some(kept) = keep.as_deref_mut() {
                    kept.body(bytes);
                }
            } else if let Ok(trailers) = frame.into_trailers() {
                seen.grpc(&trailers);
                if let Some(kept) = keep.as_deref_mut() {
                    kept.trailers = Some(trailers);
                }
            }
            if seen.bytes > MOST_READ {
                return Err(ConnectionFailure::new(FailureKind::TooLarge, format!("more than {MOST_READ} bytes")));
            }
        }
        Ok(seen)
    }
}

fn broken(error: &hyper::Error) -> ConnectionFailure {
    let kind = if error.is_parse() { FailureKind::Protocol } else { FailureKind::Reset };
    // hyper says what it was about, its source what happened.
    let why = std::error::Error::source(error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    ConnectionFailure::new(kind, why)
}
