//! What the tool says about itself, and the codes of a wrong command line.

mod support;

use support::cli::{bare, finish};

const VERBS: [&str; 39] = [
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
    "jetson",
    "jetson provision",
    "jetson deploy",
    "jetson doctor",
    "jetson status",
    "jetson power",
    "jetson kubeconfig",
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
    "models remove",
    "report",
    "completions",
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
        ("no-verb", ""),
        ("wait-level", "deploy --wait forever"),
        ("rollback-conflict", "rollback --to 1 --fallback dns-to-origin"),
    ] {
        let output = finish(bare().args(words.split_whitespace())).exits(1);
        assert_eq!(output.stdout, "", "{name}");
        insta::assert_snapshot!(format!("wrong-{name}"), output.stderr);
    }
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = finish(bare().args(["completions", shell])).exits(0);
        assert!(output.stdout.contains("akidb-edge") && output.stdout.len() > 1_000, "{shell}");
    }
}
