//! The server around the engine: REST, gRPC and metrics from one process. Transports only translate to one [`Embedder`].
//!
//! ```text
//!  listener (TLS, limits) --> http:: / grpc:: --> Embedder --> inference::ModelRegistry --> Engine
//!                                   |                |
//!                               admission         metrics, traces
//! ```

pub mod activity;
pub mod admission;
mod aliases;
mod authority;
mod body;
mod catalog;
mod certificate;
pub mod config;
pub mod connection;
mod embedder;
mod files;
pub mod grpc;
pub mod health;
pub mod http;
mod linger;
mod listener;
pub mod log;
pub mod metrics;
pub mod model_sync;
mod observer;
mod offline;
mod parameters;
mod problem;
mod refused;
mod replica;
mod request_service;
mod runtime;
mod shown;
pub mod shutdown;
mod startup;
pub mod tls;
pub mod trace;
mod unwind;
mod watch;

use std::sync::Arc;

use tokio::net::TcpListener;

use admission::AdmissionGate;
use aliases::Aliases;
use catalog::Catalog;
use health::Health;
use listener::ListenerOptions;
use log::LogLevel;
use model_sync::{ModelSync, origin::OpenedSource};
use parameters::ParameterCounts;
use replica::Replica;
use shutdown::{ShutdownHandle, ShutdownPhase};
use trace::Tracer;

pub use config::Config;
pub use embedder::{Embedder, EmbeddingRequest, EmbeddingResponse, TokenEmbeddingResponse};
pub use log::LogWriter;
pub use metrics::Metrics;
pub use shutdown::ShutdownOutcome;

/// Why the server does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeFault {
    /// Something that it was given.
    #[error("{problem}")]
    Refused {
        /// What is wrong.
        #[source]
        problem: Box<dyn std::error::Error + Send + Sync>,
        /// What to do.
        next_step: String,
    },
    /// The system.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl ServeFault {
    /// Something that it was given.
    pub fn refused(problem: impl Into<Box<dyn std::error::Error + Send + Sync>>, next_step: impl Into<String>) -> Self {
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
    pub log: Arc<LogWriter>,
    /// Where traces go.
    pub tracer: Tracer,
    /// What works and what does not.
    pub health: Health,
    /// Which models there are.
    pub catalog: Arc<Catalog>,
    /// Where new versions come from.
    pub sync: Option<Arc<ModelSync>>,
    /// The version of ONNX Runtime.
    pub onnxruntime: String,
    /// Hashes of the files that can be downloaded.
    pub hashes: offline::FileHashes,
    /// Parameters of graphs.
    pub parameters: parameters::ParameterCounts,
}

/// Serves until it is told to stop (SIGTERM, SIGINT), then finishes what was admitted.
///
/// # Errors
/// Why it cannot start.
pub async fn run(config: Config) -> Result<ShutdownOutcome, ServeFault> {
    let stop = ShutdownHandle::new();
    let metrics = Arc::new(Metrics::new());
    let log = Arc::new(LogWriter::new(config.log_level, config.log_format, metrics.log_lines_dropped.clone()));
    let (options, watched) = runtime::options(&config, &metrics, &log, &stop)?;
    let app = app(config, metrics, log, options.gate.clone()).await?;
    let listening = listener::bind(app.config.http).await?;
    let calls = match app.config.grpc {
        Some(address) => Some(listener::bind(address).await?),
        None => None,
    };
    let mut beside = health::watch(&app);
    beside.spawn(app.catalog.clone().follow(app.embedder.registry().clone()));
    if app.config.only.is_none() {
        beside.spawn(app.catalog.clone().follow_folders(app.embedder.registry().clone()));
    }
    beside.spawn(startup::warm(app.clone()));
    beside.spawn(watch::watch(watched, app.log.clone()));
    beside.spawn(stop.clone().on_signals(app.config.connections.drain));
    if let Some(sync) = &app.sync {
        beside.spawn(sync.clone().run());
    }
    if app.config.device.is_gpu() {
        beside.spawn(app.metrics.clone().watch_gpu());
    }
    let grpc = calls.as_ref().map(TcpListener::local_addr).transpose()?;
    startup::listening(&app, listening.local_addr()?, grpc);
    let (rest, calls, ()) = tokio::join!(
        listener::serve(listening, http::router(app.clone()), false, options.clone(), stop.clone()),
        serve_calls(calls, app.clone(), options, stop.clone()),
        // Readiness goes first.
        async {
            stop.reached(ShutdownPhase::Draining).await;
            app.health.stop();
        }
    );
    beside.abort_all();
    app.tracer.close().await;
    app.log.say(LogLevel::Info, "stopped", &[]);
    Ok(rest.max(calls?))
}

/// Everything that handlers share, with the models known and none loaded.
async fn app(
    config: Config,
    metrics: Arc<Metrics>,
    log: Arc<LogWriter>,
    gate: Arc<AdmissionGate>,
) -> Result<Arc<App>, ServeFault> {
    let tracer = Tracer::new(&config.traces, &metrics, &log)?;
    let replica = config.metadata.as_deref().map(Replica::new);
    let catalog = Catalog::new(config.models.clone(), replica, log.clone());
    let wanted = config.dimension.map(|dimension| (config.model.clone(), dimension));
    let catalog = Arc::new(catalog.with_dimension(wanted));
    let (registry, onnxruntime) = runtime::registry(&config, &catalog, &metrics, &log)?;
    let sync = match &config.sync {
        Some(from) => {
            let origin = OpenedSource::open(from).await;
            let origin = origin.map_err(|why| {
                ServeFault::refused(why, "set AWS_REGION to a region such as us-east-1, in lower case")
            })?;
            let interval = config.sync_interval;
            let (catalog, registry) = (catalog.clone(), registry.clone());
            Some(Arc::new(ModelSync::new((origin, from), catalog, registry, metrics.clone(), interval)))
        }
        None => None,
    };
    let aliases = Aliases::new(config.aliases.clone());
    let embedder = Embedder::new(registry, aliases, metrics.clone(), config.limits.clone()).within(&gate);
    let (health, hashes, parameters) = (Health::new(), offline::FileHashes::default(), ParameterCounts::default());
    let app = App { config, embedder, metrics, log, tracer, health, catalog, sync, onnxruntime, hashes, parameters };
    unwind::tell(&app.log);
    startup::starting(&app);
    Ok(Arc::new(app))
}

/// Serves gRPC, when it is wanted, until the server stops.
async fn serve_calls(
    calls: Option<TcpListener>,
    app: Arc<App>,
    options: ListenerOptions,
    stop: ShutdownHandle,
) -> Result<ShutdownOutcome, ServeFault> {
    let Some(calls) = calls else { return Ok(ShutdownOutcome::Done) };
    let router = grpc::router(app, &stop).map_err(|why| ServeFault::System(std::io::Error::other(why)))?;
    Ok(listener::serve(calls, router, true, options, stop).await)
}
