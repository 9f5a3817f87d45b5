//! What a run needs from earlier entries besides the state: durations and moves. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Fact};
use crate::resource::{Address, Kind};

/// The last so many durations of each kind count: what a service took years ago says little about today.
const COUNTED: usize = 99;

/// How long each kind took lately, in milliseconds, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypicalDurations(BTreeMap<Kind, Vec<u64>>);

impl TypicalDurations {
    /// Takes one entry into account.
    pub fn note(&mut self, entry: &Entry) {
        if let Fact::Succeeded { subject, took_ms, .. } = &entry.fact {
            let took = self.0.entry(subject.kind).or_default();
            if took.len() == COUNTED {
                took.remove(0);
            }
            took.push(*took_ms);
        }
    }

    /// The median of each kind.
    pub fn medians(&self) -> BTreeMap<Kind, u64> {
        let median = |took: &Vec<u64>| {
            let mut sorted = took.clone();
            sorted.sort_unstable();
            sorted.get(sorted.len() / 2).copied()
        };
        self.0.iter().filter_map(|(kind, took)| Some((*kind, median(took)?))).collect()
    }
}

/// What has moved since the end of a revision: the address that it has now, and the one that it had then. `entries` may begin
/// anywhere at or before the end of that revision.
pub fn moved_since(entries: &[Entry], revision: u64) -> BTreeMap<Address, Address> {
    let mut now_to_then: BTreeMap<Address, Address> = BTreeMap::new();
    let mut later = false;
    for entry in entries {
        match &entry.fact {
            Fact::RunBegan { revision: began, .. } => later = *began > revision,
            Fact::Moved(moves) if later => {
                let then = |from: &Address| now_to_then.get(from).cloned().unwrap_or_else(|| from.clone());
                let moved: Vec<_> = moves.addresses.iter().map(|(from, to)| (to.clone(), then(from))).collect();
                now_to_then.retain(|now, _| !moves.addresses.contains_key(now));
                now_to_then.extend(moved);
            }
            _ => {}
        }
    }
    now_to_then.retain(|now, then| now != then);
    now_to_then
}
