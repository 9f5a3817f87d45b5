//! What is requested, and which response is correct.

use std::fmt;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, Method, Uri};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The largest body of a request.
pub const MOST_BODY: usize = 16 << 20;

/// The protocol that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: chosen by ALPN with `https`, spoken at once with `http`.
    Http2,
    /// gRPC over HTTP/2: the body is one message, which is framed here; `grpc-status` decides.
    Grpc,
}

/// Which answers are right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// Ranges of statuses, ends included. gRPC wants a `grpc-status` of 0 besides.
    pub statuses: Vec<(u16, u16)>,
}

impl Default for Expect {
    fn default() -> Self {
        Self { statuses: vec![(200, 299)] }
    }
}

impl Expect {
    pub(crate) fn status(&self, status: u16) -> bool {
        self.statuses.iter().any(|(from, to)| (*from..=*to).contains(&status))
    }
}

/// What the headers of an answer tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Signals {
    /// The header that says whether a cache answered.
    pub cache: String,
    /// A header and the value by which an answer says that a process had to start for it.
    pub cold: Option<(String, String)>,
    /// Headers whose values are counted, like `x-amz-cf-pop`.
    pub count: Vec<String>,
}

impl Default for Signals {
    fn default() -> Self {
        Self { cache: "x-cache".to_owned(), cold: None, count: Vec::new() }
    }
}

/// What is asked for. `Debug` shows neither the values of headers nor the body: there may be a key in them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `http` or `https`, host, port, path and query.
    pub url: String,
    /// The method; POST for gRPC.
    #[serde(default = "get")]
    pub method: String,
    /// Further headers, in their order.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body; base64 in JSON.
    #[serde(default, with = "base64_text", skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<u8>,
    /// The protocol.
    #[serde(default)]
    pub protocol: Protocol,
    /// Connect to this address, whatever the name of the host says; TLS and `host` keep the name. No DNS is measured then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_to: Option<SocketAddr>,
    /// Which answers are right.
    #[serde(default)]
    pub expect: Expect,
    /// What the headers of an answer tell.
    #[serde(default)]
    pub signals: Signals,
}

fn get() -> String {
    "GET".to_owned()
}

/// A target that cannot be asked for.
#[derive(Debug, thiserror::Error)]
pub enum BadTarget {
    /// Not an URL.
    #[error("the URL `{url}` cannot be measured: {why}; write http://HOST/PATH or https://HOST/PATH")]
    Url {
        /// As it was given, without a user and a password.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Not a method.
    #[error("invalid HTTP method `{0}`")]
    Method(String),
    /// Not a header, or one that this program sets.
    #[error("the header `{name}` cannot be sent: {why}")]
    Header {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Not a method that gRPC has.
    #[error("gRPC is POST, not {0}")]
    GrpcMethod(String),
    /// More than can be sent.
    #[error("the body has {0} bytes; at most {MOST_BODY} are sent")]
    Body(usize),
    /// Nothing would be right.
    #[error("no status is expected; write for example [[200, 299]]")]
    NoStatus,
}

impl Target {
    /// `GET` of an URL by HTTP/1.1.
    pub fn get(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            method: get(),
            headers: Vec::new(),
            body: Vec::new(),
            protocol: Protocol::default(),
            connect_to: None,
            expect: Expect::default(),
            signals: Signals::default(),
        }
    }

    /// `POST` of a body by HTTP/1.1.
    pub fn post(url: &str, content_type: &str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { method: "POST".to_owned(), headers, body, ..Self::get(url) }
    }

    /// A unary call by gRPC: one message, as protobuf encodes it.
    pub fn grpc(url: &str, message: Vec<u8>) -> Self {
        Self { method: "POST".to_owned(), body: message, protocol: Protocol::Grpc, ..Self::get(url) }
    }

    /// Looks at it without asking.
    ///
    /// # Errors
    /// What cannot be asked for.
    pub fn check(&self) -> Result<(), BadTarget> {
        self.parsed().map(drop)
    }

    /// The first address that it leads to.
    pub(crate) async fn address(&self) -> Option<SocketAddr> {
        if self.connect_to.is_some() {
            return self.connect_to;
        }
        let place = self.place().ok()?;
        tokio::net::lookup_host((place.host.as_str(), place.port)).await.ok()?.next()
    }

    pub(crate) fn parsed(&self) -> Result<Parsed, BadTarget> {
        if self.body.len() > MOST_BODY {
            return Err(BadTarget::Body(self.body.len()));
        }
        if self.expect.statuses.is_empty() {
            return Err(BadTarget::NoStatus);
        }
        let method = self.method.parse::<Method>().map_err(|_| BadTarget::Method(self.method.clone()))?;
        if self.protocol == Protocol::Grpc && method != Method::POST {
            return Err(BadTarget::GrpcMethod(self.method.clone()));
        }
        let place = self.place()?;
        let headers = self.headers.iter().map(header).collect::<Result<_, _>>()?;
        let name = |name: &String| name.parse::<HeaderName>().map_err(|_| bad_header(name, "its name is not one"));
        let cold = self.signals.cold.as_ref();
        let cold = cold.map(|(header, value)| name(header).map(|header| (header, value.clone()))).transpose()?;
        let count = self.signals.count.iter().map(name).collect::<Result<_, _>>()?;
        Ok(Parsed { place, method, headers, cache: name(&self.signals.cache)?, cold, count })
    }

    fn place(&self) -> Result<Place, BadTarget> {
        let bad = |why| BadTarget::Url { url: without_password(&self.url), why };
        let uri = self.url.parse::<Uri>().map_err(|_| bad("it cannot be read"))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad("it begins with neither http:// nor https://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("a user and a password belong into a header, not into the URL"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Place { secure, host, port, authority: authority.as_str().to_owned(), path })
    }
}

/// An URL in parts.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub secure: bool,
    pub host: String,
    pub port: u16,
    pub authority: String,
    pub path: String,
}

/// A target whose parts are known to be fine.
pub(crate) struct Parsed {
    pub place: Place,
    pub method: Method,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub cache: HeaderName,
    pub cold: Option<(HeaderName, String)>,
    pub count: Vec<HeaderName>,
}

fn bad_header(name: &str, why: &'static str) -> BadTarget {
    BadTarget::Header { name: name.to_owned(), why }
}

fn header((name, value): &(String, String)) -> Result<(HeaderName, HeaderValue), BadTarget> {
    let bad = |why| bad_header(name, why);
    let parsed = name.parse::<HeaderName>().map_err(|_| bad("its name is not one"))?;
    if ["content-length", "transfer-encoding", "connection", "te", "upgrade", "expect"].contains(&parsed.as_str()) {
        return Err(bad("it says how the request is sent, which is decided here"));
    }
    let mut value =
        value.parse::<HeaderValue>().map_err(|_| bad("its value has a character that headers do not have"))?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

fn without_password(url: &str) -> String {
    match (url.find("://"), url.find('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}://…{}", &url[..scheme], &url[at..]),
        _ => url.to_owned(),
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Target")
            .field("url", &without_password(&self.url))
            .field("method", &self.method)
            .field("headers", &headers)
            .field("body_bytes", &self.body.len())
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

mod base64_text {
    use super::{Deserialize, Deserializer, Engine, MOST_BODY, STANDARD, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() / 4 > MOST_BODY {
            return Err(serde::de::Error::custom(format!("a body of more than {MOST_BODY} bytes")));
        }
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, secure, host, port, path) in [
            ("https://edge.example.com", true, "edge.example.com", 443, "/"),
            ("http://127.0.0.1:8080/api/v1/embed?x=1", false, "127.0.0.1", 8080, "/api/v1/embed?x=1"),
            ("http://[::1]:9/", false, "::1", 9, "/"),
        ] {
            let place = Target::get(url).parsed().unwrap().place;
            assert_eq!((place.secure, &*place.host, place.port, &*place.path), (secure, host, port, path));
        }
    }

    #[test]
    fn what_cannot_be_asked_for_is_refused_with_a_reason() {
        for url in ["edge.example.com", "ftp://host/", "https://", "/path", "http://user:secret@host/"] {
            let bad = Target::get(url).check().unwrap_err().to_string();
            assert!(bad.contains("https://HOST/PATH") && !bad.contains("secret"), "{bad}");
        }
        let with = |name: &str, value: &str| {
            let headers = vec![(name.to_owned(), value.to_owned())];
            Target { headers, ..Target::get("http://host/") }.check()
        };
        assert!(with("x-tenant", "a").is_ok());
        for (name, value) in [("x\r\ny", "a"), ("x", "a\r\nevil: 1"), ("Content-Length", "5"), ("connection", "close")]
        {
            assert!(matches!(with(name, value), Err(BadTarget::Header { .. })), "{name:?}");
        }
        let get = Target { method: "GET".to_owned(), ..Target::grpc("http://host/a.B/C", vec![]) };
        assert!(matches!(get.check(), Err(BadTarget::GrpcMethod(_))));
    }

    #[test]
    fn debug_shows_no_secret_and_json_holds_all() {
        let mut target = Target::post("https://host/embed", "application/json", b"secret text".to_vec());
        target.headers.push(("authorization".to_owned(), "Bearer secret".to_owned()));
        let shown = format!("{target:?}");
        assert!(shown.contains("authorization") && !shown.contains("secret"), "{shown}");
        let text = serde_json::to_string(&target).unwrap();
        assert_eq!(serde_json::from_str::<Target>(&text).unwrap(), target);
        assert_eq!(serde_json::from_str::<Target>("{\"url\": \"http://host/\"}").unwrap(), Target::get("http://host/"));
        assert!(serde_json::from_str::<Target>("{\"url\": \"http://host/\", \"methode\": \"GET\"}").is_err());
    }
}
