//! Metrics in Prometheus' format. The hot path finds its handles without locks and copies no label.

mod counts;
mod engines;
mod gauges;
mod gpu;
mod keyed;
mod model;
pub mod names;
mod process;
mod request_outcome;
mod text;
mod vectors;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::inference::cache::VectorCache;
use crate::inference::fault::ErrorCode;
use crate::inference::observer::{BatchRun, InferenceObserver, LoadEvent};
use crate::inference::registry::ListedModel;

pub use counts::GRPC;
use keyed::Keyed;
use model::{Families, ModelSeries};
pub use request_outcome::RequestOutcome;
pub use text::TextFormat;

/// The model label of requests for an unknown model: names that clients send are not used as labels.
const UNKNOWN: &str = "unknown";

/// A request that ended.
#[derive(Clone, Copy, Debug)]
pub struct EndedRequest<'a> {
    /// The model that it meant.
    pub model: &'a str,
    /// Why it failed; nothing when it did not.
    pub code: Option<ErrorCode>,
    /// Its texts.
    pub texts: usize,
    /// From arrival to answer.
    pub took: Duration,
    /// In the tokenizer.
    pub tokenizing: Duration,
    /// In the queue.
    pub waited: Duration,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ByCode {
    code: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct BySync {
    model: String,
    status: &'static str,
}

/// Counters and histograms of a server.
pub struct Metrics {
    registry: Registry,
    families: Families,
    models: Keyed<ModelSeries>,
    unknown: OnceLock<Arc<ModelSeries>>,
    in_flight: Gauge,
    gate: Family<ByCode, Counter>,
    syncs: Family<BySync, Counter>,
    http: counts::RouteCounts,
    tenants: counts::TenantCounts,
    gpu: gpu::GpuReadings,
    engines: OnceLock<engines::Engines>,
    vectors: OnceLock<Arc<VectorCache>>,
    /// Spans exported to the collector.
    pub spans: Counter,
    /// Spans that were lost.
    pub spans_dropped: Counter,
    /// Lines that the log left out.
    pub log_lines_dropped: Counter,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let families = Families::new(&mut registry);
        let in_flight = Gauge::default();
        names::IN_FLIGHT.register(&mut registry, in_flight.clone());
        let (gate, syncs) = (Family::default(), Family::default());
        names::GATE.register(&mut registry, gate.clone());
        names::SYNCS.register(&mut registry, syncs.clone());
        let mut counter = |name: &names::MetricName| {
            let counter = Counter::default();
            name.register(&mut registry, counter.clone());
            counter
        };
        let spans = counter(&names::SPANS);
        let spans_dropped = counter(&names::SPANS_DROPPED);
        let log_lines_dropped = counter(&names::LOG_LINES_DROPPED);
        Self {
            http: counts::RouteCounts::new(&mut registry),
            registry,
            families,
            models: Keyed::new(),
            unknown: OnceLock::new(),
            in_flight,
            gate,
            syncs,
            tenants: counts::TenantCounts::new(),
            gpu: gpu::GpuReadings::new(),
            engines: OnceLock::new(),
            vectors: OnceLock::new(),
            spans,
            spans_dropped,
            log_lines_dropped,
        }
    }

    /// A request for embeddings begins. When what comes back is dropped before it was told how the request ended, the client
    /// went away.
    pub fn enter<'a>(&'a self, model: &'a str) -> InFlightRequest<'a> {
        self.in_flight.inc();
        InFlightRequest { metrics: self, model, ended: false }
    }

    /// An answer of HTTP (or of gRPC, whose status counts from [`GRPC`]) by its route.
    pub fn response(&self, route: &str, status: u16) {
        self.http.count(route, status);
    }

    /// The gate refused a request before a model was looked at.
    pub fn refused(&self, code: &'static str) {
        self.gate.get_or_create(&ByCode { code }).inc();
    }

    /// Model sync brought a version of a model, or could not; no name: it could not look at its source.
    pub fn synced(&self, model: &str, done: bool) {
        let status = if done { RequestOutcome::Success } else { RequestOutcome::Error }.name();
        self.syncs.get_or_create(&BySync { model: model.to_owned(), status }).inc();
    }

    /// Whether the registry knows a model of this name: others are made up by clients.
    pub fn knows(&self, model: &str) -> bool {
        self.models.get(model).is_some()
    }

    /// A request of a tenant, by the status of its answer. The first 100 tenants have a name, the others share one.
    pub fn tenant(&self, tenant: &str, status: u16) {
        self.tenants.count(tenant, RequestOutcome::of_status(status));
    }

    /// Reads the GPU from now on, every few seconds, until the task is dropped.
    pub async fn watch_gpu(self: Arc<Self>) {
        self.gpu.watch().await;
    }

    /// Counts what TensorRT writes into this folder.
    pub fn watch_engines(&self, cache: PathBuf) {
        let _ = self.engines.set(engines::Engines::new(cache));
    }

    /// Tells what this cache of vectors does.
    pub fn watch_vectors(&self, cache: Arc<VectorCache>) {
        let _ = self.vectors.set(cache);
    }

    /// All of it, with what these models are doing at this moment.
    pub fn text(&self, models: &[ListedModel], format: TextFormat) -> String {
        let mut now = gauges::registry(models);
        self.gpu.register(&mut now);
        self.tenants.register(&mut now);
        if let Some(engines) = self.engines.get() {
            engines.register(&mut now);
        }
        if let Some(cache) = self.vectors.get() {
            vectors::register(&mut now, &cache.counts());
        }
        text::write(&[&self.registry, &now], format)
    }

    /// The series of a model that the registry knows.
    fn model(&self, name: &str) -> Arc<ModelSeries> {
        self.models.get_or(name, || self.families.model(name))
    }

    /// The series for a name that came from a client.
    fn asked_for(&self, name: &str) -> (Arc<ModelSeries>, bool) {
        let unknown = || self.unknown.get_or_init(|| Arc::new(self.families.model(UNKNOWN))).clone();
        self.models.get(name).map_or_else(|| (unknown(), false), |model| (model, true))
    }

    fn request(&self, request: &EndedRequest<'_>) {
        let (model, known) = self.asked_for(request.model);
        let Some(code) = request.code else {
            model.ended(RequestOutcome::Success);
            model.latency.observe(request.took.as_secs_f64());
            model.texts.observe(request.texts as f64);
            model.tokenize.observe(request.tokenizing.as_secs_f64());
            model.queue_wait.observe(request.waited.as_secs_f64());
            return;
        };
        model.ended(RequestOutcome::of_code(code));
        if !model.refused(code) {
            self.families.rare(if known { request.model } else { UNKNOWN }, code);
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// A request that is being answered.
pub struct InFlightRequest<'a> {
    metrics: &'a Metrics,
    model: &'a str,
    ended: bool,
}

impl InFlightRequest<'_> {
    /// It ended like this.
    pub fn end(mut self, request: &EndedRequest<'_>) {
        self.ended = true;
        self.metrics.request(request);
    }
}

impl Drop for InFlightRequest<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
        if !self.ended {
            self.metrics.asked_for(self.model).0.ended(RequestOutcome::Cancelled);
        }
    }
}

impl InferenceObserver for Metrics {
    fn batch(&self, model: &str, batch: &BatchRun) {
        let model = self.model(model);
        model.batch_size.observe(batch.rows as f64);
        model.batch_tokens.observe(batch.computed as f64);
        model.inference.observe(batch.inference.as_secs_f64());
        model.overhead.observe(batch.around.as_secs_f64());
        model.tokens.inc_by(batch.tokens as u64);
        model.padding.inc_by(batch.computed.saturating_sub(batch.tokens) as u64);
        model.dropped.inc_by(batch.skipped as u64);
        model.not_finite.inc_by(batch.not_finite as u64);
    }

    fn broken(&self, model: &str, _: &str) {
        self.model(model).broken.inc();
    }

    fn load(&self, model: &str, load: &LoadEvent) {
        let model = self.model(model);
        if load.ready {
            model.load.observe(load.took.as_secs_f64());
        } else {
            model.load_failures.inc();
        }
        if let Some(engines) = self.engines.get().filter(|_| load.ready) {
            engines.look(load.took);
        }
    }

    fn asked(&self, model: &str, hit: bool) {
        let model = self.model(model);
        if hit {
            model.hits.inc()
        } else {
            model.misses.inc()
        };
    }

    fn unloaded(&self, model: &str) {
        self.model(model).unloads.inc();
    }
}

#[cfg(test)]
mod tests;
