//! What is kept of an answer: what its headers tell, how long it was, and all of it for whoever sent one request alone.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::class::{self, Cache, Start};
use crate::target::Parsed;

/// The largest body of an answer that is read.
pub(crate) const MOST_READ: u64 = 64 << 20;
/// How much of a body is kept.
pub(crate) const MOST_KEPT: usize = 1 << 20;
/// The longest value of a header that is counted.
const MOST_VALUE: usize = 120;

/// What is known of an answer whose head has come.
#[derive(Debug)]
pub(crate) struct Seen {
    pub status: u16,
    pub first_byte: Instant,
    pub cache: Cache,
    pub start: Start,
    pub bytes: u64,
    /// Which header that is counted had which value.
    pub values: Vec<(usize, String)>,
    /// gRPC: what the headers or the trailers say.
    pub grpc: Option<GrpcStatus>,
}

/// A `grpc-status` with its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrpcStatus {
    pub code: String,
    pub message: String,
}

/// All of an answer, as far as it is kept.
#[derive(Debug)]
pub(crate) struct CapturedAnswer {
    pub headers: HeaderMap,
    pub trailers: Option<HeaderMap>,
    pub body: Vec<u8>,
    /// Bytes of the body that are kept at most.
    most: usize,
}

impl CapturedAnswer {
    pub fn up_to(most: usize) -> Self {
        Self { headers: HeaderMap::new(), trailers: None, body: Vec::new(), most }
    }

    pub fn body(&mut self, bytes: &[u8]) {
        let room = self.most.saturating_sub(self.body.len());
        self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    pub fn header(&mut self, name: &str, value: &[u8]) {
        // What is not a header by the rules of `http` was one by those of the parser; it is only left out of the copy.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value)) {
            self.headers.append(name, value);
        }
    }

    pub fn into_parts(self) -> (HeaderMap, Option<HeaderMap>, Bytes) {
        (self.headers, self.trailers, self.body.into())
    }
}

impl Seen {
    pub fn new(status: u16, first_byte: Instant) -> Self {
        Self {
            status,
            first_byte,
            cache: Cache::Unstated,
            start: Start::Warm,
            bytes: 0,
            values: Vec::new(),
            grpc: None,
        }
    }

    /// Looks at one header of the answer.
    pub fn header(&mut self, parsed: &Parsed, name: &str, value: &[u8]) {
        let is = |header: &HeaderName| header.as_str().eq_ignore_ascii_case(name);
        if is(&parsed.cache) {
            self.cache = class::cache_of(value);
        }
        if let Some((header, cold)) = &parsed.cold
            && is(header)
            && value.eq_ignore_ascii_case(cold.as_bytes())
        {
            self.start = Start::Cold;
        }
        if let Some(place) = parsed.count.iter().position(is) {
            let text = String::from_utf8_lossy(value);
            self.values.push((place, text.chars().take(MOST_VALUE).collect()));
        }
    }

    /// Takes the status of a gRPC call out of headers or trailers.
    pub fn grpc(&mut self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        if let Some(code) = text("grpc-status") {
            let message = text("grpc-message").unwrap_or_default().chars().take(MOST_VALUE).collect();
            self.grpc = Some(GrpcStatus { code, message });
        }
    }
}
