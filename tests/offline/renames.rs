//! Former names: each is in the table of the documentation, is accepted, and is warned about.

use std::fs;
use std::process::Command as Process;

use akidb_edge::cli::Cli;
use akidb_edge::plan;
use akidb_edge::renames::{self, FLAGS, VARIABLES};
use akidb_edge::serve::config::former::FORMER;
use akidb_edge::serve::config::setting::{SettingKind, find};
use clap::{Command, CommandFactory};
use testkit::cli::{bare, finish};

const PAGE: &str = include_str!("../../docs/reference/renames.md");

#[test]
fn the_table_has_each_former_name_once() {
    let wanted: Vec<String> = renames::all()
        .iter()
        .map(|one| format!("| {} | `{}` | `{}` | {} |", one.kind, one.former, one.name, renames::REMOVED_IN))
        .collect();
    let rows: Vec<&str> = PAGE.lines().filter(|line| line.starts_with("| ") && line.contains('`')).collect();
    assert_eq!(rows, wanted, "docs/reference/renames.md is to have these rows:\n{}", wanted.join("\n"));
}

/// The verbs that have a flag: their words and the former names that the flag is accepted by.
fn holders(command: &Command, path: &[String], flag: &str, found: &mut Vec<(String, Vec<String>)>) {
    let arg = command.get_arguments().find(|arg| arg.get_long() == Some(flag));
    if let Some(arg) = arg {
        let aliases = arg.get_all_aliases().unwrap_or_default();
        found.push((path.join(" "), aliases.into_iter().map(str::to_owned).collect()));
    }
    for below in command.get_subcommands() {
        holders(below, &[path, &[below.get_name().to_owned()]].concat(), flag, found);
    }
}

#[test]
fn every_former_flag_is_accepted_by_its_verbs() {
    let command = renames::accepting(Cli::command());
    for row in FLAGS {
        let mut found = Vec::new();
        holders(&command, &[], row.name, &mut found);
        found.retain(|(verb, _)| row.verb.is_empty() || verb == row.verb);
        assert!(!found.is_empty(), "no verb has --{}", row.name);
        for (verb, aliases) in found {
            assert!(aliases.iter().any(|alias| alias == row.former), "{verb}: --{}", row.former);
        }
    }
}

#[test]
fn a_former_flag_and_a_former_variable_are_warned_about() {
    let ask = |more: &[&str]| {
        let mut command = bare();
        command.args(["completions", "bash"]).args(more);
        command
    };
    let said = finish(&mut ask(&["--patience", "9"])).exits(0).stderr;
    assert_eq!(
        said.trim_end(),
        "warning: --patience was renamed to --retry-timeout; the former name is accepted until version 0.2"
    );
    assert_eq!(finish(&mut ask(&["--retry-timeout", "9"])).exits(0).stderr, "");
    for (former, name) in VARIABLES {
        let said = finish(ask(&[]).env(former, "9")).exits(0).stderr;
        assert!(said.contains(&format!("warning: {former} was renamed to {name}")), "{said}");
        // It is read: a value that is not a number is refused.
        let refused = finish(ask(&[]).env(former, "soon")).exits(1).stderr;
        assert!(refused.contains("soon"), "{former}: {refused}");
        // The new one takes precedence.
        let said = finish(ask(&[]).env(former, "soon").env(name, "9")).exits(0).stderr;
        assert_eq!(said, "", "{former}");
    }
}

/// A value that a setting takes.
fn value(kind: SettingKind) -> &'static str {
    match kind {
        SettingKind::One("SIZE") => "64MiB",
        SettingKind::One("TIME") => "5s",
        SettingKind::One("SHARE") => "0.5",
        SettingKind::One(_) | SettingKind::Many(_) => "3",
        SettingKind::Switch => "true",
    }
}

/// What `serve --check` shows of a setting, and what it says besides. Whether a model is there does not matter.
fn checked(command: &mut Process, name: &str) -> (String, String) {
    let output = finish(command);
    let line = output.stdout.lines().find(|line| line.split_whitespace().next() == Some(name));
    (line.unwrap_or_default().to_owned(), output.stderr)
}

#[test]
fn every_former_setting_of_the_server_is_accepted_and_warned_about() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = || {
        let mut command = bare();
        command.current_dir(folder.path()).args(["serve", "--check"]);
        command
    };
    for row in FORMER {
        let setting = find(row.name).expect("a setting");
        let value = value(setting.kind);
        let (line, said) = checked(check().arg(format!("--{}={value}", row.former)), row.name);
        assert!(line.contains(value) && line.contains("flag"), "--{}: {line}\n{said}", row.former);
        assert!(said.contains(&format!("--{} was renamed to --{}", row.former, row.name)), "{said}");
        if let Some(former) = row.variable {
            let (line, said) = checked(check().env(former, value), row.name);
            assert!(line.contains(value) && line.contains(former), "{former}: {line}\n{said}");
            assert!(said.contains(&format!("{former} was renamed to {}", setting.variable)), "{said}");
        }
    }
}

#[test]
fn a_plan_with_former_keys_is_accepted_and_warned_about() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/examples/static-site.yaml");
    let text = fs::read_to_string(example).expect("the example");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("site.yaml");
    fs::write(&file, text.replace("default_behavior:", "default_behaviour:")).expect("a file");
    let site = format!("folder={}/plans/examples/site", env!("CARGO_MANIFEST_DIR"));
    let mut command = bare();
    command.args(["validate", "plan", "--json", "--var", &site, "--allow-files-outside"]).arg(&file);
    let document = finish(&mut command).exits(0).json();
    let findings = document["findings"].as_array().expect("findings");
    let found = findings.iter().find(|finding| finding["rule"] == plan::rules::FORMER_KEY).expect("a warning");
    assert_eq!(found["severity"], "warning");
    assert_eq!(found["next_step"], "write default_behavior");
    assert!(found["line"].as_u64().is_some_and(|line| line > 1), "{found}");
}
