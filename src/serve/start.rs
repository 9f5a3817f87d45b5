//! What is there before the first request: the gate and its files, ONNX Runtime, and the models that are known.

use std::sync::Arc;
use std::time::Duration;

use super::admission::Gate;
use super::admission::keys::KeyRing;
use super::admission::slots::Slots;
use super::catalogue::Catalogue;
use super::config::{self, Config, Connections};
use super::ears::Ears;
use super::listener::Options;
use super::shutdown::Stop;
use super::tls::Tls;
use super::watch::{Look, Watched};
use super::{Log, Metrics, ServeFault};
use crate::inference::cache::VectorCache;
use crate::inference::engine::Settings;
use crate::inference::onnx::library::HOW_TO_GET;
use crate::inference::onnx::provider::Device;
use crate::inference::onnx::{OnnxLoader, Runtime, Start, TrialProcess};
use crate::inference::queue::Bounds;
use crate::inference::registry::{Limits, Registry, Source};

/// The longest that one run of a graph may take.
const RUN_TIME: Duration = Duration::from_secs(120);
/// How long a model that could not be loaded is not tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// How all listeners treat connections, and the files behind that which may change.
pub fn options(
    config: &Config,
    metrics: &Arc<Metrics>,
    log: &Arc<Log>,
    stop: &Stop,
) -> Result<(Options, Vec<Watched>), ServeFault> {
    let keys = config.api_keys.as_deref().map(KeyRing::open).transpose().map(|keys| keys.map(Arc::new));
    let keys =
        keys.map_err(|why| ServeFault::refused(why, "akidb-edge serve --new-api-key NAME gives a line for that file"))?;
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
            Ok(()) => Look::Read("for new connections".to_owned()),
            Err(why) => Look::Kept(why.to_string()),
        });
        watched.push(Watched { what: "TLS certificates", files, reload });
    }
    let metrics = metrics.clone();
    let gate = Gate::new(config.rules.clone(), keys, stop.clone(), move |code| metrics.refused(code));
    let Connections { most, patience, heads, last, .. } = config.connections.clone();
    let (gate, log, connections) = (Arc::new(gate), log.clone(), Slots::new(most));
    Ok((Options { gate, log, tls, connections, patience, heads, last }, watched))
}

/// The models, none of them loaded, and the version of ONNX Runtime.
pub fn registry(
    config: &Config,
    catalogue: &Catalogue,
    metrics: &Arc<Metrics>,
    log: &Arc<Log>,
) -> Result<(Arc<Registry>, String), ServeFault> {
    let runtime = Runtime::load(config.onnxruntime.as_deref()).map_err(|why| ServeFault::refused(why, HOW_TO_GET))?;
    let version = runtime.version.clone();
    let models = match &config.only {
        Some(folder) => [(config.model.clone(), Source { folder: folder.clone(), ..Source::default() })].into(),
        None => catalogue
            .sources()
            .map_err(|why| ServeFault::refused(why, "name the folder that holds the models with --models"))?,
    };
    // Model sync may bring it.
    if !models.contains_key(&config.model) && config.sync.is_none() {
        return Err(ServeFault::refused(
            format!("no model {} in {}", config.model, config.models.display()),
            format!("akidb-edge models pull {}, or name one that is there with --model", config.model),
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
    let listener = Arc::new(Ears { metrics: metrics.clone(), log: log.clone() });
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
    let limits = Limits { bytes: config.limits.model_bytes, models: config.limits.models_loaded, again: AGAIN };
    Ok((Registry::new(models, config.model.clone(), limits, Arc::new(loader), listener), version))
}

fn settings(config: &Config) -> Settings {
    Settings {
        bounds: Bounds { wait: config.limits.queue_wait, tokens: config.limits.queue_tokens },
        batch_tokens: config.batch_tokens,
        candidates: config.device.candidates(),
    }
}

fn sessions(config: &Config) -> Start {
    Start {
        device: config.device,
        fallback: config.fallback,
        workers: config.workers,
        threads: config.alone_threads,
        cache: config.engine_cache.clone(),
        run_time: RUN_TIME,
    }
}
