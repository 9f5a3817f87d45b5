//! `completions`: what a shell completes.

use clap::CommandFactory;

use super::Context;
use crate::cli::Cli;
use crate::exit::{self, Failure};
use crate::report;
use crate::resource::SafeText;

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
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "akidb-edge", &mut text);
    let text = String::from_utf8_lossy(&text);
    if context.printer.json {
        context.printer.json("completions", &serde_json::json!({"shell": args.shell.to_string(), "text": text}));
    } else {
        report::put(SafeText::document(text.trim_end()));
    }
    Ok(exit::DONE)
}
