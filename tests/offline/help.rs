//! What the tool says about itself, and the codes of a wrong command line.

use akidb_edge::resource::untrusted::is_hidden;
use testkit::cli::{bare, finish};

const VERBS: [&str; 49] = [
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
        vec!["deploy", "--at-once", hostile],
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
        assert!(output.stdout.contains("akidb-edge") && output.stdout.len() > 1_000, "{shell}");
    }
}
