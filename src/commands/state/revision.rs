//! A revision that only changes the journal: no call is made.

use crate::commands::Context;
use crate::commands::workflow::{self, RunLabel};
use crate::exit::{Failure, codes};
use crate::ledger::{Fact, Ledger};
use crate::resource::{RunPurpose, RunStatus, StackState};

/// The journal of a stack: under a lease, unless the verb only looks.
///
/// # Errors
/// When somebody else holds the lease, or the journal cannot be read.
pub async fn open(
    context: &Context,
    stack: &str,
    command: &str,
    purpose: RunPurpose,
    only_looks: bool,
) -> Result<Ledger, Failure> {
    let store = workflow::store(&context.global, &context.session, stack, None).await?;
    if only_looks {
        return Ok(Ledger::read(store, stack).await?);
    }
    let ledger = workflow::write(context, store, stack, command, purpose).await;
    ledger.map_err(|bad| workflow::not_written(bad, stack, context.session.can_ask))
}

/// Asks, unless that was answered on the command line.
///
/// # Errors
/// When nobody can be asked, or the answer is no.
pub fn confirm(question: &'static str, yes: bool, context: &Context) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !context.session.can_ask {
        let next = "review the list above, then add --yes";
        return Err(
            codes::NO_TERMINAL.refused("nothing was done: cannot ask for confirmation without a terminal", next)
        );
    }
    if context.printer.ask(question) { Ok(()) } else { Err(Failure::cancelled()) }
}

/// Writes these facts as a revision of their own.
///
/// # Errors
/// When the journal cannot be written.
pub async fn record(
    ledger: &Ledger,
    before: &StackState,
    (command, kind): (&str, RunPurpose),
    context: &Context,
    facts: Vec<Fact>,
) -> Result<(), Failure> {
    let purpose = RunLabel {
        command: command.to_owned(),
        kind,
        requested: before.requested.clone(),
        fallback: before.fallback.clone(),
    };
    let account = before.account.clone().unwrap_or_default();
    ledger.record(workflow::began(before, &purpose, &context.session, &account, &[])).await?;
    for fact in facts {
        ledger.record(fact).await?;
    }
    ledger.record(Fact::RunEnded { ending: RunStatus::Done, changes: 0 }).await?;
    Ok(())
}
