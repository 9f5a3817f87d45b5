//! Initialization before the first request: admission and its files, ONNX Runtime, and the known models.

use std::sync::Arc;
use std::time::Duration;

use super::admission::AdmissionGate;
use super::admission::keys::ApiKeys;
use super::admission::slots::Slots;
use super::catalog::Catalog;
use super::config::{self, Config, Connections};
use super::listener::ListenerOptions;
use super::observer::ServeObserver;
use super::shutdown::ShutdownHandle;
use super::tls::Tls;
use super::watch::{ReloadResult, Watched};
use super::{LogWriter, Metrics, ServeFault};
use crate::inference::cache::VectorCache;
use crate::inference::engine::EngineSettings;
use crate::inference::onnx::library::HOW_TO_GET;
use crate::inference::onnx::provider::Device;
use crate::inference::onnx::{OnnxLoader, OnnxRuntime, SessionOptions, TrialProcess};
use crate::inference::queue::QueueBounds;
use crate::inference::registry::{MemoryLimits, ModelRegistry, ModelSource};

/// The longest that one run of a graph may take.
const RUN_TIME: Duration = Duration::from_secs(120);
/// How long a model that could not be loaded is not tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// How all listeners treat connections, and the files behind that which may change.
pub fn options(
    config: &Config,
    metrics: &Arc<Metrics>,
    log: &Arc<LogWriter>,
    stop: &ShutdownHandle,
) -> Result<(ListenerOptions, Vec<Watched>), ServeFault> {
    let keys = config.api_keys.as_deref().map(ApiKeys::open).transpose().map(|keys| keys.map(Arc::new));
    let keys = keys
        .map_err(|why| ServeFault::refused(why, "akidb-edge serve --new-api-key NAME prints a line for that file"))?;
    let tls = config.tls.clone().map(Tls::open).transpose().map(|tls| tls.map(Arc::new));
    let tls = tls
        .map_err(|why| ServeFault::refused(why, "name files in PEM with --tls-cert, --tls-key and --tls-client-ca"))?;
    let mut watched = Vec::new();
    if let Some(keys) = keys.clone() {
        let files = vec![keys.file().to_owned()];
        let reload = Box::new(move || keys.reload());
        watched.push(Watched { what: "API keys", files, reload });
    }
    if let Some(tls) = tls.clone() {
        let files = tls.files().paths();
        let reload = Box::new(move || match tls.reload() {
            Ok(()) => ReloadResult::Read("for new connections".to_owned()),
            Err(why) => ReloadResult::Kept(why.to_string()),
        });
        watched.push(Watched { what: "TLS certificates", files, reload });
    }
    let metrics = metrics.clone();
    let gate = AdmissionGate::new(config.rules.clone(), keys, stop.clone(), move |code| metrics.refused(code));
    let Connections { most, timeouts, header_limits, last, .. } = config.connections.clone();
    let (gate, log, connections) = (Arc::new(gate), log.clone(), Slots::new(most));
    Ok((ListenerOptions { gate, log, tls, connections, timeouts, header_limits, last }, watched))
}

/// The models, none of them loaded, and the version of ONNX Runtime.
pub fn registry(
    config: &Config,
    catalog: &Catalog,
    metrics: &Arc<Metrics>,
    log: &Arc<LogWriter>,
) -> Result<(Arc<ModelRegistry>, String), ServeFault> {
    let runtime =
        OnnxRuntime::load(config.onnxruntime.as_deref()).map_err(|why| ServeFault::refused(why, HOW_TO_GET))?;
    let version = runtime.version.clone();
    let models = match &config.only {
        Some(folder) => {
            [(config.model.clone(), ModelSource { folder: folder.clone(), ..ModelSource::default() })].into()
        }
        None => {
            catalog.sources().map_err(|why| ServeFault::refused(why, "set the folder of the models with --models"))?
        }
    };
    // Model sync may bring it.
    if !models.contains_key(&config.model) && config.sync.is_none() {
        return Err(ServeFault::refused(
            format!("no model {} in {}", config.model, config.models.display()),
            format!("akidb-edge models pull {}, or name an existing one with --model", config.model),
        ));
    }
    // What model sync brings is checked at every load and swap.
    if config.only.is_some() || (config.dimension.is_some() && config.sync.is_none()) {
        config::check::model(config)
            .map_err(|why| ServeFault::refused(why, "akidb-edge serve --check shows what is used"))?;
    }
    if let Some(cache) = config.engine_cache.clone().filter(|_| config.device == Device::TensorRt) {
        metrics.watch_engines(cache);
    }
    let cache = VectorCache::new(config.limits.vector_cache);
    if let Some(cache) = cache.clone() {
        metrics.watch_vectors(cache);
    }
    let listener = Arc::new(ServeObserver { metrics: metrics.clone(), log: log.clone() });
    let loader = OnnxLoader {
        runtime,
        choice: config.choice.clone(),
        most: config.limits.model_bytes,
        trial: TrialProcess::of_this_program(),
        default_model: config.model.clone(),
        start: sessions(config),
        settings: settings(config),
        cache,
        listener: listener.clone(),
    };
    let limits = MemoryLimits { bytes: config.limits.model_bytes, models: config.limits.models_loaded, again: AGAIN };
    Ok((ModelRegistry::new(models, config.model.clone(), limits, Arc::new(loader), listener), version))
}

fn settings(config: &Config) -> EngineSettings {
    EngineSettings {
        bounds: QueueBounds { wait: config.limits.queue_wait, tokens: config.limits.queue_tokens },
        batch_tokens: config.batch_tokens,
        candidates: config.device.candidates(),
    }
}

fn sessions(config: &Config) -> SessionOptions {
    SessionOptions {
        device: config.device,
        fallback: config.fallback,
        workers: config.workers,
        threads: config.alone_threads,
        cache: config.engine_cache.clone(),
        run_time: RUN_TIME,
    }
}
