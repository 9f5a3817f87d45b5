//! The selection of a verb: steps on request and addresses.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::change::{self, OutsideResources};
use crate::desired::DesiredStack;
use crate::exit::{Failure, codes};
use crate::plan::Plan;
use crate::resource::{Address, Moves, RunPurpose, StackState, shown};

/// What a verb wants done, once its arguments are read.
pub struct RunSelection {
    /// The plan.
    pub plan: Plan,
    /// Addresses to work on: which of the graph's.
    pub chosen: Selection,
    /// Steps to put in force.
    pub request: BTreeSet<String>,
    /// Foreign things to adopt.
    pub adopt: BTreeSet<Address>,
    /// The verb with its main arguments.
    pub command: String,
    /// What the run is for.
    pub purpose: RunPurpose,
    /// The fallback to put in force; the plan carries its settings already.
    pub fallback: Option<String>,
    /// Save to this file, do nothing.
    pub out: Option<PathBuf>,
}

/// Which addresses of the graph a run works on.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// These and what they need; all when empty.
    pub targets: Vec<String>,
    /// The addresses of these steps; none: of any step.
    pub steps: BTreeSet<String>,
    /// Not these, nor what needs them.
    pub excluded: Vec<String>,
    /// Exactly the targets, without what they need (a fallback changes nothing else).
    pub exactly: bool,
}

/// The part of the graph that a run works on.
pub struct SelectedPart {
    /// The addresses; none for all of them.
    pub only: Option<BTreeSet<Address>>,
    /// The moves among them.
    pub moves: Moves,
    /// The state after these moves.
    pub recorded: StackState,
    /// What is outside of it.
    pub outside: OutsideResources,
}

impl Selection {
    /// Whether nothing narrows it down.
    pub fn is_everything(&self) -> bool {
        self.targets.is_empty() && self.steps.is_empty() && self.excluded.is_empty()
    }

    /// The part of the graph that this is. What only changed its address is known under both.
    ///
    /// # Errors
    /// When a target names nothing, or what moves together is only partly in it.
    pub fn part(&self, built: &DesiredStack, recorded: StackState) -> Result<SelectedPart, Failure> {
        let all = change::moves(&built.desired, &recorded);
        let after = recorded.clone().moved(&all);
        let Some(mut chosen) = self.addresses(built, &after, &all)? else {
            return Ok(SelectedPart { only: None, moves: all, recorded: after, outside: OutsideResources::default() });
        };
        self.complete(&mut chosen, built, &all)?;
        let moves = Moves {
            addresses: all.addresses.into_iter().filter(|(_, to)| chosen.contains(to)).collect(),
            sets: all.sets.into_iter().filter(|one| chosen.contains(&one.to)).collect(),
        };
        let recorded = recorded.moved(&moves);
        let outside = OutsideResources::of(&built.desired, &recorded, &chosen);
        Ok(SelectedPart { only: Some(chosen), moves, recorded, outside })
    }

    /// The addresses that are chosen; none for all of them.
    fn addresses(
        &self,
        built: &DesiredStack,
        recorded: &StackState,
        moves: &Moves,
    ) -> Result<Option<BTreeSet<Address>>, Failure> {
        if self.is_everything() {
            return Ok(None);
        }
        let every: BTreeSet<Address> =
            built.desired.resources.keys().chain(recorded.resources.keys()).cloned().collect();
        let names = |address: &Address, pattern: &String| {
            address.matches(pattern) || former(moves, address).any(|former| former.matches(pattern))
        };
        for pattern in self.targets.iter().chain(&self.excluded) {
            if !every.iter().any(|address| names(address, pattern)) {
                return Err(nothing_called(pattern, &every, &built.desired.stack));
            }
        }
        let of_steps: BTreeSet<&Address> =
            self.steps.iter().filter_map(|step| built.by_step.get(step)).flatten().collect();
        let open = self.targets.is_empty() && self.steps.is_empty();
        let wanted = |address: &Address| {
            open || of_steps.contains(address) || self.targets.iter().any(|pattern| names(address, pattern))
        };
        let mut chosen: BTreeSet<Address> = every.iter().filter(|address| wanted(address)).cloned().collect();
        if self.exactly {
            chosen.retain(|address| recorded.resources.contains_key(address));
            if chosen.is_empty() {
                let problem = shown!("nothing of {} is deployed", self.targets.join(", "));
                let next = shown!("akidb-edge status --stack {} lists the resources", built.desired.stack);
                return Err(codes::NOTHING_SELECTED.refused(problem, next));
            }
        } else {
            chosen.extend(built.desired.with_needs(wanted));
        }
        let excluded = |address: &Address| self.excluded.iter().any(|pattern| names(address, pattern));
        let without = built.desired.with_users(excluded);
        chosen.retain(|address| !excluded(address) && !without.contains(address));
        if !open && !self.excluded.is_empty() && !chosen.iter().any(wanted) {
            let (targets, excluded) = (self.targets.join(", "), self.excluded.join(", "));
            return Err(codes::NOTHING_SELECTED.refused(
                shown!(
                    "nothing is selected: all of {} is excluded by --exclude {}, or needs what is",
                    targets,
                    excluded
                ),
                "remove one of them; a target does not include what is excluded",
            ));
        }
        Ok(Some(chosen))
    }

    /// Adds what has to move with what is chosen: an address that is to be free again, the other group of record sets.
    fn complete(&self, chosen: &mut BTreeSet<Address>, built: &DesiredStack, moves: &Moves) -> Result<(), Failure> {
        let whole = moves.addresses.iter().map(|(from, to)| (from, to, false));
        let parts = moves.sets.iter().map(|one| (&one.from, &one.to, true));
        let pairs: Vec<(&Address, &Address, bool)> = whole.chain(parts).collect();
        loop {
            let mut more = BTreeSet::new();
            for (from, to, both) in &pairs {
                if chosen.contains(*from) && !chosen.contains(*to) {
                    more.insert((*to, *from));
                }
                if *both && chosen.contains(*to) && !chosen.contains(*from) {
                    more.insert((*from, *to));
                }
            }
            if more.is_empty() {
                return Ok(());
            }
            for (address, because) in more {
                let needed = built.desired.with_needs(|one| one == address);
                let excluded = |address: &Address| self.excluded.iter().any(|pattern| address.matches(pattern));
                if excluded(address) || needed.iter().any(excluded) {
                    return Err(codes::NOTHING_SELECTED.refused(
                        shown!("{} and {} change together, and only one of them is excluded", because, address),
                        shown!("add --exclude {}, or leave {} in", because, address),
                    ));
                }
                chosen.insert(address.clone());
                chosen.extend(needed);
            }
        }
    }
}

/// The addresses from which all of something moves to `address`.
fn former<'m>(moves: &'m Moves, address: &'m Address) -> impl Iterator<Item = &'m Address> {
    moves.addresses.iter().filter(move |(_, to)| *to == address).map(|(from, _)| from)
}

fn nothing_called(pattern: &str, every: &BTreeSet<Address>, stack: &str) -> Failure {
    let areas: BTreeSet<&str> = every.iter().map(Address::area).collect();
    let known = areas.into_iter().collect::<Vec<_>>().join(", ");
    codes::UNKNOWN_NAME.refused(
        shown!("no address {:?} in this plan or its state", pattern),
        shown!("areas: {}; akidb-edge status --stack {} lists the addresses", known, stack),
    )
}
