//! Typical duration of a run on AWS: the longest path through its changes, by kind.

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::needs::GraphPlace;
use crate::resource::{Action, Change, Changes, Level};

/// Seconds until everything has come so far.
pub(super) fn usual_seconds(changes: &Changes, wait: Level) -> u32 {
    let of_aws = changes.acting().filter(|change| change.kind.in_aws() && change.action != Action::Move);
    let mut way = PathDurations::new(changes);
    of_aws.map(|change| way.until(GraphPlace::Resource(&change.address)) + own(change, wait)).max().unwrap_or(0)
}

/// Seconds of one change.
fn own(change: &Change, wait: Level) -> u32 {
    let (usable, propagated) = change.kind.facts().usual_seconds;
    // What goes must first be gone everywhere.
    if wait == Level::Propagated || change.action == Action::Delete { propagated } else { usable }
}

/// Each place is looked at once, however many ways lead to it.
struct PathDurations<'c> {
    changes: &'c Changes,
    of_step: BTreeMap<&'c str, Vec<&'c Change>>,
    /// Seconds until everything that a place comes after is there.
    known: BTreeMap<GraphPlace<'c>, u32>,
}

impl<'c> PathDurations<'c> {
    fn new(changes: &'c Changes) -> Self {
        let mut of_step: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
        for change in changes.acting() {
            if let Some(resource) = &change.after {
                of_step.entry(&resource.step).or_default().push(change);
            }
        }
        Self { changes, of_step, known: BTreeMap::new() }
    }

    /// What a place comes after, with what that takes itself.
    fn before(&self, place: GraphPlace<'c>) -> Vec<(GraphPlace<'c>, u32)> {
        match place {
            GraphPlace::Resource(address) => {
                let resource = self.changes.items.get(address).and_then(|change| change.after.as_ref());
                let needs = resource.into_iter().flat_map(|resource| &resource.needs).filter_map(|(need, level)| {
                    let other = self.changes.items.get(need).filter(|other| other.action != Action::Keep)?;
                    Some((GraphPlace::Resource(&other.address), own(other, *level)))
                });
                let steps = resource.into_iter().flat_map(|resource| &resource.after);
                needs.chain(steps.map(|step| (GraphPlace::EndOf(step), 0))).collect()
            }
            GraphPlace::EndOf(step) => {
                let members = self.of_step.get(step).into_iter().flatten();
                members.map(|change| (GraphPlace::Resource(&change.address), own(change, Level::Usable))).collect()
            }
        }
    }

    /// Without recursion: a chain may be as long as the plan. What is in a circle counts from where it was met.
    fn until(&mut self, start: GraphPlace<'c>) -> u32 {
        let (mut open, mut met) = (vec![start], BTreeSet::new());
        while let Some(place) = open.last().copied() {
            let before = self.before(place);
            if !self.known.contains_key(&place) && met.insert(place) {
                let unknown = before.iter().map(|(other, _)| *other).filter(|other| !self.known.contains_key(other));
                open.extend(unknown.filter(|other| !met.contains(other)));
                continue;
            }
            open.pop();
            let longest = before.iter().map(|(other, own)| self.known.get(other).copied().unwrap_or(0) + own).max();
            self.known.entry(place).or_insert(longest.unwrap_or(0));
        }
        self.known.get(&start).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{Address, Kind, Resource, ResourceOrigin, Risk};

    /// `steps` steps of `each` buckets that are made, each step after all before it.
    fn chained(steps: usize, each: usize) -> Changes {
        let mut changes = Changes::default();
        for (step, number) in (0..steps).flat_map(|step| (0..each).map(move |number| (step, number))) {
            let address = Address::new("m", Kind::Bucket, &format!("b{step}-{number}"));
            let mut after = Resource::new(address.clone(), Kind::Bucket, &json!({})).from_step(&format!("s{step}"), "");
            after.after = (0..step).map(|before| format!("s{before}")).collect();
            let change = Change {
                address: address.clone(),
                kind: Kind::Bucket,
                action: Action::Create,
                fields: Vec::new(),
                risk: Risk::Safe,
                moved_from: Vec::new(),
                reason: None,
                origin: ResourceOrigin::Made,
                after: Some(after),
                before: None,
                found: None,
            };
            changes.items.insert(address, change);
        }
        changes
    }

    #[test]
    fn steps_one_after_another_take_the_sum() {
        let (usable, _) = Kind::Bucket.facts().usual_seconds;
        for (steps, each) in [(1, 1), (3, 4), (20, 50)] {
            let steps_taken = u32::try_from(steps).expect("a small number");
            assert_eq!(usual_seconds(&chained(steps, each), Level::Usable), usable * steps_taken, "{steps} x {each}");
        }
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let mut changes = chained(1, 20_000);
        let addresses: Vec<Address> = changes.items.keys().cloned().collect();
        for pair in addresses.windows(2) {
            let after = changes.items.get_mut(&pair[1]).and_then(|change| change.after.as_mut()).expect("it is made");
            after.needs.insert(pair[0].clone(), Level::Usable);
        }
        let (usable, _) = Kind::Bucket.facts().usual_seconds;
        assert_eq!(usual_seconds(&changes, Level::Usable), usable * 20_000);
    }
}
