//! Former names of flags, variables, settings, metrics and plan keys. Each is accepted for one version beside its name, with a
//! warning; `docs/reference/renames.md` lists all of them.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use clap::Command;

use crate::plan;
use crate::report::former_fields::RENAMED;

/// The version in which the former names are no longer accepted.
pub const REMOVED_IN: &str = "0.2";

/// A flag that has another name now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RenamedFlag {
    /// The verb that has it (`replicate metadata`); empty for every verb that has a flag of this name.
    pub verb: &'static str,
    /// Its former name, without dashes.
    pub former: &'static str,
    /// Its name, without dashes.
    pub name: &'static str,
}

const fn flag(verb: &'static str, former: &'static str, name: &'static str) -> RenamedFlag {
    RenamedFlag { verb, former, name }
}

/// The renamed flags of all verbs except `serve`, whose flags are settings (`serve::config::former`).
pub const FLAGS: &[RenamedFlag] = &[
    flag("", "patience", "retry-timeout"),
    flag("", "certificate-wait", "certificate-timeout"),
    flag("", "at-once", "parallelism"),
    flag("", "alive", "ssh-keepalive-timeout"),
    flag("models certify", "answers", "responses"),
    flag("replicate metadata", "every", "interval"),
    flag("replicate metadata", "keep", "retention"),
    flag("replicate metadata", "keep-at-most", "max-snapshots"),
    flag("replicate follow", "poll", "poll-interval"),
    flag("replicate pause", "at", "location"),
    flag("replicate resume", "at", "location"),
    flag("report", "figures", "external-results"),
];

/// The renamed variables of the flags above: former name, name.
pub const VARIABLES: &[(&str, &str)] = &[
    ("AKIDB_EDGE_PATIENCE", "AKIDB_EDGE_RETRY_TIMEOUT"),
    ("AKIDB_EDGE_CERTIFICATE_WAIT", "AKIDB_EDGE_CERTIFICATE_TIMEOUT"),
];

/// A former name that was used.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct FormerName {
    /// As it was written: `--patience`, `AKIDB_RATE`.
    pub former: String,
    /// What it is called now.
    pub name: String,
}

impl FormerName {
    /// A former name and the name.
    pub fn new(former: impl Into<String>, name: impl Into<String>) -> Self {
        Self { former: former.into(), name: name.into() }
    }

    /// The warning about it.
    pub fn warning(&self) -> String {
        let Self { former, name } = self;
        format!("{former} was renamed to {name}; the former name is accepted until version {REMOVED_IN}")
    }
}

/// Lets a command line accept the former flags, without showing them, and the former variables where the new ones are not set.
pub fn accepting(command: Command) -> Command {
    below("", command)
}

fn below(path: &str, mut command: Command) -> Command {
    for row in FLAGS.iter().filter(|row| row.verb.is_empty() || row.verb == path) {
        if let Some(id) = argument(&command, row.name) {
            command = command.mut_arg(id, |arg| arg.alias(row.former));
        }
    }
    for (former, name) in former_variables() {
        let found = command.get_arguments().find(|arg| arg.get_env() == Some(OsStr::new(name)));
        if let Some(id) = found.map(|arg| arg.get_id().clone()) {
            command = command.mut_arg(id, |arg| arg.env(former));
        }
    }
    let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    verbs.into_iter().fold(command, |command, verb| {
        let path = if path.is_empty() { verb.clone() } else { format!("{path} {verb}") };
        command.mut_subcommand(verb, |found| below(&path, found))
    })
}

/// The argument with this flag.
fn argument(command: &Command, long: &str) -> Option<clap::Id> {
    command.get_arguments().find(|arg| arg.get_long() == Some(long)).map(|arg| arg.get_id().clone())
}

/// The former variables that count: those that are set while the new one is not.
fn former_variables() -> impl Iterator<Item = (&'static str, &'static str)> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    VARIABLES.iter().copied().filter(move |(former, name)| set(former) && !set(name))
}

/// The former names that a command line and the environment use; `verb` is the verb that was read (`replicate metadata`).
pub fn used(verb: &str, words: &[OsString]) -> BTreeSet<FormerName> {
    let flags = FLAGS.iter().copied().filter(|row| row.verb.is_empty() || row.verb == verb);
    let mut found: BTreeSet<FormerName> = former_variables().map(|(was, is)| FormerName::new(was, is)).collect();
    for (former, name) in flags.map(|row| (row.former, row.name)).chain(settings(verb)) {
        if has_flag(words, former) {
            found.insert(FormerName::new(format!("--{former}"), format!("--{name}")));
        }
    }
    found
}

/// The renamed settings of `serve`, which are its flags.
#[cfg(feature = "serve")]
fn settings(verb: &str) -> Vec<(&'static str, &'static str)> {
    use crate::serve::config::former::FORMER;
    if verb == "serve" { FORMER.iter().map(|row| (row.former, row.name)).collect() } else { Vec::new() }
}

/// Without the server there are no settings.
#[cfg(not(feature = "serve"))]
fn settings(_: &str) -> Vec<(&'static str, &'static str)> {
    Vec::new()
}

/// Whether a command line has a flag, with its value in the same word or the next one.
fn has_flag(words: &[OsString], name: &str) -> bool {
    let flags = words.iter().skip(1).take_while(|word| *word != "--");
    flags
        .filter_map(|word| word.to_str()?.strip_prefix("--"))
        .any(|flag| flag.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
}

/// A former name of any kind, for the documentation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rename {
    /// What has it: `flag`, `variable`, `metric`, …
    pub kind: &'static str,
    /// Its former name.
    pub former: String,
    /// Its name.
    pub name: String,
}

/// Every former name that is accepted.
pub fn all() -> Vec<Rename> {
    let flags = FLAGS.iter().map(|row| {
        let verb = if row.verb.is_empty() { String::new() } else { format!("{} ", row.verb) };
        rename("flag", format!("{verb}--{}", row.former), format!("{verb}--{}", row.name))
    });
    let variables = VARIABLES.iter().map(|(former, name)| rename("variable", *former, *name));
    let keys = plan::RENAMED.iter().map(|row| rename("plan key", row.former_path(), row.new_path()));
    let fields = RENAMED.iter().map(|row| rename("JSON field", row.former_path(), row.new_path()));
    flags.chain(variables).chain(of_the_server()).chain(keys).chain(fields).collect()
}

fn rename(kind: &'static str, former: impl Into<String>, name: impl Into<String>) -> Rename {
    Rename { kind, former: former.into(), name: name.into() }
}

/// Settings of `serve`, and the metrics of `serve` and `replicate`.
#[cfg(feature = "serve")]
fn of_the_server() -> Vec<Rename> {
    use crate::commands::replicate::FORMER_METRICS;
    use crate::serve::config::{former::FORMER, setting};
    use crate::serve::metrics::names;
    let mut all = Vec::new();
    for row in FORMER {
        all.push(rename("flag", format!("serve --{}", row.former), format!("serve --{}", row.name)));
        if let (Some(former), Some(setting)) = (row.variable, setting::find(row.name)) {
            all.push(rename("variable", former, setting.variable));
        }
    }
    let metrics = names::ALL.iter().filter_map(|metric| Some((metric.former?, metric.name)));
    all.extend(metrics.chain(FORMER_METRICS.iter().copied()).map(|(former, name)| rename("metric", former, name)));
    all
}

/// Without the server there are none.
#[cfg(not(feature = "serve"))]
fn of_the_server() -> Vec<Rename> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_former_flag_is_found_by_its_whole_name_and_its_verb() {
        let found = |verb: &str, line: &str| -> Vec<String> {
            used(verb, &words(line)).into_iter().map(|found| found.former).collect()
        };
        assert_eq!(found("deploy", "akidb-edge deploy --at-once=3 --patience 4"), ["--at-once", "--patience"]);
        assert_eq!(found("replicate metadata", "akidb-edge replicate metadata --keep 7d"), ["--keep"]);
        assert_eq!(found("models publish", "akidb-edge models publish --keep 1"), [""; 0]);
        assert_eq!(found("deploy", "akidb-edge deploy --at-oncex -- --at-once"), [""; 0]);
    }

    #[test]
    fn a_warning_names_both_and_the_version() {
        assert_eq!(
            FormerName::new("--patience", "--retry-timeout").warning(),
            "--patience was renamed to --retry-timeout; the former name is accepted until version 0.2"
        );
    }
}
