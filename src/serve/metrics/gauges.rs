//! Gauges that are read at scrape time, so that they cost nothing in between.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::names::{self, MetricName};
use super::process::ProcessStats;
use crate::inference::registry::{ListedModel, ModelStatus, resident};

/// A gauge of any number.
pub type Real = Gauge<f64, AtomicU64>;

/// All states that a model may be in.
const STATES: [&str; 4] = ["available", "loading", "loaded", "failed"];

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ByModel {
    model: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ByState {
    model: String,
    state: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Runs {
    model: String,
    provider: String,
    variant: &'static str,
    version: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// What models and process are doing now.
pub fn registry(models: &[ListedModel]) -> Registry {
    let mut registry = Registry::default();
    whole(&mut registry, models);
    states(&mut registry, models);
    loaded(&mut registry, models);
    running(&mut registry, models);
    process(&mut registry);
    registry
}

fn gauge(registry: &mut Registry, name: &MetricName, value: f64) {
    let gauge = Real::default();
    gauge.set(value);
    name.register(registry, gauge);
}

fn whole(registry: &mut Registry, models: &[ListedModel]) {
    let is_loaded = |model: &&ListedModel| model.engine.is_some();
    gauge(registry, &names::CACHE_SIZE, models.iter().filter(is_loaded).count() as f64);
    let ready = models.iter().any(|model| model.pinned && matches!(model.status, ModelStatus::Loaded));
    gauge(registry, &names::READY, f64::from(u8::from(ready)));
    let build: Family<Build, Gauge> = Family::default();
    build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
    names::BUILD.register(registry, build);
}

fn states(registry: &mut Registry, models: &[ListedModel]) {
    let family: Family<ByState, Gauge> = Family::default();
    for model in models {
        for state in STATES {
            let is = i64::from(model.status.name() == state);
            family.get_or_create(&ByState { model: model.name.clone(), state }).set(is);
        }
    }
    names::MODEL_STATE.register(registry, family);
}

/// One gauge for each loaded model.
fn loaded(registry: &mut Registry, models: &[ListedModel]) {
    let families: [Family<ByModel, Real>; 6] = Default::default();
    for model in models {
        let Some(engine) = &model.engine else { continue };
        let depth = engine.depth();
        let values = [
            model.bytes as f64,
            depth.texts as f64,
            depth.tokens as f64,
            engine.workers() as f64,
            depth.busy as f64,
            engine.speed(),
        ];
        for (family, value) in families.iter().zip(values) {
            family.get_or_create(&ByModel { model: model.name.clone() }).set(value);
        }
    }
    let names = [
        names::MODEL_MEMORY,
        names::QUEUE_TEXTS,
        names::QUEUE_TOKENS,
        names::WORKERS,
        names::WORKERS_BUSY,
        names::SPEED,
    ];
    for (name, family) in names.iter().zip(families) {
        name.register(registry, family);
    }
}

fn running(registry: &mut Registry, models: &[ListedModel]) {
    let family: Family<Runs, Gauge> = Family::default();
    for model in models {
        let Some(engine) = &model.engine else { continue };
        // Behind the name stands what a person wants to know besides.
        let provider = engine.runs_on.split(' ').next().unwrap_or_default().to_owned();
        let (variant, version) = (engine.folder.variant.name(), engine.hash.chars().take(12).collect());
        family.get_or_create(&Runs { model: model.name.clone(), provider, variant, version }).set(1);
    }
    names::PROVIDER.register(registry, family);
}

fn process(registry: &mut Registry) {
    let bytes = resident();
    if bytes > 0 {
        gauge(registry, &names::RESIDENT, bytes as f64);
    }
    let Some(process) = ProcessStats::look() else { return };
    gauge(registry, &names::STARTED, process.started);
    gauge(registry, &names::FILES, process.files as f64);
    gauge(registry, &names::THREADS, process.threads as f64);
    let cpu: Counter<f64, AtomicU64> = Counter::default();
    cpu.inner().store(process.cpu.to_bits(), Ordering::Relaxed);
    names::CPU.register(registry, cpu);
}
