//! `replicate verify`: checks what is published.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::place::{self, ReplicaPlace, TrustArgs, duration};
use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::replica::{Sentinel, VerifyOptions, VerifyOutcome, VerifyReport, verify};
use crate::report::counted;
use crate::resource::shown;

/// Replay the newest chain into a scratch file and check it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where it is published: s3://BUCKET/PREFIX[?region=REGION] or file:FOLDER
    #[arg(long, value_name = "PLACE")]
    from: ReplicaPlace,
    #[command(flatten)]
    trust: TrustArgs,
    /// Write a sentinel row into this primary and wait until it is published
    #[arg(long, value_name = "DB")]
    sentinel: Option<PathBuf>,
    /// Wait this long for the sentinel
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    sentinel_timeout: Duration,
}

/// Verifies.
///
/// # Errors
/// When a key or the place cannot be read; what is wrong with the chain is the verdict.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let store = place::one(&args.from, context).await?;
    let scratch = tempfile::tempdir()?;
    let mut options = VerifyOptions::new(store, args.trust.read()?, scratch.path());
    options.sentinel.clone_from(&args.sentinel);
    options.sentinel_timeout = args.sentinel_timeout;
    let report = verify::verify(&options).await;
    Ok(tell(&report, context))
}

/// How the sentinel went, as data.
fn sentinel(sentinel: &Sentinel) -> Value {
    match sentinel {
        Sentinel::NotAsked => Value::Null,
        Sentinel::Returned(after) => json!({"status": "returned", "seconds": after.as_secs_f64()}),
        Sentinel::Lost => json!({"status": "lost"}),
        Sentinel::NotYet => json!({"status": "not_yet"}),
        Sentinel::Unwritten(why) => json!({"status": "not_written", "why": why}),
    }
}

fn tell(report: &VerifyReport, context: &Context) -> u8 {
    let (word, why, code) = match &report.verdict {
        VerifyOutcome::Good => ("good", None, exit::DONE),
        VerifyOutcome::Bad(why) => ("bad", Some(why), exit::ERROR),
        VerifyOutcome::Inconclusive(why) => ("inconclusive", Some(why), exit::PENDING),
    };
    let txid = report.txid.map(|txid| txid.to_string());
    if context.global.json {
        let body = json!({
            "verdict": word, "why": why, "txid": txid, "published_at": report.published_at.map(|at| at.to_string()),
            "objects": report.objects, "bytes": report.bytes, "proven": report.proven,
            "sentinel": sentinel(&report.sentinel), "exit": code,
        });
        context.printer.json("replicate-verify", &body);
        return code;
    }
    let at = txid.map_or_else(String::new, |txid| format!(" at transaction {txid}"));
    let objects = counted(report.objects, "object");
    context.printer.data(shown!("{}{}: {}, {} bytes", word, at, objects, report.bytes));
    if let Some(why) = why {
        context.printer.data(shown!("  {}", why));
    }
    code
}
