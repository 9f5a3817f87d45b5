//! The server around the engine: REST, gRPC and metrics from one process. Transports only translate to one [`Embedder`].
//!
//! ```text
//!  listener (TLS, limits) --> http:: / grpc:: --> Embedder --> inference::Registry --> Engine
//!                                   |                |
//!                               admission         metrics, traces
//! ```

pub mod admission;
pub mod config;
pub mod connection;
mod door;
mod embedder;
pub mod http;
mod listener;
mod metrics;
mod offline;
mod problem;
pub mod pulse;
pub mod shutdown;
pub mod tls;
mod watch;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::inference::engine::Settings;
use crate::inference::onnx::{OnnxLoader, Runtime, Start};
use crate::inference::queue::Bounds;
use crate::inference::registry::{Limits, Registry, Source};

use admission::Gate;
use admission::keys::KeyRing;
use admission::slots::Slots;
use config::Connections;
use listener::Options;
use shutdown::Stop;
use tls::Tls;
use watch::Watched;

pub use config::Config;
pub use embedder::{Ask, Embedder, Reply};
pub use metrics::Metrics;
pub use shutdown::Ended;

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
    /// Hashes of the files that can be downloaded.
    pub hashes: offline::Hashes,
}

/// Serves until it is told to stop (SIGTERM, SIGINT), then finishes what was admitted.
///
/// # Errors
/// Why it cannot start.
pub async fn run(config: Config, ready: impl FnOnce(SocketAddr)) -> Result<Ended, ServeFault> {
    let metrics = Arc::new(Metrics::new());
    let stop = Stop::new();
    let (options, watched) = options(&config, &metrics, &stop)?;
    let registry = registry(&config, &metrics)?;
    let embedder = Embedder::new(registry.clone(), metrics.clone(), config.limits.clone());
    let app = Arc::new(App { config, embedder, metrics, hashes: offline::Hashes::default() });
    let listening = listener::bind(app.config.http).await?;
    let warm = app.clone();
    let first = tokio::spawn(async move { warm.embedder.warm().await });
    tokio::spawn(stop.clone().on_signals(app.config.connections.drain));
    let watching = tokio::spawn(watch::watch(watched));
    ready(listening.local_addr()?);
    let ended = listener::serve(listening, http::router(app.clone()), options, stop).await;
    first.abort();
    watching.abort();
    Ok(ended)
}

/// How all listeners treat connections, and the files behind that which may change.
fn options(config: &Config, metrics: &Arc<Metrics>, stop: &Stop) -> Result<(Options, Vec<Watched>), ServeFault> {
    let keys = config.api_keys.as_deref().map(KeyRing::open).transpose().map(|keys| keys.map(Arc::new));
    let keys =
        keys.map_err(|why| ServeFault::refused(why, "akidb-edge serve --new-api-key NAME gives a line for that file"))?;
    let tls = config.tls.clone().map(Tls::open).transpose().map(|tls| tls.map(Arc::new));
    let tls = tls
        .map_err(|why| ServeFault::refused(why, "name files in PEM with --tls-cert, --tls-key and --tls-client-ca"))?;
    let mut watched = Vec::new();
    if let Some(keys) = keys.clone() {
        let files = vec![keys.file().to_owned()];
        let reload = Box::new(move || keys.reload().map(|count| format!("{count} keys")));
        watched.push(Watched { what: "API keys", files, reload });
    }
    if let Some(tls) = tls.clone() {
        let files = tls.files().paths();
        let reload = Box::new(move || tls.reload().map(|()| "for new connections".to_owned()));
        watched.push(Watched { what: "TLS certificates", files, reload });
    }
    let metrics = metrics.clone();
    let gate = Gate::new(config.rules.clone(), keys, stop.clone(), move |code| metrics.refused(code));
    let Connections { most, patience, heads, last, .. } = config.connections.clone();
    let options = Options { gate: Arc::new(gate), tls, connections: Slots::new(most), patience, heads, last };
    Ok((options, watched))
}

fn registry(config: &Config, metrics: &Arc<Metrics>) -> Result<Arc<Registry>, ServeFault> {
    let runtime = Runtime::load(config.onnxruntime.as_deref())
        .map_err(|why| ServeFault::refused(why.to_string(), crate::inference::onnx::library::HOW_TO_GET))?;
    let models = catalogue(config).map_err(|why| {
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
    if config.only.is_some() || config.dimension.is_some() {
        config::check::model(config)
            .map_err(|why| ServeFault::refused(why, "akidb-edge serve --check shows what is used"))?;
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
    let listener = metrics.clone();
    let loader = OnnxLoader { runtime, variant: config.variant, start, settings, listener };
    let limits = Limits {
        bytes: config.limits.model_bytes,
        models: config.limits.models_loaded,
        again: std::time::Duration::from_secs(30),
    };
    Ok(Registry::new(models, config.model.clone(), limits, Arc::new(loader), metrics.clone()))
}

/// The only model, or those of a folder: each folder in it that says what it is.
fn catalogue(config: &Config) -> std::io::Result<BTreeMap<String, Source>> {
    let mut models = BTreeMap::new();
    if let Some(folder) = config.only.clone() {
        return Ok([(config.model.clone(), Source { folder, version: None })].into());
    }
    for entry in std::fs::read_dir(&config.models)? {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with('.') && folder.join("config.json").is_file() {
            models.insert(name, Source { folder, version: None });
        }
    }
    Ok(models)
}
