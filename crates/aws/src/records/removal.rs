//! Removes a group: deletes its record sets and restores the former ones.

use std::collections::BTreeSet;

use aws_sdk_route53::types::{Change, ChangeAction, ResourceRecordSet};

use super::batch::{self, BatchChange, SetAction};
use super::read::{self, ListedSets};
use super::{CHANGE, GroupCall, Records, keys, split, written};
use crate::resource::Fault;
use crate::resource::records::RecordSet;
use crate::resource::records::previous::PreviousSets;

impl Records {
    /// Takes the group's sets away and brings those back that existed before, in one batch. One that others deleted since
    /// stays away.
    pub(super) async fn give_back(
        &self,
        group: &GroupCall<'_>,
        listed: &ListedSets,
        earlier: &PreviousSets,
    ) -> Result<(), Fault> {
        let keys = written(group.subject).unwrap_or_else(|| keys(&group.spec.sets));
        let names = keys.iter().filter_map(|key| key.split(' ').next()).map(str::to_owned).collect();
        let held = read::standing(listed, &keys, &names, &[]).ours;
        let wanted: BTreeSet<String> = group.spec.sets.iter().map(RecordSet::owned_key).collect();
        let gone = |key: &str| wanted.contains(key) && !held.iter().any(|set| set.owned_key() == key);
        let goal: Vec<RecordSet> = earlier.iter().filter(|(key, _)| !gone(key)).map(|(_, set)| set.clone()).collect();
        self.apply(group, &held, &goal).await
    }

    /// Deletes these sets as the service has them.
    pub(super) async fn take_away(&self, group: &GroupCall<'_>, to_delete: &[&ResourceRecordSet]) -> Result<(), Fault> {
        let told: Vec<RecordSet> = to_delete.iter().map(|set| read::in_words(set)).collect();
        let steps: Vec<BatchChange<'_>> = told.iter().map(|set| BatchChange { act: SetAction::Delete, set }).collect();
        for batch in split::batches(&steps)? {
            let changes = batch.into_iter().map(|at| {
                let set = batch::spelled(to_delete[at].clone());
                let change = Change::builder().action(ChangeAction::Delete).resource_record_set(set).build();
                change.map_err(|bad| Fault::unexpected("route53", CHANGE, bad.to_string()))
            });
            self.send(group, changes.collect::<Result<_, _>>()?).await?;
        }
        Ok(())
    }
}
