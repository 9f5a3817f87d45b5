//! `edge`: packages the function at the edge with a model, and runs it under the conditions of the edge.

mod event;
mod invoke;
mod package;
mod process;

use clap::Subcommand;

use super::Context;
use crate::exit::Failure;

pub use process::{NodeProcess, ProcessFault};

/// Make the package of the function at the edge, and run it on this machine.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make the zip of the function with a model inside; the same files make the same zip
    Package(package::Args),
    /// Run a package under AWS's runtime interface emulator, with the edge's limits of time and memory
    Invoke(invoke::Args),
}

/// Packs or runs.
///
/// # Errors
/// What failed, why, and the next step.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    match &args.what {
        What::Package(args) => package::run(args, context),
        What::Invoke(args) => invoke::run(args, context),
    }
}
