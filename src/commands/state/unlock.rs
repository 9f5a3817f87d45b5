//! `state unlock`: the lease of a holder that is gone.

use super::Which;
use crate::commands::{Context, walk};
use crate::exit::{self, Failure};

/// Whose lease, and whether to ask.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Frees the lease.
pub async fn run(unlock: &Args, context: &Context) -> Result<u8, Failure> {
    let stack = unlock.which.stack(context)?;
    let store = walk::store(&context.global, &context.session, &stack, None).await?;
    let Some(lease) = store.lease().await? else {
        context.voice.data(&format!("{stack}: nobody holds the lease"));
        return Ok(exit::DONE);
    };
    let holder = format!(
        "{}@{} (process {}, {}) since {:.0}, until {:.0}",
        lease.user, lease.host, lease.pid, lease.command, lease.since, lease.expires
    );
    if !unlock.yes {
        if !context.session.can_ask {
            return Err(Failure::refused(
                format!("{stack} is held by {holder}"),
                "if that process is gone for good, add --yes",
            ));
        }
        if !context.voice.ask(&format!("{stack} is held by {holder}. Take the lease away?")) {
            return Err(Failure::refused("nothing was done", ""));
        }
    }
    store.break_lease().await?;
    context.voice.data(&format!(
        "{stack}: the lease of {holder} was taken away; if that process still lives, its next write is refused"
    ));
    Ok(exit::DONE)
}
