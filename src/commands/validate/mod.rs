//! `validate`: is the stack what the plan says, measured. Results are kept beside the journal for `report`. Nothing is changed, but by
//! `replication --write-test-objects` and by the probe functions of `latency --regions` and `edge --regions`, which are removed again.

mod all;
mod browser;
mod cdn;
mod checklist;
mod clean;
mod cost;
mod dns;
mod edge;
mod failover;
mod gate;
mod health_checks;
mod judge;
mod junit;
mod latency;
mod load;
mod machines;
mod measurements;
#[cfg(feature = "serve")]
mod metadata;
mod offline;
mod origin_regions;
mod plan_file;
mod production;
mod regions;
mod replication;
mod request;
mod steps;
mod storage;
mod vector;

pub use measurements::{Found, Measurement, hint, how, point};
pub use request::{ConnectionArgs, send};
pub use storage::{keep, kept};

use super::Context;
use crate::exit::Failure;

/// Check a plan file, or measure what is deployed and compare it with the plan.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Check a plan file against AWS's rules; no call is made, no credentials are needed
    Plan(plan_file::Args),
    /// Measure latency: percentiles with their confidence intervals against the limits
    Latency(latency::Args),
    /// Put load on the devices or on a URL: latency, throughput and errors
    Load(load::Args),
    /// Look at the distribution and its function, and measure the cache hit rate
    Cdn(cdn::Args),
    /// Compare where each continent is sent with the plan, with each region up and down
    Dns(dns::Args),
    /// Measure an outage while you break a region: detection, and what clients see
    Failover(failover::Args),
    /// Write test objects and measure how soon they are replicated
    Replication(replication::Args),
    /// Send requests through the function at the edge: answers, and the function's own time
    Edge(edge::Args),
    /// Open the page in the browsers of this machine: does it embed, how fast, and also offline
    Browser(browser::Args),
    /// Run the six checks of week 5 on a server before it takes traffic
    Production(production::Args),
    /// Download the models that a server offers for use without a network, and compare each file with its hash
    Offline(offline::Args),
    /// Look at the metadata database in the bucket of each region: how far is it behind its primary?
    #[cfg(feature = "serve")]
    Metadata(metadata::Args),
    /// Compare what the account pays for this month with the plan
    Cost(cost::Args),
    /// Go through the points before a week is closed, from what was measured
    Checklist(checklist::Args),
    /// Remove the probe functions that an interrupted run left
    Clean(clean::Args),
    /// Run every step of kind validate of a plan, one after the other
    All(all::Args),
}

/// Checks.
///
/// # Errors
/// When the plan has the wrong shape, or something cannot be measured at all.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    match args.what {
        What::Plan(args) => plan_file::run(&args, context),
        What::Latency(args) => latency::run(&args, context).await,
        What::Load(args) => load::run(&args, context).await,
        What::Cdn(args) => cdn::run(&args, context).await,
        What::Dns(args) => dns::run(&args, context).await,
        What::Failover(args) => failover::run(&args, context).await,
        What::Replication(args) => replication::run(&args, context).await,
        What::Edge(args) => edge::run(&args, context).await,
        What::Browser(args) => browser::run(&args, context).await,
        What::Production(args) => production::run(&args, context).await,
        What::Offline(args) => offline::run(&args, context).await,
        #[cfg(feature = "serve")]
        What::Metadata(args) => metadata::run(&args, context).await,
        What::Cost(args) => cost::run(&args, context).await,
        What::Checklist(args) => checklist::run(&args, context).await,
        What::Clean(args) => clean::run(&args, context).await,
        What::All(args) => all::run(&args, context).await,
    }
}
