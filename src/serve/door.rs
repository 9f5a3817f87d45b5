//! The door of a connection: each request gets an id, passes the gate, and is answered by the router.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode, Uri, Version, header};
use hyper::body::{Frame, Incoming, SizeHint};
use tower::Service;

use super::admission::Gate;
use super::admission::slots::Slot;
use super::body::{self, Whole};
use super::http::request::{RequestId, seal};
use super::problem::{Problem, Words};
use super::pulse::{Pulse, UnderWay};

/// What answers the requests of one connection.
#[derive(Clone, Debug)]
pub struct Door {
    /// Who may pass.
    pub gate: Arc<Gate>,
    /// Who answers.
    pub router: Router,
    /// The connection's pulse.
    pub pulse: Arc<Pulse>,
    /// The other end.
    pub peer: IpAddr,
}

/// An answer's body; while it lives, its request is under way.
#[derive(Debug)]
pub struct Guarded {
    body: Body,
    _slot: Option<Slot>,
    _under_way: UnderWay,
}

impl hyper::body::Body for Guarded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Guarded>, Infallible>> + Send>>;

/// What the door answers.
struct Answered {
    response: Response,
    slot: Option<Slot>,
    /// The client may still be sending.
    unread: bool,
}

impl hyper::service::Service<Request<Incoming>> for Door {
    type Response = Response<Guarded>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let http2 = request.version() == Version::HTTP_2;
        let under_way = self.pulse.begin(http2);
        let door = self.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let gate = door.gate.clone();
            let id = gate.ids.of(&parts.headers);
            let origin = gate.cors.origin(&parts.headers);
            if let Some(tidy) = tidy(&parts.uri).filter(|_| !is_grpc(&parts)) {
                parts.uri = tidy;
            }
            let words = Words::of(parts.uri.path());
            let Answered { response, slot, unread } = door.answer(parts, body, &id).await;
            let mut response = seal(response, &id, words);
            gate.cors.allow(origin, response.headers_mut());
            if !http2 && (unread || gate.stop().is_stopping()) {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| Guarded { body, _slot: slot, _under_way: under_way }))
        })
    }
}

impl Door {
    async fn answer(mut self, mut parts: Parts, mut body: Incoming, id: &RequestId) -> Answered {
        if let Some(response) = self.gate.cors.preflight(&parts) {
            return Answered { response, slot: None, unread: false };
        }
        let mut pass = match self.gate.admit(&parts, self.peer) {
            Ok(pass) => pass,
            Err(problem) => return self.refuse(&problem, &parts, body, id).await,
        };
        // gRPC reads message by message and counts them itself.
        let body = if is_grpc(&parts) {
            Body::new(body)
        } else {
            match body::whole(self.gate.rules(), self.gate.bytes(), &mut parts.headers, &mut body).await {
                Ok(Whole { bytes, more }) => {
                    // An address that is open has no slot, and no use for a body.
                    pass.slot = match (pass.slot, more) {
                        (Some(slot), Some(more)) => Some(more.and(slot)),
                        (slot, _) => slot,
                    };
                    Body::from(bytes)
                }
                Err(problem) => {
                    drop(pass);
                    return self.refuse(&problem, &parts, body, id).await;
                }
            }
        };
        parts.extensions.insert(id.clone());
        parts.extensions.insert(pass.tenant);
        let Ok(response) = self.router.call(Request::from_parts(parts, body)).await;
        Answered { response, slot: pass.slot, unread: false }
    }

    async fn refuse(&self, problem: &Problem, parts: &Parts, mut body: Incoming, id: &RequestId) -> Answered {
        self.gate.count(problem);
        // Clients of gRPC look at an answer while they send.
        if is_grpc(parts) {
            return Answered { response: problem.grpc(), slot: None, unread: false };
        }
        // A body that was too slow has had its time.
        let late = problem.status == StatusCode::REQUEST_TIMEOUT;
        let unread = late || !body::drain(&parts.headers, &mut body).await;
        if unread {
            self.pulse.leave_unread();
        }
        Answered { response: problem.rest(id.as_str(), Words::of(parts.uri.path())), slot: None, unread }
    }
}

fn is_grpc(parts: &Parts) -> bool {
    parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// The address without doubled slashes and slashes at its end, which clients make of an address and a path; nothing when it has
/// none.
fn tidy(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if !path.starts_with('/') || !(path.contains("//") || (path.len() > 1 && path.ends_with('/'))) {
        return None;
    }
    let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("/{}{query}", words.join("/")).parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_too_many_are_left_out() {
        let of = |text: &str| tidy(&text.parse().unwrap()).map(|uri| uri.to_string());
        for (given, wanted) in [
            ("/embed/", "/embed"),
            ("//v1//embeddings/?a=b//", "/v1/embeddings?a=b//"),
            ("/v1/models/a/b/", "/v1/models/a/b"),
            ("//", "/"),
            ("http://host:1/embed/", "http://host:1/embed"),
        ] {
            assert_eq!(of(given).as_deref(), Some(wanted), "{given}");
        }
        for same in ["/", "/embed", "/a?b=//", "*", "http://host"] {
            assert_eq!(of(same), None, "{same}");
        }
    }
}
