//! CORS: disabled unless origins are configured.

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

/// What a page may send.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, api-key, x-api-key, content-type, content-encoding, x-request-id, x-request-timeout-ms, x-tenant, traceparent, tracestate",
);
/// What a page may see besides.
const EXPOSED: HeaderValue = HeaderValue::from_static("x-request-id, retry-after, etag");

/// The origins whose pages may ask.
#[derive(Clone, Debug, Default)]
pub struct Cors(Vec<HeaderValue>);

impl Cors {
    /// These origins.
    pub fn new(origins: &[String]) -> Self {
        Self(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect())
    }

    /// The origin of a request when it is one of those.
    pub fn origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if self.0.is_empty() {
            return None;
        }
        let asks = headers.get(header::ORIGIN)?;
        self.0.iter().find(|origin| *origin == asks || *origin == "*").map(|_| asks.clone())
    }

    /// The answer to a browser that asks whether it may ask.
    pub fn preflight(&self, request: &Parts) -> Option<Response> {
        let asks = request.method == Method::OPTIONS && request.headers.contains_key("access-control-request-method");
        if !asks || self.origin(&request.headers).is_none() {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
        Some(response)
    }

    /// Lets the page of this origin see an answer.
    pub fn allow(&self, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        // Caches must not give one origin's answer to another.
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

/// Whether a text is an origin: a scheme, a host and at most a port; or `*` for all.
pub fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |host: &str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    };
    text == "*" || host.is_some_and(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path() {
        for good in ["https://a.example", "http://localhost:3000", "http://[::1]:80", "*"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in ["", "a.example", "https://", "https://a.example/", "ftp://a", "https://a b"] {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn only_named_origins_are_let_in() {
        let cors = Cors::new(&["https://a.example".to_owned()]);
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_static("https://b.example"));
        assert_eq!(cors.origin(&headers), None);
        headers.insert(header::ORIGIN, HeaderValue::from_static("https://a.example"));
        assert!(cors.origin(&headers).is_some());
        assert_eq!(Cors::default().origin(&headers), None);
    }
}
