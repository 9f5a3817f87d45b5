//! Observes the engine: counts events, and logs rare ones.

use std::sync::Arc;

use super::log::LogLevel;
use super::{LogWriter, Metrics};
use crate::inference::observer::{BatchRun, InferenceObserver, LoadEvent};

/// Metrics and log.
pub struct ServeObserver {
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Tells people.
    pub log: Arc<LogWriter>,
}

impl InferenceObserver for ServeObserver {
    fn batch(&self, model: &str, batch: &BatchRun) {
        self.metrics.batch(model, batch);
    }

    fn broken(&self, model: &str, why: &str) {
        self.metrics.broken(model, why);
        if self.log.admits() {
            self.log.say(LogLevel::Error, "a batch could not be run", &[("model", model.into()), ("why", why.into())]);
        }
    }

    fn load(&self, model: &str, load: &LoadEvent) {
        self.metrics.load(model, load);
        let (name, took) = (("model", model.into()), ("ms", (load.took.as_millis() as u64).into()));
        if load.ready {
            self.log.say(LogLevel::Info, "model loaded", &[name, took, ("memory_mb", (load.bytes >> 20).into())]);
        } else {
            self.log.say(LogLevel::Error, "model cannot be loaded; see GET /models", &[name, took]);
        }
    }

    fn asked(&self, model: &str, hit: bool) {
        self.metrics.asked(model, hit);
    }

    fn unloaded(&self, model: &str) {
        self.metrics.unloaded(model);
        self.log.say(LogLevel::Info, "model evicted from memory", &[("model", model.into())]);
    }
}
