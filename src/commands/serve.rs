//! `serve`: the embedding server.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::commands::Context;
use crate::exit::{DONE, Failure};
use crate::inference::folder::Variant;
use crate::inference::onnx::provider::Device;
use crate::serve::config::RequestLimits;
use crate::serve::{self, Config, ServeFault};

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where REST listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// Where gRPC listens; `off` for nowhere
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9090")]
    grpc: Calls,
    /// Print the gRPC interface (a .proto file) and end
    #[arg(long)]
    print_proto: bool,
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
}

/// Where gRPC listens; nowhere when it is off.
#[derive(Clone, Copy, Debug)]
struct Calls(Option<SocketAddr>);

impl std::str::FromStr for Calls {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self(None)),
            _ => {
                text.parse().map(|address| Self(Some(address))).map_err(|_| "an address with a port, or off".to_owned())
            }
        }
    }
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
    if args.print_proto {
        context.voice.data(serve::grpc::proto::TEXT);
        return Ok(DONE);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let config = Config {
        http: args.http,
        grpc: args.grpc.0,
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
    };
    let listening = |http: SocketAddr, grpc: Option<SocketAddr>| {
        let grpc = grpc.map(|address| format!(", gRPC on {address}")).unwrap_or_default();
        context.voice.talk(&format!("listening on http://{http}{grpc}"));
    };
    serve::run(config, listening).await?;
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
