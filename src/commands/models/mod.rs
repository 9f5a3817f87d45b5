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
use crate::models::{ModelStore, ModelsFault};
use crate::resource::shown;

/// Fetch models from a hub; list, check, import, publish and remove them.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
    /// The folder that holds the models; ./models if it is there, else ~/.local/share/akidb-edge/models
    #[arg(long, value_name = "FOLDER", env = "AKIDB_MODELS", hide_env_values = true, global = true)]
    models: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Fetch a model from a Hugging Face hub: goes on where it broke off, every file is hash-checked
    Pull(pull::Args),
    /// Show the models on this machine
    List,
    /// Check every file of one model, or of all, against its hash
    Verify(verify::Args),
    /// Take a folder of this machine into the store
    Import(import::Args),
    /// Put a model into a bucket, as the current version for servers that sync from there
    Publish(publish::Args),
    /// Delete a model from this machine
    Remove(remove::Args),
    /// Ask every tier the same texts, and sign how alike their ids and vectors are
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

impl From<ModelsFault> for Failure {
    fn from(fault: ModelsFault) -> Self {
        let (problem, next_step) = (shown!("{}", fault), shown!("{}", fault.next_step()));
        if fault.is_refusal() { Self::refused(problem, next_step) } else { Self::error(problem, next_step) }
    }
}
