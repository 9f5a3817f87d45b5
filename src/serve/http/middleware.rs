//! Middleware for every request: counts it, traces it if sampled, and logs it if configured.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, Method, header};

use super::fault::Rejection;
use super::request::RequestId;
use crate::serve::App;
use crate::serve::admission::Tenant;
use crate::serve::log::LogLevel;
use crate::serve::metrics::GRPC;
use crate::serve::problem::{ApiProblem, ErrorFormat, ProblemCause};
use crate::serve::trace::request_trace::{self, RequestTrace};
use crate::serve::trace::{EndedSpan, TRACEPARENT, TracedRequest};
use crate::serve::unwind::caught;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The route of what no route took.
const NOWHERE: &str = "none";

/// Around all routes of a transport, as its outermost layer.
pub async fn pass(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(NOWHERE, MatchedPath::as_str);
    let method = request.method().clone();
    let given = request.extensions().get::<RequestId>().cloned();
    let tenant = request.extensions().get::<Tenant>().cloned();
    let begun = app.tracer.begin(request.headers());
    let records = app.tracer.records(begun.as_ref());
    let words = ErrorFormat::of(request.uri().path());
    let calls = request.headers().get(header::CONTENT_TYPE);
    let calls = calls.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let all = records || app.log.wants(LogLevel::Debug);
    let (mut response, request_trace) = request_trace::listen(all, whole(next.run(request), calls)).await;
    let status =
        response.extensions().get::<ApiProblem>().map_or(response.status(), |problem| problem.status_in(words));
    let (status, grpc) = (status.as_u16(), grpc_status(response.headers()));
    app.metrics.response(route, grpc.map_or(status, |code| GRPC + code));
    if let Some(tenant) = tenant.filter(|tenant| !tenant.is_none()) {
        app.metrics.tenant(&tenant.0, status);
    }
    let id = given.as_ref().map(RequestId::as_str).unwrap_or_default();
    let (begun, request_trace) = (begun.as_ref(), request_trace.as_ref());
    if let (true, Some(begun)) = (records, begun) {
        app.tracer.record(EndedSpan { begun, method: method.as_str(), route, status, grpc, id, request_trace });
    }
    Line { method: &method, route, status, grpc, id, began, begun, request_trace }.write(&app);
    if let Some(value) = begun.and_then(|begun| begun.place.header()) {
        response.headers_mut().insert(TRACEPARENT, value);
    }
    response
}

/// The answer of a route; a panic in it is a fault of this request alone, in the words of gRPC where it is one of its calls.
async fn whole(answer: impl Future<Output = Response>, grpc: bool) -> Response {
    match caught(answer).await {
        Ok(response) => response,
        Err(fault) => {
            let problem = ApiProblem::from(fault).of(ProblemCause::Status);
            if grpc { problem.grpc() } else { Rejection::from(problem).into_response() }
        }
    }
}

/// The status of a call of gRPC that failed at once; one that went well says so after its body.
fn grpc_status(headers: &HeaderMap) -> Option<u16> {
    headers.get(GRPC_STATUS)?.to_str().ok()?.parse().ok().filter(|code| (1..=16).contains(code))
}

struct Line<'a> {
    method: &'a Method,
    route: &'a str,
    status: u16,
    grpc: Option<u16>,
    id: &'a str,
    began: Instant,
    begun: Option<&'a TracedRequest>,
    request_trace: Option<&'a RequestTrace>,
}

impl Line<'_> {
    fn write(&self, app: &App) {
        let failed = self.status >= 400 || self.grpc.is_some();
        let level = if failed { LogLevel::Info } else { LogLevel::Debug };
        if !app.log.wants(level) || (failed && !app.log.admits()) {
            return;
        }
        let milliseconds = (self.began.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        let mut fields = vec![
            ("request_id", self.id.into()),
            ("method", self.method.as_str().into()),
            ("route", self.route.into()),
            ("status", self.status.into()),
            ("ms", milliseconds.into()),
        ];
        fields.extend(self.grpc.map(|code| ("grpc_status", code.into())));
        if let Some(request_trace) = self.request_trace {
            fields.extend([("model", request_trace.model.as_str().into()), ("texts", request_trace.texts.into())]);
            fields.push(("tokens", request_trace.tokens.into()));
            fields.extend(request_trace.code.map(|code| ("code", code.name().into())));
        }
        fields.extend(self.begun.map(|begun| ("trace_id", format!("{:032x}", begun.place.trace).into())));
        app.log.say(level, "request", &fields);
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::post;
    use http::StatusCode;
    use tower::ServiceExt;

    use super::*;

    /// A server one of whose routes panics, for clients of REST or of gRPC.
    async fn ask(path: &str, grpc: bool) -> Response {
        let around = move |request: Request, next: Next| async move { whole(next.run(request), grpc).await };
        let broken = post(|| async {
            if true {
                panic!("a secret");
            }
        });
        let router = Router::new().route("/broken", broken).route("/whole", post(|| async { "whole" }));
        let router = router.layer(from_fn(around));
        router.oneshot(Request::post(path).body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_to_the_request_that_it_happened_in() {
        let response = ask("/broken", false).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let problem = response.extensions().get::<ApiProblem>().unwrap();
        assert_eq!((problem.code, problem.status_in(ErrorFormat::Tei).as_u16()), ("INTERNAL", 500));
        assert!(!problem.message.contains("secret"), "{problem:?}");
        let response = ask("/broken", true).await;
        assert_eq!((response.status().as_u16(), grpc_status(response.headers())), (200, Some(13)));
        assert_eq!(response.headers()["akidb-code"], "INTERNAL");
        assert_eq!(ask("/whole", false).await.status(), StatusCode::OK);
    }
}
