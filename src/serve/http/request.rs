//! The ID of a request: the client's if it is valid, otherwise generated; it is in every response and error.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::serve::problem::{ApiProblem, ErrorFormat};

/// The header of the id, in both directions.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Headers that hold a key alone, as clients of Azure and others send it; `authorization` goes before them.
pub const KEYS: [HeaderName; 2] = [HeaderName::from_static("api-key"), HeaderName::from_static("x-api-key")];
/// Longest id that is taken from a client.
const LONGEST: usize = 64;

/// The id of a request, as an extension of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestId(pub HeaderValue);

impl RequestId {
    /// As text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Makes ids: a number of the process and a number of the request.
#[derive(Debug)]
pub struct RequestIds {
    process: u32,
    next: AtomicU64,
}

impl RequestIds {
    /// Ids that differ from those of other processes.
    #[expect(clippy::cast_possible_truncation, reason = "any 32 bits of the random number will do")]
    pub fn new() -> Self {
        Self { process: RandomState::new().hash_one(std::process::id()) as u32, next: AtomicU64::new(1) }
    }

    /// The client's id when it is sane, else a new one.
    pub fn of(&self, headers: &HeaderMap) -> RequestId {
        match headers.get(&REQUEST_ID) {
            Some(given) if is_sane(given.as_bytes()) => RequestId(given.clone()),
            _ => self.make(),
        }
    }

    fn make(&self) -> RequestId {
        let text = format!("{:08x}-{:08x}", self.process, self.next.fetch_add(1, Ordering::Relaxed));
        RequestId(HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("0")))
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a key is shown: what was answered to it is not for a cache that asks for none.
pub fn shows_key(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION) || KEYS.iter().any(|name| headers.contains_key(name))
}

/// At most 64 letters, digits, dots, dashes and underscores: safe in headers, logs and traces.
pub fn is_sane(text: &[u8]) -> bool {
    (1..=LONGEST).contains(&text.len())
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Puts the id into an answer; an error gets the envelope that all errors have, with the id in it.
pub fn seal(mut response: Response, id: &RequestId, words: ErrorFormat) -> Response {
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let problem = response.extensions_mut().remove::<ApiProblem>();
        // Bodies in JSON are a handler's own; the router's are bare.
        let bare = || response.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/json");
        if let Some(problem) = problem.or_else(|| bare().then(|| ApiProblem::of_status(status))) {
            let (mut parts, body) = problem.rest(id.as_str(), words).into_parts();
            let first = std::mem::take(response.headers_mut());
            for (name, value) in first.iter().filter(|(name, _)| kept(name)) {
                parts.headers.entry(name).or_insert_with(|| value.clone());
            }
            response = Response::from_parts(parts, body);
        }
    }
    response.headers_mut().insert(REQUEST_ID, id.0.clone());
    response
}

/// Headers of an answer that say nothing of its body.
fn kept(name: &HeaderName) -> bool {
    *name != header::CONTENT_LENGTH && *name != header::CONTENT_TYPE && *name != header::CONTENT_ENCODING
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_id_is_taken_and_another_is_not() {
        let ids = RequestIds::new();
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(text).unwrap());
            ids.of(&headers).as_str().to_owned()
        };
        assert_eq!(of("abc-DEF_1.2"), "abc-DEF_1.2");
        assert_eq!(of(&"a".repeat(64)), "a".repeat(64));
        for bad in ["", "a b", "a\"b", &"a".repeat(65)] {
            assert_ne!(of(bad), bad);
            assert!(is_sane(of(bad).as_bytes()), "{bad}");
        }
    }

    #[test]
    fn made_ids_differ() {
        let ids = RequestIds::new();
        assert_ne!(ids.of(&HeaderMap::new()), ids.of(&HeaderMap::new()));
    }
}
