//! Every command and every option that the source names in a text for people exists: `akidb-edge VERB --option`, `VERB
//! --option`, and `--option` alone, which a verb of that file or any verb has to have.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};

/// Options of other programs that the source names or runs.
const OF_OTHERS: &[&str] = &[
    "--kubeconfig",
    "--context",
    "--id",
    "--request-timeout",
    "--ignore-daemonsets",
    "--delete-emptydir-data",
    "--disable-eviction",
    "--timeout",
    "--force",
    "--bucket",
    "--create-bucket-configuration",
    "--hosted-zone-id",
    "--library",
    "--no-block",
    "--query-gpu",
    "--now",
    "--version",
    "--help",
    // Of the Node programs under `templates/lambda/invoke` and `templates/certify`, and of `exporter/build`.
    "--folder",
    "--program",
    "--edge",
    // Of `tests/browsers`, and of containers whose arguments a check looks at.
    "--engine",
    "--minimum",
    "--password",
    "--password-file",
];

/// Words after `akidb-edge` that are not verbs: the program itself is meant.
const PROSE: &[&str] =
    &["itself", "did", "asks", "which", "nothing", "or", "prod", "use", "wrote", "week13", "it", "VERB", "manual"];

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The texts of a file: what stands between quotes outside of comments and of modules of tests, joined over line ends.
fn texts(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut rest = source.char_indices().peekable();
    let mut text: Option<String> = None;
    while let Some((at, letter)) = rest.next() {
        match (&mut text, letter) {
            (None, '/') if source[at..].starts_with("//") => while rest.next().is_some_and(|(_, next)| next != '\n') {},
            (None, '\'') if source[at..].starts_with("'\"'") => drop(rest.nth(1)),
            (None, '"') => text = Some(String::new()),
            (None, _) => {}
            (Some(open), '\\') => match rest.next().map(|(_, next)| next) {
                Some('\n') => while rest.next_if(|(_, next)| next.is_whitespace()).is_some() {},
                Some('n') => open.push('\n'),
                Some(other) => open.push(other),
                None => {}
            },
            (Some(_), '"') => found.extend(text.take()),
            (Some(open), letter) => open.push(letter),
        }
    }
    found
}

/// The longest verb that words begin with, and how many words it is.
fn verb<'c>(root: &'c Command, words: &[&str]) -> (&'c Command, usize) {
    let mut at = root;
    let mut taken = 0;
    while let Some(below) = words.get(taken).and_then(|word| at.find_subcommand(bare(word))) {
        (at, taken) = (below, taken + 1);
    }
    (at, taken)
}

fn bare(word: &str) -> &str {
    word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-')
}

/// The options that words name up to the end of a command.
fn options<'w>(words: &[&'w str]) -> Vec<&'w str> {
    let mut found = Vec::new();
    for word in words {
        if let Some(option) = option(word) {
            found.push(option);
        }
        if word.ends_with([';', ',', '.', ')', '`', '\n', ':']) {
            break;
        }
    }
    found
}

fn option(word: &str) -> Option<&str> {
    let word = word.trim_start_matches(['(', '`', '"', '[']);
    let name = word.strip_prefix("--")?;
    name.starts_with(|letter: char| letter.is_ascii_lowercase()).then_some(())?;
    let end = name.find(|letter: char| !letter.is_ascii_lowercase() && letter != '-').unwrap_or(name.len());
    let digit = name[end..].starts_with(|letter: char| letter.is_ascii_digit());
    (end > 1 && !digit).then(|| &word[..end + 2])
}

fn has(command: &Command, option: &str) -> bool {
    option == "--help" || command.get_arguments().any(|arg| arg.get_long() == Some(&option[2..]))
}

fn anywhere(command: &Command, option: &str) -> bool {
    has(command, option) || command.get_subcommands().any(|below| anywhere(below, option))
}

/// The verbs of a file of verbs: an option that it names alone has to be one of theirs.
fn verbs_of(file: &str, root: &Command) -> Vec<Command> {
    let of = |words: &[&str]| verb(root, words).0.clone();
    let path = file.split("src/commands/").nth(1).unwrap_or_default();
    let stem = path.trim_end_matches(".rs").trim_end_matches("/mod");
    let words: Vec<&str> = stem.split('/').collect();
    match words.as_slice() {
        ["deploy" | "destroy" | "rollback" | "report" | "completions"] => vec![of(&words)],
        ["jetson", "doctor" | "power" | "kubeconfig" | "shutdown" | "rollback" | "uninstall" | "sudoers"]
        | ["state", "export" | "import" | "unlock" | "show"] => vec![of(&words)],
        ["route"] => ["geo", "latency", "cutover", "explain"].map(|one| of(&["route", one])).to_vec(),
        ["full" | "saved"] => [["deploy"], ["destroy"], ["rollback"]].map(|one| of(&one)).to_vec(),
        _ => Vec::new(),
    }
}

#[test]
fn what_advice_names_exists() {
    let mut root = akidb_edge::cli::Cli::command();
    root.build();
    let mut paths = Vec::new();
    // Scripts for devices (`crates/device`) are not for people.
    for sources in ["src", "crates/engine/src", "crates/aws/src", "crates/network/src"] {
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(sources), &mut paths);
    }
    let (mut wrong, mut seen) = (BTreeSet::new(), 0);
    for path in paths {
        let name = path.display().to_string();
        // What belongs to the server and the store of models is not in every build.
        let other = ["/serve/", "/serve.rs", "/models/", "/inference/", "/cli.rs"];
        let checked = cfg!(feature = "serve") || !other[..4].iter().any(|part| name.contains(part));
        if !checked || other[4..].iter().any(|part| name.contains(part)) {
            continue;
        }
        let own = verbs_of(&name, &root);
        for text in texts(&fs::read_to_string(&path).expect("a file")) {
            let words: Vec<&str> = text.split_whitespace().collect();
            for (at, word) in words.iter().enumerate() {
                let called = at > 0 && bare(words[at - 1]) == "akidb-edge";
                let (command, taken) = verb(&root, &words[at..]);
                if called {
                    seen += 1;
                    let said = taken > 0 || PROSE.contains(&bare(word)) || word.starts_with(['{', '-']);
                    if !said {
                        wrong.insert(format!("{name}: akidb-edge {word}: no such verb in {text:?}"));
                    }
                }
                if taken == 0 {
                    continue;
                }
                let after =
                    words.get(at + taken).filter(|_| called && !words[at + taken - 1].ends_with([';', ',', '.']));
                let below = after.filter(|next| command.has_subcommands() && !next.starts_with(['{', '-', '<']));
                if let Some(unknown) = below {
                    wrong.insert(format!("{name}: no verb {unknown} in {text:?}"));
                }
                // `deploy --adopt X`: the option follows the verb.
                let follows = words.get(at + taken).is_some_and(|next| option(next).is_some());
                if called || follows {
                    let named = options(&words[at + taken..]);
                    for option in named.into_iter().filter(|option| !has(command, option)) {
                        wrong.insert(format!("{name}: {} has no {option}: {text:?}", words[at..at + taken].join(" ")));
                    }
                }
            }
            // What a command of AWS's own program says is not ours.
            let mut of_aws = false;
            let own_words = words.iter().filter(|word| {
                of_aws = (of_aws || bare(word) == "aws") && !word.ends_with(';');
                !of_aws
            });
            let named: Vec<&str> = own_words.filter_map(|word| option(word)).collect();
            for option in named.into_iter().filter(|option| !OF_OTHERS.contains(option)) {
                seen += 1;
                let there =
                    if own.is_empty() { anywhere(&root, option) } else { own.iter().any(|verb| has(verb, option)) };
                // A text that names another verb is looked at above.
                let elsewhere = words.iter().any(|word| root.find_subcommand(bare(word)).is_some());
                if !(there || elsewhere && anywhere(&root, option)) {
                    wrong.insert(format!("{name}: no {option}: {text:?}"));
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} mentions were found: is the source read?");
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}
