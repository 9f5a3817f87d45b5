//! What runs let go of that a rollback undoes: it is recorded again by its ID, and never made a second time.

use std::collections::{BTreeMap, BTreeSet};

use crate::exit::{Failure, codes};
use crate::ledger::{Entry, Fact, purpose_of};
use crate::resource::{Address, Desired, Observed, ResourceRecord, ResourceStatus, RunPurpose, StackState, shown};

/// What was forgotten since a revision, by the address that it had then.
#[derive(Debug, Default)]
pub struct ForgottenResources {
    /// All of it.
    all: BTreeSet<Address>,
    /// By `state forget`: on purpose.
    on_purpose: BTreeSet<Address>,
}

/// What was forgotten after `revision`.
pub fn let_go_since(entries: &[Entry], revision: u64) -> ForgottenResources {
    let (mut let_go, mut then): (ForgottenResources, BTreeMap<Address, Address>) = Default::default();
    let (mut later, mut on_purpose) = (false, false);
    for entry in entries {
        match &entry.fact {
            Fact::RunBegan { revision: began, command, purpose, .. } => {
                later = *began > revision;
                on_purpose = purpose_of(*purpose, command) == RunPurpose::Forget;
            }
            Fact::Moved(moves) if later => {
                let former = |from: &Address| then.get(from).cloned().unwrap_or_else(|| from.clone());
                let moved: Vec<_> = moves.addresses.iter().map(|(from, to)| (to.clone(), former(from))).collect();
                then.extend(moved);
            }
            Fact::Forgotten { address } if later => {
                let address = then.get(address).unwrap_or(address).clone();
                if on_purpose {
                    let_go.on_purpose.insert(address.clone());
                }
                let_go.all.insert(address);
            }
            _ => {}
        }
    }
    let_go
}

impl ForgottenResources {
    /// Adds what another journal says: its addresses are others.
    pub fn extend(&mut self, other: Self) {
        self.all.extend(other.all);
        self.on_purpose.extend(other.on_purpose);
    }

    /// The state with what was let go and is to be there again: it is looked for by its ID.
    #[must_use]
    pub fn supposed(&self, aim: &StackState, mut now: StackState) -> StackState {
        for address in &self.all {
            let Some(record) = aim.resources.get(address).filter(|record| record.id.is_some()) else { continue };
            let held = now.resources.values().any(|held| held.kind == record.kind && held.id == record.id);
            if held || now.resources.contains_key(address) || record.kind.facts().lookup {
                continue;
            }
            let again = ResourceRecord { standing: ResourceStatus::Updating, ..record.clone() };
            now.resources.insert(address.clone(), again);
        }
        now
    }

    /// Takes out what was forgotten on purpose and is not there: it is not made again. Gives the addresses.
    ///
    /// # Errors
    /// When something that is to be there needs it.
    pub fn leave_out(
        &self,
        observed: &Observed,
        desired: &mut Desired,
        now: &mut StackState,
    ) -> Result<Vec<Address>, Failure> {
        let gone = |address: &&Address| {
            let looked = observed.seen.get(*address).is_some_and(Result::is_ok);
            looked && observed.found(address).is_none() && desired.resources.contains_key(*address)
        };
        let gone: Vec<Address> = self.on_purpose.iter().filter(gone).cloned().collect();
        for address in &gone {
            desired.resources.remove(address);
            now.resources.remove(address);
        }
        let needs_it = desired.resources.values().find_map(|resource| {
            let need = gone.iter().find(|need| resource.needs.contains_key(*need))?;
            Some((&resource.address, need))
        });
        match needs_it {
            Some((user, need)) => Err(codes::MISSING_NEED.refused(
                shown!("{} needs {}, which was removed with state forget and no longer exists", user, need),
                "roll back to a later revision, or deploy a plan without them",
            )),
            None => Ok(gone),
        }
    }
}
