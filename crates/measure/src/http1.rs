//! HTTP/1.1 on one connection: one request, one answer, with httparse.
//!
//! Written here and not taken from a client library for two reasons: the instant of the first byte is that of the read which brought
//! it, and at tens of thousands of requests a second the channels of a general client cost more than the request itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};

use crate::answer::{CapturedAnswer, MOST_READ, Seen};
use crate::connect::Stream;
use crate::failure::{ConnectionFailure, FailureKind};
use crate::target::{Parsed, Target};

/// The most headers of an answer.
const MOST_HEADERS: usize = 100;
/// The longest head of an answer.
const MOST_HEAD: usize = 64 << 10;
/// How much is read at once.
const READ: usize = 16 << 10;

/// A connection and what was read of it and not yet used.
pub(crate) struct Http1 {
    stream: Stream,
    buffer: BytesMut,
    /// It carried a request before.
    used: bool,
}

/// How the body of an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunks,
    Close,
}

/// A head, and what follows from it.
struct Head {
    seen: Seen,
    framing: Framing,
    keep: bool,
}

/// The bytes of a request.
pub(crate) fn request(target: &Target, parsed: &Parsed) -> Bytes {
    let mut text = format!("{} {} HTTP/1.1\r\n", parsed.method, parsed.place.path).into_bytes();
    let mut put = |name: &str, value: &[u8]| {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value);
        text.extend_from_slice(b"\r\n");
    };
    let has = |name: &str| parsed.headers.iter().any(|(header, _)| header.as_str() == name);
    if !has("host") {
        put("host", parsed.place.authority.as_bytes());
    }
    for (name, value) in [("accept", "*/*"), ("user-agent", crate::USER_AGENT)] {
        if !has(name) {
            put(name, value.as_bytes());
        }
    }
    parsed.headers.iter().for_each(|(name, value)| put(name.as_str(), value.as_bytes()));
    if !target.body.is_empty() || ["POST", "PUT", "PATCH"].contains(&parsed.method.as_str()) {
        put("content-length", target.body.len().to_string().as_bytes());
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(&target.body);
    text.into()
}

impl Http1 {
    pub fn new(stream: Stream) -> Self {
        Self { stream, buffer: BytesMut::with_capacity(READ), used: false }
    }

    /// Whether the server has not closed it, nor sent what nobody asked for.
    pub fn is_open(&mut self) -> bool {
        let mut byte = [0_u8; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut context = Context::from_waker(Waker::noop());
        // Pending: nothing came. TLS takes in what concerns it alone, like tickets, and says the same.
        matches!(Pin::new(&mut self.stream).poll_read(&mut context, &mut buffer), Poll::Pending)
    }

    /// Sends a request and reads its answer to the end. The second of the answer: whether the connection can be used again.
    pub async fn exchange(
        &mut self,
        request: &[u8],
        parsed: &Parsed,
        mut keep: Option<&mut CapturedAnswer>,
    ) -> Result<(Seen, bool), ConnectionFailure> {
        let sent = self.send(request).await;
        let head = self.head(parsed, &mut keep).await;
        // A server that refuses a large body answers and closes while it is being sent: the answer counts.
        let Head { mut seen, framing, keep: open } = match (head, sent) {
            (Ok(head), _) => head,
            (Err(broken), Ok(())) => return Err(broken),
            (Err(broken), Err(error)) => return Err(ConnectionFailure { why: error.to_string(), ..broken }),
        };
        self.used = true;
        let mut take = |bytes: &[u8]| {
            seen.bytes += bytes.len() as u64;
            if let Some(kept) = keep.as_deref_mut() {
                kept.body(bytes);
            }
            match seen.bytes <= MOST_READ {
                true => Ok(()),
                false => Err(ConnectionFailure::new(FailureKind::TooLarge, format!("more than {MOST_READ} bytes"))),
            }
        };
        match framing {
            Framing::Length(length) => self.length(length, &mut take).await?,
            Framing::Chunks => self.chunks(&mut take).await?,
            Framing::Close => self.read_to_end(&mut take).await?,
        }
        // What came after the answer belongs to no request.
        Ok((seen, open && self.buffer.is_empty()))
    }

    async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request).await?;
        self.stream.flush().await
    }

    /// Reads more. `false` at the end of the connection.
    async fn more(&mut self) -> Result<bool, ConnectionFailure> {
        self.buffer.reserve(READ);
        let read = self.stream.read_buf(&mut self.buffer).await;
        read.map(|count| count > 0).map_err(|error| ConnectionFailure::new(FailureKind::Reset, error))
    }

    async fn head(
        &mut self,
        parsed: &Parsed,
        keep: &mut Option<&mut CapturedAnswer>,
    ) -> Result<Head, ConnectionFailure> {
        let mut first_byte = None;
        loop {
            let came = self.more().await;
            if first_byte.is_none() {
                let stale = self.used && self.buffer.is_empty();
                match came {
                    Ok(true) => first_byte = Some(Instant::now()),
                    Ok(false) => {
                        return Err(ConnectionFailure {
                            stale,
                            ..ConnectionFailure::new(FailureKind::Reset, "it was closed")
                        });
                    }
                    Err(broken) => return Err(ConnectionFailure { stale, ..broken }),
                }
            } else if !came? {
                return Err(ConnectionFailure::new(FailureKind::Reset, "it was closed within the head of an answer"));
            }
            while let Some((length, head)) = parse(&self.buffer, parsed, first_byte.unwrap_or_else(Instant::now), keep)?
            {
                self.buffer.advance(length);
                // 100 and 103 come before the answer.
                if !(100..200).contains(&head.seen.status) {
                    return Ok(head);
                }
            }
            if self.buffer.len() > MOST_HEAD {
                return Err(ConnectionFailure::new(
                    FailureKind::TooLarge,
                    format!("a head of more than {MOST_HEAD} bytes"),
                ));
            }
        }
    }

    async fn length(
        &mut self,
        length: u64,
        take: &mut impl FnMut(&[u8]) -> Result<(), ConnectionFailure>,
    ) -> Result<(), ConnectionFailure> {
        let mut left = length;
        loop {
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
            take(&self.buffer[..here])?;
            self.buffer.advance(here);
            left -= here as u64;
            if left == 0 {
                return Ok(());
            }
            if !self.more().await? {
                return Err(ConnectionFailure::new(FailureKind::Reset, "it was closed within the body of an answer"));
            }
        }
    }

    async fn read_to_end(
        &mut self,
        take: &mut impl FnMut(&[u8]) -> Result<(), ConnectionFailure>,
    ) -> Result<(), ConnectionFailure> {
        loop {
            take(&self.buffer)?;
            self.buffer.clear();
            if !self.more().await? {
                return Ok(());
            }
        }
    }

    async fn chunks(
        &mut self,
        take: &mut impl FnMut(&[u8]) -> Result<(), ConnectionFailure>,
    ) -> Result<(), ConnectionFailure> {
        let cut = || ConnectionFailure::new(FailureKind::Reset, "it was closed within the chunks of an answer");
        loop {
            let size = httparse::parse_chunk_size(&self.buffer);
            match size.map_err(|_| ConnectionFailure::new(FailureKind::Protocol, "the size of a chunk is not one"))? {
                httparse::Status::Partial if self.buffer.len() > MOST_HEAD => {
                    return Err(ConnectionFailure::new(FailureKind::Protocol, "the size of a chunk has no end"));
                }
                httparse::Status::Partial if !self.more().await? => return Err(cut()),
                httparse::Status::Partial => {}
                httparse::Status::Complete((line, 0)) => {
                    self.buffer.advance(line);
                    return self.trailers().await;
                }
                httparse::Status::Complete((line, size)) => {
                    self.buffer.advance(line);
                    self.length(size, take).await?;
                    self.length(2, &mut |_| Ok(())).await?;
                }
            }
        }
    }

    async fn trailers(&mut self) -> Result<(), ConnectionFailure> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
            let parsed = httparse::parse_headers(&self.buffer, &mut headers);
            if let httparse::Status::Complete((length, _)) =
                parsed.map_err(|error| ConnectionFailure::new(FailureKind::Protocol, error))?
            {
                self.buffer.advance(length);
                return Ok(());
            }
            if self.buffer.len() > MOST_HEAD || !self.more().await? {
                return Err(ConnectionFailure::new(
                    FailureKind::Reset,
                    "it was closed within the trailers of an answer",
                ));
            }
        }
    }
}

/// The head at the beginning of a buffer, with its length; `None` when it is not all there.
fn parse(
    buffer: &[u8],
    parsed: &Parsed,
    first_byte: Instant,
    keep: &mut Option<&mut CapturedAnswer>,
) -> Result<Option<(usize, Head)>, ConnectionFailure> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let status = response.parse(buffer).map_err(|error| ConnectionFailure::new(FailureKind::Protocol, error))?;
    let (httparse::Status::Complete(length), Some(code)) = (status, response.code) else { return Ok(None) };
    let mut seen = Seen::new(code, first_byte);
    let (mut content_length, mut chunked, mut keep_open) = (None, false, response.version == Some(1));
    for header in response.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        let has = |word: &str| {
            let words = header.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            words.into_iter().any(|one| one.eq_ignore_ascii_case(word.as_bytes()))
        };
        if is("content-length") {
            let length = std::str::from_utf8(header.value).ok().and_then(|text| text.trim().parse::<u64>().ok());
            let bad =
                || ConnectionFailure::new(FailureKind::Protocol, "content-length is not a number, or there are two");
            let length = length.ok_or_else(bad)?;
            if content_length.is_some_and(|before| before != length) {
                return Err(bad());
            }
            content_length = Some(length);
        } else if is("transfer-encoding") {
            chunked = has("chunked");
        } else if is("connection") {
            keep_open = (keep_open || has("keep-alive")) && !has("close");
        }
        seen.header(parsed, header.name, header.value);
    }
    if let Some(kept) = keep.as_deref_mut().filter(|_| code >= 200) {
        response.headers.iter().for_each(|header| kept.header(header.name, header.value));
    }
    let bodiless = parsed.method == http::Method::HEAD || code == 204 || code == 304 || (100..200).contains(&code);
    let framing = match content_length {
        _ if bodiless => Framing::Length(0),
        _ if chunked => Framing::Chunks,
        Some(length) => Framing::Length(length),
        None => Framing::Close,
    };
    Ok(Some((length, Head { seen, framing, keep: keep_open && framing != Framing::Close })))
}

#[cfg(test)]
#[path = "http1_tests.rs"]
mod tests;
