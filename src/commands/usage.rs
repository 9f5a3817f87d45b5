//! A command line that cannot be read, and help that was asked for.

use clap::error::{ContextKind, ErrorKind};
use clap::{Command, CommandFactory};
use serde_json::json;

use crate::cli::Cli;
use crate::exit;
use crate::report;

/// Prints what clap has to say: help and version are data, a wrong command line is an error. Clap's own code for that, 2,
/// would read as "changes pending". With --json on the command line it is one document.
pub fn usage(said: &clap::Error) -> u8 {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let code = if said.use_stderr() { exit::ERROR } else { exit::DONE };
    if !words.iter().take_while(|word| *word != "--").any(|word| word == "--json") {
        // Nobody reads the other end: there is nobody to tell.
        let _ = said.print();
        return code;
    }
    let text = said.render().to_string();
    if code == exit::DONE {
        report::put_json(&report::document("help", &json!({"exit": code, "text": text.trim_end()})));
        return code;
    }
    let (problem, next_step) = (problem(said, &text), format!("akidb-edge {}--help", verb(&words)));
    let body = json!({"exit": code, "problem": problem, "next_step": next_step, "internal": false});
    report::put_json(&report::document("error", &body));
    let _ = said.print();
    code
}

/// What clap says without the lines about usage and help.
fn problem(said: &clap::Error, text: &str) -> String {
    if said.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a verb is missing".to_owned();
    }
    let usage = said.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
    let lines = text.lines().take_while(|line| !line.starts_with("Usage:") && (usage.is_empty() || *line != usage));
    let lines: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
    let all = lines.join("\n");
    let all = all.strip_prefix("error: ").unwrap_or(&all);
    all.lines().filter(|line| !line.starts_with("For more information")).collect::<Vec<_>>().join("\n")
}

/// The verb on the command line, as far as there is one; with a blank behind it.
fn verb(words: &[String]) -> String {
    let mut command: Command = Cli::command();
    let mut path = String::new();
    for word in words {
        if let Some(below) = command.find_subcommand(word) {
            path.push_str(word);
            path.push(' ');
            command = below.clone();
        }
    }
    path
}
