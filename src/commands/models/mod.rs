//! `models`: the models on this machine, fetched from a hub, looked at, checked, taken in and out, and published.

mod certify;
mod hub;
mod import;
mod list;
mod publish;
mod pull;
mod remove;
mod verify;

use std::path::PathBuf;

use clap::Subcommand;

use super::Context;
use crate::exit::Failure;
use crate::exit::codes::{self, Code};
use crate::models::{ModelStore, ModelsFault};
use crate::resource::shown;

/// Download, list, verify, import, publish and remove models.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
    /// Model store folder; ./models if it exists, else ~/.local/share/akidb-edge/models
    #[arg(long, value_name = "FOLDER", env = "AKIDB_MODELS", hide_env_values = true, global = true)]
    models: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Download a model from a Hugging Face hub (resumable, every file verified by hash)
    Pull(pull::Args),
    /// List the models on this machine
    List,
    /// Verify the files of one or all models by hash
    Verify(verify::Args),
    /// Copy a local folder into the model store
    Import(import::Args),
    /// Upload a model to a bucket as the current version for servers that sync from it
    Publish(publish::Args),
    /// Delete a model from this machine
    Remove(remove::Args),
    /// Embed the same texts in every tier, and sign how similar their ids and vectors are
    Certify(certify::Args),
}

/// Fetches, looks, checks, takes in and out.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    let store = ModelStore::at(args.models.unwrap_or_else(usual));
    match args.what {
        What::Pull(args) => pull::run(&args, &store, context).await,
        What::List => list::run(&store, context),
        What::Verify(args) => verify::run(&args, &store, context),
        What::Import(args) => import::run(&args, &store, context),
        What::Publish(args) => publish::run(&args, &store, context).await,
        What::Remove(args) => remove::run(&args, &store, context),
        What::Certify(args) => certify::run(&args, &store, context),
    }
}

fn usual() -> PathBuf {
    let folder = |key: &str| std::env::var_os(key).map(PathBuf::from);
    ModelStore::usual(&std::env::current_dir().unwrap_or_default(), folder("XDG_DATA_HOME"), folder("HOME"))
}

/// What sort of error a fault of models is.
const fn code(fault: &ModelsFault) -> Code {
    match fault {
        ModelsFault::Name { .. } | ModelsFault::Repo { .. } | ModelsFault::Revision { .. } => codes::MODEL_NAME,
        ModelsFault::Unknown { .. }
        | ModelsFault::Taken { .. }
        | ModelsFault::NoModel { .. }
        | ModelsFault::Foreign { .. }
        | ModelsFault::Busy { .. }
        | ModelsFault::WrongBytes { .. } => codes::MODEL,
        ModelsFault::Offline { .. }
        | ModelsFault::Refused { .. }
        | ModelsFault::Unreachable { .. }
        | ModelsFault::Limited { .. }
        | ModelsFault::Answer { .. }
        | ModelsFault::File { .. } => codes::MODEL_FETCH,
    }
}

impl From<ModelsFault> for Failure {
    fn from(fault: ModelsFault) -> Self {
        let (problem, next_step) = (shown!("{}", fault), shown!("{}", fault.next_step()));
        let id = code(&fault);
        if fault.is_refusal() { id.refused(problem, next_step) } else { id.error(problem, next_step) }
    }
}
