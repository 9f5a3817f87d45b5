//! The environment of a run: read once, kept as plain fields.

use std::collections::BTreeMap;
use std::env;
use std::io::IsTerminal;
use std::time::Duration;

use crate::interrupts::Interrupts;
use crate::provider::aws::{AwsAccess, CERTIFICATE_WAIT};
use crate::provider::retry::RetryPolicy;

/// Environment variables that set plan variables begin like this.
const VARIABLE_PREFIX: &str = "AKIDB_EDGE_VAR_";

/// The surroundings of a run.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who runs it.
    pub user: String,
    /// On which machine.
    pub host: String,
    /// How the account is reached.
    pub access: AwsAccess,
    /// How long a service in trouble is tried.
    pub retry_policy: RetryPolicy,
    /// How long a certificate that is not validated is waited for.
    pub certificate_wait: Duration,
    /// Plan variables from the environment.
    pub variables: BTreeMap<String, String>,
    /// Whether a person sees standard error as it comes.
    pub terminal: bool,
    /// Whether a person can answer a question.
    pub can_ask: bool,
    /// Whether only failures are to be said.
    pub quiet: bool,
    /// Whether colors are wanted.
    pub color: bool,
    /// The command line, to say how to go on. It may hold values that nobody else should see: it is never written down.
    pub again: String,
    /// Signals that ask the process to end.
    pub interrupts: Interrupts,
    /// Width of the terminal in columns; as wide as can be when there is none.
    pub width: u16,
}

impl Session {
    /// Looks around.
    pub fn read(no_color: bool, route53_per_second: f64, retry_policy: Duration) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let variables =
            env::vars().filter_map(|(key, value)| Some((key.strip_prefix(VARIABLE_PREFIX)?.to_owned(), value)));
        Self {
            user: user(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            access: AwsAccess {
                region: None,
                endpoint: None,
                route53_per_second: (route53_per_second > 0.0).then_some(route53_per_second),
            },
            retry_policy: RetryPolicy::of(retry_policy),
            certificate_wait: CERTIFICATE_WAIT,
            variables: variables.collect(),
            terminal,
            can_ask: terminal && std::io::stdin().is_terminal(),
            quiet: false,
            color: has_colors(terminal, no_color),
            again: std::iter::once("akidb-edge".to_owned()).chain(env::args().skip(1)).collect::<Vec<_>>().join(" "),
            interrupts: Interrupts::default(),
            width: console::Term::stdout().size_checked().map_or(u16::MAX, |(_, columns)| columns),
        }
    }
}

impl Session {
    /// The same, saying only failures.
    #[must_use]
    pub fn quietly(self, quiet: bool) -> Self {
        Self { quiet, ..self }
    }

    /// The same, with another time that certificates are waited for.
    #[must_use]
    pub fn waiting_for_certificates(self, certificate_wait: Duration) -> Self {
        Self { certificate_wait, ..self }
    }
}

/// Whether colors go to a stream: it is a terminal that has them, and neither the command line nor `NO_COLOR` forbids them.
pub fn has_colors(terminal: bool, no_color: bool) -> bool {
    let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    terminal && !no_color && !dumb && env::var_os("NO_COLOR").is_none()
}

/// Who runs it: the environment's word, else the name of the process's user in the system's list.
fn user() -> String {
    let said = env::var("USER").or_else(|_| env::var("LOGNAME")).ok().filter(|name| !name.is_empty());
    said.or_else(|| {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().next()?.to_owned();
        let users = std::fs::read_to_string("/etc/passwd").ok()?;
        users
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find_map(|fields| (fields.get(2) == Some(&uid.as_str())).then(|| fields[0].to_owned()))
    })
    .unwrap_or_else(|| "unknown".to_owned())
}
