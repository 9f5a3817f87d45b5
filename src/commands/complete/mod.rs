//! What a shell completes: verbs and flags by clap, and values from the plan and the journal. The script that `completions` prints
//! runs this program for each key press of Tab; it asks no service, so a journal in a bucket is not read.

mod known;
mod typed;

use std::ffi::OsStr;
use std::path::Path;

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};

use crate::cli::Cli;
use known::Known;

/// The variable of the environment that a shell asks with.
pub const VARIABLE: &str = "AKIDB_EDGE_COMPLETE";

/// What an argument may be: each value with what is said about it.
type Values = fn(&Known) -> Vec<(String, String)>;

/// The arguments that have values of their own, by the names of their fields.
const TABLE: &[(&[&str], Values)] = &[
    (
        &["target", "exclude", "adopt", "delete_imported", "accept", "pattern", "addresses", "address", "new_address"],
        Known::addresses,
    ),
    (&["request"], Known::requests),
    (&["fallback"], Known::fallbacks),
    (&["var"], Known::variables),
    (&["host", "hosts"], Known::devices),
    (&["stack"], Known::stacks),
    (&["to", "devices_to"], Known::revisions),
    (&["from"], Known::places),
    (&["down"], Known::targets),
];

/// Words in the name of a value that is a file or a folder.
const PLACES: &[&str] = &["FILE", "DIR", "FOLDER", "PATH"];

/// The verbs in which an argument of the table is something else: `report --from`, a file.
const ELSEWHERE: &[(&str, &str)] = &[("import", "from"), ("publish", "to"), ("serve", "address")];

/// Answers a shell that completes; false when none asks. Nothing else may write to standard output then.
pub fn answer() -> bool {
    let folder = std::env::current_dir().ok();
    let answered =
        CompleteEnv::with_factory(command).var(VARIABLE).try_complete(std::env::args_os(), folder.as_deref());
    // Whatever cannot be completed has no values; a message would land in the middle of the command line.
    answered.unwrap_or(true)
}

/// The command line with what completes its values.
pub fn command() -> Command {
    with_values(Cli::command())
}

fn with_values(command: Command) -> Command {
    let verb = command.get_name().to_owned();
    command.mut_args(|arg| completed(&verb, arg)).mut_subcommands(with_values)
}

fn completed(verb: &str, arg: Arg) -> Arg {
    let id = arg.get_id().as_str();
    if id == "plan" || (verb == "plan" && id == "file") {
        return arg.add(ArgValueCompleter::new(plans));
    }
    if verb == "deploy" && id == "what" {
        return arg.add(ArgValueCompleter::new(areas));
    }
    let is_other = ELSEWHERE.contains(&(verb, id));
    let row = TABLE.iter().find(|(ids, _)| ids.contains(&id) && !is_other);
    if let Some((_, values)) = row {
        let values = *values;
        return arg.add(ArgValueCompleter::new(move |current: &OsStr| candidates(current, values(&Known::now()))));
    }
    if !arg.get_action().takes_values() || !arg.get_possible_values().is_empty() {
        return arg;
    }
    // Without a word of ours, clap offers the names of files for everything.
    let names = arg.get_value_names().unwrap_or_default();
    let is_place = names.iter().any(|name| PLACES.iter().any(|word| name.as_str().contains(word)));
    if is_place { arg.add(ArgValueCompleter::new(files)) } else { arg.add(ArgValueCompleter::new(nothing)) }
}

fn nothing(_: &OsStr) -> Vec<CompletionCandidate> {
    Vec::new()
}

fn files(current: &OsStr) -> Vec<CompletionCandidate> {
    paths(current, |_| true)
}

/// Files, and the folders on the way to them. A name that a shell would not take as one word is left out: it is put into the command
/// line as it is.
fn paths(current: &OsStr, wanted: fn(&Path) -> bool) -> Vec<CompletionCandidate> {
    let mut all = PathCompleter::any().filter(wanted).complete(current);
    all.retain(|path| path.get_value().to_str().is_some_and(is_one_word));
    all
}

/// A name of a plan, or a YAML file.
fn plans(current: &OsStr) -> Vec<CompletionCandidate> {
    let mut all = candidates(current, known::plans());
    all.extend(paths(current, |path| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml")));
    all
}

/// An area of the plan, or a saved plan.
fn areas(current: &OsStr) -> Vec<CompletionCandidate> {
    let mut all = candidates(current, Known::now().areas());
    all.extend(paths(current, |path| path.to_string_lossy().ends_with(".plan.json")));
    all
}

/// The values that begin like what is typed. What a shell would read as more than a word is left out: a plan may name anything.
fn candidates(current: &OsStr, values: Vec<(String, String)>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let values = values.into_iter().filter(|(value, _)| value.starts_with(&*current) && is_one_word(value));
    let candidate = |(value, help): (String, String)| {
        CompletionCandidate::new(value).help((!help.is_empty()).then(|| StyledStr::from(help)))
    };
    values.map(candidate).collect()
}

/// Whether a shell takes a text as one word, whatever it does with it.
fn is_one_word(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@=".contains(letter);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ids(command: &Command, all: &mut BTreeSet<String>) {
        all.extend(command.get_arguments().map(|arg| arg.get_id().to_string()));
        command.get_subcommands().for_each(|below| ids(below, all));
    }

    #[test]
    fn each_argument_of_the_table_exists() {
        let mut all = BTreeSet::new();
        ids(&Cli::command(), &mut all);
        for id in TABLE.iter().flat_map(|(ids, _)| *ids) {
            assert!(all.contains(*id), "no verb has an argument {id}");
        }
    }

    #[test]
    fn what_a_shell_would_carry_out_is_not_offered() {
        let said = |values: &[&str]| {
            let values = values.iter().map(|value| ((*value).to_owned(), String::new())).collect();
            candidates(OsStr::new("a"), values).len()
        };
        assert_eq!(said(&["a.b", "ab=c", "b"]), 2);
        assert_eq!(said(&["a$(rm -rf x)", "a;b", "a b", "a\u{202e}", "a`b`", "a'b", "a\"b", "a\\b", "a*"]), 0);
        assert_eq!(candidates(OsStr::new(""), vec![("--yes".to_owned(), String::new())]), []);
    }
}
