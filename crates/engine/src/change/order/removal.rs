//! The order of deletions: after all dependents.

use std::collections::BTreeSet;

use super::graph::{Edge, Milestone};
use super::{Barrier, ChangePart, parts};
use crate::resource::{Action, Address, Change, Changes, Kind, Level};

/// Buckets that change, after the replication rules that go: S3 refuses to suspend versioning while a rule of the bucket replicates.
pub(super) fn rules_before_their_bucket(changes: &Changes) -> Vec<Edge> {
    let going = changes.acting().filter(|change| change.kind == Kind::Replication && change.action == Action::Delete);
    let edges = going.flat_map(|rule| {
        let needs = rule.before.iter().flat_map(|record| record.needs.keys());
        let changed =
            needs.filter(|need| changes.items.get(*need).is_some_and(|bucket| bucket.action == Action::Update));
        changed.map(|bucket| Edge {
            who: Milestone::Node((bucket.clone(), ChangePart::Put)),
            on: Milestone::Node((rule.address.clone(), ChangePart::Remove)),
            level: Level::Usable,
        })
    });
    edges.collect()
}

/// What goes, goes after everything that needed it has gone, and then after everything that has let it go.
pub(super) fn goes_after(changes: &Changes) -> Vec<Edge> {
    let going = |address: &Address| {
        changes.items.get(address).is_some_and(|change| parts(change).contains(&ChangePart::Remove))
    };
    let mut edges = Vec::new();
    for part in [ChangePart::Remove, ChangePart::Put] {
        for user in changes.acting().filter(|change| parts(change).contains(&part)) {
            let on = Milestone::Node((user.address.clone(), part));
            for need in leaned_on(changes, user).into_iter().filter(|need| *need != &user.address && going(need)) {
                let who = Milestone::Node((need.clone(), ChangePart::Remove));
                edges.push(Edge { who, on: on.clone(), level: Level::Propagated });
            }
            for step in user.before.iter().flat_map(|record| &record.after) {
                let who = Milestone::Barrier(Barrier::Released(step.clone()));
                edges.push(Edge { who, on: on.clone(), level: Level::Propagated });
            }
        }
    }
    let mut released: Vec<Edge> = Vec::new();
    for change in changes.acting().filter(|change| going(&change.address)) {
        let step = change.before.as_ref().map(|record| record.step.clone());
        let own = change.before.as_ref().is_some_and(|record| record.after.contains(&record.step));
        if let Some(step) = step.filter(|step| !step.is_empty() && !own) {
            let who = Milestone::Node((change.address.clone(), ChangePart::Remove));
            released.push(Edge { who, on: Milestone::Barrier(Barrier::Released(step)), level: Level::Propagated });
        }
    }
    // First the members: whether somebody may wait for a barrier depends on them.
    edges.extend(released);
    edges
}

/// What something leans on as it stands. A published version of a function keeps the role of its function for as long as it
/// exists.
fn leaned_on<'c>(changes: &'c Changes, user: &'c Change) -> BTreeSet<&'c Address> {
    let needs = |change: &'c Change| change.before.iter().flat_map(|record| record.needs.keys());
    let mut all: BTreeSet<&Address> = needs(user).collect();
    if user.kind == Kind::FunctionVersion {
        let functions = needs(user).filter_map(|need| changes.items.get(need));
        all.extend(functions.filter(|change| change.kind == Kind::Function).flat_map(needs));
    }
    all
}

/// Whether something leans on what is at an address: by a need, or because its step came after that of the other.
pub fn leans_on(changes: &Changes, user: &Change, address: &Address) -> bool {
    let step = changes.items.get(address).and_then(|change| Some(change.before.as_ref()?.step.as_str()));
    let by_step = || step.is_some_and(|step| user.before.as_ref().is_some_and(|record| record.after.contains(step)));
    leaned_on(changes, user).contains(address) || by_step()
}
