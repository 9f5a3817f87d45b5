//! `serve`: the embedding server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::commands::Context;
use crate::exit::{DONE, Failure};
use crate::inference::folder::Variant;
use crate::inference::onnx::provider::Device;
use crate::serve::config::RequestLimits;
use crate::serve::health::Peer;
use crate::serve::model_sync::origin::From as SyncFrom;
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
    /// The metadata replica, a SQLite file that says which models are served
    #[arg(long, value_name = "FILE", env = "AKIDB_DB_PATH")]
    metadata: Option<PathBuf>,
    /// A server of another region that is asked whether it lives; several may be given
    #[arg(long = "peer", value_name = "NAME=URL", env = "AKIDB_PEERS", hide_env_values = true, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Where new versions of models come from: s3://BUCKET/PREFIX or file:FOLDER
    #[arg(long, value_name = "SOURCE", env = "AKIDB_MODEL_SYNC")]
    sync: Option<SyncFrom>,
    /// How often that is looked at, like 300s or 500ms
    #[arg(long, value_name = "TIME", env = "AKIDB_MODEL_SYNC_INTERVAL", default_value = "300s", value_parser = time)]
    sync_interval: Duration,
    /// How often each check of /health runs
    #[arg(long, value_name = "TIME", env = "AKIDB_HEALTH_INTERVAL", default_value = "10s", value_parser = time)]
    health_interval: Duration,
}

/// `5m`, `300s`, `500ms`.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "a time like 300s, 5m or 500ms".to_owned())?;
    let time = match &text[digits.len()..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        _ => return Err("a time like 300s, 5m or 500ms".to_owned()),
    };
    if time.is_zero() { Err("more than nothing".to_owned()) } else { Ok(time) }
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
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
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
        region: args.region,
        cluster: args.cluster,
        metadata: args.metadata,
        peers: args.peers,
        sync: args.sync,
        sync_interval: args.sync_interval,
        health_interval: args.health_interval,
        limits: RequestLimits::default(),
    };
    serve::run(config, |address| context.voice.talk(&format!("listening on http://{address}"))).await?;
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
