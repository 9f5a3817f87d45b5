//! The resolved configuration: plain fields, checked.

mod amount;
pub mod bounds;
pub mod check;
pub mod former;
mod invalid;
pub mod layers;
mod resolve;
pub mod setting;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::health::{HealthErrors, Peer};
use super::model_sync::origin::SyncSource;
use crate::inference::folder::ModelOptions;
use crate::inference::onnx::provider::Device;
use crate::serve::activity::IdleTimeouts;
use crate::serve::admission::AdmissionRules;
use crate::serve::connection::HeaderLimits;
use crate::serve::log::{LogFormat, LogLevel};
use crate::serve::tls::TlsFiles;
use crate::serve::trace::TraceSettings;
pub use invalid::{InvalidValue, redacted};
pub use resolve::{attempt, resolve};

/// Limits of a request, and of all requests together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestLimits {
    /// Bytes of a body.
    pub body: usize,
    /// Texts of a request.
    pub texts: usize,
    /// Bytes of a text.
    pub text: usize,
    /// Time of a request that names none.
    pub time: Duration,
    /// Maximum queue wait; a request that would wait longer is rejected.
    pub queue_wait: Duration,
    /// Maximum queued tokens per model.
    pub queue_tokens: usize,
    /// Bytes of vectors that are kept; 0 for none.
    pub vector_cache: usize,
    /// Memory of all loaded models, in bytes.
    pub model_bytes: u64,
    /// Loaded models.
    pub models_loaded: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            body: 8 << 20,
            texts: 2048,
            text: 1 << 20,
            time: Duration::from_secs(30),
            queue_wait: Duration::from_millis(330),
            queue_tokens: 1 << 20,
            vector_cache: 32 << 20,
            model_bytes: 8 << 30,
            models_loaded: 3,
        }
    }
}

/// What connections may do, and how they end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Connections {
    /// Maximum concurrent connections.
    pub most: usize,
    /// Idle timeouts.
    pub timeouts: IdleTimeouts,
    /// Size and number of headers.
    pub header_limits: HeaderLimits,
    /// How long connections are accepted after the server has become not ready.
    pub drain: Duration,
    /// Grace period for admitted requests at shutdown.
    pub last: Duration,
}

impl Default for Connections {
    fn default() -> Self {
        let (headers, idle, stalled) = (Duration::from_secs(10), Duration::from_secs(75), Duration::from_secs(105));
        Self {
            most: 4096,
            timeouts: IdleTimeouts { headers, idle, stalled },
            header_limits: HeaderLimits { bytes: 32 << 10, count: 100 },
            drain: Duration::ZERO,
            last: Duration::from_secs(30),
        }
    }
}

/// How the server runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where REST listens.
    pub http: SocketAddr,
    /// Where gRPC listens; nowhere when it is off.
    pub grpc: Option<SocketAddr>,
    /// The store of models.
    pub models: PathBuf,
    /// The model for requests that name none; it stays in memory.
    pub model: String,
    /// Other names of models.
    pub aliases: BTreeMap<String, String>,
    /// The folder of the only model, which then needs no store.
    pub only: Option<PathBuf>,
    /// Numbers that the default model's vectors have to have.
    pub dimension: Option<usize>,
    /// Which graph of a model's folder, and what its files do not say. A graph that is named is the default model's.
    pub choice: ModelOptions,
    /// What runs graphs.
    pub device: Device,
    /// Whether the CPU runs them when the device is unavailable.
    pub fallback: bool,
    /// Where TensorRT keeps its engines.
    pub engine_cache: Option<PathBuf>,
    /// Threads that run batches.
    pub workers: usize,
    /// Threads for a single request.
    pub alone_threads: usize,
    /// Tokens of a batch; measured when it is not given.
    pub batch_tokens: Option<usize>,
    /// ONNX Runtime's library; searched when it is not given.
    pub onnxruntime: Option<PathBuf>,
    /// The region that this server reports.
    pub region: String,
    /// The cluster that this server reports.
    pub cluster: String,
    /// The metadata replica.
    pub metadata: Option<PathBuf>,
    /// Servers of other regions whose health is checked.
    pub peers: Vec<Peer>,
    /// Where models are synced from.
    pub sync: Option<SyncSource>,
    /// The sync interval.
    pub sync_interval: Duration,
    /// How often each check of `/health` runs.
    pub health_interval: Duration,
    /// What makes `/health` an error.
    pub health_errors: HealthErrors,
    /// Bounds.
    pub limits: RequestLimits,
    /// Destination and sampling of traces.
    pub traces: TraceSettings,
    /// The log level.
    pub log_level: LogLevel,
    /// How its lines look.
    pub log_format: LogFormat,
    /// Where downloads of models are sent to; served from the store when it is not given.
    pub offline_cdn: Option<String>,
    /// The folder of the page that embeds in the browser, when it is served.
    pub demo: Option<PathBuf>,
    /// What the gate asks.
    pub rules: AdmissionRules,
    /// What connections may do.
    pub connections: Connections,
    /// The file of API keys; without one, no key is required.
    pub api_keys: Option<PathBuf>,
    /// TLS, when it is wanted.
    pub tls: Option<TlsFiles>,
}
