//! `known-host`: what OpenSSH asks this program about a host key (`KnownHostsCommand`). Not for people.

use std::io::Write;
use std::path::PathBuf;

use crate::exit::{self, Failure, codes};
use crate::provider::device::{HostKeyQuery, known_host};
use crate::report;
use crate::resource::shown;

/// The tokens of `KnownHostsCommand`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The only fingerprint that is right
    #[arg(long)]
    pin: Option<String>,
    /// Write down what was shown, and answer no
    #[arg(long)]
    record: Option<PathBuf>,
    /// Reason, host, key type, fingerprint, key
    #[arg(num_args = 5, required = true)]
    shown: Vec<String>,
}

/// Answers.
///
/// # Errors
/// When what was shown cannot be written down.
pub fn run(args: &Args) -> Result<u8, Failure> {
    let [reason, host, kind, fingerprint, key] = args.shown.as_slice() else { return Ok(exit::ERROR) };
    let shown = HostKeyQuery {
        reason: reason.clone(),
        host: host.clone(),
        kind: kind.clone(),
        fingerprint: fingerprint.clone(),
        key: key.clone(),
    };
    if let Some(file) = &args.record {
        let line = format!("{reason} {host} {kind} {fingerprint} {key}\n");
        let written =
            std::fs::OpenOptions::new().append(true).open(file).and_then(|mut file| file.write_all(line.as_bytes()));
        written.map_err(|bad| codes::OUTPUT_FILE.error(shown!("{}: {}", file.display(), bad), ""))?;
    }
    if let Some(line) = args.pin.as_ref().and_then(|pin| known_host(&shown, pin)) {
        report::put(shown!("{}", line));
    }
    Ok(exit::DONE)
}
