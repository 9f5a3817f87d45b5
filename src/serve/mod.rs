//! The server around the engine: REST, gRPC and metrics from one process. Transports only translate to one [`Embedder`].
//!
//! ```text
//!  listener (TLS, limits) --> http:: / grpc:: --> Embedder --> inference::Registry --> Engine
//!                                   |                |
//!                               admission         metrics, traces
//! ```

pub mod config;
mod ears;
mod embedder;
mod http;
mod listener;
pub mod log;
pub mod metrics;
mod opening;
mod shutdown;
pub mod trace;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::inference::engine::Settings;
use crate::inference::onnx::provider::Device;
use crate::inference::onnx::{OnnxLoader, Runtime, Start};
use crate::inference::queue::Bounds;
use crate::inference::registry::{Limits, Registry, Source};

pub use config::Config;
use ears::Ears;
pub use embedder::{Ask, Embedder, Reply};
pub use log::Log;
pub use metrics::Metrics;
use trace::Tracer;

/// Why the server does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeFault {
    /// Something that it was given.
    #[error("{problem}")]
    Refused {
        /// What is wrong.
        problem: String,
        /// What to do.
        next_step: String,
    },
    /// The system.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl ServeFault {
    /// Something that it was given.
    pub fn refused(problem: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self::Refused { problem: problem.into(), next_step: next_step.into() }
    }
}

/// What handlers share.
pub struct App {
    /// As it was started.
    pub config: Config,
    /// Texts to vectors.
    pub embedder: Embedder,
    /// What was counted.
    pub metrics: Arc<Metrics>,
    /// What is told to people.
    pub log: Arc<Log>,
    /// Where traces go.
    pub tracer: Tracer,
}

/// Serves until it is told to stop (SIGTERM, SIGINT), then finishes what was admitted.
///
/// # Errors
/// Why it cannot start.
pub async fn run(config: Config) -> Result<(), ServeFault> {
    let metrics = Arc::new(Metrics::new());
    let log = Arc::new(Log::new(config.log_level, config.log_format, metrics.log_lines_dropped.clone()));
    let tracer = Tracer::new(&config.traces, &metrics, &log)?;
    let (registry, onnxruntime) = registry(&config, &metrics, &log)?;
    let embedder = Embedder::new(registry.clone(), metrics.clone(), config.limits.clone());
    let app = Arc::new(App { config, embedder, metrics, log, tracer });
    let listening = listener::bind(app.config.http).await?;
    let address = listening.local_addr()?;
    opening::starting(&app, address, &onnxruntime);
    let mut beside = tokio::task::JoinSet::new();
    beside.spawn(opening::warm(app.clone()));
    if app.config.device.is_gpu() {
        beside.spawn(app.metrics.clone().watch_gpu());
    }
    app.log.say(log::Level::Info, &format!("listening on http://{address}"), &[]);
    let served = listener::serve(listening, http::router(app.clone()), shutdown::signal()).await;
    beside.abort_all();
    app.tracer.close().await;
    app.log.say(log::Level::Info, "stopped", &[]);
    served.map_err(ServeFault::from)
}

/// The registry, and the version of ONNX Runtime.
fn registry(config: &Config, metrics: &Arc<Metrics>, log: &Arc<Log>) -> Result<(Arc<Registry>, String), ServeFault> {
    let runtime = Runtime::load(config.onnxruntime.as_deref())
        .map_err(|why| ServeFault::refused(why.to_string(), crate::inference::onnx::library::HOW_TO_GET))?;
    let version = runtime.version.clone();
    let models = catalogue(&config.models).map_err(|why| {
        ServeFault::refused(
            format!("{}: {why}", config.models.display()),
            "name the folder that holds the models with --models",
        )
    })?;
    if !models.contains_key(&config.model) {
        return Err(ServeFault::refused(
            format!("no model {} in {}", config.model, config.models.display()),
            format!("akidb-edge models pull {}, or name one that is there with --model", config.model),
        ));
    }
    let settings = Settings {
        bounds: Bounds { wait: config.limits.queue_wait, tokens: config.limits.queue_tokens },
        batch_tokens: config.batch_tokens,
        candidates: config.device.candidates(),
    };
    let start = Start {
        device: config.device,
        fallback: config.fallback,
        workers: config.workers,
        threads: config.alone_threads,
        cache: config.engine_cache.clone(),
    };
    if let Some(cache) = config.engine_cache.clone().filter(|_| config.device == Device::TensorRt) {
        metrics.watch_engines(cache);
    }
    let listener = Arc::new(Ears { metrics: metrics.clone(), log: log.clone() });
    let loader = OnnxLoader { runtime, variant: config.variant, start, settings, listener: listener.clone() };
    let limits = Limits {
        bytes: config.limits.model_bytes,
        models: config.limits.models_loaded,
        again: std::time::Duration::from_secs(30),
    };
    Ok((Registry::new(models, config.model.clone(), limits, Arc::new(loader), listener), version))
}

/// The models of a folder: each folder in it that says what it is.
fn catalogue(store: &Path) -> std::io::Result<BTreeMap<String, Source>> {
    let mut models = BTreeMap::new();
    for entry in std::fs::read_dir(store)? {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with('.') && folder.join("config.json").is_file() {
            models.insert(name, Source { folder, version: None });
        }
    }
    Ok(models)
}
