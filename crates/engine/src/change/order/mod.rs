//! The order: which part of a change waits for which.

mod graph;
mod removal;

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::{Action, Address, Change, Changes, Level};
use graph::{Edge, Graph};
use removal::{goes_after, rules_before_their_bucket};

pub use removal::leans_on;

/// What is done at an address: something comes, or something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangePart {
    /// It is made, changed or adopted.
    Put,
    /// It goes.
    Remove,
    /// It is there and stays; others wait until it works everywhere.
    Await,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderNode {
    /// Its address.
    pub address: Address,
    /// What is done.
    pub part: ChangePart,
    /// What must have come so far before.
    pub after: BTreeMap<PartKey, Level>,
    /// What must have been reached before.
    pub barriers: BTreeSet<Barrier>,
}

/// A part of a change.
pub type PartKey = (Address, ChangePart);

/// Something that many steps of a run wait for together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Barrier {
    /// Everything of a step of the plan is usable.
    Made(String),
    /// Everything that came after a step of the plan has gone, or has been changed everywhere.
    Released(String),
}

impl Barrier {
    /// How far its members must have come.
    pub fn level(&self) -> Level {
        match self {
            Self::Made(_) => Level::Usable,
            Self::Released(_) => Level::Propagated,
        }
    }
}

/// The steps of a run with what they wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOrder {
    /// The steps, sorted.
    pub nodes: Vec<OrderNode>,
    /// The members of each barrier that somebody waits for.
    pub barriers: BTreeMap<Barrier, BTreeSet<PartKey>>,
}

/// The steps of a run: things come after what they need, and go before it.
pub fn order(changes: &Changes) -> RunOrder {
    let mut graph = Graph::new(changes);
    graph.come(changes);
    let guarded: Vec<Edge> = goes_after(changes).into_iter().chain(rules_before_their_bucket(changes)).collect();
    let mut whole = graph.clone();
    guarded.iter().for_each(|edge| whole.add(edge));
    if whole.is_circular() {
        // Two replacements may each want to go before the other: what would close a circle does not wait. A thing that goes
        // too early is refused by its service and goes with the next run; a circle would never begin.
        for edge in &guarded {
            if !graph.waits_for(&edge.on, &edge.who) {
                graph.add(edge);
            }
        }
        return graph.finished();
    }
    whole.finished()
}

const fn parts(change: &Change) -> &'static [ChangePart] {
    match change.action {
        Action::Keep => &[],
        Action::Create | Action::Adopt | Action::Update | Action::Move | Action::Recreate => &[ChangePart::Put],
        Action::Delete | Action::Forget => &[ChangePart::Remove],
        Action::Replace => &[ChangePart::Put, ChangePart::Remove],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{Kind, Resource, ResourceOrigin, ResourceRecord, ResourceStatus, Risk};

    fn change(at: &str, action: Action, needs: &[&str]) -> (Address, Change) {
        let address: Address = at.parse().expect("an address");
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == address.kind_name()).expect("a kind");
        let needs = needs.iter().map(|need| (need.parse().expect("an address"), Level::Usable)).collect();
        let before = ResourceRecord {
            kind,
            id: Some("x".to_owned()),
            generation: 0,
            spec: json!({}),
            attributes: BTreeMap::new(),
            needs,
            step: String::new(),
            after: std::collections::BTreeSet::new(),
            standing: ResourceStatus::Present,
            pending: None,
            made_at: None,
            origin: ResourceOrigin::Made,
        };
        let change = Change {
            address: address.clone(),
            kind,
            action,
            fields: Vec::new(),
            moved_from: Vec::new(),
            risk: Risk::Safe,
            reason: None,
            origin: ResourceOrigin::Made,
            after: None,
            before: Some(before),
            found: None,
        };
        (address, change)
    }

    #[test]
    fn a_role_goes_after_the_version_whose_function_had_it() {
        let items = BTreeMap::from([
            change("edge.role.f", Action::Delete, &[]),
            change("edge.function.f", Action::Update, &["edge.role.f"]),
            change("edge.function-version.f", Action::Replace, &["edge.function.f"]),
        ]);
        let order = order(&Changes { stack: "s".to_owned(), items, ..Changes::default() });
        let role = order.nodes.iter().find(|node| node.address.as_str() == "edge.role.f").expect("the role");
        let version = ("edge.function-version.f".parse().expect("an address"), ChangePart::Remove);
        assert!(role.after.contains_key(&version), "{:?}", role.after);
    }

    /// `each` buckets of a step, which came after other steps.
    fn of_step(items: &mut BTreeMap<Address, Change>, action: Action, step: &str, after: &[&str], each: usize) {
        for number in 0..each {
            let (address, mut bucket) = change(&format!("m.bucket.{step}-{number}"), action, &[]);
            let after: BTreeSet<String> = after.iter().map(|step| (*step).to_owned()).collect();
            let mut wanted = Resource::new(address.clone(), Kind::Bucket, &json!({})).from_step(step, "");
            wanted.after.clone_from(&after);
            let record = bucket.before.take().map(|record| ResourceRecord { step: step.to_owned(), after, ..record });
            (bucket.before, bucket.after) =
                if action == Action::Create { (None, Some(wanted)) } else { (record, None) };
            items.insert(address, bucket);
        }
    }

    fn ordered(items: BTreeMap<Address, Change>) -> RunOrder {
        order(&Changes { stack: "s".to_owned(), items, ..Changes::default() })
    }

    /// The addresses in an order in which they may be done, one after another.
    fn done(order: &RunOrder) -> Vec<String> {
        let mut left: Vec<&OrderNode> = order.nodes.iter().collect();
        let (mut done, mut reached) = (Vec::new(), BTreeSet::new());
        loop {
            let come = |keys: &BTreeSet<PartKey>| keys.iter().all(|key| reached.contains(key));
            let behind = |barrier: &Barrier| order.barriers.get(barrier).is_none_or(come);
            let free = |node: &&OrderNode| {
                node.after.keys().all(|key| reached.contains(key)) && node.barriers.iter().all(behind)
            };
            let Some(at) = left.iter().position(free) else { break };
            let node = left.remove(at);
            reached.insert((node.address.clone(), node.part));
            done.push(node.address.to_string());
        }
        assert!(left.is_empty(), "they wait for each other: {left:?}");
        done
    }

    #[test]
    fn steps_come_one_after_another_and_go_the_other_way_round() {
        for (action, wanted) in [(Action::Create, ["a", "b"]), (Action::Delete, ["b", "a"])] {
            let mut items = BTreeMap::new();
            of_step(&mut items, action, "a", &[], 2);
            of_step(&mut items, action, "b", &["a"], 2);
            let [first, last] = wanted.map(|step| [0, 1].map(|number| format!("m.bucket.{step}-{number}")));
            assert_eq!(done(&ordered(items)), [first, last].concat(), "{action:?}");
        }
    }

    #[test]
    fn edges_grow_with_resources() {
        for action in [Action::Create, Action::Delete] {
            let mut items = BTreeMap::new();
            let steps: Vec<String> = (0..10).map(|step| format!("s{step}")).collect();
            for (at, step) in steps.iter().enumerate() {
                let after: Vec<&str> = steps.iter().take(at).map(String::as_str).collect();
                of_step(&mut items, action, step, &after, 100);
            }
            let order = ordered(items);
            let edges: usize = order.nodes.iter().map(|node| node.after.len() + node.barriers.len()).sum();
            let members: usize = order.barriers.values().map(BTreeSet::len).sum();
            assert!(edges + members <= 1000 * 11, "{action:?}: {edges} edges, {members} members");
            assert_eq!(done(&order).len(), 1000);
        }
    }

    #[test]
    fn steps_that_changed_places_do_not_wait_for_each_other() {
        let mut items = BTreeMap::new();
        of_step(&mut items, Action::Delete, "a", &["b"], 2);
        of_step(&mut items, Action::Delete, "b", &["a"], 2);
        assert_eq!(done(&ordered(items)).len(), 4);
    }

    /// What a part of a change waits for, by address.
    fn waits_for(order: &RunOrder, at: &str, part: ChangePart) -> Vec<String> {
        let node = order.nodes.iter().find(|node| node.address.as_str() == at && node.part == part).expect("the part");
        node.after.keys().map(|(address, _)| address.to_string()).collect()
    }

    #[test]
    fn a_bucket_changes_after_its_replication_rules_have_gone() {
        let with = |rules: &str, bucket: Action| {
            let items =
                BTreeMap::from([change(rules, Action::Delete, &["m.bucket.b"]), change("m.bucket.b", bucket, &[])]);
            ordered(items)
        };
        let rules = with("m.replication.b", Action::Update);
        assert_eq!(waits_for(&rules, "m.bucket.b", ChangePart::Put), ["m.replication.b"]);
        let new = with("m.replication.b", Action::Adopt);
        assert!(waits_for(&new, "m.bucket.b", ChangePart::Put).is_empty(), "nothing of it changes");
        let policy = with("m.bucket-policy.b", Action::Update);
        assert!(waits_for(&policy, "m.bucket.b", ChangePart::Put).is_empty(), "only rules hinder a bucket");
        // What is of no step has no steps to wait for.
        assert!(rules.nodes.iter().all(|node| node.barriers.is_empty()), "{rules:?}");
    }

    #[test]
    fn a_step_comes_after_the_one_that_it_names_whatever_their_names_are() {
        let mut items = BTreeMap::new();
        of_step(&mut items, Action::Create, "b", &[], 1);
        of_step(&mut items, Action::Create, "a", &["b"], 1);
        assert_eq!(done(&ordered(items)), ["m.bucket.b-0", "m.bucket.a-0"]);
    }

    #[test]
    fn steps_that_changed_places_leave_the_order_of_everything_else_as_it_is() {
        let mut items = BTreeMap::new();
        of_step(&mut items, Action::Delete, "a", &["b"], 1);
        of_step(&mut items, Action::Delete, "b", &["a"], 1);
        items.extend([
            change("m.bucket.x", Action::Delete, &[]),
            change("m.bucket-policy.x", Action::Delete, &["m.bucket.x"]),
        ]);
        let order = ordered(items);
        assert_eq!(waits_for(&order, "m.bucket.x", ChangePart::Remove), ["m.bucket-policy.x"]);
        assert_eq!(done(&order).len(), 4);
    }

    #[test]
    fn what_stays_is_waited_for_when_it_has_not_made_known_yet_what_others_refer_to() {
        let parts_with = |known: &[&str]| {
            let (role, mut kept) = change("e.role.r", Action::Keep, &[]);
            kept.found = Some(crate::resource::ObservedResource {
                id: "r".to_owned(),
                spec: json!({}),
                attributes: known.iter().map(|name| ((*name).to_owned(), json!("x"))).collect(),
                owner: crate::resource::Owner::Ours,
                extras: Vec::new(),
            });
            let (function, mut new) = change("e.function.f", Action::Create, &[]);
            let spec = json!({"role_arn": "${e.role.r#arn}", "queue": "${e.queue.q#url}"});
            new.before = None;
            new.after =
                Some(Resource::new(function.clone(), Kind::Function, &spec).needing(role.clone(), Level::Usable));
            ordered(BTreeMap::from([(role, kept), (function, new)])).nodes.into_iter().map(|node| node.part).collect()
        };
        let parts: Vec<ChangePart> = parts_with(&[]);
        assert_eq!(parts, [ChangePart::Put, ChangePart::Await]);
        assert_eq!(parts_with(&["arn"]), [ChangePart::Put], "it is known: nobody waits");
    }
}
