//! The spans of a request: the whole of it, and inside of that tokenizer, queue and model.

use std::borrow::Cow;
use std::time::{Duration, Instant, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::request_trace::RequestTrace;
use super::{TracedRequest, ids};

/// A request that ended.
#[derive(Clone, Copy, Debug)]
pub struct EndedSpan<'a> {
    /// Its place.
    pub begun: &'a TracedRequest,
    /// Method of HTTP.
    pub method: &'a str,
    /// The route that took it.
    pub route: &'a str,
    /// Status of HTTP.
    pub status: u16,
    /// Status of gRPC, when it is one of its calls.
    pub grpc: Option<u16>,
    /// Its id, as the client got it.
    pub id: &'a str,
    /// What became of it.
    pub request_trace: Option<&'a RequestTrace>,
}

/// Its spans, the whole first.
pub fn of(whole: EndedSpan<'_>) -> Vec<SpanData> {
    let end = SystemTime::now();
    let mut spans = Vec::with_capacity(4);
    let mut request = span(whole.begun, format!("{} {}", whole.method, whole.route).into(), SpanKind::Server);
    request.span_context = context(whole.begun, whole.begun.place.span);
    request.parent_span_id = SpanId::from(whole.begun.parent.unwrap_or(0));
    request.parent_span_is_remote = whole.begun.parent.is_some();
    (request.start_time, request.end_time) = (whole.begun.at.0, end);
    request.attributes = attributes(&whole);
    let failed = whole.status >= 500 || whole.grpc.is_some_and(|code| matches!(code, 2 | 4 | 12..=15));
    if failed {
        let code = whole.request_trace.and_then(|request_trace| request_trace.code).map_or("", |code| code.name());
        request.status = Status::error(code);
    }
    spans.push(request);
    if let Some(request_trace) = whole.request_trace.filter(|request_trace| request_trace.code.is_none()) {
        parts(whole.begun, request_trace, &mut spans);
    }
    spans
}

/// The parts of a request that got its vectors. They follow one another; of several batches the queue's part ends with the
/// longest wait.
fn parts(begun: &TracedRequest, request_trace: &RequestTrace, spans: &mut Vec<SpanData>) {
    let clock = |instant: Instant| begun.at.0 + instant.saturating_duration_since(begun.at.1);
    let queued = request_trace.began + request_trace.tokenizing;
    let taken = (queued + request_trace.waited).min(request_trace.ended);
    let mut part = |name: &'static str, from: Instant, to: Instant, attributes: Vec<KeyValue>| {
        let mut span = span(begun, name.into(), SpanKind::Internal);
        (span.start_time, span.end_time, span.attributes) = (clock(from), clock(to), attributes);
        spans.push(span);
    };
    let texts = KeyValue::new("akidb.texts", int(request_trace.texts));
    let tokens = KeyValue::new("akidb.tokens", int(request_trace.tokens));
    part("tokenise", request_trace.began, queued, vec![texts.clone(), tokens.clone()]);
    part("queue", queued, taken, vec![texts]);
    part(
        "inference",
        taken,
        request_trace.ended,
        vec![KeyValue::new("akidb.model", request_trace.model.clone()), tokens],
    );
}

fn span(begun: &TracedRequest, name: Cow<'static, str>, span_kind: SpanKind) -> SpanData {
    SpanData {
        span_context: context(begun, ids::number()),
        parent_span_id: SpanId::from(begun.place.span),
        parent_span_is_remote: false,
        span_kind,
        name,
        start_time: begun.at.0,
        end_time: begun.at.0 + Duration::ZERO,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("akidb-edge").build(),
    }
}

fn context(begun: &TracedRequest, span: u64) -> SpanContext {
    let (trace, span) = (TraceId::from(begun.place.trace), SpanId::from(span));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default())
}

/// Names as OpenTelemetry has them for servers of HTTP and gRPC, and our own for the rest.
fn attributes(whole: &EndedSpan<'_>) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("http.request.method", whole.method.to_owned()),
        KeyValue::new("http.route", whole.route.to_owned()),
        KeyValue::new("http.response.status_code", i64::from(whole.status)),
    ];
    if let Some(code) = whole.grpc {
        attributes.push(KeyValue::new("rpc.system", "grpc"));
        attributes.push(KeyValue::new("rpc.grpc.status_code", i64::from(code)));
    }
    if !whole.id.is_empty() {
        attributes.push(KeyValue::new("akidb.request_id", whole.id.to_owned()));
    }
    if let Some(request_trace) = whole.request_trace {
        attributes.push(KeyValue::new("akidb.model", request_trace.model.clone()));
        attributes.push(KeyValue::new("akidb.texts", int(request_trace.texts)));
        attributes.push(KeyValue::new("akidb.tokens", int(request_trace.tokens)));
        attributes.extend(request_trace.code.map(|code| KeyValue::new("error.type", code.name())));
    }
    attributes
}

fn int(count: usize) -> Value {
    Value::I64(i64::try_from(count).unwrap_or(i64::MAX))
}
