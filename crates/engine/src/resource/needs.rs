//! The dependency graph: resources that refer to each other, and the order of steps.
//!
//! A step that comes after another one has a place of its own in the graph: its end. So the number of edges grows with the number
//! of resources, not with the product of the resources of two steps.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::{Address, Desired};

/// A place in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GraphPlace<'a> {
    /// A resource.
    Resource(&'a Address),
    /// The end of a step: all of its resources are there.
    EndOf(&'a str),
}

/// Who needs what in a desired graph.
#[derive(Debug)]
pub struct Needs<'a> {
    desired: &'a Desired,
    of_step: BTreeMap<&'a str, Vec<&'a Address>>,
    edges: Cell<usize>,
}

impl<'a> Needs<'a> {
    /// Of this graph.
    pub fn of(desired: &'a Desired) -> Self {
        let mut of_step: BTreeMap<&str, Vec<&Address>> = BTreeMap::new();
        for resource in desired.resources.values() {
            of_step.entry(&resource.step).or_default().push(&resource.address);
        }
        Self { desired, of_step, edges: Cell::new(0) }
    }

    /// Edges that were followed so far: what an algorithm costs, without a clock.
    pub fn edges(&self) -> usize {
        self.edges.get()
    }

    /// What a place comes after, directly.
    pub fn before(&self, place: GraphPlace<'a>) -> impl Iterator<Item = GraphPlace<'a>> {
        let (resource, step) = match place {
            GraphPlace::Resource(address) => (self.desired.resources.get(address), None),
            GraphPlace::EndOf(step) => (None, self.of_step.get(step)),
        };
        let own = resource.into_iter().flat_map(|resource| {
            let steps = resource.after.iter().map(|step| GraphPlace::EndOf(step));
            resource.needs.keys().map(GraphPlace::Resource).chain(steps)
        });
        let members = step.into_iter().flatten().map(|address| GraphPlace::Resource(address));
        own.chain(members).inspect(|_| self.edges.set(self.edges.get() + 1))
    }

    /// These places with everything that they come after, directly or through others.
    pub fn closure(&self, start: impl IntoIterator<Item = GraphPlace<'a>>) -> BTreeSet<GraphPlace<'a>> {
        let mut open: Vec<GraphPlace<'a>> = start.into_iter().collect();
        let mut met = BTreeSet::new();
        while let Some(place) = open.pop() {
            if met.insert(place) {
                open.extend(self.before(place));
            }
        }
        met
    }

    /// These places with everything that comes after them, directly or through others.
    pub fn users(&self, start: impl IntoIterator<Item = GraphPlace<'a>>) -> BTreeSet<GraphPlace<'a>> {
        let mut after: BTreeMap<GraphPlace<'a>, Vec<GraphPlace<'a>>> = BTreeMap::new();
        let resources = self.desired.resources.keys().map(GraphPlace::Resource);
        for place in resources.chain(self.of_step.keys().map(|step| GraphPlace::EndOf(step))) {
            for before in self.before(place) {
                after.entry(before).or_default().push(place);
            }
        }
        let mut open: Vec<GraphPlace<'a>> = start.into_iter().collect();
        let mut met = BTreeSet::new();
        while let Some(place) = open.pop() {
            if met.insert(place) {
                open.extend(after.get(&place).into_iter().flatten());
            }
        }
        met
    }

    /// A circle, if there is one: its places in order.
    pub fn cycle(&self) -> Option<Vec<GraphPlace<'a>>> {
        let mut done = BTreeSet::new();
        self.desired.resources.keys().find_map(|start| self.circle_from(GraphPlace::Resource(start), &mut done))
    }

    /// Depth first, without recursion: a chain may be as long as the plan.
    fn circle_from(&self, start: GraphPlace<'a>, done: &mut BTreeSet<GraphPlace<'a>>) -> Option<Vec<GraphPlace<'a>>> {
        if done.contains(&start) {
            return None;
        }
        let mut path = vec![start];
        let mut on_path = BTreeSet::from([start]);
        let mut left: Vec<Vec<GraphPlace<'a>>> = vec![self.before(start).collect()];
        while let (Some(at), Some(open)) = (path.last().copied(), left.last_mut()) {
            match open.pop() {
                Some(next) if on_path.contains(&next) => {
                    let from = path.iter().position(|place| *place == next).unwrap_or(0);
                    return Some(path.split_off(from));
                }
                Some(next) if done.contains(&next) => {}
                Some(next) => {
                    path.push(next);
                    on_path.insert(next);
                    left.push(self.before(next).collect());
                }
                None => {
                    done.insert(at);
                    on_path.remove(&at);
                    path.pop();
                    left.pop();
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{Kind, Level, Resource};

    /// `steps` steps of `each` buckets, each step after the one before it.
    fn chained(steps: usize, each: usize) -> Desired {
        let mut desired = Desired::new("s");
        for step in 0..steps {
            for number in 0..each {
                let address = Address::new("m", Kind::Bucket, &format!("b{step}-{number}"));
                let mut bucket = Resource::new(address, Kind::Bucket, &json!({})).from_step(&format!("s{step}"), "");
                bucket.after = (0..step).map(|before| format!("s{before}")).collect();
                desired.add(bucket);
            }
        }
        desired
    }

    #[test]
    fn what_steps_cost_grows_with_resources_and_not_with_pairs_of_them() {
        for each in [10, 100, 1000] {
            let desired = chained(10, each);
            let needs = Needs::of(&desired);
            assert_eq!(needs.cycle(), None);
            // Each resource comes after nine steps at most, and each step has its resources.
            assert!(needs.edges() <= 10 * each * 10, "{each}: {}", needs.edges());
            let before = needs.edges();
            let last = Address::new("m", Kind::Bucket, "b9-0");
            let all =
                needs.closure([GraphPlace::Resource(desired.resources.get_key_value(&last).expect("it is there").0)]);
            assert_eq!(all.len(), 9 * each + 1 + 9, "all of the nine steps before it, and their ends");
            assert!(needs.edges() - before <= 10 * each * 10);
        }
    }

    #[test]
    fn users_are_the_other_way_round() {
        let desired = chained(3, 2);
        let needs = Needs::of(&desired);
        let first = Address::new("m", Kind::Bucket, "b1-0");
        let users = needs.users([GraphPlace::Resource(&first)]);
        let resources: Vec<&str> = users
            .iter()
            .filter_map(|place| match place {
                GraphPlace::Resource(address) => Some(address.as_str()),
                GraphPlace::EndOf(_) => None,
            })
            .collect();
        assert_eq!(resources, ["m.bucket.b1-0", "m.bucket.b2-0", "m.bucket.b2-1"]);
    }

    #[test]
    fn a_circle_through_steps_is_found() {
        let mut desired = chained(2, 1);
        let (early, late) = (Address::new("m", Kind::Bucket, "b0-0"), Address::new("m", Kind::Bucket, "b1-0"));
        desired.resources.get_mut(&early).expect("it is there").needs.insert(late, Level::Usable);
        let cycle = Needs::of(&desired).cycle().expect("a circle");
        assert_eq!(cycle.len(), 3, "{cycle:?}");
        assert!(cycle.contains(&GraphPlace::EndOf("s0")), "{cycle:?}");
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let mut desired = Desired::new("s");
        for number in 0..20_000 {
            let address = |number: usize| Address::new("m", Kind::Bucket, &format!("b{number}"));
            let mut bucket = Resource::new(address(number), Kind::Bucket, &json!({}));
            bucket.needs.insert(address((number + 1) % 20_000), Level::Usable);
            desired.add(bucket);
        }
        assert_eq!(Needs::of(&desired).cycle().expect("a circle").len(), 20_000);
    }
}
