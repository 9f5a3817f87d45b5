//! `state unlock`: releases the lease of a holder that no longer runs.

use std::sync::Arc;

use serde_json::json;

use super::Which;
use crate::commands::{Context, workflow};
use crate::exit::{self, Failure, codes};
use crate::ledger::{Holder, Lease, Ledger, LedgerError, Store};
use crate::resource::{SafeText, StackState, shown};

/// Whose lease, and whether to ask.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Skip the confirmation prompt
    #[arg(short, long)]
    yes: bool,
}

/// A lease as JSON documents have it.
pub fn lease_document(lease: &Lease, this_host: &str) -> serde_json::Value {
    json!({"user": lease.user, "host": lease.host, "process": lease.pid, "command": lease.command,
           "since": lease.since, "expires": lease.expires, "holder": lease.holder(this_host)})
}

/// Frees the lease. Only a holder that may be alive is asked about: any other would be taken over by the next run.
pub async fn run(unlock: &Args, context: &Context) -> Result<u8, Failure> {
    let stack = unlock.which.stack(context)?;
    let store = workflow::store(&context.global, &context.session, &stack, None).await?;
    let tell = |lease: Option<&Lease>, words: SafeText| {
        if context.global.json {
            let held = lease.map(|lease| lease_document(lease, &context.session.host));
            let document = json!({"stack": stack, "exit": exit::DONE, "unlocked": lease.is_some(), "lease": held});
            context.printer.json("state-unlock", &document);
        } else {
            context.printer.data(words);
        }
    };
    let Some(lease) = store.lease().await?.filter(|lease| !lease.is_cut_off()) else {
        tell(None, shown!("{}: the lease is free", stack));
        return Ok(exit::DONE);
    };
    let holder = shown!(
        "{}@{} (process {}, {}) since {}, until {}",
        lease.user,
        lease.host,
        lease.pid,
        lease.command,
        format!("{:.0}", lease.since),
        format!("{:.0}", lease.expires)
    );
    let standing = lease.holder(&context.session.host);
    if standing == Holder::Alive && !unlock.yes {
        if !context.session.can_ask {
            return Err(codes::LIVE_LEASE
                .refused(shown!("{} is held by {}", stack, holder), "if that process no longer runs, add --yes"));
        }
        if !context.printer.ask(shown!("{} is held by {}. Release the lease?", stack, holder)) {
            return Err(Failure::cancelled());
        }
    }
    let before = before_it(&lease, Arc::clone(&store), &stack).await;
    store.break_lease().await?;
    let nothing = match before {
        Some(now) => {
            marked(store.acquire(&lease.cut_off()).await, &lease, &now)?;
            nothing_to_undo(&lease, &now)
        }
        None => SafeText::default(),
    };
    let then = match standing {
        Holder::Alive => "if that process is still running, its next write is refused",
        Holder::Gone => "that process no longer exists",
        Holder::Expired => "it had ended; if that process is still running, its next write is refused",
    };
    tell(Some(&lease), shown!("{}: the lease of {} was released; {}{}", stack, holder, then, nothing));
    Ok(exit::DONE)
}

/// The state that a command found which never began: what it was for has no revision, and there is one before it. None for any
/// other command, and when the journal cannot be read.
async fn before_it(lease: &Lease, store: Arc<dyn Store>, stack: &str) -> Option<StackState> {
    let ledger = Ledger::read(store, stack).await.ok()?;
    let entries = ledger.entries().await.ok()?;
    let now = ledger.recorded();
    (!now.runs.is_empty() && !lease.has_begun(&entries)).then_some(now)
}

/// Whether the mark stands that the command of the lease which was taken away changed nothing. A run that took the lease meanwhile has
/// it: then there is nothing to keep.
///
/// # Errors
/// When it could not be written: what was done all the same, and what a rollback would do without it.
fn marked(written: Result<(), LedgerError>, lease: &Lease, now: &StackState) -> Result<(), Failure> {
    let bad = match written {
        Ok(()) | Err(LedgerError::Locked(_)) => return Ok(()),
        Err(bad) => bad,
    };
    let last = now.runs.last().map_or_else(SafeText::default, |run| shown!(" ({})", run.command));
    Err(codes::JOURNAL_FILE.error(
        shown!(
            "the lease of {}@{} was released, but the note that `{}` changed nothing could not be written: {}",
            lease.user,
            lease.host,
            lease.command,
            bad
        ),
        shown!(
            "the next run can begin; there is nothing of that command to undo: akidb-edge rollback without --to would undo \
             revision {}{} of {}, the run before it",
            now.revision(),
            last,
            now.stack
        ),
    ))
}

/// A rollback would undo the run before it.
fn nothing_to_undo(lease: &Lease, now: &StackState) -> SafeText {
    let ended = shown!(
        "\n{} of {}@{} was ended before it changed anything: there is nothing of it to undo",
        lease.command,
        lease.user,
        lease.host
    );
    match now.runs.last() {
        Some(run) => shown!("{}; rollback would undo revision {} ({})", ended, run.revision, run.command),
        None => ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_that_was_not_written_is_an_error_that_says_what_was_done() {
        let (lease, now) = (Lease::new("me", "here", "deploy --plan p"), StackState::empty("shop"));
        assert!(marked(Ok(()), &lease, &now).is_ok());
        let taken = LedgerError::Locked(Box::new(Lease::new("other", "there", "deploy")));
        assert!(marked(Err(taken), &lease, &now).is_ok(), "somebody else runs already");
        let failed = marked(Err(LedgerError::Broken("there".to_owned())), &lease, &now).expect_err("it is not there");
        assert!(failed.problem.contains("was released, but the note that `deploy --plan p`"), "{failed}");
        assert!(failed.next_step.contains("rollback without --to would undo revision 0 of shop"), "{failed}");
    }
}
