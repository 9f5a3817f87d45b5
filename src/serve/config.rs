//! The resolved configuration: plain fields, checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::inference::folder::Variant;
use crate::inference::onnx::provider::Device;
use crate::serve::log::{Level, Shape};
use crate::serve::trace::TraceSettings;

/// How much a request, and all requests together, may want.
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
    /// A request that would wait longer in the queue is refused.
    pub queue_wait: Duration,
    /// Tokens that may wait for one model.
    pub queue_tokens: usize,
    /// Memory of all loaded models, in bytes.
    pub model_bytes: u64,
    /// Loaded models.
    pub models_loaded: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            body: 8 << 20,
            texts: 1024,
            text: 1 << 20,
            time: Duration::from_secs(30),
            queue_wait: Duration::from_secs(2),
            queue_tokens: 1 << 20,
            model_bytes: 8 << 30,
            models_loaded: 3,
        }
    }
}

/// How the server runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where REST listens.
    pub http: SocketAddr,
    /// The store of models.
    pub models: PathBuf,
    /// The model for requests that name none; it stays in memory.
    pub model: String,
    /// Which graph of a model's folder.
    pub variant: Variant,
    /// What runs graphs.
    pub device: Device,
    /// When that cannot be had, the processor runs them.
    pub fallback: bool,
    /// Where TensorRT keeps its engines.
    pub engine_cache: Option<PathBuf>,
    /// Threads that run batches.
    pub workers: usize,
    /// Threads of the session for a request that is alone.
    pub alone_threads: usize,
    /// Tokens of a batch; measured when it is not given.
    pub batch_tokens: Option<usize>,
    /// ONNX Runtime's library; searched when it is not given.
    pub onnxruntime: Option<PathBuf>,
    /// Bounds.
    pub limits: RequestLimits,
    /// Where traces go, and how many.
    pub traces: TraceSettings,
    /// How much the log says.
    pub log_level: Level,
    /// How its lines look.
    pub log_format: Shape,
}
