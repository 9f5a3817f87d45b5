//! The server around the engine: REST, gRPC and metrics from one process. Transports only translate to one [`Embedder`].
//!
//! ```text
//!  listener (TLS, limits) --> http:: / grpc:: --> Embedder --> inference::Registry --> Engine
//!                                   |                |
//!                               admission         metrics, traces
//! ```

mod catalogue;
pub mod config;
mod embedder;
pub mod health;
mod http;
mod listener;
mod metrics;
pub mod model_sync;
mod replica;
mod shutdown;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::inference::engine::Settings;
use crate::inference::onnx::{OnnxLoader, Runtime, Start};
use crate::inference::queue::Bounds;
use crate::inference::registry::{Limits, Registry};
use catalogue::Catalogue;
use health::Health;
use model_sync::{ModelSync, origin::Origin};
use replica::Replica;

pub use config::Config;
pub use embedder::{Ask, Embedder, Reply};
pub use metrics::Metrics;

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
    /// What works and what does not.
    pub health: Health,
    /// Which models there are.
    pub catalogue: Arc<Catalogue>,
    /// Where new versions come from.
    pub sync: Option<Arc<ModelSync>>,
    /// The version of ONNX Runtime.
    pub onnxruntime: String,
}

/// Serves until it is told to stop (SIGTERM, SIGINT), then finishes what was admitted.
///
/// # Errors
/// Why it cannot start.
pub async fn run(config: Config, ready: impl FnOnce(SocketAddr)) -> Result<(), ServeFault> {
    let metrics = Arc::new(Metrics::new());
    let catalogue = Arc::new(Catalogue::new(config.models.clone(), config.metadata.as_deref().map(Replica::new)));
    let (registry, onnxruntime) = registry(&config, &catalogue, &metrics)?;
    let sync = match &config.sync {
        Some(from) => {
            let (origin, interval) = (Origin::open(from).await, config.sync_interval);
            Some(Arc::new(ModelSync::new(origin, catalogue.clone(), registry.clone(), metrics.clone(), interval)))
        }
        None => None,
    };
    let embedder = Embedder::new(registry.clone(), metrics.clone(), config.limits.clone());
    let app = Arc::new(App { config, embedder, metrics, health: Health::new(), catalogue, sync, onnxruntime });
    let listening = listener::bind(app.config.http).await?;
    let mut beside = health::watch(&app);
    beside.spawn(app.catalogue.clone().follow(registry));
    if let Some(sync) = &app.sync {
        beside.spawn(sync.clone().run());
    }
    ready(listening.local_addr()?);
    let stop = async {
        shutdown::signal().await;
        app.health.stop();
    };
    let served = listener::serve(listening, http::router(app.clone()), stop).await;
    beside.abort_all();
    served.map_err(ServeFault::from)
}

/// The registry, and the version of ONNX Runtime.
fn registry(
    config: &Config,
    catalogue: &Catalogue,
    metrics: &Arc<Metrics>,
) -> Result<(Arc<Registry>, String), ServeFault> {
    let runtime = Runtime::load(config.onnxruntime.as_deref())
        .map_err(|why| ServeFault::refused(why.to_string(), crate::inference::onnx::library::HOW_TO_GET))?;
    let version = runtime.version.clone();
    let models = catalogue.sources().map_err(|why| {
        ServeFault::refused(
            format!("{}: {why}", config.models.display()),
            "name the folder that holds the models with --models",
        )
    })?;
    // Model sync may bring it.
    if !models.contains_key(&config.model) && config.sync.is_none() {
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
    let listener = metrics.clone();
    let loader = OnnxLoader { runtime, variant: config.variant, start, settings, listener };
    let limits = Limits {
        bytes: config.limits.model_bytes,
        models: config.limits.models_loaded,
        again: std::time::Duration::from_secs(30),
    };
    Ok((Registry::new(models, config.model.clone(), limits, Arc::new(loader), metrics.clone()), version))
}
