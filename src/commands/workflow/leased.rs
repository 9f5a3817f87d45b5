//! The lease of a verb that changes something, from the moment it is asked for until it is given back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::Context;
use crate::exit::{Failure, codes};
use crate::ledger::{Lease, Ledger, LedgerError, Store};
use crate::resource::{RunPurpose, shown};

/// A store that does not answer must not hold up the end of the process for longer.
const GIVING_BACK: Duration = Duration::from_secs(5);

/// What must go back when a verb is given up before it changed anything: a lease for each journal that it was to write.
#[derive(Default)]
pub struct HeldLeases {
    leases: Mutex<Vec<(Arc<dyn Store>, Lease)>>,
    /// Of each journal that is open, whether something has been written.
    begun: Mutex<Vec<Arc<AtomicBool>>>,
}

impl HeldLeases {
    /// Whether nothing has been written under a lease.
    fn may_be_given_up(&self) -> bool {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.iter().all(|begun| !begun.load(Ordering::Acquire))
    }

    /// Gives the leases back that were taken. One that is somebody else's meanwhile stays.
    async fn give_back(&self) {
        let held = std::mem::take(&mut *self.leases.lock().unwrap_or_else(PoisonError::into_inner));
        for (store, lease) in held {
            // A lease that cannot be given back ends by itself.
            let _ = tokio::time::timeout(GIVING_BACK, store.release(&lease)).await;
        }
    }
}

/// From here on a signal does not give the verb up: the verb looks at the signal itself and ends in order, with what it has so far.
pub fn end_in_order(context: &Context) {
    context.session.interrupts.listen();
    context.held.begun.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(AtomicBool::new(true)));
}

/// Takes the lease on a stack and opens its journal for writing. From here on a signal ends the verb in order.
///
/// # Errors
/// When somebody else holds the lease, or the journal cannot be read.
pub async fn write(
    context: &Context,
    store: Arc<dyn Store>,
    stack: &str,
    command: &str,
    purpose: RunPurpose,
) -> Result<Ledger, LedgerError> {
    let lease = Lease::new(&context.session.user, &context.session.host, command).meant_for(purpose);
    let lease = lease.lasting(Duration::from_secs(context.global.lease_ttl));
    context.session.interrupts.listen();
    let held = &context.held;
    held.leases.lock().unwrap_or_else(PoisonError::into_inner).push((Arc::clone(&store), lease.clone()));
    let ledger = Ledger::write(store, stack, lease).await?;
    held.begun.lock().unwrap_or_else(PoisonError::into_inner).push(ledger.begun());
    Ok(ledger)
}

/// Why a journal cannot be written, as a failure. A lease of somebody else is taken away with the command that is named, in
/// full: without a terminal (`can_ask`) it needs --yes.
pub fn not_written(bad: LedgerError, stack: &str, can_ask: bool) -> Failure {
    let held = matches!(bad, LedgerError::Locked(_));
    let mut failure = Failure::from(bad);
    if held {
        let yes = if can_ask { "" } else { " --yes" };
        failure.next_step = shown!(
            "wait until that run ends; if its process no longer exists: akidb-edge state unlock --stack {}{}",
            stack,
            yes
        );
    }
    failure
}

/// What a verb answers, unless a signal comes before it has written anything: then the lease goes back, and nothing was done.
/// Later, the run itself looks at the signal and finishes what is under way.
///
/// # Errors
/// The verb's, or that it was interrupted.
pub async fn unless_interrupted(
    context: &Context,
    verb: impl Future<Output = Result<u8, Failure>>,
) -> Result<u8, Failure> {
    let interrupted = async {
        context.session.interrupts.asked().await;
        if !context.held.may_be_given_up() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        answer = verb => answer,
        () = interrupted => {
            context.held.give_back().await;
            Err(codes::INTERRUPTED.refused("interrupted: nothing was done", "run the same command again"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_takes_a_lease_away_is_named_in_full() {
        let next = |can_ask: bool| {
            let held = LedgerError::Locked(Box::new(Lease::new("me", "here", "deploy")));
            not_written(held, "shop", can_ask).next_step.to_string()
        };
        assert!(next(true).ends_with("akidb-edge state unlock --stack shop"), "{}", next(true));
        assert!(next(false).ends_with("akidb-edge state unlock --stack shop --yes"), "{}", next(false));
        let other = not_written(LedgerError::Broken("there".to_owned()), "shop", false);
        assert!(!other.next_step.contains("unlock"), "{other}");
    }
}
