//! Traces as a collector gets them, and the log lines of a server.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Full};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;
use testkit::serve::{Server, pause, tiny};

type Heard = Arc<Mutex<Vec<ExportTraceServiceRequest>>>;

/// A collector that keeps what it gets.
struct Collector {
    url: String,
    heard: Heard,
    _runtime: tokio::runtime::Runtime,
}

/// One call of gRPC: a flag, a length, the message; the answer is an empty message and a status of 0.
async fn export(State(heard): State<Heard>, body: Bytes) -> Response {
    heard.lock().unwrap().push(ExportTraceServiceRequest::decode(&body[5..]).unwrap());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from_static(&[0; 5])).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

impl Collector {
    fn start() -> Self {
        let heard = Heard::default();
        let router = Router::new()
            .route("/opentelemetry.proto.collector.trace.v1.TraceService/Export", axum::routing::post(export))
            .with_state(heard.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { url, heard, _runtime: runtime }
    }

    fn spans(&self) -> Vec<Span> {
        let heard = self.heard.lock().unwrap();
        let scopes = heard.iter().flat_map(|one| &one.resource_spans).flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// Waits until so many spans are there.
    fn wait_for(&self, count: usize) -> Vec<Span> {
        let until = Instant::now() + Duration::from_secs(30);
        while self.spans().len() < count && Instant::now() < until {
            testkit::serve::pause();
        }
        self.spans()
    }
}

fn traced(collector: &Collector, share: &str) -> Server {
    Server::start(tiny().args(["--otlp", &collector.url, "--trace-sample-ratio", share, "--region", "eu-central-1"]))
}

fn embed(server: &Server, headers: &[(&str, &str)]) -> testkit::serve::HttpAnswer {
    server.request("POST", "/api/v1/embed", headers, json!({"inputs": ["one", "two words"]}).to_string().as_bytes())
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> &'a str {
    match attributes.iter().find(|one| one.key == key).and_then(|one| one.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{key}: {other:?} in {attributes:?}"),
    }
}

fn number(attributes: &[KeyValue], key: &str) -> i64 {
    match attributes.iter().find(|one| one.key == key).and_then(|one| one.value.as_ref()?.value.as_ref()) {
        Some(Value::IntValue(number)) => *number,
        other => panic!("{key}: {other:?} in {attributes:?}"),
    }
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

#[test]
fn a_caller_s_trace_goes_on_with_the_parts_of_the_request() {
    let collector = Collector::start();
    let server = traced(&collector, "0");
    let unsampled = format!("00-{TRACE}-{CALLER}-00");
    assert_eq!(embed(&server, &[("traceparent", &unsampled)]).status, 200);
    let sampled = format!("00-{TRACE}-{CALLER}-01");
    let answer = embed(&server, &[("traceparent", &sampled), ("x-request-id", "abc")]);
    assert_eq!(answer.status, 200);
    let spans = collector.wait_for(4);
    assert_eq!(spans.len(), 4, "the other request's caller did not want a trace: {spans:?}");
    let find =
        |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name} in {spans:?}"));
    let request = find("POST /api/v1/embed");
    assert_eq!(hex::encode(&request.parent_span_id), CALLER);
    assert_eq!(answer.header("traceparent"), Some(format!("00-{TRACE}-{}-01", hex::encode(&request.span_id)).as_str()));
    assert_eq!(request.kind, 2, "a server's span");
    assert_eq!(text(&request.attributes, "http.route"), "/api/v1/embed");
    assert_eq!(number(&request.attributes, "http.response.status_code"), 200);
    assert_eq!(text(&request.attributes, "akidb.model"), "tiny");
    assert_eq!(text(&request.attributes, "akidb.request_id"), "abc");
    assert_eq!(number(&request.attributes, "akidb.texts"), 2);
    let parts = [find("tokenise"), find("queue"), find("inference")];
    for span in &spans {
        assert_eq!(hex::encode(&span.trace_id), TRACE);
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    }
    for pair in parts.windows(2) {
        assert_eq!(pair[0].end_time_unix_nano, pair[1].start_time_unix_nano, "parts follow one another");
    }
    for part in parts {
        assert_eq!(part.parent_span_id, request.span_id);
        assert!(part.start_time_unix_nano >= request.start_time_unix_nano);
        assert!(part.end_time_unix_nano <= request.end_time_unix_nano);
    }
    let ids: BTreeSet<&[u8]> = spans.iter().map(|span| span.span_id.as_slice()).collect();
    assert_eq!(ids.len(), 4);
    let heard = collector.heard.lock().unwrap();
    let resource = &heard[0].resource_spans[0].resource.as_ref().unwrap().attributes;
    assert_eq!(text(resource, "service.name"), "akidb-edge");
    assert_eq!(text(resource, "service.version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(text(resource, "cloud.region"), "eu-central-1");
    assert_eq!(text(resource, "k8s.cluster.name"), "unknown");
}

#[test]
fn a_tenth_is_traced_and_the_end_loses_nothing() {
    let collector = Collector::start();
    let mut server = Server::start(tiny().args(["--otlp", &collector.url]));
    let mut sampled = BTreeSet::new();
    for _ in 0..500 {
        let answer = embed(&server, &[]);
        let place = answer.header("traceparent").expect("every answer has its place").to_owned();
        let parts: Vec<&str> = place.split('-').collect();
        if parts[3] == "01" {
            sampled.insert(parts[1].to_owned());
        }
    }
    // Less likely than one in a million otherwise.
    assert!((20..=90).contains(&sampled.len()), "{}", sampled.len());
    server.signal("TERM");
    assert_eq!(server.wait(), 0);
    let spans = collector.spans();
    let roots = spans.iter().filter(|span| span.parent_span_id.is_empty() && span.name.starts_with("POST"));
    let traces: BTreeSet<String> = roots.map(|span| hex::encode(&span.trace_id)).collect();
    assert_eq!(traces, sampled);
}

#[test]
fn a_refusal_is_traced_with_its_code() {
    let collector = Collector::start();
    let server = traced(&collector, "1");
    let body = json!({"inputs": "x", "model": "made-up"}).to_string();
    assert_eq!(server.request("POST", "/api/v1/embed", &[], body.as_bytes()).status, 404);
    let until = Instant::now() + Duration::from_secs(30);
    let span = loop {
        let found = collector.spans().into_iter().find(|span| span.name == "POST /api/v1/embed");
        if let Some(span) = found {
            break span;
        }
        assert!(Instant::now() < until);
        testkit::serve::pause();
    };
    assert_eq!(text(&span.attributes, "error.type"), "MODEL_NOT_FOUND");
    assert_eq!(text(&span.attributes, "akidb.model"), "unknown");
}

#[test]
fn a_collector_that_is_away_costs_only_its_spans() {
    // Nothing listens there: the port was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    let mut server = Server::start(tiny().args(["--otlp", &url, "--trace-sample-ratio", "1"]));
    let began = Instant::now();
    for _ in 0..200 {
        assert_eq!(embed(&server, &[]).status, 200);
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let until = Instant::now() + Duration::from_secs(30);
    let dropped = |text: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("akidb_trace_spans_dropped_total "));
        line.and_then(|count| count.parse::<u64>().ok()).unwrap_or(0)
    };
    while dropped(&server.get("/metrics").1) == 0 {
        assert!(Instant::now() < until, "{}", server.said());
        testkit::serve::pause();
    }
    let began = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait(), 0);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(server.said().contains("accepted no spans"), "{}", server.said());
}

#[test]
fn without_a_collector_a_caller_s_place_is_handed_on() {
    let server = Server::start(&mut tiny());
    assert_eq!(embed(&server, &[]).header("traceparent"), None);
    let answer = embed(&server, &[("traceparent", &format!("00-{TRACE}-{CALLER}-01"))]);
    let place = answer.header("traceparent").unwrap();
    assert!(place.starts_with(&format!("00-{TRACE}-")) && !place.contains(CALLER), "{place}");
}

#[test]
fn an_address_that_cannot_be_used_is_refused_at_once() {
    let said = testkit::cli::finish(tiny().args(["--otlp", "ftp://x"]));
    assert_ne!(said.code, 0);
    assert!(said.stderr.contains("ftp://x") && said.stderr.contains("http://HOST:4317"), "{}", said.stderr);
}

#[test]
fn the_log_is_json_and_keeps_texts_to_itself() {
    let server = Server::start(tiny().args(["--log-level", "debug"]));
    let secret = "a text that nobody else reads";
    let body = json!({"inputs": secret}).to_string();
    let headers = [("x-request-id", "req-1"), ("authorization", "Bearer key-of-somebody")];
    assert_eq!(server.request("POST", "/api/v1/embed", &headers, body.as_bytes()).status, 200);
    let body = json!({"inputs": secret, "model": secret}).to_string();
    assert_eq!(server.request("POST", "/api/v1/embed", &headers, body.as_bytes()).status, 404);
    let until = Instant::now() + Duration::from_secs(30);
    while server.said().matches("\"req-1\"").count() < 2 {
        assert!(Instant::now() < until, "{}", server.said());
        testkit::serve::pause();
    }
    let said = server.said();
    let lines: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))).collect();
    assert_eq!(lines[0]["message"], "starting");
    for field in ["version", "model", "variant", "device", "workers", "onnxruntime"] {
        assert!(!lines[0][field].is_null(), "{field} in {}", lines[0]);
    }
    let ready = lines.iter().find(|line| line["message"] == "ready").unwrap();
    assert_eq!(ready["runs_on"], "cpu");
    assert!(ready["batch_tokens"].as_u64().unwrap() > 0);
    let of_request: Vec<_> = lines.iter().filter(|line| line["request_id"] == "req-1").collect();
    let (good, bad) = (of_request[0], of_request[1]);
    assert_eq!((good["level"].as_str(), good["status"].as_u64()), (Some("debug"), Some(200)));
    assert_eq!((good["model"].as_str(), good["texts"].as_u64()), (Some("tiny"), Some(1)));
    assert!(good["ms"].as_f64().unwrap() > 0.0 && good["tokens"].as_u64().unwrap() > 2);
    assert_eq!((bad["level"].as_str(), bad["code"].as_str()), (Some("info"), Some("MODEL_NOT_FOUND")));
    assert!(!said.contains("nobody else") && !said.contains("key-of-somebody"), "{said}");
}

#[test]
fn a_flood_of_refusals_does_not_flood_the_log() {
    let server = Server::start(&mut tiny());
    let began = Instant::now();
    for _ in 0..400 {
        assert_eq!(server.get("/no/such/page").0, 404);
    }
    let seconds = began.elapsed().as_secs() as usize + 2;
    let text = server.get("/metrics").1;
    let count = text.lines().find_map(|line| line.strip_prefix("akidb_log_lines_dropped_total ")).unwrap();
    let dropped: usize = count.parse().unwrap();
    // The last lines may still be on their way through the pipe.
    let until = Instant::now() + Duration::from_secs(20);
    let lines = loop {
        let lines = server.said().matches("\"status\":404").count();
        if lines + dropped >= 400 || Instant::now() > until {
            break lines;
        }
        pause();
    };
    assert!(lines > 0 && lines <= seconds * 20, "{lines} in {seconds} s");
    assert_eq!(dropped + lines, 400, "every line is written or counted");
}

#[test]
fn the_resource_says_where_the_server_is() {
    let collector = Collector::start();
    let mut command = tiny();
    command.args(["--otlp", &collector.url, "--trace-sample-ratio", "1", "--region", "eu-central-1"]);
    command.env("ENVIRONMENT", "staging").env("OTEL_RESOURCE_ATTRIBUTES", "team=search,cloud.region=elsewhere");
    let server = Server::start(command.env_remove("OTEL_SERVICE_NAME"));
    assert_eq!(embed(&server, &[]).status, 200);
    collector.wait_for(1);
    let heard = collector.heard.lock().unwrap();
    let resource = heard[0].resource_spans[0].resource.clone().unwrap().attributes;
    for (key, wanted) in [
        ("deployment.environment", "staging"),
        ("deployment.environment.name", "staging"),
        ("service.name", "akidb-edge"),
        ("team", "search"),
        ("cloud.region", "elsewhere"),
    ] {
        assert_eq!(text(&resource, key), wanted, "{key}");
    }
    assert!(!text(&resource, "service.version").is_empty());
}
