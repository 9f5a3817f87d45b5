//! What the engine tells, for everybody who listens: counted, and written into the log when it is rare.

use std::sync::Arc;

use super::log::Level;
use super::{Log, Metrics};
use crate::inference::event::{BatchRun, Listener, Load};

/// Metrics and log.
pub struct Ears {
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Tells people.
    pub log: Arc<Log>,
}

impl Listener for Ears {
    fn batch(&self, model: &str, batch: &BatchRun) {
        self.metrics.batch(model, batch);
    }

    fn broken(&self, model: &str, why: &str) {
        self.metrics.broken(model, why);
        if self.log.admits() {
            self.log.say(Level::Error, "a batch could not be run", &[("model", model.into()), ("why", why.into())]);
        }
    }

    fn load(&self, model: &str, load: &Load) {
        self.metrics.load(model, load);
        let (name, took) = (("model", model.into()), ("ms", (load.took.as_millis() as u64).into()));
        if load.ready {
            self.log.say(Level::Info, "model loaded", &[name, took, ("memory_mb", (load.bytes >> 20).into())]);
        } else {
            self.log.say(Level::Error, "model cannot be loaded; GET /models says what it is doing", &[name, took]);
        }
    }

    fn asked(&self, model: &str, hit: bool) {
        self.metrics.asked(model, hit);
    }

    fn unloaded(&self, model: &str) {
        self.metrics.unloaded(model);
        self.log.say(Level::Info, "model left memory to make room", &[("model", model.into())]);
    }
}
