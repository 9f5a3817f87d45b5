//! `replicate status`: what lies in each bucket, how old it is, and what it costs.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::lag::{Lags, Replicas};
use super::place::{self, ReplicaPlace, TrustArgs, seconds};
use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::replica::restore::RestoreFault;
use crate::replica::status::{Lag, Status, status};
use crate::report::counted;
use crate::resource::shown;

/// One call of a store.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Show the last transaction, lag, chain length and request cost of each bucket.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Places that are published to: s3://BUCKET/PREFIX[?region=REGION] or file:FOLDER
    #[arg(long, value_name = "PLACE", required = true, value_delimiter = ',')]
    from: Vec<ReplicaPlace>,
    #[command(flatten)]
    trust: TrustArgs,
    /// Replicas on this machine, whose lag is shown as well
    #[arg(long, value_name = "DB", value_delimiter = ',')]
    db: Vec<PathBuf>,
}

/// Looks at all places at the same time. Exit code 2 when one of them does not answer or has nothing.
///
/// # Errors
/// When a key or a place cannot be read.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let trust = args.trust.read()?;
    let targets = place::open(&args.from, context).await?;
    let looks = targets.iter().map(|target| status(&target.store, &trust, TIMEOUT));
    let all: Vec<Result<Status, RestoreFault>> = futures::future::join_all(looks).await;
    let newest = all.iter().flatten().map(|one| one.txid).max();
    let replicas = Replicas::read(&args.db);
    let done = all.iter().all(Result::is_ok) && replicas.are_all_known();
    let code = if done { exit::DONE } else { exit::PENDING };
    let now = jiff::Timestamp::now();
    let mut lags = Lags::default();
    let mut rows = Vec::new();
    for (target, seen) in targets.iter().zip(&all) {
        match seen {
            Ok(seen) => {
                let behind = newest.map_or(0, |newest| newest.0.saturating_sub(seen.txid.0));
                let lag = seen.lag(newest.unwrap_or_default(), now);
                lags.add(&target.name, lag);
                rows.push(row(&target.name, seen, behind, lag));
                if !context.global.json {
                    tell(&target.name, seen, behind, lag, context);
                }
            }
            Err(bad) => {
                lags.miss(&target.name);
                rows.push(json!({"target": target.name, "problem": bad.to_string()}));
                context.printer.remark(shown!("{}: {}", target.name, bad));
            }
        }
    }
    let copies = replicas.tell(newest, now, &mut lags, context);
    if context.global.json {
        let body = json!({"targets": rows, "replicas": copies, "lag": lags.document(), "exit": code});
        context.printer.json("replicate-status", &body);
    }
    Ok(code)
}

fn row(name: &str, seen: &Status, behind: u64, lag: Lag) -> Value {
    json!({
        "target": name, "txid": seen.txid.to_string(), "published_at": seen.published_at.to_string(),
        "age_seconds": seen.age.as_secs_f64(), "lag_seconds": lag.at_most.as_secs_f64(), "lag_of_primary": lag.of_primary,
        "transactions_behind_newest": behind, "continuous": seen.continuous,
        "bytes": seen.bytes, "objects": seen.objects, "chain_length": seen.chain_length,
        "snapshots": seen.snapshots.len(), "signed_by": seen.signed_by,
        "lease": seen.lease.as_ref().map(|lease| json!({"holder": lease.holder, "until": lease.until.to_string()})),
        "paused_by": seen.paused.as_ref().map(|pause| &pause.by),
        "cost_per_month": {"puts": seen.cost.puts, "put_usd": seen.cost.put_dollars, "lists": seen.cost.lists, "list_usd": seen.cost.list_dollars},
    })
}

fn tell(name: &str, seen: &Status, behind: u64, lag: Lag, context: &Context) {
    let printer = &context.printer;
    printer.data(shown!("{}: transaction {}, published {} s ago", name, seen.txid.to_string(), seconds(seen.age)));
    if behind > 0 {
        printer.data(shown!("  {} transactions behind the newest of these places", behind));
    }
    if lag.of_primary {
        printer.data(shown!("  at most {} s behind the primary", seconds(lag.at_most)));
    }
    printer.data(shown!(
        "  {}, {} bytes, {} since the last snapshot",
        counted(seen.objects, "object"),
        seen.bytes,
        seen.chain_length
    ));
    if let Some(lease) = &seen.lease {
        let what = if lease.released { "last held" } else { "held" };
        printer.data(shown!("  lease {} by {} until {}", what, lease.holder, lease.until.to_string()));
    }
    if let Some(pause) = &seen.paused {
        printer.data(shown!("  paused by {}: {}", pause.by, pause.reason));
    }
    let cost = &seen.cost;
    printer.data(shown!(
        "  about {} PUT ({} USD) and {} LIST ({} USD) per month at this pace",
        format!("{:.0}", cost.puts),
        format!("{:.2}", cost.put_dollars),
        format!("{:.0}", cost.lists),
        format!("{:.2}", cost.list_dollars)
    ));
}
