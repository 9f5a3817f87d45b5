//! `jetson`: devices over SSH, from bare to a GPU cluster and back. The same engine as for the cloud, in a journal of
//! its own.

mod access;
mod failures;
mod provision;
mod walk;

use clap::Subcommand;

use super::Context;
use crate::exit::Failure;

pub use access::AccessArgs;

/// Make devices a GPU cluster, look at them, take them down.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What to do with the devices.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the devices what the plan says: packages, toolkit, k3s, GPU, proof
    Provision(provision::Args),
    /// Deploy what runs in the cluster, with what it needs
    Deploy(provision::Args),
}

/// Runs a verb.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    match args.verb {
        Verb::Provision(args) => provision::run(args, false, context).await,
        Verb::Deploy(args) => provision::run(args, true, context).await,
    }
}
