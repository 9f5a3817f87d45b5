//! Every request passes here: counted, traced when it is sampled, and logged when somebody wants to know.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, Method};

use super::request::RequestId;
use crate::serve::App;
use crate::serve::admission::Tenant;
use crate::serve::log::Level;
use crate::serve::metrics::GRPC;
use crate::serve::trace::story::{self, Story};
use crate::serve::trace::{Begun, TRACEPARENT, Whole};

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
    let all = records || app.log.wants(Level::Debug);
    let (mut response, story) = story::listen(all, next.run(request)).await;
    let (status, grpc) = (response.status().as_u16(), grpc_status(response.headers()));
    app.metrics.response(route, grpc.map_or(status, |code| GRPC + code));
    if let Some(tenant) = tenant.filter(|tenant| &*tenant.0 != "none") {
        app.metrics.tenant(&tenant.0, status);
    }
    let id = given.as_ref().map(RequestId::as_str).unwrap_or_default();
    let (begun, story) = (begun.as_ref(), story.as_ref());
    if let (true, Some(begun)) = (records, begun) {
        app.tracer.record(Whole { begun, method: method.as_str(), route, status, grpc, id, story });
    }
    Line { method: &method, route, status, grpc, id, began, begun, story }.write(&app);
    if let Some(value) = begun.and_then(|begun| begun.place.header()) {
        response.headers_mut().insert(TRACEPARENT, value);
    }
    response
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
    begun: Option<&'a Begun>,
    story: Option<&'a Story>,
}

impl Line<'_> {
    fn write(&self, app: &App) {
        let failed = self.status >= 400 || self.grpc.is_some();
        let level = if failed { Level::Info } else { Level::Debug };
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
        if let Some(story) = self.story {
            fields.extend([("model", story.model.as_str().into()), ("texts", story.texts.into())]);
            fields.push(("tokens", story.tokens.into()));
            fields.extend(story.code.map(|code| ("code", code.name().into())));
        }
        fields.extend(self.begun.map(|begun| ("trace_id", format!("{:032x}", begun.place.trace).into())));
        app.log.say(level, "request", &fields);
    }
}
