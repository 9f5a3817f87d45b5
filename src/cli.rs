//! The command line: global flags and the verbs, no bodies.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::builder::Styles;
use clap::builder::styling::{AnsiColor, Style};
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::{
    bench, completions, deploy, destroy, doctor, edge, jetson, known_host, man, option_rules, report, rollback, route,
    state, status, validate,
};
#[cfg(feature = "serve")]
use crate::commands::{models, replicate, serve};
use crate::renames::{self, FormerName};

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default());

/// Deploy, change, verify and roll back a multi-region AkiDB edge stack.
///
/// A plan file declares the stack. `deploy` shows the changes, asks, and applies them. Every API call is journaled
/// before and after, so that an interrupted run can be resumed and `rollback` can undo it.
#[derive(Debug, Parser)]
#[command(name = "akidb-edge", version, styles = STYLES, max_term_width = 110, after_help = AFTER)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// Flags of every verb.
    #[command(flatten)]
    pub global: Global,
    /// The former names that the command line and the environment use.
    #[arg(skip)]
    pub former: BTreeSet<FormerName>,
}

/// Reads a command line, and keeps what was typed on it apart from what the environment says.
///
/// # Errors
/// What clap has to say: a mistake, or help that was asked for.
pub fn parse<T>(words: impl IntoIterator<Item = T>) -> Result<(Cli, ArgMatches), clap::Error>
where
    T: Into<OsString> + Clone,
{
    let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
    let mut command = renames::accepting(Cli::command());
    let matches = command.try_get_matches_from_mut(&words)?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|bad| bad.format(&mut command))?;
    cli.former = renames::used(&option_rules::verb(&matches).join(" "), &words);
    Ok((cli, matches))
}

/// Whether the command line has this verb: `serve`, `jetson provision`. A group of verbs alone is none.
#[cfg(test)]
pub fn has_verb(words: &str) -> bool {
    let command = Cli::command();
    let mut at = &command;
    for word in words.split_whitespace() {
        let Some(below) = at.find_subcommand(word) else { return false };
        at = below;
    }
    !at.has_subcommands()
}

const AFTER: &str = "\
Exit codes: 0 done · 1 error · 2 changes pending or partly done · 3 refused by checks, nothing was done

The account, region and endpoint come from the standard configuration of the AWS SDK: AWS_PROFILE, AWS_REGION, \
AWS_ENDPOINT_URL and so on. For a local AWS to try things out: eval \"$(localstack/up)\"";

/// The flags of every verb, by the names of their fields.
pub const GLOBAL: &[&str] = &[
    "json",
    "quiet",
    "no_color",
    "verbose",
    "state",
    "route53_rate",
    "certificate_timeout",
    "lease_ttl",
    "journal_retention",
    "retry_timeout",
];

/// Flags of every verb.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Write one JSON document to standard output instead of text
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Print only errors to stderr
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// Disable colors
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_color: bool,
    /// Show more detail: -v unchanged resources and waits, -vv each request, -vvv SDK debug lines
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = "Global options")]
    pub verbose: u8,
    /// Where to keep the journal: file:DIRECTORY or s3://BUCKET/PREFIX
    #[arg(
        long,
        value_name = "PLACE",
        default_value = "file:.akidb-edge",
        env = "AKIDB_EDGE_STATE",
        global = true,
        help_heading = "Global options"
    )]
    pub state: String,
    /// Route 53 requests per second; AWS allows 5 per account; 0 disables the limit (for a local AWS)
    #[arg(long, value_name = "N", default_value_t = 5.0, env = "AKIDB_EDGE_ROUTE53_RATE", global = true, hide = true)]
    pub route53_rate: f64,
    /// Seconds to wait for a certificate to be validated
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 900,
        env = "AKIDB_EDGE_CERTIFICATE_TIMEOUT",
        global = true,
        hide = true
    )]
    pub certificate_timeout: u64,
    /// Seconds until a lease without a heartbeat expires
    #[arg(long, value_name = "SECONDS", default_value_t = 60, env = "AKIDB_EDGE_LEASE_TTL", global = true, hide = true,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub lease_ttl: u64,
    /// Seconds to keep replaced objects of a journal in a bucket
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 604_800,
        env = "AKIDB_EDGE_JOURNAL_RETENTION",
        global = true,
        hide = true
    )]
    pub journal_retention: u64,
    /// Seconds to retry a change while a service fails or throttles; a read is retried for a sixth of it
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 120,
        env = "AKIDB_EDGE_RETRY_TIMEOUT",
        global = true,
        hide = true
    )]
    pub retry_timeout: u64,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Apply a plan
    Deploy(deploy::Args),
    /// Change DNS routing, or explain how a name resolves
    Route(route::Args),
    /// Undo the last run, roll back to a revision, or activate a fallback of the plan
    Rollback(rollback::Args),
    /// Show the deployed resources, and with --drift what differs from the plan
    Status(status::Args),
    /// Delete the stack's resources
    Destroy(destroy::Args),
    /// Check credentials, endpoints, state and permissions before a deploy
    Doctor(doctor::Args),
    /// Inspect, unlock, import, export and move state
    State(state::Args),
    /// Check a plan offline, or measure what is deployed
    Validate(validate::Args),
    /// Provision and operate a GPU cluster of Jetsons over SSH
    Jetson(jetson::Args),
    /// Package the function at the edge, and run it on this machine
    Edge(edge::Args),
    /// Run the embedding server (REST, gRPC, metrics)
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    /// Download, list, verify, import, publish and remove models
    #[cfg(feature = "serve")]
    Models(models::Args),
    /// Replicate a SQLite database to buckets; follow, restore and verify replicas
    #[cfg(feature = "serve")]
    Replicate(replicate::Args),
    /// Prints a host key for OpenSSH's KnownHostsCommand
    #[command(hide = true)]
    KnownHost(known_host::Args),
    /// Test-loads a model for a running server
    #[cfg(feature = "serve")]
    #[command(hide = true)]
    TryModel,
    /// Measure under load, compare runs, and find changes over many runs
    Bench(bench::Args),
    /// Write a report of a plan's steps and results
    Report(report::Args),
    /// Print shell completions
    Completions(completions::Args),
    /// Print a man page, or write those of all verbs
    Man(man::Args),
}

#[cfg(test)]
mod tests {
    use super::has_verb;

    #[test]
    fn verbs_are_those_of_the_command_line() {
        for there in [
            "report",
            "jetson provision",
            "jetson shutdown",
            "route cutover",
            "validate plan",
            "validate latency",
            "bench url",
        ] {
            assert!(has_verb(there), "{there}");
        }
        assert_eq!(has_verb("serve"), cfg!(feature = "serve"));
        for none in ["", "jetson", "validate nothing", "deploy observability", "replicate", "jetson fly"] {
            assert!(!has_verb(none), "{none}");
        }
    }
}
