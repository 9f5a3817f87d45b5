//! Health: checks that run in the background, each with the age of its result.

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
pub use fault::InvalidPeer;

/// How often memory is given back.
const GIVE_BACK: Duration = Duration::from_secs(5);
/// A piece that is large for the allocator.
const PIECE: usize = 4 << 20;

/// How a check ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CheckOutcome {
    /// As it should be.
    Ok,
    /// Not as it should be.
    Failed,
    /// Nobody asked for what it would look at.
    NotConfigured,
    /// Not known yet.
    Loading,
}

impl CheckOutcome {
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
pub struct HealthCheck {
    /// How it ended.
    pub outcome: CheckOutcome,
    /// What it saw, for a person.
    pub detail: String,
    /// How long it took, when it asked something.
    pub latency: Option<Duration>,
    /// When it ended.
    pub at: Instant,
    /// Whether a restart of the server can mend what failed: a loaded model that does not answer any longer, such as one whose CUDA
    /// context is lost. A model that cannot be loaded is tried again by this process, and a new one would fail as well.
    pub restart_helps: bool,
}

impl HealthCheck {
    /// A check that ended now.
    pub fn new(outcome: CheckOutcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into(), latency: None, at: Instant::now(), restart_helps: false }
    }

    /// A check that failed now.
    pub fn failed(why: impl fmt::Display) -> Self {
        Self::new(CheckOutcome::Failed, why.to_string())
    }

    /// The same, of a failure that a restart of the server can mend.
    #[must_use]
    pub fn mended_by_restart(mut self) -> Self {
        self.restart_helps = true;
        self
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
pub enum CheckKind {
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

impl CheckKind {
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

/// When `/health` is an error (503) and not a 200 whose body says what does not work.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HealthErrors {
    /// When a check of this server failed or is still loading. Servers of other regions do not count: their outage is not ours.
    pub strict: bool,
    /// When a loaded model has failed every canary for so long; never when it is not given.
    pub restart_after: Option<Duration>,
}

/// The last result of each check.
#[derive(Debug)]
pub struct Health {
    checks: Mutex<[HealthCheck; 5]>,
    /// Since when every canary has failed in a way that a restart can mend.
    broken: Mutex<Option<Instant>>,
    stopping: AtomicBool,
}

/// Whether requests should be sent here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReadyState {
    /// Yes.
    Ready,
    /// Not yet.
    Loading(String),
    /// No, and why.
    Failed(String),
    /// Not any longer.
    Stopping,
}

impl Health {
    /// Nothing is known yet.
    pub fn new() -> Self {
        let checks = CheckKind::ALL.map(|_| HealthCheck::new(CheckOutcome::Loading, "not checked yet"));
        Self { checks: Mutex::new(checks), broken: Mutex::new(None), stopping: AtomicBool::new(false) }
    }

    /// Keeps the result of a check.
    pub fn put(&self, kind: CheckKind, check: HealthCheck) {
        if kind == CheckKind::ModelCache {
            let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
            *broken = if check.restart_helps { broken.or(Some(check.at)) } else { None };
        }
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)[kind as usize] = check;
    }

    /// The last result of a check.
    pub fn last(&self, kind: CheckKind) -> HealthCheck {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)[kind as usize].clone()
    }

    /// The server takes no more requests.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether requests should be sent here.
    pub fn ready(&self) -> ReadyState {
        if self.stopping.load(Ordering::Relaxed) {
            return ReadyState::Stopping;
        }
        let canary = self.last(CheckKind::ModelCache);
        match canary.outcome {
            CheckOutcome::Ok | CheckOutcome::NotConfigured => ReadyState::Ready,
            CheckOutcome::Loading => ReadyState::Loading(canary.detail),
            CheckOutcome::Failed => ReadyState::Failed(canary.detail),
        }
    }

    /// `healthy`, `degraded` (something beside the model does not work, or the model is still being loaded) or `unhealthy`.
    pub fn status(&self) -> &'static str {
        let outcome = |kind| self.last(kind).outcome;
        match outcome(CheckKind::ModelCache) {
            CheckOutcome::Failed => "unhealthy",
            CheckOutcome::Loading => "degraded",
            _ if CheckKind::ALL.into_iter().any(|kind| outcome(kind) == CheckOutcome::Failed) => "degraded",
            _ => "healthy",
        }
    }

    /// The checks of this server that failed or are still loading, by the names of the answer.
    pub fn not_ok(&self) -> Vec<&'static str> {
        let own = CheckKind::ALL.into_iter().filter(|kind| *kind != CheckKind::CrossRegion);
        let bad = |kind: &CheckKind| matches!(self.last(*kind).outcome, CheckOutcome::Failed | CheckOutcome::Loading);
        own.filter(bad).map(CheckKind::name).collect()
    }

    /// Why `/health` is an error now; nothing when it is not.
    pub fn error(&self, when: HealthErrors) -> Option<String> {
        let broken = *self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(since), Some(after)) = (broken, when.restart_after)
            && since.elapsed() >= after
        {
            let (detail, seconds) = (self.last(CheckKind::ModelCache).detail, since.elapsed().as_secs());
            return Some(format!("{detail}; every canary has failed for {seconds} s; a restart may fix it"));
        }
        let bad = self.not_ok();
        (when.strict && !bad.is_empty()).then(|| format!("these checks are not ok: {}", bad.join(", ")))
    }

    /// The checks as they are shown.
    pub fn json(&self) -> Value {
        CheckKind::ALL
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
    use std::time::Duration;

    use super::{CheckKind, CheckOutcome, Health, HealthCheck, HealthErrors, ReadyState};

    const STRICT: HealthErrors = HealthErrors { strict: true, restart_after: None };
    const RESTART: HealthErrors = HealthErrors { strict: false, restart_after: Some(Duration::ZERO) };

    #[test]
    fn a_cold_cache_is_loading_and_not_dead() {
        let health = Health::new();
        assert_eq!((health.ready(), health.status()), (ReadyState::Loading("not checked yet".to_owned()), "degraded"));
        assert_eq!(health.json()["model_cache"]["status"], "loading");
    }

    #[test]
    fn what_is_beside_the_model_degrades_and_does_not_take_it_out() {
        let health = Health::new();
        health.put(CheckKind::ModelCache, HealthCheck::new(CheckOutcome::Ok, "passes"));
        health.put(CheckKind::Database, HealthCheck::new(CheckOutcome::NotConfigured, ""));
        assert_eq!((health.ready(), health.status()), (ReadyState::Ready, "healthy"));
        health.put(CheckKind::CrossRegion, HealthCheck::new(CheckOutcome::Failed, "no answer"));
        assert_eq!((health.ready(), health.status()), (ReadyState::Ready, "degraded"));
        health.put(CheckKind::ModelCache, HealthCheck::new(CheckOutcome::Failed, "another vector"));
        assert_eq!((health.ready(), health.status()), (ReadyState::Failed("another vector".to_owned()), "unhealthy"));
        health.stop();
        assert_eq!(health.ready(), ReadyState::Stopping);
    }

    #[test]
    fn on_request_what_does_not_work_here_makes_health_an_error() {
        let health = Health::new();
        for kind in CheckKind::ALL {
            health.put(kind, HealthCheck::new(CheckOutcome::Ok, ""));
        }
        health.put(CheckKind::CrossRegion, HealthCheck::failed("no answer"));
        assert_eq!((health.error(STRICT), health.status()), (None, "degraded"), "another region's outage is not ours");
        health.put(CheckKind::S3, HealthCheck::failed("no bucket"));
        assert_eq!(health.not_ok(), ["s3"]);
        assert_eq!(health.error(HealthErrors::default()), None, "not asked for");
        assert_eq!(health.error(STRICT).as_deref(), Some("these checks are not ok: s3"));
    }

    #[test]
    fn only_what_a_restart_can_mend_asks_for_one() {
        let health = Health::new();
        health.put(CheckKind::ModelCache, HealthCheck::failed("the graph cannot be read"));
        assert_eq!(health.error(RESTART), None, "a new process could not load it either");
        let broken = || HealthCheck::failed("no worker answers").mended_by_restart();
        health.put(CheckKind::ModelCache, broken());
        assert!(health.error(RESTART).is_some_and(|why| why.starts_with("no worker answers; ")));
        let later = HealthErrors { restart_after: Some(Duration::from_secs(3600)), ..RESTART };
        assert_eq!((health.error(later), health.error(HealthErrors::default())), (None, None));
        health.put(CheckKind::ModelCache, HealthCheck::new(CheckOutcome::Ok, ""));
        assert_eq!(health.error(RESTART), None, "it works again");
    }
}
