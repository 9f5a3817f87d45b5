//! `replicate restore`: a database as it was at a transaction or at a time.

use std::path::PathBuf;

use serde_json::json;

use super::place::{self, ReplicaPlace, TrustArgs};
use crate::commands::Context;
use crate::exit::{self, Failure, codes};
use crate::replica::restore::{self, RestoreFault};
use crate::replica::{RestoreOptions, RestorePlan, RestorePoint};
use crate::report;
use crate::resource::shown;

/// Restore a database as it was at a transaction or a time.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where it is published: s3://BUCKET/PREFIX[?region=REGION] or file:FOLDER
    #[arg(long, value_name = "PLACE")]
    from: ReplicaPlace,
    /// The new file; an existing one is never overwritten
    #[arg(long, value_name = "DB")]
    db: PathBuf,
    /// latest, a transaction ID (16 hex digits), or a time such as 2026-12-01T08:00:00Z
    #[arg(long, value_name = "TIME|TXID", default_value = "latest")]
    at: RestorePoint,
    #[command(flatten)]
    trust: TrustArgs,
    /// Show what would be read; write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Restores.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let store = place::one(&args.from, context).await?;
    let mut options = RestoreOptions::new(store, args.trust.read()?, args.db.clone());
    options.at = args.at;
    if args.dry_run {
        let plan = restore::plan(&options).await?;
        tell(&plan, None, context);
        return Ok(exit::DONE);
    }
    let restored = restore::restore(&options).await?;
    tell(&restored.plan, Some(restored.proven), context);
    Ok(exit::DONE)
}

fn tell(plan: &RestorePlan, proven: Option<bool>, context: &Context) {
    let (txid, at) = (plan.txid.to_string(), plan.published_at.to_string());
    if context.global.json {
        let object = |one: &crate::replica::restore::PlannedObject| json!({"key": one.key, "bytes": one.size});
        let objects: Vec<_> = plan.objects.iter().map(object).collect();
        let body = json!({"txid": txid, "published_at": at, "objects": objects, "bytes": plan.bytes, "proven": proven});
        return context.printer.json("replicate-restore", &body);
    }
    let objects = report::counted(plan.objects.len(), "object");
    let what = if proven.is_some() { "restored" } else { "would restore" };
    context.printer.data(shown!("{} transaction {}, published {}: {}, {} bytes", what, txid, at, objects, plan.bytes));
    if proven == Some(false) {
        context.printer.remark("no signature proves these pages: only hashes and checksums were checked");
    }
}

impl From<RestoreFault> for Failure {
    fn from(fault: RestoreFault) -> Self {
        codes::REPLICA.error(shown!("{}", fault), "akidb-edge replicate status shows what is published there")
    }
}
