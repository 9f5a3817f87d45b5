//! Exports spans to the collector: a bounded queue and a task that empties it.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::TraceSettings;
use crate::serve::config::redacted;
use crate::serve::log::LogLevel;
use crate::serve::{LogWriter, Metrics, ServeFault};

/// Requests whose spans wait.
const QUEUE: usize = 512;
/// Requests whose spans go out together.
const TOGETHER: usize = 128;
/// Between two sendings.
const EVERY: Duration = Duration::from_secs(1);
/// Time for one sending.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time for the rest at the end.
const LAST: Duration = Duration::from_secs(2);
/// Between two lines about a collector that is away.
const COMPLAIN: Duration = Duration::from_secs(60);

/// A collector that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{collector} cannot receive traces: {source}")]
struct NoTraces {
    /// Its address, without a password.
    collector: String,
    source: Box<dyn Error + Send + Sync>,
}

/// Where spans are put.
pub struct SpanQueue {
    queue: Sender<Vec<SpanData>>,
    metrics: Arc<Metrics>,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl SpanQueue {
    /// Starts the task; the collector need not be there yet.
    ///
    /// # Errors
    /// An address that cannot be used.
    pub fn open(
        collector: &str,
        settings: &TraceSettings,
        metrics: Arc<Metrics>,
        log: Arc<LogWriter>,
    ) -> Result<Self, ServeFault> {
        let refused = |source: Box<dyn Error + Send + Sync>| {
            let why = NoTraces { collector: redacted(collector), source };
            ServeFault::refused(why, "name an OTLP gRPC collector, such as http://HOST:4317")
        };
        if !collector.starts_with("http://") {
            return Err(refused("only http:// is supported".into()));
        }
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(collector).with_timeout(PATIENCE).build();
        let mut exporter = exporter.map_err(|why| refused(why.into()))?;
        exporter.set_resource(&resource(settings));
        let (queue, receiver) = channel(QUEUE);
        let (stop, stopped) = watch::channel(false);
        let post = Post { exporter, metrics: metrics.clone(), log, collector: collector.to_owned(), complained: None };
        let task = Mutex::new(Some(tokio::spawn(post.run(receiver, stopped))));
        Ok(Self { queue, metrics, stop, task })
    }

    /// Puts the spans of a request in, or drops them when there is no room.
    pub fn put(&self, spans: Vec<SpanData>) {
        let count = spans.len() as u64;
        if self.queue.try_send(spans).is_err() {
            self.metrics.spans_dropped.inc_by(count);
        }
    }

    /// Sends what is left, for two seconds at most.
    pub async fn close(&self) {
        let _ = self.stop.send(true);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut task) = task
            && tokio::time::timeout(LAST, &mut task).await.is_err()
        {
            task.abort();
        }
    }
}

/// Where spans come from. What OpenTelemetry's own variables say goes before everything else.
fn resource(settings: &TraceSettings) -> Resource {
    let mut about = vec![
        KeyValue::new("service.name", "akidb-edge"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("cloud.region", settings.region.clone()),
        KeyValue::new("k8s.cluster.name", settings.cluster.clone()),
    ];
    if let Some(environment) = &settings.environment {
        // The second is the name that the conventions have since 1.27; many collectors still look for the first.
        about.extend(
            ["deployment.environment", "deployment.environment.name"]
                .map(|key| KeyValue::new(key, environment.clone())),
        );
    }
    let resource = Resource::builder_empty().with_detector(Box::new(TelemetryResourceDetector)).with_attributes(about);
    let resource = resource.with_detector(Box::new(EnvResourceDetector::new()));
    // `OTEL_RESOURCE_ATTRIBUTES` may name the service, and `OTEL_SERVICE_NAME` goes before it.
    match std::env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty()) {
        Some(name) => resource.with_service_name(name).build(),
        None => resource.build(),
    }
}

struct Post {
    exporter: SpanExporter,
    metrics: Arc<Metrics>,
    log: Arc<LogWriter>,
    collector: String,
    complained: Option<Instant>,
}

impl Post {
    async fn run(mut self, mut queue: Receiver<Vec<SpanData>>, mut stopped: watch::Receiver<bool>) {
        let mut waiting = Vec::with_capacity(TOGETHER);
        loop {
            let stop = tokio::select! {
                () = tokio::time::sleep(EVERY) => false,
                _ = stopped.wait_for(|stop| *stop) => true,
            };
            while let Ok(spans) = queue.try_recv() {
                waiting.push(spans);
                if waiting.len() == TOGETHER {
                    self.send(&mut waiting).await;
                }
            }
            self.send(&mut waiting).await;
            if stop {
                return;
            }
        }
    }

    async fn send(&mut self, waiting: &mut Vec<Vec<SpanData>>) {
        let spans: Vec<SpanData> = waiting.drain(..).flatten().collect();
        let count = spans.len() as u64;
        if count == 0 {
            return;
        }
        let why = match tokio::time::timeout(PATIENCE, self.exporter.export(spans)).await {
            Ok(Ok(())) => {
                self.metrics.spans.inc_by(count);
                return;
            }
            Ok(Err(why)) => why.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        self.metrics.spans_dropped.inc_by(count);
        if self.complained.is_none_or(|at| at.elapsed() >= COMPLAIN) {
            self.complained = Some(Instant::now());
            let fields = [("collector", self.collector.as_str().into()), ("why", why.into()), ("spans", count.into())];
            self.log.say(LogLevel::Warn, "the collector accepted no spans; requests continue without traces", &fields);
        }
    }
}
