//! What works and what does not: checks that run beside the requests, each with its age.

mod canary;
mod checks;
mod fault;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::App;
pub use checks::Peer;
pub use fault::NotPeer;

/// How often memory is given back.
const GIVE_BACK: Duration = Duration::from_secs(5);
/// A piece that is large for the allocator.
const PIECE: usize = 4 << 20;

/// How a check ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// Not as it should be.
    Failed,
    /// Nobody asked for what it would look at.
    NotConfigured,
    /// Not known yet.
    Loading,
}

impl Outcome {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::NotConfigured => "not_configured",
            Self::Loading => "loading",
        }
    }
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct Check {
    /// How it ended.
    pub outcome: Outcome,
    /// What it saw, for a person.
    pub detail: String,
    /// How long it took, when it asked something.
    pub latency: Option<Duration>,
    /// When it ended.
    pub at: Instant,
}

impl Check {
    /// A check that ended now.
    pub fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into(), latency: None, at: Instant::now() }
    }

    /// A check that failed now.
    pub fn failed(why: impl fmt::Display) -> Self {
        Self::new(Outcome::Failed, why.to_string())
    }

    /// The same, of a check that asked something then.
    #[must_use]
    pub fn since(mut self, began: Instant) -> Self {
        self.latency = Some(began.elapsed());
        self
    }

    fn json(&self) -> Value {
        json!({
            "status": self.outcome.name(),
            "age_seconds": (self.at.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
            "detail": self.detail,
            "latency_ms": self.latency.map(|latency| (latency.as_secs_f64() * 1e6).round() / 1000.0),
        })
    }
}

/// The checks, by the names of the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The metadata replica.
    Database,
    /// The bucket of model sync.
    S3,
    /// The default model and its canary.
    ModelCache,
    /// What runs graphs, when it is a GPU.
    Gpu,
    /// The servers of other regions.
    CrossRegion,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Database, Self::S3, Self::ModelCache, Self::Gpu, Self::CrossRegion];

    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::S3 => "s3",
            Self::ModelCache => "model_cache",
            Self::Gpu => "gpu",
            Self::CrossRegion => "cross_region_connectivity",
        }
    }
}

/// The last result of each check.
#[derive(Debug)]
pub struct Health {
    checks: Mutex<[Check; 5]>,
    stopping: AtomicBool,
}

/// Whether requests should be sent here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Readiness {
    /// Yes.
    Ready,
    /// Not yet.
    Loading(String),
    /// No, and why.
    Failed(String),
    /// Not any more.
    Stopping,
}

impl Health {
    /// Nothing is known yet.
    pub fn new() -> Self {
        let checks = Kind::ALL.map(|_| Check::new(Outcome::Loading, "not looked at yet"));
        Self { checks: Mutex::new(checks), stopping: AtomicBool::new(false) }
    }

    /// Keeps the result of a check.
    pub fn put(&self, kind: Kind, check: Check) {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)[kind as usize] = check;
    }

    /// The last result of a check.
    pub fn last(&self, kind: Kind) -> Check {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)[kind as usize].clone()
    }

    /// The server takes no more requests.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether requests should be sent here.
    pub fn ready(&self) -> Readiness {
        if self.stopping.load(Ordering::Relaxed) {
            return Readiness::Stopping;
        }
        let canary = self.last(Kind::ModelCache);
        match canary.outcome {
            Outcome::Ok | Outcome::NotConfigured => Readiness::Ready,
            Outcome::Loading => Readiness::Loading(canary.detail),
            Outcome::Failed => Readiness::Failed(canary.detail),
        }
    }

    /// `healthy`, `degraded` (something beside the model does not work, or the model is still being loaded) or `unhealthy`.
    pub fn status(&self) -> &'static str {
        let outcome = |kind| self.last(kind).outcome;
        match outcome(Kind::ModelCache) {
            Outcome::Failed => "unhealthy",
            Outcome::Loading => "degraded",
            _ if Kind::ALL.into_iter().any(|kind| outcome(kind) == Outcome::Failed) => "degraded",
            _ => "healthy",
        }
    }

    /// The checks as they are shown.
    pub fn json(&self) -> Value {
        Kind::ALL
            .into_iter()
            .map(|kind| (kind.name().to_owned(), self.last(kind).json()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs all checks until the tasks are dropped.
pub fn watch(app: &Arc<App>) -> tokio::task::JoinSet<()> {
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(canary::watch(app.clone()));
    tasks.spawn(checks::database(app.clone()));
    tasks.spawn(checks::bucket(app.clone()));
    tasks.spawn(checks::gpu(app.clone()));
    tasks.spawn(checks::peers(app.clone()));
    tasks.spawn(give_memory_back());
    tasks
}

/// Asks for a large piece of memory from time to time and lets it go, without touching it: the allocator gives what a burst has
/// freed back to the system when a large piece is next freed, and a server that is idle afterwards frees none.
async fn give_memory_back() {
    let mut ticks = tokio::time::interval(GIVE_BACK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        drop(std::hint::black_box(Vec::<u8>::with_capacity(PIECE)));
    }
}

#[cfg(test)]
mod tests {
    use super::{Check, Health, Kind, Outcome, Readiness};

    #[test]
    fn a_cold_cache_is_loading_and_not_dead() {
        let health = Health::new();
        assert_eq!((health.ready(), health.status()), (Readiness::Loading("not looked at yet".to_owned()), "degraded"));
        assert_eq!(health.json()["model_cache"]["status"], "loading");
    }

    #[test]
    fn what_is_beside_the_model_degrades_and_does_not_take_it_out() {
        let health = Health::new();
        health.put(Kind::ModelCache, Check::new(Outcome::Ok, "sings"));
        health.put(Kind::Database, Check::new(Outcome::NotConfigured, ""));
        assert_eq!((health.ready(), health.status()), (Readiness::Ready, "healthy"));
        health.put(Kind::CrossRegion, Check::new(Outcome::Failed, "no answer"));
        assert_eq!((health.ready(), health.status()), (Readiness::Ready, "degraded"));
        health.put(Kind::ModelCache, Check::new(Outcome::Failed, "another vector"));
        assert_eq!((health.ready(), health.status()), (Readiness::Failed("another vector".to_owned()), "unhealthy"));
        health.stop();
        assert_eq!(health.ready(), Readiness::Stopping);
    }
}
