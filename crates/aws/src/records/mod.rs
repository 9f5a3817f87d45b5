//! Route 53 record sets: a group of sets in one zone, changed in one transaction.
//!
//! Record sets have no tags. A group owns the sets (name, type, set identifier) that the journal says it wrote; without
//! it, those that stand exactly as wanted. Other sets at the same names are somebody else's and are left alone.

mod batch;
mod calls;
pub(super) mod read;
mod removal;
mod split;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_route53::error::SdkError;
use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError;
use aws_sdk_route53::types::{Change, ChangeBatch, ChangeStatus, ResourceRecordSet};
use serde::Deserialize;

use self::batch::{BatchChange, SetAction};
pub use self::calls::GRANTS;
use self::read::{ListedSets, SharedZone, ZoneContents, same};
use super::route53::{bare, domain};
use super::{Clients, fault_of};
use crate::provider::{Applied, DeleteOutcome, Progress, Provider, ResourceContext};
use crate::resource::records::previous::{coming_back, conflict, kept};
use crate::resource::records::{RecordSet, RecordsSpec};
use crate::resource::{
    Attributes, Fault, FaultClass, FieldChange, Level, ObservedResource, Owner, UnmanagedField, comment,
};

const CHANGE: &str = "ChangeResourceRecordSets";

/// The attribute that names the sets that a group wrote.
const SETS: &str = "sets";

/// Groups of record sets in the account's zones.
pub struct Records {
    clients: Arc<Clients>,
    zones: Mutex<BTreeMap<String, Arc<SharedZone>>>,
    /// The changes of each group that may be under way, to know when the name servers have them.
    changes: Mutex<BTreeMap<String, Vec<String>>>,
}

impl Records {
    /// Record sets reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients), zones: Mutex::default(), changes: Mutex::default() }
    }

    fn zone(&self, id: &str) -> Arc<SharedZone> {
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(zones.entry(id.to_owned()).or_default())
    }

    fn changes(&self) -> MutexGuard<'_, BTreeMap<String, Vec<String>>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The service's word for a change that the name servers do not have yet.
    async fn under_way(&self, change: &str) -> Result<Option<String>, Fault> {
        let answer = self.clients.route53().await.get_change().id(change).send().await;
        match answer.map_err(|bad| fault_of("route53", "GetChange", bad)) {
            Ok(answer) => {
                let status = answer.change_info.map(|info| info.status);
                let status = status.filter(|status| *status != ChangeStatus::Insync);
                Ok(status.map(|status| status.as_str().to_owned()))
            }
            // The service forgets old changes; those have long arrived.
            Err(fault) if fault.class == FaultClass::Missing => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Sends one batch, alone in its zone, and records its change id for the group.
    async fn send(&self, group: &GroupCall<'_>, changes: Vec<Change>) -> Result<(), Fault> {
        let bad =
            |bad: aws_smithy_types::error::operation::BuildError| Fault::unexpected("route53", CHANGE, bad.to_string());
        let words = comment(group.subject.stack, group.subject.address);
        let batch = ChangeBatch::builder().comment(words).set_changes(Some(changes)).build().map_err(bad)?;
        let zone = self.zone(&group.zone);
        let turn = zone.turn.lock().await;
        let call = self.clients.route53().await.change_resource_record_sets().hosted_zone_id(&group.zone);
        let answer = call.change_batch(batch).send().await;
        // Even a lost answer may have changed the zone.
        zone.forget();
        drop(turn);
        let answer = answer.map_err(refusal)?;
        if let Some(info) = answer.change_info {
            self.changes().entry(group.id()).or_default().push(bare(&info.id).to_owned());
        }
        Ok(())
    }

    /// What stands now, as the service has it this moment; `held` are further sets of the group.
    async fn now(&self, group: &GroupCall<'_>, held: &[RecordSet]) -> Result<ZoneContents, Fault> {
        let zone = self.zone(&group.zone);
        zone.forget();
        let listed = zone.list(&self.clients, &group.zone).await?;
        Ok(group.standing(&listed, held))
    }
}

/// The words of a refused batch are in a list of their own.
fn refusal(
    error: SdkError<ChangeResourceRecordSetsError, aws_smithy_runtime_api::client::orchestrator::HttpResponse>,
) -> Fault {
    let words = match error.as_service_error() {
        Some(ChangeResourceRecordSetsError::InvalidChangeBatch(batch)) => batch.messages().join("; "),
        _ => String::new(),
    };
    let mut fault = fault_of("route53", CHANGE, error);
    if !words.is_empty() {
        fault.message = words.into();
    }
    fault
}

/// Whether a batch was refused because of what is in the zone.
fn stands_in_the_way(fault: &Fault) -> bool {
    let known = ["already exists", "other RRSets exist", "conflicts with other records"];
    fault.code == "InvalidChangeBatch" && known.iter().any(|words| fault.message.contains(words))
}

/// The group that a call is about.
struct GroupCall<'s> {
    subject: &'s ResourceContext<'s>,
    spec: RecordsSpec,
    /// Bare id of the zone that it is in; while it is replaced, the old one.
    zone: String,
}

impl<'s> GroupCall<'s> {
    fn of(subject: &'s ResourceContext<'s>) -> Result<Self, Fault> {
        let spec: RecordsSpec = subject.typed()?;
        let held = subject.id.and_then(|id| id.split_once('/')).map(|(zone, _)| zone);
        let zone = held.unwrap_or_else(|| bare(&spec.zone_id)).to_owned();
        Ok(Self { subject, spec, zone })
    }

    fn id(&self) -> String {
        format!("{}/{}", self.zone, self.subject.address.name())
    }

    fn made(&self) -> Applied {
        Applied { id: self.id(), attributes: attributes(&self.spec.sets) }
    }

    /// The keys that are known to be the group's: those that it wrote, by the journal. A journal of an older version
    /// knows the settings that were asked for; for a group that no plan wants any longer, those are the spec.
    fn owned(&self) -> BTreeSet<String> {
        written(self.subject).unwrap_or_else(|| {
            let older = self.subject.attributes.contains_key("names").then_some(self.subject.spec);
            let asked = self.subject.before.or(older);
            let asked: Option<RecordsSpec> = asked.and_then(|spec| Deserialize::deserialize(spec).ok());
            asked.map(|asked| keys(&asked.sets)).unwrap_or_default()
        })
    }

    /// What is at the group's names: under its keys, and besides. `held` are further sets of it.
    fn standing(&self, listed: &ListedSets, held: &[RecordSet]) -> ZoneContents {
        let mut scope = keys(&self.spec.sets);
        scope.extend(self.owned());
        scope.extend(keys(held));
        let names = scope.iter().filter_map(|key| key.split(' ').next()).map(str::to_owned).collect();
        read::standing(listed, &scope, &names, &self.spec.sets)
    }

    /// Sets of others that are in the way, each with the reason: under a wanted key and not as wanted, or such that a
    /// wanted set cannot be next to them.
    fn in_the_way(&self, standing: &ZoneContents) -> Vec<String> {
        let owned = self.owned();
        let wanted: BTreeMap<String, &RecordSet> = self.spec.sets.iter().map(|set| (set.owned_key(), set)).collect();
        let others = standing.ours.iter().filter(|set| {
            let key = set.owned_key();
            !owned.contains(&key) && wanted.get(&key).is_some_and(|wanted| wanted != set)
        });
        others.map(words).chain(impossible(&self.spec.sets, &standing.others)).collect()
    }
}

impl GroupCall<'_> {
    /// The sets that go with the group: those that it wrote; by an older journal, those that it was asked for.
    fn to_delete<'l>(&self, listed: &'l ListedSets) -> Vec<&'l ResourceRecordSet> {
        let keys = written(self.subject).unwrap_or_else(|| keys(&self.spec.sets));
        read::deletable(listed, |set| keys.contains(&set.owned_key()))
    }
}

/// The wanted sets that cannot be next to these of others.
fn impossible(wanted: &[RecordSet], others: &[RecordSet]) -> Vec<String> {
    let reason = |other: &RecordSet| wanted.iter().find_map(|set| conflict(set, other));
    others.iter().filter_map(|other| Some(format!("{} ({})", words(other), reason(other)?))).collect()
}

/// The keys that the group wrote, by the journal.
fn written(subject: &ResourceContext<'_>) -> Option<BTreeSet<String>> {
    let keys = subject.attributes.get(SETS)?.as_array()?;
    Some(keys.iter().filter_map(|key| key.as_str().map(str::to_owned)).collect())
}

fn keys(sets: &[RecordSet]) -> BTreeSet<String> {
    sets.iter().map(RecordSet::owned_key).collect()
}

fn attributes(sets: &[RecordSet]) -> Attributes {
    let names: BTreeSet<String> = sets.iter().map(|set| domain(&set.name)).collect();
    let list = |texts: BTreeSet<String>| texts.into_iter().collect::<Vec<_>>().into();
    Attributes::from([("names".into(), list(names)), (SETS.into(), list(keys(sets)))])
}

/// A set in words: `api.example.com A [eu]`.
fn words(set: &RecordSet) -> String {
    match set.set_identifier.as_deref() {
        Some(id) => format!("{} {} [{id}]", set.name, set.record_type),
        None => format!("{} {}", set.name, set.record_type),
    }
}

/// What else is at the group's names.
fn extras(others: Vec<RecordSet>) -> Vec<UnmanagedField> {
    let extra = |set: RecordSet| {
        let path = format!("{SETS}.{}", set.owned_key());
        Some(UnmanagedField { path, value: serde_json::to_value(set).ok()?, theirs: true })
    };
    others.into_iter().filter_map(extra).collect()
}

fn exists(in_the_way: &[String]) -> Fault {
    let told = format!("record sets that this stack does not own conflict: {}", in_the_way.join(", "));
    Fault::new(FaultClass::Exists, "route53", CHANGE, "RecordsExist", told).next(
        "find out who owns them; delete them, or remove those names from the plan; then run the same command \
               again",
    )
}

#[async_trait]
impl Provider for Records {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let group = GroupCall::of(subject)?;
        let listed = match self.zone(&group.zone).list(&self.clients, &group.zone).await {
            // No zone, no records.
            Err(fault) if fault.class == FaultClass::Missing => return Ok(None),
            other => other?,
        };
        let standing = group.standing(&listed, &[]);
        let in_the_way = group.in_the_way(&standing);
        if standing.ours.is_empty() && in_the_way.is_empty() {
            return Ok(None);
        }
        let told = format!("record sets that it did not write conflict: {}", in_the_way.join(", "));
        let owner = match in_the_way.is_empty() {
            true => Owner::Ours,
            false if subject.id.is_some() => Owner::Contested(told),
            false => Owner::Foreign(told),
        };
        let ZoneContents { ours: sets, others } = standing;
        let same_zone = bare(&group.spec.zone_id) == group.zone;
        let zone_id = if same_zone { group.spec.zone_id.clone() } else { group.zone.clone() };
        let (id, attributes) = (group.id(), attributes(&sets));
        let spec = serde_json::to_value(RecordsSpec { zone_id, sets });
        let spec = spec.map_err(|bad| Fault::unexpected("route53", "read", bad.to_string()))?;
        Ok(Some(ObservedResource { id, spec, attributes, owner, extras: extras(others) }))
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let group = GroupCall::of(subject)?;
        let mut held = Vec::new();
        loop {
            let Err(fault) = self.apply(&group, &held, &group.spec.sets).await else { return Ok(group.made()) };
            if !stands_in_the_way(&fault) {
                return Err(fault);
            }
            let standing = self.now(&group, &[]).await?;
            let in_the_way = group.in_the_way(&standing);
            if !in_the_way.is_empty() {
                return Err(exists(&in_the_way));
            }
            if standing.ours == held {
                return Err(fault);
            }
            // Made by an earlier try, in part or as a whole: what is left is made now.
            held = standing.ours;
        }
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        let group = GroupCall::of(subject)?;
        if fields.is_empty() {
            return Ok(Applied { id: found.id.clone(), attributes: found.attributes.clone() });
        }
        let held: RecordsSpec = Deserialize::deserialize(&found.spec)
            .map_err(|bad: serde_json::Error| Fault::unexpected("akidb-edge", "spec", bad.to_string()))?;
        let others = found.extras.iter().filter_map(|extra| Deserialize::deserialize(&extra.value).ok());
        let impossible = impossible(&group.spec.sets, &others.collect::<Vec<RecordSet>>());
        if !impossible.is_empty() {
            return Err(exists(&impossible));
        }
        // What existed before and is not wanted any more is not deleted: it comes back as it was.
        let (mut goal, _) = coming_back(&kept(subject.attributes), &group.spec.sets);
        goal.extend(group.spec.sets.iter().cloned());
        match self.apply(&group, &held.sets, &goal).await {
            Err(fault) if fault.code == "InvalidChangeBatch" => {
                self.explain(&group, &held.sets, &goal, fault).await.map(|()| group.made())
            }
            other => other.map(|()| group.made()),
        }
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let group = GroupCall::of(subject)?;
        let zone = self.zone(&group.zone);
        zone.forget();
        let listed = match zone.list(&self.clients, &group.zone).await {
            Err(fault) if fault.class == FaultClass::Missing => return Ok(DeleteOutcome::Deleted),
            other => other?,
        };
        // As the service has them, so that nothing this program does not know of is lost in between.
        let sent = match kept(subject.attributes) {
            none if none.is_empty() => self.take_away(&group, &group.to_delete(&listed)).await,
            earlier => self.give_back(&group, &listed, &earlier).await,
        };
        match sent {
            Ok(()) => Ok(DeleteOutcome::Deleted),
            Err(mut fault) => {
                let moved = ["not found", "do not match"].iter().any(|words| fault.message.contains(words));
                if fault.code == "InvalidChangeBatch" && moved {
                    // Somebody changed them since the list: look again.
                    fault.class = FaultClass::Retry;
                }
                Err(fault)
            }
        }
    }

    async fn settled(&self, subject: &ResourceContext<'_>, level: Level) -> Result<Progress, Fault> {
        let sent = |id: &str| self.changes().get(id).cloned().unwrap_or_default();
        let sent = subject.id.filter(|_| level == Level::Propagated).map(sent).unwrap_or_default();
        for change in sent {
            if let Some(status) = self.under_way(&change).await? {
                return Ok(Progress::NotYet(status.into(), Duration::from_millis(500)));
            }
            self.changes().values_mut().for_each(|all| all.retain(|one| *one != change));
        }
        Ok(Progress::Ready(Attributes::new()))
    }
}

impl Records {
    /// Why an update's batch was refused: because an earlier try did it already (no fault), because the records are
    /// not any more what they were when they were read (stale), or for the service's own reason.
    async fn explain(
        &self,
        group: &GroupCall<'_>,
        held: &[RecordSet],
        goal: &[RecordSet],
        mut fault: Fault,
    ) -> Result<(), Fault> {
        let standing = self.now(group, held).await?.ours;
        if same(&standing, goal) {
            return Ok(());
        }
        if !same(&standing, held) {
            fault.class = FaultClass::Stale;
            return Err(fault.next("the records changed since they were read: run the same command again"));
        }
        Err(fault)
    }

    /// Changes what stands from `held` to `wanted`: in one batch, or in several when it is more than one takes.
    async fn apply(&self, group: &GroupCall<'_>, held: &[RecordSet], wanted: &[RecordSet]) -> Result<(), Fault> {
        let mut steps = batch::steps(held, wanted);
        if steps.is_empty() {
            return Ok(());
        }
        let bound_to_zone = |step: &BatchChange<'_>| {
            step.act == SetAction::Delete && ["NS", "SOA"].contains(&step.set.record_type.as_str())
        };
        if steps.iter().any(bound_to_zone) {
            let listed = self.zone(&group.zone).list(&self.clients, &group.zone).await?;
            steps.retain(|step| step.act != SetAction::Delete || !read::belongs_to_zone(&listed, step.set));
        }
        for batch in split::batches(&steps)? {
            let part: Vec<BatchChange<'_>> = batch.into_iter().map(|at| steps[at]).collect();
            tracing::debug!(zone = group.zone, batch = batch::render(&part), "change batch");
            self.send(group, part.iter().map(batch::change).collect::<Result<_, _>>()?).await?;
        }
        Ok(())
    }
}
