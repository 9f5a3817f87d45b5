//! What a verb wants done, and on which addresses of the graph.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::desired::Built;
use crate::exit::Failure;
use crate::plan::Plan;
use crate::resource::{Address, Remembered};

/// What a verb wants done, once its arguments are read.
pub struct Order {
    /// The plan.
    pub plan: Plan,
    /// Addresses to work on: which of the graph's.
    pub chosen: Choice,
    /// Steps to put in force.
    pub request: BTreeSet<String>,
    /// Foreign things to take up.
    pub adopt: BTreeSet<Address>,
    /// The verb with its main arguments.
    pub command: String,
    /// The fallback to put in force; the plan carries its settings already.
    pub fallback: Option<String>,
    /// Save to this file, do nothing.
    pub out: Option<PathBuf>,
}

/// Which addresses of the graph a run works on.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// These and what they need; all when empty.
    pub targets: Vec<String>,
    /// The addresses of these steps; none: of any step.
    pub steps: BTreeSet<String>,
    /// Not these, nor what needs them.
    pub excluded: Vec<String>,
    /// Exactly the targets, without what they need (a fallback changes nothing else).
    pub exactly: bool,
}

impl Choice {
    /// Whether nothing narrows it down.
    pub fn is_everything(&self) -> bool {
        self.targets.is_empty() && self.steps.is_empty() && self.excluded.is_empty()
    }

    /// The addresses; none for all of them.
    ///
    /// # Errors
    /// When a target names nothing.
    pub fn addresses(&self, built: &Built, remembered: &Remembered) -> Result<Option<BTreeSet<Address>>, Failure> {
        if self.is_everything() {
            return Ok(None);
        }
        let every: BTreeSet<Address> =
            built.desired.resources.keys().chain(remembered.resources.keys()).cloned().collect();
        for pattern in self.targets.iter().chain(&self.excluded) {
            if !every.iter().any(|address| address.matches(pattern)) {
                let areas: BTreeSet<&str> = every.iter().map(Address::area).collect();
                let known = areas.into_iter().collect::<Vec<_>>().join(", ");
                return Err(Failure::refused(
                    format!("nothing in this plan or its state is called {pattern:?}"),
                    format!("areas: {known}; akidb-edge status lists the addresses"),
                ));
            }
        }
        let of_steps: BTreeSet<&Address> =
            self.steps.iter().filter_map(|step| built.by_step.get(step)).flatten().collect();
        let open = self.targets.is_empty() && self.steps.is_empty();
        let wanted = |address: &Address| {
            open || of_steps.contains(address) || self.targets.iter().any(|pattern| address.matches(pattern))
        };
        let mut chosen: BTreeSet<Address> = every.iter().filter(|address| wanted(address)).cloned().collect();
        if self.exactly {
            chosen.retain(|address| remembered.resources.contains_key(address));
            if chosen.is_empty() {
                let problem = format!("nothing of {} is deployed", self.targets.join(", "));
                return Err(Failure::refused(problem, "akidb-edge status shows what is there"));
            }
        } else {
            chosen.extend(built.desired.with_needs(wanted));
        }
        let excluded = |address: &Address| self.excluded.iter().any(|pattern| address.matches(pattern));
        chosen.retain(|address| {
            !excluded(address) && !built.desired.with_needs(|start| start == address).iter().any(excluded)
        });
        Ok(Some(chosen))
    }
}
