//! How what is found comes into the state: made by this stack, found again by its mark, or imported.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::diff::{Scope, View};
use crate::resource::records::earlier::sets;
use crate::resource::{
    Action, Address, Change, Changes, Desired, Found, Kind, Observed, Origin, Owner, Record, Remembered, Resource, Risk,
};

/// The origin of what is remembered; what is not comes by this stack.
pub(super) fn origin_of(record: Option<&Record>) -> Origin {
    record.map(|record| record.origin).unwrap_or_default()
}

/// The origin of what was found at an address of the plan and the journal does not know.
pub fn found_origin(desired: &Desired, remembered: &Remembered, observed: &Observed, address: &Address) -> Origin {
    let scope = Scope::default();
    let view = View { desired, remembered, observed, scope: &scope, wanted: OnceCell::new() };
    let seen = desired.resources.get(address).zip(observed.found(address));
    seen.map(|(resource, found)| view.origin(resource, Action::Adopt, None, found)).unwrap_or_default()
}

impl View<'_> {
    /// The origin of something that is there, after `action`.
    pub(super) fn origin(&self, resource: &Resource, action: Action, record: Option<&Record>, found: &Found) -> Origin {
        let plain = resource.kind.on_a_machine() || resource.kind.facts().lookup;
        match (action, record) {
            (Action::Create | Action::Replace, _) => Origin::Made,
            (_, Some(record)) => record.origin,
            _ if plain => Origin::Made,
            _ => self.found_origin(resource, found),
        }
    }

    /// The origin of what exists and the journal does not know.
    pub(super) fn found_origin(&self, resource: &Resource, found: &Found) -> Origin {
        let foreign = matches!(found.owner, Owner::Foreign(_) | Owner::Contested(_)) && resource.kind != Kind::Records;
        if foreign || found.says_imported() {
            return Origin::Imported;
        }
        match (resource.kind, self.origin_of_whole(resource)) {
            (_, Some(Origin::Recovered)) => Origin::Recovered,
            (Kind::Records, _) if self.all_exist(resource, found) => Origin::Imported,
            (Kind::Records, _) => Origin::Made,
            (_, Some(Origin::Imported)) => Origin::Imported,
            _ => Origin::Recovered,
        }
    }

    /// Whether every wanted record set was there before.
    fn all_exist(&self, resource: &Resource, found: &Found) -> bool {
        let there: BTreeSet<String> = sets(&found.spec).iter().map(|set| set.owned_key()).collect();
        sets(&self.resolved(&resource.spec)).iter().all(|set| there.contains(&set.owned_key()))
    }

    fn origin_of_whole(&self, resource: &Resource) -> Option<Origin> {
        let kind = resource.kind.facts().part_of?;
        let address = resource.needs.keys().find(|need| need.kind_name() == kind.name())?;
        if let Some(record) = self.remembered.resources.get(address).filter(|record| record.id.is_some()) {
            return Some(record.origin);
        }
        self.observed.found(address).map(|found| match found.owner {
            Owner::Foreign(_) | Owner::Contested(_) => Origin::Imported,
            _ if found.says_imported() => Origin::Imported,
            _ => Origin::Recovered,
        })
    }
}

/// What stays because this stack did not make it goes on to need what it uses: that is not deleted either.
pub(super) fn keep_needs_of_imported(changes: &mut Changes) {
    let stays = |change: &&Change| {
        let there = change.found.is_some() && !change.kind.facts().lookup;
        change.action == Action::Forget && change.origin != Origin::Made && there
    };
    let mut open: Vec<Address> = changes.items.values().filter(stays).map(|change| change.address.clone()).collect();
    while let Some(address) = open.pop() {
        for need in used_by(&changes.items[&address]) {
            let Some(used) = changes.items.get_mut(&need).filter(|used| used.action == Action::Delete) else {
                continue;
            };
            (used.action, used.risk) = (Action::Forget, Risk::Safe);
            used.reason = Some(format!("{address} stays and uses it: it stays as it is, too"));
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
