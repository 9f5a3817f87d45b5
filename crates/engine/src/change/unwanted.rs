//! Resources that are not in the plan: deleted, or forgotten if they are missing or not this stack's.

use super::diff::{DiffView, Identities, risk};
use crate::resource::records::previous::{EARLIER_SETS, SetRemoval, fate};
use crate::resource::{Action, Address, Change, Kind, Owner, ResourceOrigin, ResourceRecord, identity};

impl<'a> DiffView<'a> {
    pub(super) fn unwanted(&self, address: &Address, record: &ResourceRecord) -> Change {
        let reason = self.why_forgotten(address, record);
        let gone = self.observed.found(address).is_none() || record.kind.facts().lookup;
        let action = if gone || reason.is_some() { Action::Forget } else { Action::Delete };
        let mut before = record.clone();
        let mut reason = reason;
        if self.scope.delete_imported.contains(address) {
            // It is named: nothing of it stays.
            before.attributes.remove(EARLIER_SETS);
        } else if action == Action::Delete {
            reason = self.fate(address, record).words();
        }
        Change {
            address: address.clone(),
            kind: record.kind,
            action,
            fields: Vec::new(),
            moved_from: Vec::new(),
            risk: risk(record.kind, action, &[], &record.spec),
            reason,
            origin: record.origin,
            after: None,
            before: Some(before),
            found: self.observed.found(address).cloned(),
        }
    }

    /// Why something that is there is not deleted.
    fn why_forgotten(&self, address: &Address, record: &ResourceRecord) -> Option<String> {
        let found = self.observed.found(address)?;
        let title = record.kind.facts().title;
        // Whatever led here (an earlier `--adopt`, an import): what the plan wants is not deleted under another address.
        if let Some(other) = self.wanted_elsewhere(address, record) {
            return Some(format!("the plan has the same {title} as {other}"));
        }
        if let Some(why) = self.taken_in(address, record) {
            return Some(why);
        }
        let foreign = matches!(found.owner, Owner::Foreign(_));
        // Data whose mark is gone may be what somebody else put in the place of ours.
        let data = record.kind.data(&record.spec).is_some() || record.kind == Kind::Object;
        if foreign && data && record.id.is_some() && record.made_at.is_none() && !self.is_named(address) {
            return Some(format!(
                "the {title} is no longer tagged as this stack's: another owner is possible, so it is kept"
            ));
        }
        // A create that never ended may have been refused because somebody else was first. A bucket gets its mark in a
        // call after its creation, and S3 deletes only an empty one.
        if foreign && record.id.is_none() && record.kind != Kind::Bucket {
            return Some("it was never finished, and this stack does not own what exists there".to_owned());
        }
        let taken = matches!(found.owner, Owner::Contested(_));
        taken.then(|| "it is now tagged as another stack's: it is left alone".to_owned())
    }

    /// Whether an imported thing is to be deleted by its name.
    fn is_named(&self, address: &Address) -> bool {
        self.scope.delete_imported.contains(address)
    }

    fn taken_in(&self, address: &Address, record: &ResourceRecord) -> Option<String> {
        match record.origin {
            _ if self.is_named(address) => None,
            ResourceOrigin::Recovered if self.scope.undo => {
                Some("the undone runs found it and did not create it: it is kept as it is".to_owned())
            }
            ResourceOrigin::Imported => {
                let fate = self.fate(address, record);
                (!fate.has_work).then(|| "left as it is".to_owned())
            }
            _ => None,
        }
    }

    /// What becomes of the record sets of a group that existed before.
    fn fate(&self, address: &Address, record: &ResourceRecord) -> SetRemoval {
        let found = self.observed.found(address).filter(|_| record.kind == Kind::Records);
        found.map(|found| fate(record, found, &|spec| self.resolved(spec))).unwrap_or_default()
    }

    /// The other address of the plan under which this very thing is wanted.
    pub(super) fn wanted_elsewhere(&self, address: &Address, record: &ResourceRecord) -> Option<&'a Address> {
        // A health check may be wanted twice; then the journal knows two of them.
        if record.kind == Kind::HealthCheck {
            return None;
        }
        let own = identity(record.kind, &self.resolved(&record.spec))?;
        let others = self.wanted.get_or_init(|| self.identities()).get(&(record.kind, own))?;
        others.iter().copied().find(|other| *other != address)
    }

    /// What the plan wants, by identity.
    fn identities(&self) -> Identities<'a> {
        let mut all = Identities::new();
        for resource in self.desired.resources.values() {
            if let Some(identity) = identity(resource.kind, &self.resolved(&resource.spec)) {
                all.entry((resource.kind, identity)).or_default().push(&resource.address);
            }
        }
        all
    }
}
