//! `docs/reference/verbs.md`: its second part, every verb with its flags, is generated from the definitions of which the help and the man
//! pages are made. `AKIDB_EDGE_UPDATE_DOCS=1 cargo test --test offline reference` writes it again.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use akidb_edge::cli::Cli;
use clap::{Arg, Command, CommandFactory};

/// Where the generated part begins.
const BEGIN: &str = "\n## Every verb and flag\n";

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/reference/verbs.md")
}

/// A text as a cell of a table: on one line, and nothing in it is a tag or a border.
fn cell(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('|', "\\|").replace('<', "&lt;").replace('>', "&gt;")
}

/// How an option or an argument is written: `--plan PLAN`, `-q`, `--quiet`, `[AREA]`.
fn written(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default().iter().map(clap::builder::Str::as_str);
    let values = names.collect::<Vec<_>>().join(" ");
    let many = if arg.get_num_args().is_some_and(|range| range.max_values() > 1) { "..." } else { "" };
    if arg.is_positional() {
        let value = if values.is_empty() { arg.get_id().as_str().to_uppercase() } else { values };
        return if arg.is_required_set() { format!("`{value}{many}`") } else { format!("`[{value}]{many}`") };
    }
    let value = if arg.get_action().takes_values() { format!(" {values}{many}") } else { String::new() };
    let short = arg.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    format!("{short}`--{}{value}`", arg.get_long().unwrap_or(arg.get_id().as_str()))
}

/// What it does, with its values, its default and its variable.
fn meaning(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut parts = vec![cell(&help)];
    let values: Vec<String> = arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if !values.is_empty() && arg.get_action().takes_values() {
        parts.push(format!("Values: {}", values.join(", ")));
    }
    let defaults: Vec<String> = arg.get_default_values().iter().map(|value| value.to_string_lossy().into()).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        parts.push(format!("Default: `{}`", defaults.join(",")));
    }
    if let Some(variable) = arg.get_env() {
        parts.push(format!("Variable: `{}`", variable.to_string_lossy()));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(". ")
}

/// A table of arguments and options; nothing when there are none.
fn table(args: &[&Arg]) -> String {
    let mut text = String::new();
    if !args.is_empty() {
        text.push_str("\n| argument or flag | meaning |\n|---|---|\n");
    }
    for arg in args {
        let _ = writeln!(text, "| {} | {} |", written(arg), meaning(arg));
    }
    text
}

fn is_own(arg: &&Arg) -> bool {
    !arg.is_global_set() && !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version")
}

/// A verb, and the verbs below it.
fn verb(command: &Command, path: &str, text: &mut String) {
    let name = format!("{path} {}", command.get_name());
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let about = about.replace('<', "&lt;");
    let _ = write!(text, "\n### {name}\n\n{}\n", about.trim());
    let (positional, flags): (Vec<&Arg>, Vec<&Arg>) =
        command.get_arguments().filter(is_own).partition(|arg| arg.is_positional());
    text.push_str(&table(&[positional, flags].concat()));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        verb(below, &name, text);
    }
}

/// The page: what a person wrote, and the part that is generated.
fn page(there: &str) -> String {
    let (before, _) = there.split_once(BEGIN).expect("the heading of the generated part");
    let mut root = Cli::command();
    root.build();
    let mut text = format!(
        "{before}{BEGIN}\nThis part is generated from the same definitions as `--help` and the man pages (`akidb-edge man VERB`).\n\n\
         ### Flags of every verb\n"
    );
    let global: Vec<&Arg> = root.get_arguments().filter(|arg| arg.is_global_set()).collect();
    text.push_str(&table(&global));
    for command in root.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        verb(command, "akidb-edge", &mut text);
    }
    text
}

#[test]
fn the_page_of_verbs_has_each_verb_and_flag() {
    let there = fs::read_to_string(file()).expect("the page");
    let wanted = page(&there);
    if std::env::var_os("AKIDB_EDGE_UPDATE_DOCS").is_some() {
        fs::write(file(), &wanted).expect("the page is written");
    }
    let now = fs::read_to_string(file()).expect("the page");
    assert!(now == wanted, "docs/reference/verbs.md: AKIDB_EDGE_UPDATE_DOCS=1 writes it again");
    for part in ["### akidb-edge deploy\n", "### akidb-edge jetson provision\n", "`--dry-run`", "`--state PLACE`"] {
        assert!(now.contains(part), "{part} is not in docs/reference/verbs.md");
    }
    assert!(!now.contains("known-host"), "a hidden verb is in docs/reference/verbs.md");
}

#[test]
fn a_cell_has_no_border_and_no_tag_in_it() {
    assert_eq!(cell("a | b\n  <c>"), "a \\| b &lt;c&gt;");
    let arg = Arg::new("host").long("host").value_name("NAME").env("X_HOST").default_value("one").help("Only this one");
    assert_eq!(
        (written(&arg).as_str(), meaning(&arg).as_str()),
        ("`--host NAME`", "Only this one. Default: `one`. Variable: `X_HOST`")
    );
}
