//! Each pair of options of each verb: `pairs.txt` says whether it goes together (`.`) or is refused (`x`), and the program
//! does as it says. A new option has no row there, so it fails here until somebody decides.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use akidb_edge::{cli, commands};
use clap::{Arg, Command, CommandFactory};

/// A verb, or a verb with one value that changes what goes with it.
pub struct Verb {
    pub path: Vec<String>,
    pub command: Command,
}

/// Every verb that does something.
pub fn verbs() -> Vec<Verb> {
    let mut root = cli::Cli::command();
    root.build();
    let mut found = Vec::new();
    below(&root, &[], &mut found);
    found
}

fn below(command: &Command, path: &[String], found: &mut Vec<Verb>) {
    for child in command.get_subcommands().filter(|child| child.get_name() != "help") {
        let path: Vec<String> = path.iter().cloned().chain([child.get_name().to_owned()]).collect();
        if child.get_subcommands().next().is_none() {
            found.push(Verb { path: path.clone(), command: child.clone() });
        }
        below(child, &path, found);
    }
}

/// Values that change which options go with them: verb, option, value.
const SPECIAL: &[(&str, &str, &str)] =
    &[("deploy", "what", "x.plan.json"), ("report", "format", "html"), ("jetson kubeconfig", "out", "-")];

/// What an option needs beside it.
const NEEDS: &[(&str, &str, &[&str])] = &[
    ("status", "accept", &["drift"]),
    ("status", "dry_run", &["drift", "accept"]),
    ("status", "yes", &["drift", "accept"]),
    ("deploy", "force", &["out"]),
    ("deploy", "deployed", &["print_iam_policy"]),
    ("deploy", "ssh_config", &["devices"]),
    ("deploy", "accept_new", &["devices"]),
    ("deploy", "ask_sudo_password", &["devices"]),
    ("deploy", "sudo_password_fd", &["devices"]),
    ("deploy", "keep_connections", &["devices"]),
    ("deploy", "ssh_keepalive_timeout", &["devices"]),
    ("deploy", "artifacts", &["devices"]),
    ("deploy", "inventory", &["devices"]),
    ("rollback", "devices_to", &["devices", "to"]),
    ("rollback", "ssh_config", &["devices"]),
    ("rollback", "accept_new", &["devices"]),
    ("rollback", "ask_sudo_password", &["devices"]),
    ("rollback", "sudo_password_fd", &["devices"]),
    ("rollback", "keep_connections", &["devices"]),
    ("rollback", "ssh_keepalive_timeout", &["devices"]),
    ("destroy", "ssh_config", &["devices"]),
    ("destroy", "accept_new", &["devices"]),
    ("destroy", "ask_sudo_password", &["devices"]),
    ("destroy", "sudo_password_fd", &["devices"]),
    ("destroy", "keep_connections", &["devices"]),
    ("destroy", "ssh_keepalive_timeout", &["devices"]),
    ("state export", "force", &["out"]),
    ("state pull", "force", &["out"]),
    ("jetson kubeconfig", "merge", &["out"]),
    ("validate latency", "requests", &["url"]),
    ("validate latency", "rate", &["url"]),
    ("validate latency", "p95_ms", &["url"]),
    ("validate latency", "p99_ms", &["url"]),
    ("validate latency", "yes", &["regions"]),
    ("validate production", "dimension", &["url"]),
    ("validate production", "model", &["url"]),
    ("validate production", "cpu", &["url"]),
    ("route cutover", "steps", &["gate"]),
    ("route cutover", "requests", &["gate"]),
    ("route cutover", "rate", &["gate"]),
    ("route cutover", "path", &["gate"]),
    ("route cutover", "connect_to", &["gate"]),
    ("route cutover", "plain_http", &["gate"]),
    ("route cutover", "ca_bundle", &["gate"]),
    ("route cutover", "key_file", &["gate"]),
];

/// Values by the name that the help gives them.
const VALUES: &[(&str, &str)] = &[
    ("ADDRESS", "models.bucket.b"),
    ("PLACE", "file:place"),
    ("TIME", "5m"),
    ("TIME|TXID", "latest"),
    ("TIER=FILE", "edge=answers.json"),
    ("NAME:TAG", "app:1"),
    ("MB", "512"),
];

fn options(verb: &Verb) -> Vec<&Arg> {
    verb.command.get_arguments().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version")).collect()
}

/// A value that an option takes.
fn value(arg: &Arg) -> String {
    if let Some(first) = arg.get_possible_values().first() {
        return first.get_name().to_owned();
    }
    let named = arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str());
    if let Some((_, value)) = VALUES.iter().find(|(name, _)| named == Some(name)) {
        return (*value).to_owned();
    }
    match arg.get_id().as_str() {
        "wait" => "usable".to_owned(),
        "address" | "new_address" => "models.bucket.b".to_owned(),
        "var" => "a=b".to_owned(),
        "pairs" => "models.bucket.b=name".to_owned(),
        "state" => "file:place".to_owned(),
        "endpoint" => "https://example.com".to_owned(),
        "from" => "EU".to_owned(),
        "connect_to" => "127.0.0.1:1".to_owned(),
        "gate" => "p95<25ms@all".to_owned(),
        "origin" => "us-east-1=http://127.0.0.1:1/".to_owned(),
        "watch" => "60".to_owned(),
        id if id.contains("addr") => "127.0.0.1:0".to_owned(),
        _ => "1".to_owned(),
    }
}

fn words(arg: &Arg, value: String) -> Vec<String> {
    let takes = arg.get_action().takes_values();
    match (arg.get_long(), takes) {
        (Some(long), false) => vec![format!("--{long}")],
        (Some(long), true) => vec![format!("--{long}={value}")],
        (None, _) if arg.get_num_args().is_some_and(|range| range.min_values() > 1) => {
            vec![value; arg.get_num_args().map_or(1, |range| range.min_values())]
        }
        (None, _) => vec![value],
    }
}

/// Whether the program takes these options of a verb together. Nothing is run: only the command line is looked at.
fn goes(verb: &Verb, ids: &[&str], special: Option<(&str, &str)>) -> bool {
    let name = verb.path.join(" ");
    let mut wanted: Vec<&str> = ids.to_vec();
    for id in ids {
        let needs = NEEDS.iter().filter(|(of, option, _)| *of == name && option == id);
        wanted.extend(needs.flat_map(|(_, _, needs)| needs.iter().copied()));
    }
    let all = options(verb);
    wanted.extend(all.iter().filter(|arg| arg.is_required_set()).map(|arg| arg.get_id().as_str()));
    // Of a group of which one has to be given, the last one, when none is among them.
    for group in verb.command.get_groups().filter(|group| group.is_required_set()) {
        let of: Vec<&str> = group.get_args().map(clap::Id::as_str).collect();
        if !of.iter().any(|id| wanted.contains(id)) {
            wanted.extend(all.iter().map(|arg| arg.get_id().as_str()).rfind(|id| of.contains(id)));
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    let given = all.iter().filter(|arg| wanted.contains(&arg.get_id().as_str()));
    let (last, given): (Vec<&&Arg>, Vec<&&Arg>) = given.partition(|arg| arg.is_last_set());
    // Positional arguments first: an option with any number of values would take them.
    let (at, flags): (Vec<&&Arg>, Vec<&&Arg>) = given.into_iter().partition(|arg| arg.is_positional());
    let value = |arg: &Arg| match special {
        Some((id, value)) if arg.get_id().as_str() == id => value.to_owned(),
        _ => value(arg),
    };
    let line: Vec<String> = std::iter::once("akidb-edge".to_owned())
        .chain(verb.path.iter().cloned())
        .chain(at.into_iter().chain(flags).flat_map(|arg| words(arg, value(arg))))
        .chain(last.into_iter().flat_map(|arg| ["--".to_owned(), value(arg)]))
        .collect();
    match cli::parse(&line) {
        Ok((_, typed)) => commands::option_rules::refuse(&typed).is_ok(),
        Err(said) => {
            let kind = said.kind();
            let apart = kind == clap::error::ErrorKind::ArgumentConflict;
            assert!(apart, "{line:?} cannot be read: {said}");
            false
        }
    }
}

/// The table as the program has it: for each verb a row for each of its options, with a sign for each option above it.
fn table() -> String {
    let mut text = String::new();
    let global: Vec<&str> = cli::GLOBAL.to_vec();
    for (at, verb) in verbs().iter().enumerate() {
        let name = verb.path.join(" ");
        let all: Vec<&str> = options(verb).iter().map(|arg| arg.get_id().as_str()).collect();
        let (of_all, own): (Vec<&str>, Vec<&str>) = all.iter().partition(|id| global.contains(*id));
        assert_eq!(of_all.len(), global.len(), "{name}: {of_all:?}");
        if at == 0 {
            text.push_str("# every verb\n");
            rows(&mut text, verb, &global);
        }
        writeln!(text, "# {name}").expect("text");
        rows(&mut text, verb, &own);
        // Options of every verb go with those of this one, but for these.
        for id in &own {
            for other in global.iter().filter(|other| !goes(verb, &[id, other], None)) {
                writeln!(text, "  {id} x {other}").expect("text");
            }
        }
        for (_, id, value) in SPECIAL.iter().filter(|(of, ..)| *of == name) {
            let apart = all.iter().filter(|other| *other != id && !goes(verb, &[id, other], Some((id, value))));
            writeln!(text, "  {id}={value} x {}", apart.copied().collect::<Vec<_>>().join(" ")).expect("text");
        }
    }
    text
}

fn rows(text: &mut String, verb: &Verb, ids: &[&str]) {
    for (at, id) in ids.iter().enumerate() {
        let signs: String =
            ids[..at].iter().map(|other| if goes(verb, &[other, id], None) { '.' } else { 'x' }).collect();
        writeln!(text, "{}", format!("  {id:<24}{signs}").trim_end()).expect("text");
    }
}

/// The verbs of a table with their rows.
fn sections(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut at = "";
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("# ") {
            Some(verb) => at = verb,
            None => all.entry(at).or_default().push(line),
        }
    }
    all
}

#[test]
fn every_pair_of_options_goes_together_or_is_refused_as_the_table_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws/verbs/pairs.txt");
    let said = std::fs::read_to_string(file).unwrap_or_default();
    let found = table();
    let (said, own) = (sections(&said), sections(&found));
    let mut wrong = Vec::new();
    for (verb, rows) in &own {
        if said.get(verb) != Some(rows) {
            let lines = said.get(verb).cloned().unwrap_or_default();
            let new = rows.iter().filter(|row| !lines.contains(row)).map(|row| format!("  program {row}"));
            let old = lines.iter().filter(|row| !rows.contains(row)).map(|row| format!("  table   {row}"));
            wrong.push(format!("# {verb}\n{}", old.chain(new).collect::<Vec<_>>().join("\n")));
        }
    }
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pairs.txt");
    std::fs::write(&copy, &found).expect("a file");
    assert!(
        wrong.is_empty(),
        "decide of each pair whether it goes together: pairs.txt is to say what the program does (as it is now: {})\n{}",
        copy.display(),
        wrong.join("\n")
    );
}

#[test]
fn what_the_environment_says_is_no_option() {
    // A plan from the environment is a default that --stack and a saved plan go before.
    let run = |words: &str| {
        let mut command = testkit::cli::bare();
        command.env("AKIDB_EDGE_PLAN", "week13").env("AKIDB_EDGE_VAR_prefix", "x").args(words.split_whitespace());
        testkit::cli::finish(&mut command)
    };
    run("status --stack none").exits(0);
    let saved = run("deploy none.plan.json --yes").exits(3);
    assert!(saved.stderr.contains("No such file"), "{}", saved.stderr);
    let typed = run("status --stack none --plan week13").exits(3);
    assert!(typed.stderr.contains("--stack and --plan cannot be combined"), "{}", typed.stderr);
}
