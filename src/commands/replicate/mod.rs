//! `replicate`: SQLite databases that are published to buckets, and followed, restored and verified from there.

mod control;
mod follow;
mod key;
mod lag;
mod metrics;
mod place;
mod publish;
mod registry;
mod restore;
mod status;
mod verify;

pub use metrics::FORMER as FORMER_METRICS;
pub use place::{ReplicaPlace, TrustArgs, open};

use clap::Subcommand;

use super::Context;
use crate::exit::Failure;

/// Replicate a SQLite database to buckets; follow, restore and verify replicas.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Publish the metadata database of the primary region to one bucket per region
    Metadata(publish::Args),
    /// Keep a local replica up to date; readers keep it open
    Follow(follow::Args),
    /// Restore a database as it was at a transaction or a time
    Restore(restore::Args),
    /// Replay the newest chain into a scratch file and check it (exit code 0 good, 1 bad, 2 inconclusive)
    Verify(verify::Args),
    /// Show the last transaction, lag, chain length and request cost of each bucket
    Status(status::Args),
    /// Stop publishing and following until resume
    Pause(control::PauseArgs),
    /// Go on after a pause
    Resume(control::ResumeArgs),
    /// Write the model registry that deploy put into a bucket into the database of the primary
    Registry(registry::Args),
    /// Write a new key pair: the primary signs with it, readers verify with its public part
    Key(key::Args),
}

/// Replicates.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    match args.what {
        What::Metadata(args) => publish::run(&args, context).await,
        What::Follow(args) => follow::run(&args, context).await,
        What::Restore(args) => restore::run(&args, context).await,
        What::Verify(args) => verify::run(&args, context).await,
        What::Status(args) => status::run(&args, context).await,
        What::Pause(args) => control::pause(&args, context).await,
        What::Resume(args) => control::resume(&args, context).await,
        What::Registry(args) => registry::run(&args, context).await,
        What::Key(args) => key::run(&args, context),
    }
}
