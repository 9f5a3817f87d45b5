//! The lease of a verb that changes something, from the moment it is asked for until it is given back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::Context;
use crate::exit::Failure;
use crate::ledger::{Lease, Ledger, LedgerError, Store};
use crate::resource::RunPurpose;

/// A store that does not answer must not hold up the end of the process for longer.
const GIVING_BACK: Duration = Duration::from_secs(5);

/// What must go back when a verb is given up before it changed anything.
#[derive(Default)]
pub struct Held(Mutex<Option<(Arc<dyn Store>, Lease)>>, Mutex<Option<Arc<AtomicBool>>>);

impl Held {
    /// Whether a lease was asked for, and nothing has been written under it.
    fn may_be_given_up(&self) -> bool {
        let begun = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        begun.as_ref().is_none_or(|begun| !begun.load(Ordering::Acquire))
    }

    /// Gives the lease back, if one was taken. One that is somebody else's meanwhile stays.
    async fn give_back(&self) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((store, lease)) = held {
            // A lease that cannot be given back ends by itself.
            let _ = tokio::time::timeout(GIVING_BACK, store.release(&lease)).await;
        }
    }
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
    *held.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(&store), lease.clone()));
    let ledger = Ledger::write(store, stack, lease).await?;
    *held.1.lock().unwrap_or_else(PoisonError::into_inner) = Some(ledger.begun());
    Ok(ledger)
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
            Err(Failure::refused("interrupted: nothing was done", "run the same command again"))
        }
    }
}
