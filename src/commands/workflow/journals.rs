//! The journals of a run: that of its stack, and that of the devices when it spans both.

use super::journal::{self, ledger};
use super::{Platforms, RunRequest};
use crate::commands::Context;
use crate::exit::Failure;
use crate::ledger::Ledger;
use crate::resource::StackState;

/// The journals that a run writes. Each resource is in that of its own stack, so that stacks stay apart: what one run made can
/// be changed, rolled back and removed by others, each over one stack.
pub struct Journals {
    own: Ledger,
    devices: Option<Ledger>,
}

impl Journals {
    /// Opens them: under a lease each for a run that changes something, else for reading. What is sent from then on is sent
    /// only while the leases are ours.
    ///
    /// # Errors
    /// When somebody else holds a lease, or a journal cannot be read.
    pub async fn open(
        request: &RunRequest<'_>,
        platforms: &mut Platforms<'_>,
        context: &Context,
    ) -> Result<Self, Failure> {
        let (account, looks) = (platforms.account(), request.only_looks);
        let (command, purpose) = (request.command.as_str(), request.purpose);
        let stacks: Vec<&str> = std::iter::once(&request.stack).chain(&request.devices).map(String::as_str).collect();
        let own = ledger(context, account, &request.stack, command, purpose, looks, &stacks).await?;
        let devices = match &request.devices {
            None => None,
            // The lease of the other one is this run's own by now.
            Some(stack) => match ledger(context, account, stack, command, purpose, looks, &[stack.as_str()]).await {
                Ok(devices) => Some(devices.in_run_of(&own)),
                Err(bad) => {
                    // What was wrong first is what counts; a lease that cannot be given back ends by itself.
                    let _ = own.close().await;
                    return Err(bad);
                }
            },
        };
        let journals = Self { own, devices };
        if !looks {
            platforms.ask_first(journals.all().map(Ledger::fence).collect());
        }
        Ok(journals)
    }

    /// That of the run's own stack.
    pub const fn own(&self) -> &Ledger {
        &self.own
    }

    /// That of the devices, when the run spans both.
    pub const fn devices(&self) -> Option<&Ledger> {
        self.devices.as_ref()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Ledger> {
        std::iter::once(&self.own).chain(&self.devices)
    }

    /// The state of all stacks of the run as one.
    pub fn recorded(&self) -> StackState {
        let own = self.own.recorded();
        self.devices.iter().fold(own, |own, devices| own.joined(devices.recorded()))
    }

    /// Gives the leases back, whatever came out.
    ///
    /// # Errors
    /// What came out, or why a lease could not be given back.
    pub async fn close(self, mut answer: Result<u8, Failure>) -> Result<u8, Failure> {
        let stacks: Vec<String> = self.all().map(|ledger| ledger.stack().to_owned()).collect();
        let stacks: Vec<&str> = stacks.iter().map(String::as_str).collect();
        if let Some(devices) = self.devices {
            answer = journal::close_one(devices, answer, &stacks).await;
        }
        journal::close_one(self.own, answer, &stacks).await
    }
}
