//! `completions`: what a shell completes.

use clap::CommandFactory;

use crate::cli::Cli;
use crate::exit::{self, Failure};

/// Prints completions: akidb-edge completions bash > /etc/bash_completion.d/akidb-edge
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Prints them.
///
/// # Errors
/// None.
pub fn run(args: &Args) -> Result<u8, Failure> {
    clap_complete::generate(args.shell, &mut Cli::command(), "akidb-edge", &mut std::io::stdout());
    Ok(exit::DONE)
}
