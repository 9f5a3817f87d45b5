//! `replicate metadata`: publishes the database of the primary.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::metrics::{MetricsFile, MetricsTask};
use super::place::{self, ReplicaPlace, duration, seconds};
use super::registry::WatchedRegistry;
use crate::commands::{Context, workflow};
use crate::exit::{self, Failure, codes};
use crate::replica::publish::TargetResult;
use crate::replica::{Observer, PublishEvent, PublishFault, PublishOptions, Publisher, Retention, SigningKey};
use crate::report::Printer;
use crate::resource::shown;

/// Publish the metadata database of the primary region to one bucket per region.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// SQLite database of the primary
    #[arg(long, value_name = "DB")]
    primary: PathBuf,
    /// Places to publish to, one per region: s3://BUCKET/PREFIX[?region=REGION] or file:FOLDER
    #[arg(long, value_name = "PLACE", required = true, value_delimiter = ',')]
    to: Vec<ReplicaPlace>,
    #[command(flatten)]
    when: When,
    /// Private key (PEM) that signs what is published
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Publish unsigned: readers then need --unsigned
    #[arg(long, conflicts_with = "key")]
    unsigned: bool,
    /// Folder for copies and for what is not delivered yet; needs as much room as the database
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
    /// Keep snapshots for this long
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
    retention: Duration,
    /// Keep at most this many snapshots
    #[arg(long, value_name = "N", default_value_t = 336)]
    max_snapshots: usize,
    /// Also write the model registry of this place into the database whenever deploy has changed it
    #[arg(long, value_name = "PLACE")]
    registry: Option<ReplicaPlace>,
    /// Publish although another primary holds the lease: only when that primary is gone for good
    #[arg(long)]
    take_over: bool,
    /// Write metrics (Prometheus text) to this file, for node_exporter's textfile collector
    #[arg(long, value_name = "FILE.prom")]
    metrics_file: Option<PathBuf>,
}

/// When it publishes: every five minutes unless said otherwise.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct When {
    /// Publish one snapshot and exit
    #[arg(long)]
    once: bool,
    /// Publish a snapshot at this interval when something changed
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    interval: Duration,
    /// Publish each change as it is committed
    #[arg(long)]
    continuous: bool,
}

/// Publishes until it is asked to end.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    if !args.when.once {
        workflow::end_in_order(context);
    }
    let options = args.options(context).await?;
    let mut registry = None;
    if let Some(place) = &args.registry {
        let mut kept = WatchedRegistry::at(place, &args.primary, context).await?;
        kept.first().await?;
        registry = Some(kept);
    }
    let metrics = args.metrics_file.as_deref().map(MetricsFile::at).transpose()?;
    let tell = Arc::new(EventPrinter { printer: context.printer.clone() });
    let mut publisher = Publisher::new(options, tell)?;
    let written = metrics.map(|file| file.keep(publisher.metrics()));
    let kept = registry.filter(|_| !args.when.once).map(|registry| tokio::spawn(registry.keep()));
    let stop = context.session.interrupts.clone();
    let ended = if args.when.once {
        publisher.once().await.map(|deliveries| told(&deliveries, context))
    } else if args.when.continuous {
        publisher.continuous(async move { stop.asked().await }).await.map(|()| exit::DONE)
    } else {
        publisher.every(args.when.interval, async move { stop.asked().await }).await.map(|()| exit::DONE)
    };
    if let Some(kept) = kept {
        kept.abort();
    }
    if let Some(written) = written {
        MetricsTask::end(written).await;
    }
    Ok(ended?)
}

impl Args {
    async fn options(&self, context: &Context) -> Result<PublishOptions, Failure> {
        if self.key.is_none() && !self.unsigned {
            return Err(codes::ARGUMENT.refused(
                "no key is given: readers could not verify that the primary wrote what they read",
                "add --key FILE (akidb-edge replicate key writes a pair), or --unsigned",
            ));
        }
        let targets = place::open(&self.to, context).await?;
        let beside = || {
            let mut name = self.primary.file_name().unwrap_or_default().to_owned();
            name.push(".replicate");
            self.primary.with_file_name(name)
        };
        let scratch = self.scratch.clone().unwrap_or_else(beside);
        let path = std::path::absolute(&self.primary)?;
        let holder = format!("{}:{}", context.session.host, path.display());
        let mut options = PublishOptions::new(&self.primary, &scratch, targets, &holder);
        options.key = match &self.key {
            Some(file) => {
                let key = SigningKey::from_file(file).map_err(|bad| {
                    codes::ARGUMENT.refused(shown!("{}", bad), "akidb-edge replicate key writes a key pair")
                })?;
                Some(Arc::new(key))
            }
            None => None,
        };
        options.take_over = self.take_over;
        options.retention =
            Retention { age: self.retention, at_most: self.max_snapshots.max(2), ..Retention::default() };
        Ok(options)
    }
}

/// Says how a single publication went, and gives the exit code: 0 everywhere, 2 in some places, 1 nowhere.
fn told(deliveries: &[TargetResult], context: &Context) -> u8 {
    let done = deliveries.iter().filter(|delivery| delivery.outcome.is_ok()).count();
    let code = match done {
        0 => exit::ERROR,
        some if some < deliveries.len() => exit::PENDING,
        _ => exit::DONE,
    };
    let row = |delivery: &TargetResult| match &delivery.outcome {
        Ok(done) => {
            json!({"target": delivery.target, "txid": done.txid.to_string(), "changed": done.changed, "bytes": done.bytes})
        }
        Err(bad) => json!({"target": delivery.target, "problem": bad.to_string()}),
    };
    if context.global.json {
        let body = json!({"targets": deliveries.iter().map(row).collect::<Vec<_>>(), "exit": code});
        context.printer.json("replicate-metadata", &body);
        return code;
    }
    for delivery in deliveries {
        match &delivery.outcome {
            Ok(done) => {
                let what = if done.changed { "published" } else { "unchanged" };
                context.printer.data(shown!("{}: {} at transaction {}", delivery.target, what, done.txid.to_string()));
            }
            Err(bad) => context.printer.failure(shown!("{}: {}", delivery.target, bad)),
        }
    }
    code
}

/// Says what happens while it publishes.
struct EventPrinter {
    printer: Printer,
}

impl Observer for EventPrinter {
    fn event(&self, event: &PublishEvent) {
        let printer = &self.printer;
        match event {
            PublishEvent::Snapshot { txid, pages, took, .. } => printer.talk(shown!(
                "snapshot of {} pages at transaction {}, checked, in {} s",
                pages,
                txid.to_string(),
                seconds(*took)
            )),
            PublishEvent::Published { target, txid, bytes, lag } if printer.verbose > 0 => printer.talk(shown!(
                "{}: transaction {}, {} bytes, {} s behind",
                target,
                txid.to_string(),
                bytes,
                seconds(*lag)
            )),
            PublishEvent::Retrying { target, why, pause } if printer.verbose > 0 => {
                printer.talk(shown!("{}: {}; again in {} s", target, why, seconds(*pause)));
            }
            PublishEvent::Stalled { target, lag, why } => {
                printer.remark(shown!("{}: changes have waited for {} s: {}", target, seconds(*lag), why))
            }
            PublishEvent::CaughtUp { target, txid } => {
                printer.talk(shown!("{}: has all changes again, transaction {}", target, txid.to_string()));
            }
            PublishEvent::WalHeld { bytes } => printer
                .remark(shown!("the WAL has {} bytes and cannot be emptied: a connection reads an old state", bytes)),
            PublishEvent::Paused { by } => {
                printer.remark(shown!("paused by {}; akidb-edge replicate resume continues it", by))
            }
            PublishEvent::Resumed => printer.talk("resumed"),
            PublishEvent::Removed { target, objects } if printer.verbose > 0 => {
                printer.talk(shown!("{}: removed {} old objects", target, objects));
            }
            _ => {}
        }
    }
}

impl From<PublishFault> for Failure {
    fn from(fault: PublishFault) -> Self {
        match &fault {
            PublishFault::Fenced { .. } | PublishFault::Held { .. } => codes::FENCED.error(
                shown!("{}", fault),
                "stop one of the two primaries; use --take-over only if the other will not run again",
            ),
            _ => codes::REPLICA.error(
                shown!("{}", fault),
                "correct what is named, then run the same command again: what is published already stays",
            ),
        }
    }
}
