//! `replicate follow`: keeps a replica up to date beneath readers that have it open.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::metrics::{MetricsFile, MetricsTask};
use super::place::{self, ReplicaPlace, TrustArgs, duration, seconds};
use crate::commands::{Context, workflow};
use crate::exit::{self, Failure, codes};
use crate::replica::follow::{FollowEvent, FollowObserver};
use crate::replica::{FollowFault, FollowOptions, Follower};
use crate::report::Printer;
use crate::resource::shown;

/// Keep a local replica up to date; readers keep it open.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where it is published: s3://BUCKET/PREFIX[?region=REGION] or file:FOLDER
    #[arg(long, value_name = "PLACE")]
    from: ReplicaPlace,
    /// The replica's file
    #[arg(long, value_name = "DB")]
    db: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    /// Look for changes at this interval: one conditional GET each
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    poll_interval: Duration,
    /// Warn, and with --once fail, when the replica is older than this
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_staleness: Option<Duration>,
    /// Bring it up to date once and exit
    #[arg(long)]
    once: bool,
    /// Write metrics (Prometheus text) to this file, for node_exporter's textfile collector
    #[arg(long, value_name = "FILE.prom")]
    metrics_file: Option<PathBuf>,
}

/// Follows until it is asked to end.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    if !args.once {
        workflow::end_in_order(context);
    }
    let store = place::one(&args.from, context).await?;
    let mut options = FollowOptions::new(store, &args.db, args.trust.read()?);
    options.poll = args.poll_interval;
    options.max_staleness = args.max_staleness;
    let metrics = args.metrics_file.as_deref().map(MetricsFile::at).transpose()?;
    let mut follower = Follower::new(options, Arc::new(EventPrinter { printer: context.printer.clone() }));
    let written = metrics.map(|file| file.keep(follower.metrics()));
    let ended = if args.once {
        once(&mut follower, args, context).await
    } else {
        let stop = context.session.interrupts.clone();
        follower.run(async move { stop.asked().await }).await.map(|()| exit::DONE).map_err(Failure::from)
    };
    if let Some(written) = written {
        MetricsTask::end(written).await;
    }
    ended
}

async fn once(follower: &mut Follower, args: &Args, context: &Context) -> Result<u8, Failure> {
    let synced = follower.sync().await?;
    let position = &synced.position;
    if let Some(allowed) = args.max_staleness {
        position.require(allowed, jiff::Timestamp::now()).map_err(|bad| {
            codes::REPLICA.error(shown!("{}", bad), "akidb-edge replicate status shows what the primary does")
        })?;
    }
    if context.global.json {
        let body = json!({
            "txid": position.txid.to_string(), "published_at": position.published_at.to_string(),
            "changed": synced.changed, "bytes": synced.bytes,
        });
        context.printer.json("replicate-follow", &body);
    } else {
        let at = position.published_at.to_string();
        context.printer.data(shown!("transaction {}, published {}", position.txid.to_string(), at));
    }
    Ok(exit::DONE)
}

/// Says what happens to the replica.
struct EventPrinter {
    printer: Printer,
}

impl FollowObserver for EventPrinter {
    fn event(&self, event: &FollowEvent) {
        let printer = &self.printer;
        match event {
            FollowEvent::Applied { txid, bytes, lag, .. } => printer.talk(shown!(
                "transaction {}, {} bytes, {} s after it was published",
                txid.to_string(),
                bytes,
                seconds(*lag)
            )),
            FollowEvent::Retrying { why, pause } if printer.verbose > 0 => {
                printer.talk(shown!("{}; again in {} s", why, seconds(*pause)));
            }
            FollowEvent::Refused { why } => printer.remark(shown!("refused, the replica is unchanged: {}", why)),
            FollowEvent::Stalled { staleness, why } => {
                printer.remark(shown!("the replica is {} s old: {}", seconds(*staleness), why));
            }
            FollowEvent::CaughtUp { txid } => printer.talk(shown!("up to date, transaction {}", txid.to_string())),
            FollowEvent::Paused { by } => {
                printer.remark(shown!("paused by {}; akidb-edge replicate resume continues it", by));
            }
            FollowEvent::Resumed => printer.talk("resumed"),
            FollowEvent::Retrying { .. } => {}
        }
    }
}

impl From<FollowFault> for Failure {
    fn from(fault: FollowFault) -> Self {
        codes::REPLICA.error(
            shown!("{}", fault),
            "correct what is named, then run the same command again: readers keep what they have",
        )
    }
}
