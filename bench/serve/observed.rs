//! What metrics and traces cost: processor time a request, at a steady rate, without the request itself.
//!
//! `cargo run --release --example observed -- [REQUESTS A SECOND] [SECONDS]`
//!
//! Each round counts a request of one text as the server does (its counters and histograms, its batch, its route; one of ten
//! recorded and sent to a collector), and the rest of the time it sleeps as a rate of requests would have it. The collector's
//! own thread is not counted. Of a request that keeps a core busy for 1 ms, 10 microseconds are 1 %.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use akidb_edge::inference::observer::{BatchRun, InferenceObserver};
use akidb_edge::serve::log::{LogFormat, LogLevel, LogWriter};
use akidb_edge::serve::metrics::{EndedRequest, Metrics};
use akidb_edge::serve::trace::request_trace::RequestTrace;
use akidb_edge::serve::trace::{EndedSpan, TraceSettings, Tracer};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Full};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const COLLECTOR: &str = "collector";
const MODEL: &str = "all-MiniLM-L6-v2";
/// Rounds between two sleeps.
const BURST: u32 = 20;

type Fault = Box<dyn Error + Send + Sync>;

/// An empty answer of gRPC.
async fn export(_: Bytes) -> Response {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from_static(&[0; 5])).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// Where it listens; it goes on until the program ends.
fn collector() -> Result<String, Fault> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}", listener.local_addr()?);
    std::thread::Builder::new().name(COLLECTOR.to_owned()).spawn(move || -> Result<(), std::io::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let router = Router::new().route(EXPORT, axum::routing::post(export));
            axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await
        })
    })?;
    Ok(url)
}

/// Time on a processor of all threads but the collector's (`/proc/self/task/*/schedstat`, nanoseconds).
fn busy() -> Result<Duration, Fault> {
    let mut nanos = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.trim() != COLLECTOR {
            let stat = std::fs::read_to_string(task.join("schedstat"))?;
            nanos += stat.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
    }
    Ok(Duration::from_nanos(nanos))
}

/// What the server counts of one request.
fn count(metrics: &Metrics) {
    let part = Duration::from_micros(100);
    let request = EndedRequest { model: MODEL, code: None, texts: 1, took: 5 * part, tokenizing: part, waited: part };
    metrics.enter(MODEL).end(&request);
    metrics.response("/api/v1/embed", 200);
    let batch = BatchRun {
        rows: 1,
        tokens: 10,
        computed: 10,
        inference: part,
        around: part,
        skipped: 0,
        not_finite: 0,
        waited: part,
    };
    metrics.batch(MODEL, &batch);
}

/// What the server does for its trace.
fn trace(tracer: &Tracer) {
    let begun = tracer.begin(&HeaderMap::new());
    let Some(begun) = begun.as_ref().filter(|begun| tracer.records(Some(begun))) else { return };
    let (now, part) = (Instant::now(), Duration::from_micros(100));
    let request_trace = RequestTrace {
        model: MODEL.to_owned(),
        texts: 1,
        tokens: 10,
        code: None,
        began: now,
        tokenizing: part,
        waited: part,
        ended: now,
    };
    tracer.record(EndedSpan {
        begun,
        method: "POST",
        route: "/api/v1/embed",
        status: 200,
        grpc: None,
        id: "0190b0a1-0000-7000-8000-000000000000",
        request_trace: Some(&request_trace),
    });
}

/// Processor time a round, at this rate.
async fn steady(rate: u32, time: Duration, round: impl Fn()) -> Result<Duration, Fault> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) * BURST / rate);
    let (begin, before, mut rounds) = (Instant::now(), busy()?, 0);
    while begin.elapsed() < time {
        ticks.tick().await;
        for _ in 0..BURST {
            round();
        }
        rounds += BURST;
    }
    Ok((busy()? - before) / rounds)
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Fault> {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<u32>());
    let rate = numbers.next().transpose()?.unwrap_or(2000);
    let time = Duration::from_secs(numbers.next().transpose()?.unwrap_or(10).into());
    let metrics = Arc::new(Metrics::new());
    let log = Arc::new(LogWriter::new(LogLevel::Error, LogFormat::Json, metrics.log_lines_dropped.clone()));
    let (region, cluster) = ("eu-central-1".to_owned(), "bench".to_owned());
    let settings = TraceSettings { collector: Some(collector()?), share: 0.1, region, cluster, environment: None };
    let tracer = Tracer::new(&settings, &metrics, &log)?;
    metrics.asked(MODEL, true);
    let nothing = steady(rate, time, || ()).await?;
    let counted = steady(rate, time, || count(&metrics)).await?.saturating_sub(nothing);
    let both = steady(rate, time, || {
        count(&metrics);
        trace(&tracer);
    });
    let both = both.await?.saturating_sub(nothing);
    tracer.close().await;
    println!(
        "{rate} requests/s: metrics {:.2} us, with traces (one of ten) {:.2} us a request; spans sent {}, lost {}",
        counted.as_secs_f64() * 1e6,
        both.as_secs_f64() * 1e6,
        metrics.spans.get(),
        metrics.spans_dropped.get(),
    );
    Ok(())
}
