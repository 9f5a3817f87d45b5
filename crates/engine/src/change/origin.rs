//! The origin of a found resource: created by this stack, recovered by its tag, or imported.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::diff::{DiffScope, DiffView};
use crate::resource::records::previous::sets;
use crate::resource::{
    Action, Address, Change, Changes, Desired, Kind, Observed, ObservedResource, Owner, Resource, ResourceOrigin,
    ResourceRecord, Risk, StackState, identity,
};

/// The origin of what is recorded; what is not comes by this stack.
pub(super) fn origin_of(record: Option<&ResourceRecord>) -> ResourceOrigin {
    record.map(|record| record.origin).unwrap_or_default()
}

/// The origin of what was found at an address of the plan and the journal does not know.
pub fn found_origin(
    desired: &Desired,
    recorded: &StackState,
    observed: &Observed,
    address: &Address,
) -> ResourceOrigin {
    let scope = DiffScope::default();
    let view = DiffView { desired, recorded, observed, scope: &scope, wanted: OnceCell::new() };
    let seen = desired.resources.get(address).zip(observed.found(address));
    seen.map(|(resource, found)| view.origin(resource, Action::Adopt, None, found)).unwrap_or_default()
}

impl DiffView<'_> {
    /// The origin of something that is there, after `action`.
    pub(super) fn origin(
        &self,
        resource: &Resource,
        action: Action,
        record: Option<&ResourceRecord>,
        found: &ObservedResource,
    ) -> ResourceOrigin {
        let plain = resource.kind.on_a_machine() || resource.kind.facts().lookup;
        match (action, record) {
            (Action::Create | Action::Replace, _) => ResourceOrigin::Made,
            (_, Some(record)) if self.speaks_of(record, found) => record.origin,
            _ if plain || self.was_set_aside(resource, found) => ResourceOrigin::Made,
            _ => self.found_origin(resource, found),
        }
    }

    /// Whether what the journal says of an origin is said of this thing. A rollback that failed before it brought back what was
    /// imported leaves its word of that; under the settings of the plan, something else of this stack may be at the address.
    fn speaks_of(&self, record: &ResourceRecord, found: &ObservedResource) -> bool {
        if record.id.is_some() || record.origin == ResourceOrigin::Made {
            return true;
        }
        let (begun, there) = (identity(record.kind, &self.resolved(&record.spec)), identity(record.kind, &found.spec));
        begun.is_none() || begun == there
    }

    /// Whether a run put it aside to delete it, and did not come to that: this stack has it.
    fn was_set_aside(&self, resource: &Resource, found: &ObservedResource) -> bool {
        let left = self.recorded.pending_deletions.iter();
        let mut same = left.filter(|left| left.kind == resource.kind && left.id == found.id);
        found.owner == Owner::Ours && same.any(|left| left.address == resource.address)
    }

    /// The origin of what exists and the journal does not know.
    pub(super) fn found_origin(&self, resource: &Resource, found: &ObservedResource) -> ResourceOrigin {
        let foreign = matches!(found.owner, Owner::Foreign(_) | Owner::Contested(_)) && resource.kind != Kind::Records;
        if foreign || found.says_imported() {
            return ResourceOrigin::Imported;
        }
        match (resource.kind, self.origin_of_whole(resource)) {
            (_, Some(ResourceOrigin::Recovered)) => ResourceOrigin::Recovered,
            (Kind::Records, _) if self.all_exist(resource, found) => ResourceOrigin::Imported,
            (Kind::Records, _) => ResourceOrigin::Made,
            (_, Some(ResourceOrigin::Imported)) => ResourceOrigin::Imported,
            _ => ResourceOrigin::Recovered,
        }
    }

    /// Whether every wanted record set was there before.
    fn all_exist(&self, resource: &Resource, found: &ObservedResource) -> bool {
        let there: BTreeSet<String> = sets(&found.spec).iter().map(|set| set.owned_key()).collect();
        sets(&self.resolved(&resource.spec)).iter().all(|set| there.contains(&set.owned_key()))
    }

    fn origin_of_whole(&self, resource: &Resource) -> Option<ResourceOrigin> {
        let kind = resource.kind.facts().part_of?;
        let address = resource.needs.keys().find(|need| need.kind_name() == kind.name())?;
        if let Some(record) = self.recorded.resources.get(address).filter(|record| record.id.is_some()) {
            return Some(record.origin);
        }
        self.observed.found(address).map(|found| match found.owner {
            Owner::Foreign(_) | Owner::Contested(_) => ResourceOrigin::Imported,
            _ if found.says_imported() => ResourceOrigin::Imported,
            _ => ResourceOrigin::Recovered,
        })
    }
}

/// What stays because this stack did not make it goes on to need what it uses: that is not deleted either.
pub(super) fn keep_needs_of_imported(changes: &mut Changes) {
    let stays = |change: &&Change| {
        let there = change.found.is_some() && !change.kind.facts().lookup;
        change.action == Action::Forget && change.origin != ResourceOrigin::Made && there
    };
    let mut open: Vec<Address> = changes.items.values().filter(stays).map(|change| change.address.clone()).collect();
    while let Some(address) = open.pop() {
        for need in used_by(&changes.items[&address]) {
            let Some(used) = changes.items.get_mut(&need).filter(|used| used.action == Action::Delete) else {
                continue;
            };
            (used.action, used.risk) = (Action::Forget, Risk::Safe);
            used.reason = Some(format!("{address} stays and uses it: it is kept as well"));
            open.push(need);
        }
    }
}

/// What something uses. Record sets that stay are as they were before this stack: they use their zone alone.
fn used_by(change: &Change) -> Vec<Address> {
    let needs = change.before.iter().flat_map(|record| record.needs.keys());
    let used = needs.filter(|need| change.kind != Kind::Records || need.kind_name() == Kind::Zone.name());
    used.cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::{Place, at, found, record};
    use crate::resource::{Action, Attributes, Kind, PendingDeletion, ResourceOrigin, ResourceStatus};

    const BUCKET: &str = "m.bucket.b";

    fn named(name: &str) -> Value {
        json!({"name": name, "region": "us-east-1"})
    }

    /// What a rollback left that set the stack's own bucket `new` aside and then could not bring `old` back, which was imported:
    /// its word of that (`begun`), or none when the call was refused for good.
    fn failed_rollback(begun: bool) -> Place {
        let mut place = Place::new();
        if begun {
            let mut old = record(BUCKET, None, named("old"));
            (old.standing, old.origin) = (ResourceStatus::Creating, ResourceOrigin::Imported);
            place = place.know(BUCKET, old);
        }
        place.recorded.pending_deletions.push(PendingDeletion {
            address: at(BUCKET),
            kind: Kind::Bucket,
            id: "new".to_owned(),
            spec: named("new"),
            attributes: Attributes::new(),
            reason: "a newer one took its place".into(),
            held_by: Default::default(),
        });
        place
    }

    #[test]
    fn a_failed_rollback_does_not_make_the_stacks_own_look_imported() {
        for begun in [true, false] {
            let place = failed_rollback(begun).want(BUCKET, named("new")).see(BUCKET, found("new", named("new")));
            let changes = place.changes();
            let change = &changes.items[&at(BUCKET)];
            assert_eq!((change.action, change.origin), (Action::Adopt, ResourceOrigin::Made), "begun: {begun}");
        }
    }

    #[test]
    fn what_was_imported_is_so_again_when_the_rollback_is_tried_again() {
        for begun in [true, false] {
            let mut place = failed_rollback(begun).want(BUCKET, named("old")).see(BUCKET, found("old", named("old")));
            place.scope.undo = true;
            place.scope.was.insert(at(BUCKET), ResourceOrigin::Imported);
            let changes = place.changes();
            let change = &changes.items[&at(BUCKET)];
            assert_eq!((change.action, change.origin), (Action::Adopt, ResourceOrigin::Imported), "begun: {begun}");
        }
    }
}
