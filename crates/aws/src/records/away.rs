//! A group goes: its sets are deleted, and what existed before comes back.

use std::collections::BTreeSet;

use aws_sdk_route53::types::{Change, ChangeAction, ResourceRecordSet};

use super::batch::{self, Act, Step};
use super::read::{self, Listed};
use super::{CHANGE, Group, Records, divide, keys, written};
use crate::resource::Fault;
use crate::resource::records::RecordSet;
use crate::resource::records::earlier::Earlier;

impl Records {
    /// Takes the group's sets away and brings those back that existed before, in one batch. One that others deleted since
    /// stays away.
    pub(super) async fn give_back(&self, group: &Group<'_>, listed: &Listed, earlier: &Earlier) -> Result<(), Fault> {
        let keys = written(group.subject).unwrap_or_else(|| keys(&group.spec.sets));
        let names = keys.iter().filter_map(|key| key.split(' ').next()).map(str::to_owned).collect();
        let held = read::standing(listed, &keys, &names, &[]).ours;
        let wanted: BTreeSet<String> = group.spec.sets.iter().map(RecordSet::owned_key).collect();
        let gone = |key: &str| wanted.contains(key) && !held.iter().any(|set| set.owned_key() == key);
        let goal: Vec<RecordSet> = earlier.iter().filter(|(key, _)| !gone(key)).map(|(_, set)| set.clone()).collect();
        self.apply(group, &held, &goal).await
    }

    /// Deletes these sets as the service has them.
    pub(super) async fn take_away(&self, group: &Group<'_>, doomed: &[&ResourceRecordSet]) -> Result<(), Fault> {
        let told: Vec<RecordSet> = doomed.iter().map(|set| read::in_words(set)).collect();
        let steps: Vec<Step<'_>> = told.iter().map(|set| Step { act: Act::Delete, set }).collect();
        for batch in divide::batches(&steps)? {
            let changes = batch.into_iter().map(|at| {
                let set = batch::spelled(doomed[at].clone());
                let change = Change::builder().action(ChangeAction::Delete).resource_record_set(set).build();
                change.map_err(|bad| Fault::unexpected("route53", CHANGE, bad.to_string()))
            });
            self.send(group, changes.collect::<Result<_, _>>()?).await?;
        }
        Ok(())
    }
}
