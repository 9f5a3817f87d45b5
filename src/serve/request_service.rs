//! The request service of a connection: each request gets an ID, passes admission, and is answered by the router.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode, Uri, Version, header};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tower::Service;

use super::activity::{ActiveRequest, ConnectionActivity};
use super::admission::caller::Caller;
use super::admission::connection_slots::ConnectionSlots;
use super::admission::kind::RequestKind;
use super::admission::slots::{HeldSlots, TakenSlots};
use super::admission::{AdmissionGate, Admitted, heavy};
use super::authority;
use super::body::{self, CompleteBody};
use super::grpc::messages::Messages;
use super::http::private;
use super::http::request::{RequestId, seal, shows_key};
use super::log::{LogLevel, LogWriter};
use super::problem::{ApiProblem, ErrorFormat};
use super::refused::{self, GrpcCall};

/// What answers the requests of one connection.
#[derive(Clone, Debug)]
pub struct RequestService {
    /// Who may pass.
    pub gate: Arc<AdmissionGate>,
    /// What is told to people.
    pub log: Arc<LogWriter>,
    /// Who answers.
    pub router: Router,
    /// The connection's activity.
    pub activity: Arc<ConnectionActivity>,
    /// The connection's places among those that need no key.
    pub near: ConnectionSlots,
    /// The other end.
    pub peer: IpAddr,
    /// What the listener is.
    pub manner: RequestSettings,
}

/// How the requests of a listener are to be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestSettings {
    /// Calls of gRPC come here; whatever a header says, they do not come anywhere else.
    pub grpc: bool,
    /// Every client has shown a certificate.
    pub certified: bool,
}

/// A request that is not even told that it is refused: too many are being told. Its stream is reset, or its connection closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("too many refusals in progress")]
pub struct OverloadedStream;

/// Bytes of an answer that are handed on at a time: what is handed on is held by the connection and counted nowhere else.
const PIECE: usize = 16 << 10;
/// Answers up to this size are not counted among the bytes of all: their number is bounded.
const SMALL: usize = 4 << 10;

/// An answer's body; while it lives, its request is under way.
#[derive(Debug)]
pub struct TrackedBody {
    body: Body,
    /// What is left of the last piece.
    rest: Bytes,
    /// The end waits until all that went before was sent: HTTP/2 asks for more only then.
    ends_late: bool,
    _places: Places,
    _under_way: ActiveRequest,
}

impl TrackedBody {
    fn piece(&mut self) -> Frame<Bytes> {
        let size = self.rest.len().min(PIECE);
        Frame::data(self.rest.split_to(size))
    }
}

/// What an answer holds until it is sent.
#[derive(Debug)]
struct Places {
    _request: TakenSlots,
    _bytes: Option<TakenSlots>,
    _vectors: Option<HeldSlots>,
}

impl From<TakenSlots> for Places {
    fn from(slot: TakenSlots) -> Self {
        Self { _request: slot, _bytes: None, _vectors: None }
    }
}

impl hyper::body::Body for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.piece())));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context)).transpose()?;
        Poll::Ready(frame.map(|frame| {
            Ok(match frame.into_data() {
                Ok(data) => {
                    self.rest = data;
                    self.piece()
                }
                Err(other) => other,
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && !self.ends_late && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut all = SizeHint::new();
        all.set_lower(hint.lower().saturating_add(rest));
        if let Some(upper) = hint.upper() {
            all.set_upper(upper.saturating_add(rest));
        }
        all
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<TrackedBody>, OverloadedStream>> + Send>>;

/// What the door answers.
struct Answered {
    response: Response,
    places: Places,
    /// The client may still be sending.
    unread: bool,
}

impl hyper::service::Service<Request<Incoming>> for RequestService {
    type Response = Response<TrackedBody>;
    type Error = OverloadedStream;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let http2 = request.version() == Version::HTTP_2;
        let under_way = self.activity.begin(http2);
        let request_service = self.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let gate = request_service.gate.clone();
            let id = gate.ids.of(&parts.headers);
            let origin = gate.cors.origin(&parts.headers);
            if let Some(tidy) = tidy(&parts.uri).filter(|_| !request_service.manner.grpc) {
                parts.uri = tidy;
            }
            let words = ErrorFormat::of(parts.uri.path());
            let personal =
                !request_service.manner.grpc && (request_service.manner.certified || shows_key(&parts.headers));
            let Answered { response, places, unread } = request_service.answer(parts, body, &id).await?;
            let mut response = seal(response, &id, words);
            if personal {
                private::keep(response.headers_mut());
            }
            gate.cors.allow(origin, response.headers_mut());
            if !http2 && (unread || gate.stop().is_stopping()) {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| {
                let ends_late = http2 && !body.is_end_stream();
                TrackedBody { body, rest: Bytes::new(), ends_late, _places: places, _under_way: under_way }
            }))
        })
    }
}

impl RequestService {
    async fn answer(mut self, mut parts: Parts, body: Incoming, id: &RequestId) -> Result<Answered, OverloadedStream> {
        if let Err(problem) = authority::check(&parts) {
            if self.log.wants(LogLevel::Info) && self.log.admits_refusal() {
                authority::tell(&self.log, &problem, &parts, id.as_str());
            }
            return self.refuse(&problem, &parts, body, id).await;
        }
        if let Some(response) = self.gate.cors.preflight(&parts) {
            let places = self.gate.refusal(&self.near).ok_or(OverloadedStream)?.into();
            return Ok(Answered { response, places, unread: self.leave(&body) });
        }
        let mut pass = match self.gate.admit(&parts, self.peer, &self.near) {
            Ok(pass) => pass,
            Err(problem) => {
                self.tell(&problem, &parts, id);
                return self.refuse(&problem, &parts, body, id).await;
            }
        };
        let notice = GrpcCall { log: self.log.clone(), id: id.clone(), tenant: pass.tenant.clone() };
        let caller = Caller::new(self.gate.clone(), pass.key.clone(), self.peer).telling(notice).over(&self.near);
        let (body, unread) = match self.read(&mut pass, &mut parts, body, &caller).await {
            Ok(read) => read,
            Err((problem, body)) => {
                drop(pass);
                self.tell(&problem, &parts, id);
                return self.refuse(&problem, &parts, body, id).await;
            }
        };
        parts.extensions.insert(id.clone());
        parts.extensions.insert(pass.tenant);
        parts.extensions.insert(caller);
        let Ok(response) = self.router.call(Request::from_parts(parts, body)).await;
        Ok(self.held(response, pass.slot, unread))
    }

    /// The body for those who answer, and whether the client may still be sending it.
    async fn read(
        &self,
        pass: &mut Admitted,
        parts: &mut Parts,
        mut body: Incoming,
        caller: &Caller,
    ) -> Result<(Body, bool), (ApiProblem, Incoming)> {
        // gRPC reads message by message.
        if self.manner.grpc {
            return Ok((Body::new(Messages::new(body, pass.kind, caller.clone())), false));
        }
        // Nobody needs a key there, and nobody reads what is sent.
        if pass.kind == RequestKind::Open {
            return Ok((Body::empty(), self.leave(&body)));
        }
        match body::whole(self.gate.rules(), self.gate.bytes(), &mut parts.headers, &mut body).await {
            Ok(CompleteBody { bytes, held }) => {
                pass.more(held);
                Ok((Body::from(bytes), false))
            }
            Err(problem) => Err((problem, body)),
        }
    }

    /// A line about a request that was refused here.
    fn tell(&self, problem: &ApiProblem, parts: &Parts, id: &RequestId) {
        let grpc = self.manner.grpc && is_grpc(parts);
        refused::tell(&self.log, problem, id.as_str(), grpc, || self.gate.vouched(&parts.headers, &self.near));
    }

    /// An answer with what it holds until it is sent: its bytes count among those of all answers.
    fn held(&self, mut response: Response, slot: TakenSlots, unread: bool) -> Answered {
        let vectors = response.extensions_mut().remove::<HeldSlots>();
        let size = response.body().size_hint().exact().and_then(|size| usize::try_from(size).ok());
        let answers = self.gate.answers();
        let bytes = size.filter(|size| *size > SMALL).map(|size| answers.take_many(size));
        if let Some(None) = bytes {
            let problem = heavy(answers);
            self.gate.count(&problem);
            let mut refused = problem.rest("", ErrorFormat::Own);
            refused.extensions_mut().insert(problem);
            return Answered { response: refused, places: slot.into(), unread };
        }
        Answered { response, places: Places { _request: slot, _bytes: bytes.flatten(), _vectors: vectors }, unread }
    }

    async fn refuse(
        &self,
        problem: &ApiProblem,
        parts: &Parts,
        mut body: Incoming,
        id: &RequestId,
    ) -> Result<Answered, OverloadedStream> {
        self.gate.count(problem);
        let places = self.gate.refusal(&self.near).ok_or(OverloadedStream)?.into();
        // Clients of gRPC look at an answer while they send.
        if self.manner.grpc && is_grpc(parts) {
            return Ok(Answered { response: problem.grpc(), places, unread: self.leave(&body) });
        }
        // A body that was too slow has had its time.
        let late = problem.status == StatusCode::REQUEST_TIMEOUT;
        let unread = late || !body::drain(&parts.headers, &mut body).await;
        if unread {
            self.activity.leave_unread();
        }
        Ok(Answered { response: problem.rest(id.as_str(), ErrorFormat::of(parts.uri.path())), places, unread })
    }

    /// Leaves a body as it is; whether there is one.
    fn leave(&self, body: &Incoming) -> bool {
        let unread = !body.is_end_stream();
        if unread {
            self.activity.leave_unread();
        }
        unread
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

    #[tokio::test]
    async fn an_answer_goes_in_pieces_and_its_places_are_held_to_the_end() {
        use http_body_util::BodyExt;
        let slots = super::super::admission::slots::Slots::new(1);
        let guarded = |size: usize, ends_late: bool| TrackedBody {
            body: Body::from(vec![7; size]),
            rest: Bytes::new(),
            ends_late,
            _places: slots.take().unwrap().into(),
            _under_way: Arc::new(ConnectionActivity::new()).begin(true),
        };
        let mut large = guarded(PIECE * 2 + 5, true);
        let mut sizes = Vec::new();
        while let Some(frame) = large.frame().await {
            sizes.push(frame.unwrap().into_data().unwrap().len());
            assert!(!large.is_end_stream() && slots.taken() == 1);
            let left = (PIECE * 2 + 5 - sizes.iter().sum::<usize>()) as u64;
            assert_eq!(large.size_hint().exact(), Some(left));
        }
        assert_eq!(sizes, [PIECE, PIECE, 5]);
        drop(large);
        assert_eq!(slots.taken(), 0);
        assert!(guarded(0, false).is_end_stream());
    }

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
