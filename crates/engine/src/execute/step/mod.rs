//! One step: announce, call, record the answer. If an answer was lost, the resource is looked up before the call is repeated.

mod put;
mod remove;

use std::time::Instant;

use super::RunContext;
use super::schedule::StepFailure;
use crate::change::{ChangePart, OrderNode};
use crate::ledger::Fact;
use crate::provider::retry::Backoff;
use crate::resource::{Action, Address, Event, Fault, FaultClass, Kind, Level, Untrusted};

pub use put::come_to;
pub use remove::{clear, holder};

/// Code of the fault that says: the run was asked to stop while this waited.
pub const STOPPED: &str = "Stopped";

/// How a step ended.
pub struct StepResult {
    /// Its address.
    pub address: Address,
    /// What the service calls it.
    pub id: String,
    /// Kind, action and milliseconds, when something was done.
    pub done: Option<(Kind, Action, u64)>,
    /// Why it is put off.
    pub deferred: Option<Untrusted>,
    /// It will not come any further: it is gone.
    pub is_final: bool,
}

impl StepResult {
    fn nothing(address: &Address, id: &str) -> Self {
        Self { address: address.clone(), id: id.to_owned(), done: None, deferred: None, is_final: false }
    }
}

/// Takes one step.
pub async fn take(work: &RunContext<'_>, node: &OrderNode) -> Result<StepResult, StepFailure> {
    let change = &work.changes.items[&node.address];
    let action = match (node.part, change.action) {
        (ChangePart::Remove, Action::Replace) => Action::Delete,
        (_, action) => action,
    };
    if node.part == ChangePart::Await {
        let id = change.found.as_ref().map_or("", |found| &found.id);
        return come_to(work, &node.address, id, Level::Usable).await;
    }
    let usual_seconds = work.usual_seconds(change.kind);
    work.tell(Event::Started { address: node.address.clone(), kind: change.kind, action, usual_seconds });
    let ended = match node.part {
        ChangePart::Put | ChangePart::Await => put::put(work, change).await,
        ChangePart::Remove => remove::remove(work, change).await,
    };
    if let Err(StepFailure::Fault(fault)) = &ended {
        give_up(work, &node.address, action, fault).await?;
    }
    ended
}

/// Tells and writes down that a step failed. What may have taken effect all the same stays open in the journal: the next
/// run looks at the real resources first.
async fn give_up(work: &RunContext<'_>, address: &Address, action: Action, fault: &Fault) -> Result<(), StepFailure> {
    if fault.code == STOPPED {
        return Ok(());
    }
    work.tell(Event::Failed { address: address.clone(), action, fault: fault.clone() });
    let may_be_there =
        matches!(fault.class, FaultClass::Retry | FaultClass::Unreachable | FaultClass::Away | FaultClass::Internal);
    if !may_be_there {
        let failed = Fact::Failed { action: action.in_journal(), address: address.clone(), fault: fault.clone() };
        work.journal(address).record(failed).await?;
    }
    Ok(())
}

/// Waits for the next try after a fault that may pass.
async fn again(work: &RunContext<'_>, address: &Address, backoff: &mut Backoff, fault: Fault) -> Result<(), Fault> {
    let Some(pause) = backoff.after(&fault) else { return Err(backoff.told(fault)) };
    let after_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    let why = format!("tried again after {}", fault.code.line());
    work.tell(Event::Retrying { address: address.clone(), attempt: backoff.attempt, after_ms, fault });
    let mut stop = work.stop.clone();
    tokio::select! {
        () = tokio::time::sleep(pause) => Ok(()),
        Ok(_) = stop.wait_for(|stop| *stop) => Err(Fault::new(FaultClass::Retry, "akidb-edge", "retry", STOPPED, why)
            .next("run the same command again to continue")),
    }
}

fn millis(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn how_long_a_step_took_is_told_in_milliseconds() {
        let begun = Instant::now().checked_sub(Duration::from_secs(5)).expect("this machine runs for longer");
        let took = millis(begun);
        assert!((5_000..3_600_000).contains(&took), "{took}");
    }
}
