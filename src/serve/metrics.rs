//! What was counted, in the words of Prometheus.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::inference::event::{BatchRun, Listener, Load};
use crate::inference::fault::Code;

/// A request that ended.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The model that it meant.
    pub model: &'a str,
    /// Why it failed; nothing when it did not.
    pub code: Option<Code>,
    /// Its texts.
    pub texts: usize,
    /// Their tokens.
    pub tokens: usize,
    /// From arrival to answer.
    pub took: Duration,
    /// In the tokenizer.
    pub tokenising: Duration,
    /// In the queue.
    pub waited: Duration,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ByModel {
    model: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ByStatus {
    model: String,
    status: &'static str,
}

type Histograms = Family<ByModel, Histogram, fn() -> Histogram>;

/// Counters and histograms of a server.
pub struct Metrics {
    registry: Registry,
    requests: Family<ByStatus, Counter>,
    latency: Histograms,
    syncs: Family<ByStatus, Counter>,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        registry.register("akidb_embed_requests", "Requests for embeddings", requests.clone());
        let latency: Histograms = Family::new_with_constructor(|| {
            Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
        });
        registry.register(
            "akidb_embed_latency_seconds",
            "Time from a request's arrival to its answer",
            latency.clone(),
        );
        let syncs = Family::default();
        registry.register("akidb_model_sync", "Versions that model sync brought, or could not bring", syncs.clone());
        Self { registry, requests, latency, syncs }
    }

    /// A request ended.
    pub fn request(&self, request: &Request<'_>) {
        let model = request.model.to_owned();
        let status = if request.code.is_none() { "success" } else { "error" };
        self.requests.get_or_create(&ByStatus { model: model.clone(), status }).inc();
        self.latency.get_or_create(&ByModel { model }).observe(request.took.as_secs_f64());
    }

    /// Model sync brought a version of a model, or could not; no name: it could not look at its source.
    pub fn synced(&self, model: &str, done: bool) {
        let status = if done { "success" } else { "error" };
        self.syncs.get_or_create(&ByStatus { model: model.to_owned(), status }).inc();
    }

    /// As Prometheus reads it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Listener for Metrics {
    fn batch(&self, _: &str, _: &BatchRun) {}
    fn load(&self, _: &str, _: &Load) {}
    fn asked(&self, _: &str, _: bool) {}
    fn unloaded(&self, _: &str) {}
}
