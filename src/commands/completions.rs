//! `completions`: what a shell completes.

use clap_complete::env::Shells;

use super::{Context, complete};
use crate::exit::{self, Failure, codes};
use crate::report;
use crate::resource::{SafeText, shown};

/// The name by which the script calls this program.
const PROGRAM: &str = "akidb-edge";

/// Prints the script that completes verbs, flags and values: source <(akidb-edge completions bash)
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Prints it. The script asks this program for what may stand where the cursor is.
///
/// # Errors
/// When there is no script for the shell.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let shell = args.shell.to_string();
    let text =
        script(&shell).map_err(|why| codes::ARGUMENT.refused(shown!("{}: {}", shell, why), "use bash, zsh or fish"))?;
    if context.printer.json {
        context.printer.json("completions", &serde_json::json!({"shell": shell, "text": text}));
    } else {
        report::put(SafeText::document(text.trim_end()));
    }
    Ok(exit::DONE)
}

fn script(shell: &str) -> std::io::Result<String> {
    let shells = Shells::builtins();
    let completer = shells.completer(shell).ok_or(std::io::ErrorKind::Unsupported)?;
    let mut text = Vec::new();
    completer.write_registration(complete::VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
