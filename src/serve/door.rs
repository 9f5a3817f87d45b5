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
use http::{HeaderValue, Request, StatusCode, Version, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tower::Service;

use super::admission::Gate;
use super::admission::slots::Slot;
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

impl hyper::service::Service<Request<Incoming>> for Door {
    type Response = Response<Guarded>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let http2 = request.version() == Version::HTTP_2;
        let under_way = self.pulse.begin(http2);
        let (gate, router, peer) = (self.gate.clone(), self.router.clone(), self.peer);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let id = gate.ids.of(&parts.headers);
            let origin = gate.cors.origin(&parts.headers);
            let words = Words::of(parts.uri.path());
            let (response, slot) = answer(&gate, router, parts, body, &id, peer).await;
            let mut response = seal(response, &id, words);
            gate.cors.allow(origin, response.headers_mut());
            if !http2 && gate.stop().is_stopping() {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| Guarded { body, _slot: slot, _under_way: under_way }))
        })
    }
}

async fn answer(
    gate: &Gate,
    mut router: Router,
    mut parts: Parts,
    body: Incoming,
    id: &RequestId,
    peer: IpAddr,
) -> (Response, Option<Slot>) {
    if let Some(preflight) = gate.cors.preflight(&parts) {
        return (preflight, None);
    }
    let (grpc, words) = (is_grpc(&parts), Words::of(parts.uri.path()));
    let refuse = |problem: Problem| {
        gate.count(&problem);
        (if grpc { problem.grpc() } else { problem.rest(id.as_str(), words) }, None)
    };
    let pass = match gate.admit(&parts, peer) {
        Ok(pass) => pass,
        Err(problem) => return refuse(problem),
    };
    // gRPC reads message by message and counts them itself.
    let body = if grpc { Ok(Body::new(body)) } else { whole(gate, &parts, body).await };
    let body = match body {
        Ok(body) => body,
        Err(problem) => return refuse(problem),
    };
    parts.extensions.insert(id.clone());
    parts.extensions.insert(pass.tenant);
    let Ok(response) = router.call(Request::from_parts(parts, body)).await;
    (response, pass.slot)
}

fn is_grpc(parts: &Parts) -> bool {
    parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// The whole body, within its size and its time.
async fn whole(gate: &Gate, parts: &Parts, body: Incoming) -> Result<Body, Problem> {
    if body.is_end_stream() {
        return Ok(Body::empty());
    }
    let rules = gate.rules();
    let too_large = || {
        let message = format!("the body has more than {} bytes: send fewer texts at a time", rules.body);
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message)
    };
    let said = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|said| usize::try_from(said).is_ok_and(|said| said > rules.body)) {
        return Err(too_large());
    }
    match tokio::time::timeout(rules.body_time, Limited::new(body, rules.body).collect()).await {
        Ok(Ok(body)) => Ok(Body::from(body.to_bytes())),
        Ok(Err(why)) if why.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => {
            let message = "the body ended before it was whole, or is no HTTP";
            Err(Problem::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message))
        }
        Err(_) => {
            let message = format!("the body was not whole within {} s", rules.body_time.as_secs_f64());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", message))
        }
    }
}
