//! Words that are verbs in other tools: which verb here does the same.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};

use crate::cli::Cli;

/// Words of other tools, the verb with its flags that does the same here, and what that does.
const WORDS: &[(&[&str], &str, &str)] = &[
    (
        &["plan", "diff", "preview", "what-if"],
        "deploy --dry-run",
        "shows what a deploy would change, and changes nothing",
    ),
    (
        &["apply", "up", "create", "install", "sync"],
        "deploy",
        "shows the changes, asks for confirmation, and applies them",
    ),
    (
        &["init", "new", "setup"],
        "deploy --dry-run",
        "needs no preparation: it reads a plan and shows what it would create",
    ),
    (&["delete", "down", "remove", "uninstall", "teardown"], "destroy", "deletes the stack, after a confirmation"),
    (&["undo", "revert", "restore"], "rollback", "undoes the last run, or goes back to a revision"),
    (&["refresh", "drift"], "status --drift", "shows what differs from what was deployed"),
    (&["output", "outputs", "info"], "status", "lists the resources"),
    (&["show"], "state show", "shows the recorded resources with their attributes"),
    (&["list", "ls"], "state list", "lists the addresses of the stack"),
    (&["import"], "state import", "adds existing resources to the journal"),
    (&["export"], "state export", "writes the state for another tool"),
    (&["unlock", "force-unlock"], "state unlock", "removes the lease of a process that has ended"),
    (&["check", "lint", "test"], "validate plan", "checks a plan file offline"),
    (&["completion"], "completions", "prints the completions for a shell"),
    (&["version"], "--version", "prints the version"),
];

/// Puts the right verb into what clap says of a word that is none. Answers with it, as a line.
pub(super) fn hint(said: &mut clap::Error, path: &str) -> Option<String> {
    if said.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(word)) = said.get(ContextKind::InvalidSubcommand) else { return None };
    let advice = advice(path.trim(), word);
    let nearest = match said.remove(ContextKind::SuggestedSubcommand) {
        // Clap sorts them, the nearest last, and knows hidden verbs, too.
        Some(ContextValue::Strings(all)) => all.into_iter().rev().find(|name| is_shown(path, name)),
        Some(ContextValue::String(name)) => Some(name).filter(|name| is_shown(path, name)),
        _ => None,
    };
    match (advice, nearest) {
        (Some(advice), _) => {
            said.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![advice.clone().into()]));
            Some(advice)
        }
        (None, Some(name)) => {
            said.insert(ContextKind::SuggestedSubcommand, ContextValue::String(name));
            None
        }
        (None, None) => None,
    }
}

/// What to say of a word below the verbs of a path.
fn advice(path: &str, word: &str) -> Option<String> {
    match path {
        "" => WORDS
            .iter()
            .find(|(words, ..)| words.contains(&word))
            .map(|(_, verb, what)| format!("'akidb-edge {verb}' {what}")),
        "validate" => Some(format!("'akidb-edge validate plan {}' checks a plan", as_argument(word))),
        _ => None,
    }
}

/// A word as it can be typed again, or what stands for it.
fn as_argument(word: &str) -> &str {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "./_-".contains(letter);
    if word.chars().all(plain) { word } else { "PLAN" }
}

/// Whether help names this verb.
fn is_shown(path: &str, name: &str) -> bool {
    let command: Command = Cli::command();
    let group = path.split_whitespace().try_fold(&command, |at, word| at.find_subcommand(word));
    group.and_then(|group| group.find_subcommand(name)).is_some_and(|verb| !verb.is_hide_set())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::WORDS;
    use crate::cli::{Cli, has_verb, parse};

    #[test]
    fn each_hint_leads_to_a_verb_and_stands_for_no_verb() {
        for (words, verb, _) in WORDS {
            for word in *words {
                assert!(Cli::command().find_subcommand(word).is_none(), "{word} is a verb");
            }
            if verb.starts_with("--") {
                continue;
            }
            let name: Vec<&str> = verb.split(' ').take_while(|word| !word.starts_with("--")).collect();
            assert!(has_verb(&name.join(" ")), "{verb}");
            // Its flags exist: what else may be missing is a plan or a shell.
            let line = ["akidb-edge"].into_iter().chain(verb.split(' '));
            if let Err(said) = parse(line) {
                assert_eq!(said.kind(), clap::error::ErrorKind::MissingRequiredArgument, "{verb}: {said}");
            }
        }
    }
}
