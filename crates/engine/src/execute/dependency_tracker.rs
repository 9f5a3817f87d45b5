//! Counts the dependencies that each step still waits for; completing a step costs time proportional to its dependents.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{Barrier, OrderNode, PartKey, RunOrder};
use crate::resource::{Address, Level};

/// Who waits for something.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Waiter {
    /// A step, by its place in the order.
    Node(usize),
    /// A barrier.
    Barrier(Barrier),
}

/// Which steps may begin, and what the others wait for.
#[derive(Debug)]
pub struct DependencyTracker {
    order: RunOrder,
    /// How much each step waits for.
    missing: Vec<usize>,
    /// How many members of each barrier have not come far enough.
    members: BTreeMap<Barrier, usize>,
    /// Who waits for each step, and until it has come how far.
    on: BTreeMap<PartKey, Vec<(Waiter, Level)>>,
    /// Who waits for each barrier.
    behind: BTreeMap<Barrier, Vec<usize>>,
    reached: BTreeMap<PartKey, Level>,
    /// Steps that have not begun.
    open: BTreeSet<usize>,
    /// Those among them that may begin.
    ready: BTreeSet<usize>,
}

impl DependencyTracker {
    /// Before anything has begun.
    pub fn new(order: RunOrder) -> Self {
        let (mut on, mut behind, mut missing): (BTreeMap<_, Vec<_>>, BTreeMap<_, Vec<_>>, Vec<_>) = Default::default();
        for (at, node) in order.nodes.iter().enumerate() {
            for (key, level) in &node.after {
                on.entry(key.clone()).or_default().push((Waiter::Node(at), *level));
            }
            // A barrier without members is reached from the start.
            let barriers = node.barriers.iter().filter(|barrier| order.barriers.contains_key(barrier));
            let barriers = barriers.map(|barrier| behind.entry(barrier.clone()).or_default().push(at)).count();
            missing.push(node.after.len() + barriers);
        }
        for (barrier, members) in &order.barriers {
            for key in members {
                on.entry(key.clone()).or_default().push((Waiter::Barrier(barrier.clone()), barrier.level()));
            }
        }
        let members = order.barriers.iter().map(|(barrier, members)| (barrier.clone(), members.len())).collect();
        let open: BTreeSet<usize> = (0..order.nodes.len()).collect();
        let ready = open.iter().copied().filter(|at| missing[*at] == 0).collect();
        Self { order, missing, members, on, behind, reached: BTreeMap::new(), open, ready }
    }

    /// The next step that may begin and that `wanted` accepts; it counts as begun.
    pub fn begin_if(&mut self, wanted: &dyn Fn(&OrderNode) -> bool) -> Option<OrderNode> {
        let nodes = &self.order.nodes;
        let at = self.ready.iter().copied().find(|at| nodes.get(*at).is_some_and(wanted))?;
        self.ready.remove(&at);
        self.open.remove(&at);
        nodes.get(at).cloned()
    }

    /// A step has come so far.
    pub fn reach(&mut self, key: &PartKey, level: Level) {
        let before = self.reached.get(key).copied();
        if before.is_some_and(|before| before >= level) {
            return;
        }
        self.reached.insert(key.clone(), level);
        for (waiting, wanted) in self.on.get(key).cloned().unwrap_or_default() {
            if level >= wanted && before.is_none_or(|before| before < wanted) {
                self.meet(&waiting);
            }
        }
    }

    fn meet(&mut self, waiting: &Waiter) {
        match waiting {
            Waiter::Node(at) => self.meet_node(*at),
            Waiter::Barrier(barrier) => {
                let left = self.members.get_mut(barrier).map_or(0, |left| {
                    *left = left.saturating_sub(1);
                    *left
                });
                if left == 0 {
                    for at in self.behind.remove(barrier).unwrap_or_default() {
                        self.meet_node(at);
                    }
                }
            }
        }
    }

    fn meet_node(&mut self, at: usize) {
        let Some(missing) = self.missing.get_mut(at) else { return };
        *missing = missing.saturating_sub(1);
        if *missing == 0 && self.open.contains(&at) {
            self.ready.insert(at);
        }
    }

    /// The steps that have not begun.
    pub fn open(&self) -> impl Iterator<Item = &OrderNode> {
        self.open.iter().filter_map(|at| self.order.nodes.get(*at))
    }

    /// Whether a step that has not begun waits until this one has come everywhere.
    pub fn is_wanted_everywhere(&self, key: &PartKey) -> bool {
        self.on.get(key).into_iter().flatten().any(|(waiting, level)| {
            *level == Level::Propagated
                && match waiting {
                    Waiter::Node(at) => self.open.contains(at),
                    Waiter::Barrier(barrier) => {
                        self.behind.get(barrier).is_some_and(|behind| behind.iter().any(|at| self.open.contains(at)))
                    }
                }
        })
    }

    /// The first that a step still waits for.
    pub fn culprit<'n>(&'n self, node: &'n OrderNode) -> Option<&'n Address> {
        let far = |key: &PartKey, level: Level| self.reached.get(key).is_some_and(|reached| *reached >= level);
        let direct = node.after.iter().find(|(key, level)| !far(key, **level)).map(|(key, _)| key);
        let by_step = || {
            node.barriers
                .iter()
                .find_map(|barrier| self.order.barriers.get(barrier)?.iter().find(|key| !far(key, barrier.level())))
        };
        direct.or_else(by_step).map(|(address, _)| address)
    }

    /// Nothing more begins.
    pub fn close(&mut self) {
        self.open.clear();
        self.ready.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::ChangePart;
    use crate::resource::Kind;

    fn key(name: &str) -> PartKey {
        (Address::new("m", Kind::Bucket, name), ChangePart::Put)
    }

    fn node(name: &str, barriers: &[&str]) -> OrderNode {
        let (address, part) = key(name);
        let barriers = barriers.iter().map(|step| Barrier::Made((*step).to_owned())).collect();
        OrderNode { address, part, after: BTreeMap::new(), barriers }
    }

    #[test]
    fn what_stands_behind_a_barrier_begins_when_all_of_its_members_have_come() {
        let barriers = BTreeMap::from([(Barrier::Made("a".to_owned()), BTreeSet::from([key("a1"), key("a2")]))]);
        let nodes = vec![node("a1", &[]), node("a2", &[]), node("b1", &["a"]), node("b2", &["a", "nothing"])];
        let mut waits = DependencyTracker::new(RunOrder { nodes, barriers });
        let begun: Vec<PartKey> =
            std::iter::from_fn(|| waits.begin_if(&|_| true)).map(|node| (node.address, node.part)).collect();
        assert_eq!(begun, [key("a1"), key("a2")]);
        waits.reach(&key("a1"), Level::Usable);
        waits.reach(&key("a1"), Level::Propagated);
        assert_eq!(waits.begin_if(&|_| true), None, "it counts once");
        let open: Vec<OrderNode> = waits.open().cloned().collect();
        assert_eq!(waits.culprit(&open[0]), Some(&key("a2").0));
        waits.reach(&key("a2"), Level::Accepted);
        assert_eq!(waits.begin_if(&|_| true), None);
        waits.reach(&key("a2"), Level::Usable);
        let begun: Vec<PartKey> =
            std::iter::from_fn(|| waits.begin_if(&|_| true)).map(|node| (node.address, node.part)).collect();
        assert_eq!(begun, [key("b1"), key("b2")]);
    }

    #[test]
    fn what_is_not_wanted_now_stays_open() {
        let mut waits =
            DependencyTracker::new(RunOrder { nodes: vec![node("a", &[]), node("b", &[])], barriers: BTreeMap::new() });
        let begun = waits.begin_if(&|node| node.address.name() == "b").map(|node| node.address);
        assert_eq!(begun, Some(key("b").0));
        assert_eq!(waits.begin_if(&|node| node.address.name() == "b"), None);
        assert_eq!(waits.open().map(|node| node.address.name()).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn after_the_end_nothing_begins_and_nothing_is_open() {
        let nodes = vec![node("a", &[]), node("b", &[])];
        let mut waits = DependencyTracker::new(RunOrder { nodes, barriers: BTreeMap::new() });
        waits.close();
        assert_eq!((waits.begin_if(&|_| true), waits.open().count()), (None, 0));
    }
}
