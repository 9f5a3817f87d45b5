//! The command line: global flags and the verbs, no bodies.

use clap::builder::Styles;
use clap::builder::styling::{AnsiColor, Style};
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::{
    completions, deploy, destroy, doctor, edge, jetson, known_host, report, rollback, route, state, status, validate,
};
#[cfg(feature = "serve")]
use crate::commands::{models, serve};

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default());

/// Build, change, check and undo a multi-region AkiDB edge stack.
///
/// A plan file says what the stack is to be. `deploy` shows the difference to what is there, asks, and makes it so; the
/// journal remembers each call before and after it is made, so that a killed run goes on and `rollback` can undo it.
#[derive(Debug, Parser)]
#[command(name = "akidb-edge", version, styles = STYLES, max_term_width = 110, after_help = AFTER)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// Flags of every verb.
    #[command(flatten)]
    pub global: Global,
}

/// Reads a command line, and keeps what was typed on it apart from what the environment says.
///
/// # Errors
/// What clap has to say: a mistake, or help that was asked for.
pub fn parse<T>(words: impl IntoIterator<Item = T>) -> Result<(Cli, ArgMatches), clap::Error>
where
    T: Into<std::ffi::OsString> + Clone,
{
    let mut command = Cli::command();
    let matches = command.try_get_matches_from_mut(words)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|bad| bad.format(&mut command))?;
    Ok((cli, matches))
}

/// Whether the command line has this verb: `serve`, `jetson provision`. A group of verbs alone is none.
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

The account, region and endpoint are those of the AWS SDK's standard configuration: AWS_PROFILE, AWS_REGION,
AWS_ENDPOINT_URL and so on. A local AWS for trying things out: eval \"$(localstack/up)\"";

/// The flags of every verb, by the names of their fields.
pub const GLOBAL: &[&str] = &[
    "json",
    "quiet",
    "no_color",
    "verbose",
    "state",
    "route53_rate",
    "certificate_wait",
    "lease_ttl",
    "journal_retention",
    "patience",
];

/// Flags of every verb.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Write one JSON document to standard output instead of text
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Say nothing on standard error but errors
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// No colours
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_color: bool,
    /// Say more: -v shows kept resources, -vv the requests
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = "Global options")]
    pub verbose: u8,
    /// Where the journal lies: file:DIRECTORY or s3://BUCKET/PREFIX
    #[arg(
        long,
        value_name = "PLACE",
        default_value = "file:.akidb-edge",
        env = "AKIDB_EDGE_STATE",
        global = true,
        help_heading = "Global options"
    )]
    pub state: String,
    /// Route 53 requests a second; AWS allows 5 per account, 0 lifts the limit (for a local AWS)
    #[arg(long, value_name = "N", default_value_t = 5.0, env = "AKIDB_EDGE_ROUTE53_RATE", global = true, hide = true)]
    pub route53_rate: f64,
    /// Seconds until the wait for a certificate ends that is not validated
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 900,
        env = "AKIDB_EDGE_CERTIFICATE_WAIT",
        global = true,
        hide = true
    )]
    pub certificate_wait: u64,
    /// Seconds that a lease lives without a heartbeat
    #[arg(long, value_name = "SECONDS", default_value_t = 60, env = "AKIDB_EDGE_LEASE_TTL", global = true, hide = true,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub lease_ttl: u64,
    /// Seconds that objects of a journal in a bucket are kept after others took their place
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 604_800,
        env = "AKIDB_EDGE_JOURNAL_RETENTION",
        global = true,
        hide = true
    )]
    pub journal_retention: u64,
    /// Seconds until a change is given up that a service in trouble does not take; a read is given up after a sixth
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 120,
        env = "AKIDB_EDGE_PATIENCE",
        global = true,
        hide = true
    )]
    pub patience: u64,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make the stack what the plan says
    Deploy(deploy::Args),
    /// Change or explain where names lead
    Route(route::Args),
    /// Undo the last run, go back to a revision, or take a fallback of the plan
    Rollback(rollback::Args),
    /// Show what is there, and with --drift what differs
    Status(status::Args),
    /// Remove the stack
    Destroy(destroy::Args),
    /// Say who you are, through what, to where, and what stands in the way of a deploy
    Doctor(doctor::Args),
    /// Look at the journal, free its lease, take the state out
    State(state::Args),
    /// Check things
    Validate(validate::Args),
    /// Make devices over SSH a GPU cluster, look at them, take them down
    Jetson(jetson::Args),
    /// Make the package of the function at the edge, and run it on this machine
    Edge(edge::Args),
    /// Turn texts into vectors: REST, gRPC and metrics
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    /// Fetch models from a hub; list, check, import, publish and remove them
    #[cfg(feature = "serve")]
    Models(models::Args),
    /// Answers OpenSSH's question about a host key
    #[command(hide = true)]
    KnownHost(known_host::Args),
    /// Loads a model on trial, for a server that runs
    #[cfg(feature = "serve")]
    #[command(hide = true)]
    TryModel,
    /// Write a report of what was done
    Report(report::Args),
    /// Print the completions for a shell
    Completions(completions::Args),
}

#[cfg(test)]
mod tests {
    use super::has_verb;

    #[test]
    fn verbs_are_those_of_the_command_line() {
        for there in ["report", "jetson provision", "jetson shutdown", "route cutover", "validate plan"] {
            assert!(has_verb(there), "{there}");
        }
        assert_eq!(has_verb("serve"), cfg!(feature = "serve"));
        for none in ["", "jetson", "validate latency", "deploy observability", "replicate metadata", "jetson fly"] {
            assert!(!has_verb(none), "{none}");
        }
    }
}
