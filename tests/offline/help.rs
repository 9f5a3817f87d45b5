//! What the tool says about itself, and the codes of a wrong command line.

use akidb_edge::resource::untrusted::is_hidden;
use testkit::cli::{bare, finish};

const VERBS: [&str; 58] = [
    "deploy",
    "route",
    "route geo",
    "route latency",
    "route cutover",
    "route explain",
    "rollback",
    "status",
    "destroy",
    "state",
    "state show",
    "state unlock",
    "state export",
    "state journal",
    "validate",
    "validate plan",
    "validate latency",
    "validate load",
    "validate cdn",
    "validate dns",
    "validate failover",
    "validate replication",
    "validate edge",
    "validate browser",
    "validate production",
    "validate offline",
    "validate metadata",
    "validate cost",
    "validate checklist",
    "validate clean",
    "validate all",
    "jetson",
    "jetson provision",
    "jetson deploy",
    "jetson doctor",
    "jetson status",
    "jetson power",
    "jetson kubeconfig",
    "jetson image",
    "jetson image push",
    "jetson drain",
    "jetson uncordon",
    "jetson shutdown",
    "jetson rollback",
    "jetson uninstall",
    "jetson sudoers",
    "models",
    "models pull",
    "models list",
    "models verify",
    "models import",
    "models publish",
    "models remove",
    "report",
    "completions",
    "man",
    "help",
    "--version",
];

#[test]
fn every_verb_explains_itself() {
    insta::assert_snapshot!("help", finish(bare().arg("--help")).exits(0).stdout);
    for verb in VERBS {
        let help: &[&str] = if matches!(verb, "help" | "--version") { &[] } else { &["--help"] };
        let output = finish(bare().args(verb.split(' ')).args(help)).exits(0);
        assert_eq!(output.stderr, "", "{verb}");
        insta::assert_snapshot!(format!("help-{}", verb.trim_matches('-').replace(' ', "-")), output.stdout);
    }
}

#[test]
fn a_wrong_command_line_is_an_error_not_a_pending_change() {
    for (name, words) in [
        ("unknown-verb", "deplo"),
        ("unknown-flag", "deploy --yess"),
        ("wait-level", "deploy --wait forever"),
        ("rollback-conflict", "rollback --to 1 --fallback dns-to-origin"),
    ] {
        let output = finish(bare().args(words.split_whitespace())).exits(1);
        assert_eq!(output.stdout, "", "{name}");
        insta::assert_snapshot!(format!("wrong-{name}"), output.stderr);
    }
}

/// Who types only the name of the tool, or that of a group of verbs, asks what there is.
#[test]
fn a_missing_verb_is_answered_with_help() {
    for group in ["", "state", "route", "validate", "jetson", "models"] {
        let words: Vec<&str> = group.split_whitespace().collect();
        let alone = finish(bare().args(&words)).exits(0);
        let asked = finish(bare().args(&words).arg("--help")).exits(0);
        assert_eq!(alone.stdout, asked.stdout, "{group}");
        assert_eq!(alone.stderr, "", "{group}");
        // Verbs for the tool itself are not for people.
        assert!(!alone.stdout.contains("known-host") && !alone.stdout.contains("try-model"), "{group}");
        // A program that forgot the verb made a mistake.
        let document = finish(bare().args(&words).arg("--json")).exits(1).json();
        assert_eq!(document["problem"], "missing verb", "{group}");
    }
}

/// A word of another tool, and a plan where a verb belongs: the verb for it is named, for programs as well.
#[test]
fn a_word_of_another_tool_leads_to_the_verb() {
    for (words, verb) in [
        ("plan", "akidb-edge deploy --dry-run"),
        ("apply", "akidb-edge deploy"),
        ("init", "akidb-edge deploy --dry-run"),
        ("import", "akidb-edge state import"),
        ("force-unlock", "akidb-edge state unlock"),
        ("validate week13", "akidb-edge validate plan week13"),
        ("validate plans/prod.yaml", "akidb-edge validate plan plans/prod.yaml"),
    ] {
        let said = finish(bare().args(words.split(' '))).exits(1).stderr;
        assert!(said.contains(&format!("tip: '{verb}' ")), "{words}: {said}");
        assert!(!said.contains("similar subcommand"), "{words}: {said}");
        let document = finish(bare().args(words.split(' ')).arg("--json")).exits(1).json();
        let next_step = document["next_step"].as_str().expect("it names one");
        assert!(next_step.starts_with(&format!("'{verb}' ")), "{words}: {next_step}");
    }
    // One near miss, not three of which one is hidden.
    let said = finish(bare().arg("known-hots")).exits(1).stderr;
    assert!(!said.contains("known-host'"), "{said}");
}

/// Words of a command line come back in the message about them: they erase no line, forge none and read in their own order.
#[test]
fn what_a_wrong_command_line_holds_is_written_out() {
    let hostile = "x\u{1b}[2K\u{1b}]52;c;cm0gLXJm\u{7}\u{9b}2J\u{202e}\r\n  done: 3 changes";
    let flag = format!("--{hostile}");
    for words in [
        vec![hostile],
        vec!["deploy", flag.as_str()],
        vec!["deploy", "--wait", hostile],
        vec!["deploy", "--adopt", hostile],
        vec!["deploy", "--parallelism", hostile],
        vec!["report", "--format", hostile],
        vec!["destroy", hostile],
        vec!["completions", hostile],
    ] {
        for json in [false, true] {
            let output = finish(bare().args(&words).args(json.then_some("--json"))).exits(1);
            let odd = output.all().chars().find(|letter| is_hidden(*letter) && *letter != '\n');
            assert_eq!(odd, None, "{words:?}: {}", output.all());
            assert!(!output.all().lines().any(|line| line.starts_with("  done: 3")), "{words:?}: {}", output.all());
            assert!(output.stderr.contains("x\\u{1b}[2K"), "{words:?}: it is shown as text: {}", output.stderr);
        }
    }
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = finish(bare().args(["completions", shell])).exits(0);
        assert!(output.stdout.contains("AKIDB_EDGE_COMPLETE"), "{shell}: {}", output.stdout);
    }
}
