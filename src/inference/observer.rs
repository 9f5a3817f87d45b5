//! Events of the engine for observers: the only connection to metrics.

use std::time::Duration;

/// A batch that was run.
#[derive(Clone, Copy, Debug)]
pub struct BatchRun {
    /// Texts in it.
    pub rows: usize,
    /// Tokens of its texts, special tokens included.
    pub tokens: usize,
    /// Tokens that were computed: rows times the longest.
    pub computed: usize,
    /// Time in the model.
    pub inference: Duration,
    /// Time to make the batch and to pool its output.
    pub around: Duration,
    /// Texts that were dropped before it, because nobody waits for them or their time ran out.
    pub skipped: usize,
    /// Texts whose vector is not finite: their requests failed.
    pub not_finite: usize,
    /// Longest wait in the queue of a text in it.
    pub waited: Duration,
}

/// How a load of a model ended.
#[derive(Clone, Debug)]
pub struct LoadEvent {
    /// How long it took.
    pub took: Duration,
    /// Whether it is ready now.
    pub ready: bool,
    /// Memory that it took, in bytes, as measured around the load.
    pub bytes: u64,
}

/// Who wants to know. Calls come from worker threads and must not block.
pub trait InferenceObserver: Send + Sync {
    /// A batch of a model was run.
    fn batch(&self, model: &str, batch: &BatchRun);
    /// A batch of a model could not be run, or its run panicked: why.
    fn broken(&self, model: &str, why: &str);
    /// A load of a model ended.
    fn load(&self, model: &str, load: &LoadEvent);
    /// A request asked for a model that was loaded (`hit`), or had to be loaded.
    fn asked(&self, model: &str, hit: bool);
    /// A model left memory.
    fn unloaded(&self, model: &str);
}

/// Nobody listens.
#[derive(Debug)]
pub struct NoObserver;

impl InferenceObserver for NoObserver {
    fn batch(&self, _: &str, _: &BatchRun) {}
    fn broken(&self, _: &str, _: &str) {}
    fn load(&self, _: &str, _: &LoadEvent) {}
    fn asked(&self, _: &str, _: bool) {}
    fn unloaded(&self, _: &str) {}
}
