//! Invalid command lines, and requests for help.

use std::error::Error;
use std::io::IsTerminal;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};
use serde_json::json;

use super::verb_hints;
use crate::cli::{self, Cli};
use crate::exit::{self, codes};
use crate::report;
use crate::resource::SafeText;
use crate::resource::untrusted::line;
use crate::session;

/// Prints what clap has to say: help and version are data, a wrong command line is an error. Clap's own code for that, 2,
/// would read as "changes pending". With --json on the command line it is one document. Clap repeats arguments as they
/// are, so it is not clap that prints. Who types the tool's name or that of a group of verbs alone asks what there is.
pub fn usage(mut said: clap::Error) -> u8 {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let has = |flag: &str| words.iter().take_while(|word| *word != "--").any(|word| word == flag);
    if lacks_verb(&said) && !has("--json") {
        said = help(&verb(&words)).unwrap_or(said);
    }
    let path = before(&said, &words);
    write_out(&mut said);
    let hint = verb_hints::hint(&mut said, &path);
    let code = if said.use_stderr() { exit::ERROR } else { exit::DONE };
    if !has("--json") {
        print(&said, has("--no-color"));
        return code;
    }
    let text = text(&said, false);
    if code == exit::DONE {
        report::put_json(&report::document("help", &json!({"exit": code, "text": text.trim_end()})));
        return code;
    }
    let problem = problem(&said, &text);
    let next_step = hint.unwrap_or_else(|| format!("akidb-edge {}--help", verb(&words)));
    let mut body = codes::COMMAND_LINE.error(SafeText::default(), SafeText::default()).document();
    body["problem"] = problem.into();
    body["next_step"] = next_step.into();
    report::put_json(&report::document("error", &body));
    print(&said, has("--no-color"));
    code
}

/// Prints it where it belongs, in colors where they are wanted.
fn print(said: &clap::Error, no_color: bool) {
    let to_errors = said.use_stderr();
    let terminal = if to_errors { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
    let colors = session::has_colors(terminal, no_color);
    report::styled(colors);
    let text = SafeText::laid_out(text(said, colors)).trimmed();
    if to_errors { report::say(text) } else { report::put(text) }
}

/// Writes out what is hidden in the arguments that clap repeats, before it puts its own lines and styles around them.
fn write_out(said: &mut clap::Error) {
    let all: Vec<(ContextKind, ContextValue)> = said.context().map(|(kind, value)| (kind, value.clone())).collect();
    let arguments: Vec<String> = all.iter().flat_map(|(_, value)| texts(value)).collect();
    for (kind, value) in all {
        let shown = match value {
            ContextValue::String(text) => ContextValue::String(line(&text).into_owned()),
            ContextValue::Strings(all) => {
                ContextValue::Strings(all.iter().map(|text| line(text).into_owned()).collect())
            }
            // Advice of clap that holds the argument in clap's own styles.
            ContextValue::StyledStrs(all) => ContextValue::StyledStrs(
                all.iter().map(|advice| without_hidden(advice.ansi().to_string(), &arguments).into()).collect(),
            ),
            other => other,
        };
        said.insert(kind, shown);
    }
}

/// The texts of a piece of clap's error that may be an argument.
fn texts(value: &ContextValue) -> Vec<String> {
    match value {
        ContextValue::String(text) => vec![text.clone()],
        ContextValue::Strings(all) => all.clone(),
        _ => Vec::new(),
    }
}

/// A text of clap with what is hidden in these parts of it written out.
fn without_hidden(text: String, parts: &[String]) -> String {
    parts.iter().fold(text, |text, part| match line(part) {
        shown if shown == *part => text,
        shown => text.replace(part, &shown),
    })
}

/// What clap says, as lines. What a parser of a value says is a part that clap does not let anybody change before.
fn text(said: &clap::Error, styled: bool) -> String {
    let text = said.render();
    let text = if styled { text.ansi().to_string() } else { text.to_string() };
    let why: Vec<String> = said.source().map(ToString::to_string).into_iter().collect();
    without_hidden(text, &why)
}

/// Whether clap says that a verb is missing.
fn lacks_verb(said: &clap::Error) -> bool {
    matches!(said.kind(), ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand)
}

/// The help of a group of verbs.
fn help(path: &str) -> Option<clap::Error> {
    cli::parse(["akidb-edge"].into_iter().chain(path.split_whitespace()).chain(["--help"])).err()
}

/// The group of verbs in which a word is none; with a blank behind it.
fn before(said: &clap::Error, words: &[String]) -> String {
    match said.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(odd)) => verb(&words[..words.iter().position(|word| word == odd).unwrap_or(0)]),
        _ => String::new(),
    }
}

/// What clap says without the lines about usage and help.
fn problem(said: &clap::Error, text: &str) -> String {
    if lacks_verb(said) {
        return "missing verb".to_owned();
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
