//! A file as a response: whole, a range, or not modified.

use std::path::Path;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};

use super::embed::matches;
use super::fault::Rejection;
use super::request::shows_key;
use crate::inference::fault::{EmbedFault, ErrorCode};
use crate::serve::offline::{FileHashes, FileStamp};
use crate::serve::problem::ApiProblem;

/// Seconds that an answer may be kept whose address names its content.
const A_YEAR: u32 = 31_536_000;
/// Bytes that are read at a time.
const PART: u64 = 64 << 10;

/// Which bytes of a file are asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum RequestedRange {
    Whole,
    /// From and to, both inclusive.
    Part(u64, u64),
    Nowhere,
}

/// A file that is asked for.
pub struct FileRequest<'a> {
    /// Where it lies.
    pub path: &'a Path,
    /// The hash that the address names: then it never gives anything else.
    pub sha256: Option<&'a str>,
    /// How it is asked for.
    pub method: &'a Method,
    /// And on which conditions.
    pub headers: &'a HeaderMap,
}

/// Answers with a file. Its hash is its `ETag`.
pub async fn file(asking: FileRequest<'_>, hashes: &FileHashes) -> Result<Response, Rejection> {
    let FileRequest { path, sha256, method, headers } = asking;
    let mut file = File::open(path).await.map_err(unreadable)?;
    let stamp = FileStamp::of(&file.metadata().await.map_err(unreadable)?);
    let hash = hashes.of(path, stamp).await.map_err(unreadable)?;
    let tag = format!("\"{hash}\"");
    if sha256.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(&hash)) {
        let message = format!(
            "another version is served, whose file has the SHA-256 {hash}; GET /api/v1/models/offline lists it"
        );
        return Err(Rejection(ApiProblem::new(StatusCode::NOT_FOUND, "FILE_NOT_FOUND", message)));
    }
    // What needed a key is not for a cache that asks for none.
    let whose = if shows_key(headers) { "private" } else { "public" };
    // An address without a hash gives another file after a new version: each answer is asked for again, and costs a 304.
    let cached = if sha256.is_some() { format!("{whose}, max-age={A_YEAR}, immutable") } else { "no-cache".to_owned() };
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_MATCH).is_some_and(|wanted| !is_one_of(wanted, &tag)) {
        return Err(unmatched(&hash));
    }
    if text(header::IF_NONE_MATCH).is_some_and(|known| matches(known, &tag)) {
        return Ok(described(StatusCode::NOT_MODIFIED, path, &hash, &cached).into_response());
    }
    // A part is only of use to a client that has the beginning of this very file.
    let same = text(header::IF_RANGE).is_none_or(|known| known == tag);
    let asked = match text(header::RANGE).filter(|_| same && method == Method::GET) {
        Some(range) => asked(range, stamp.size),
        None => RequestedRange::Whole,
    };
    let (status, from, length) = match asked {
        RequestedRange::Whole => (StatusCode::OK, 0, stamp.size),
        RequestedRange::Part(from, to) => (StatusCode::PARTIAL_CONTENT, from, to - from + 1),
        RequestedRange::Nowhere => return Ok(unsatisfiable(stamp.size)),
    };
    file.seek(SeekFrom::Start(from)).await.map_err(unreadable)?;
    let body = if method == Method::HEAD { Body::empty() } else { stream(file, length) };
    let mut response = described(status, path, &hash, &cached);
    *response.body_mut() = body;
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_LENGTH, length.into());
    if let RequestedRange::Part(from, to) = asked {
        put(answer, header::CONTENT_RANGE, &format!("bytes {from}-{to}/{}", stamp.size));
    }
    Ok(response)
}

/// An answer without a body that says what it is about.
fn described(status: StatusCode, path: &Path, hash: &str, cached: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let digest = STANDARD.encode(hex::decode(hash).unwrap_or_default());
    let headers = response.headers_mut();
    put(headers, header::ETAG, &format!("\"{hash}\""));
    put(headers, HeaderName::from_static("x-sha256"), hash);
    put(headers, HeaderName::from_static("repr-digest"), &format!("sha-256=:{digest}:"));
    put(headers, header::ACCEPT_RANGES, "bytes");
    put(headers, header::CACHE_CONTROL, cached);
    put(headers, header::CONTENT_TYPE, "application/octet-stream");
    put(headers, header::CONTENT_DISPOSITION, &format!("attachment; filename=\"{}\"", name.replace(['"', '\\'], "_")));
    response
}

/// Whether `If-Match` has this tag. A weak one never matches (RFC 9110, 13.1.1).
fn is_one_of(wanted: &str, tag: &str) -> bool {
    wanted.trim() == "*" || wanted.split(',').any(|one| one.trim() == tag)
}

fn unmatched(hash: &str) -> Rejection {
    let message = format!("If-Match does not match: the file has the SHA-256 {hash}");
    Rejection(ApiProblem::new(StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED", message))
}

/// A value that cannot be a header is left out.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn unsatisfiable(size: u64) -> Response {
    let message = format!("the range starts after the end; the file has {size} bytes");
    let mut response =
        Rejection(ApiProblem::new(StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_NOT_SATISFIABLE", message)).into_response();
    put(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{size}"));
    response
}

/// What a `Range` asks for. Several ranges, other units and what makes no sense mean the whole, as the standard allows.
fn asked(range: &str, size: u64) -> RequestedRange {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return RequestedRange::Whole;
    };
    let end = size.saturating_sub(1);
    match (first.trim(), last.trim()) {
        ("", last) => match last.parse::<u64>() {
            Ok(0) => RequestedRange::Nowhere,
            Ok(_) if size == 0 => RequestedRange::Nowhere,
            Ok(last) => RequestedRange::Part(size.saturating_sub(last), end),
            Err(_) => RequestedRange::Whole,
        },
        (first, last) => match (first.parse::<u64>(), last.parse::<u64>()) {
            (Ok(first), _) if first >= size => RequestedRange::Nowhere,
            (Ok(first), Ok(last)) if first <= last => RequestedRange::Part(first, last.min(end)),
            (Ok(first), Err(_)) if last.is_empty() => RequestedRange::Part(first, end),
            _ => RequestedRange::Whole,
        },
    }
}

fn stream(file: File, length: u64) -> Body {
    Body::from_stream(futures::stream::try_unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return Ok::<_, std::io::Error>(None);
        }
        let mut part = Vec::with_capacity(usize::try_from(left.min(PART)).unwrap_or_default());
        let read = (&mut file).take(left.min(PART)).read_buf(&mut part).await?;
        if read == 0 {
            return Err(std::io::Error::other("the file became shorter while it was sent"));
        }
        Ok(Some((Bytes::from(part), (file, left - read as u64))))
    }))
}

fn unreadable(why: std::io::Error) -> Rejection {
    EmbedFault::new(ErrorCode::Internal, format!("the file cannot be read: {why}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_names_the_very_file() {
        for (wanted, fits) in
            [("*", true), ("\"a\"", true), ("\"b\", \"a\"", true), ("\"b\"", false), ("W/\"a\"", false)]
        {
            assert_eq!(is_one_of(wanted, "\"a\""), fits, "{wanted}");
        }
    }

    #[test]
    fn ranges() {
        let cases = [
            ("bytes=0-0", RequestedRange::Part(0, 0)),
            ("bytes=2-", RequestedRange::Part(2, 9)),
            ("bytes=2-99999", RequestedRange::Part(2, 9)),
            ("bytes=-3", RequestedRange::Part(7, 9)),
            ("bytes=-30", RequestedRange::Part(0, 9)),
            ("bytes=-0", RequestedRange::Nowhere),
            ("bytes=10-", RequestedRange::Nowhere),
            ("bytes=10-11", RequestedRange::Nowhere),
            ("bytes=3-2", RequestedRange::Whole),
            ("bytes=0-1,3-4", RequestedRange::Whole),
            ("lines=0-1", RequestedRange::Whole),
            ("bytes=99999999999999999999-", RequestedRange::Whole),
            ("bytes", RequestedRange::Whole),
        ];
        for (range, wanted) in cases {
            assert_eq!(asked(range, 10), wanted, "{range}");
        }
        assert_eq!(asked("bytes=0-", 0), RequestedRange::Nowhere);
        assert_eq!(asked("bytes=-1", 0), RequestedRange::Nowhere);
    }
}
