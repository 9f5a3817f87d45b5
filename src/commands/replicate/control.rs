//! `replicate pause` and `resume`.

use std::time::Duration;

use super::place::{self, ReplicaPlace};
use crate::commands::Context;
use crate::exit::{self, Failure, codes};
use crate::replica::control::{self, ControlFault, Pause};
use crate::resource::shown;

/// One call of a store.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Stop publishing and following until resume.
#[derive(Debug, clap::Args)]
pub struct PauseArgs {
    /// Locations to pause: s3://BUCKET/PREFIX[?region=REGION] or file:FOLDER
    #[arg(long, value_name = "PLACE", required = true, value_delimiter = ',')]
    location: Vec<ReplicaPlace>,
    /// Reason, shown to everyone who finds it paused
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Go on after a pause.
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// Locations to resume: s3://BUCKET/PREFIX[?region=REGION] or file:FOLDER
    #[arg(long, value_name = "PLACE", required = true, value_delimiter = ',')]
    location: Vec<ReplicaPlace>,
}

/// Pauses.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn pause(args: &PauseArgs, context: &Context) -> Result<u8, Failure> {
    let by = format!("{}@{}", context.session.user, context.session.host);
    let wanted = Pause { by, at: jiff::Timestamp::now(), reason: args.reason.clone() };
    for target in place::open(&args.location, context).await? {
        let held = control::pause(&target.store, &wanted, TIMEOUT).await?;
        context.printer.data(shown!("{}: paused by {}: {}", target.name, held.by, held.reason));
    }
    Ok(exit::DONE)
}

/// Resumes.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn resume(args: &ResumeArgs, context: &Context) -> Result<u8, Failure> {
    for target in place::open(&args.location, context).await? {
        match control::resume(&target.store, TIMEOUT).await? {
            Some(pause) => context.printer.data(shown!("{}: resumed (was paused by {})", target.name, pause.by)),
            None => context.printer.data(shown!("{}: was not paused", target.name)),
        }
    }
    Ok(exit::DONE)
}

impl From<ControlFault> for Failure {
    fn from(fault: ControlFault) -> Self {
        codes::REPLICA.error(shown!("{}", fault), "akidb-edge replicate status shows what is published there")
    }
}
