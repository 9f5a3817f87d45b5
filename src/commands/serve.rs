//! `serve`: the embedding server.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::commands::Context;
use crate::exit::{DONE, Failure};
use crate::inference::folder::Variant;
use crate::inference::onnx::provider::Device;
use crate::serve::config::RequestLimits;
use crate::serve::log::{Level, Shape};
use crate::serve::trace::TraceSettings;
use crate::serve::{self, Config, ServeFault};

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where REST listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// The folder that holds the models
    #[arg(long, value_name = "FOLDER", env = "AKIDB_MODELS", default_value = "models")]
    models: PathBuf,
    /// The model for requests that name none
    #[arg(long, value_name = "NAME", env = "AKIDB_MODEL_NAME", default_value = "all-MiniLM-L6-v2")]
    model: String,
    /// Which graph: auto, fp32 or int8
    #[arg(long, value_name = "VARIANT", default_value = "auto", value_parser = variant)]
    variant: Variant,
    /// What runs the graph: cpu, cuda, tensorrt or openvino
    #[arg(long, value_name = "PROVIDER", default_value = "cpu")]
    device: Device,
    /// What runs it when that cannot be had: cpu; otherwise the server does not start
    #[arg(long, value_name = "PROVIDER", value_parser = ["cpu"])]
    fallback: Option<String>,
    /// Where TensorRT keeps its engines
    #[arg(long, value_name = "FOLDER", env = "AKIDB_TENSORRT_CACHE")]
    engine_cache: Option<PathBuf>,
    /// Threads that run batches; as many as cores
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Threads of a request that is alone; as many as cores
    #[arg(long, value_name = "N")]
    alone_threads: Option<usize>,
    /// Tokens of a batch; measured at start
    #[arg(long, value_name = "N")]
    batch_tokens: Option<usize>,
    /// ONNX Runtime's library, or the folder that holds it
    #[arg(long, value_name = "FILE", env = "ORT_DYLIB_PATH")]
    onnxruntime: Option<PathBuf>,
    /// The region of this server, as it says of itself
    #[arg(long, value_name = "NAME", env = "AKIDB_REGION", default_value = "unknown")]
    region: String,
    /// The cluster of this server, as it says of itself
    #[arg(long, value_name = "NAME", env = "CLUSTER_NAME", default_value = "unknown")]
    cluster: String,
    /// How much the log says: error, warn, info or debug (every request)
    #[arg(long, value_name = "LEVEL", env = "AKIDB_LOG_LEVEL", default_value = "info")]
    log_level: Level,
    /// How its lines look: json or text; text where a person sees them
    #[arg(long, value_name = "FORMAT", env = "AKIDB_LOG_FORMAT")]
    log_format: Option<Shape>,
    /// The OTLP collector (gRPC) that gets traces
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp: Option<String>,
    /// Share of requests that are traced, 0 to 1; a caller's own decision goes before it
    #[arg(long, value_name = "SHARE", env = "OTEL_TRACES_SAMPLER_ARG", default_value = "0.1", value_parser = share)]
    trace_sample: f64,
}

fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "a number from 0 to 1".to_owned())
}

fn variant(text: &str) -> Result<Variant, String> {
    match text {
        "auto" => Ok(Variant::Auto),
        "fp32" => Ok(Variant::Fp32),
        "int8" => Ok(Variant::Int8),
        _ => Err("auto, fp32 or int8".to_owned()),
    }
}

/// Serves until it is told to stop.
///
/// # Errors
/// Why it cannot start.
pub async fn run(args: Args, _: &Context) -> Result<u8, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let config = Config {
        http: args.http,
        models: args.models,
        model: args.model,
        variant: args.variant,
        device: args.device,
        fallback: args.fallback.is_some(),
        engine_cache: args.engine_cache,
        workers: args.workers.unwrap_or(args.device.workers(cores)),
        alone_threads: args.alone_threads.unwrap_or(cores),
        batch_tokens: args.batch_tokens,
        onnxruntime: args.onnxruntime,
        limits: RequestLimits::default(),
        traces: TraceSettings {
            collector: args.otlp.filter(|url| !url.is_empty()),
            share: args.trace_sample,
            region: args.region,
            cluster: args.cluster,
        },
        log_level: args.log_level,
        log_format: args.log_format.unwrap_or_else(Shape::usual),
    };
    serve::run(config).await?;
    Ok(DONE)
}

impl From<ServeFault> for Failure {
    fn from(fault: ServeFault) -> Self {
        match fault {
            ServeFault::Refused { problem, next_step } => Self::refused(problem, next_step),
            ServeFault::System(why) => Self::error(why.to_string(), "mend that, then start it again"),
        }
    }
}
