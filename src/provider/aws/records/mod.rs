//! Route 53 record sets: one group of names in one zone, changed in one transaction.
//!
//! Record sets have no tags. A group owns its names by the journal; without it, by standing there exactly as wanted.

mod batch;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_route53::error::SdkError;
use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ChangeStatus};

use self::batch::Step;
use self::read::{Zone, same};
use super::route53::{bare, domain};
use super::{Clients, fault_of};
use crate::provider::{Gone, Made, Provider, Settled, Subject};
use crate::resource::records::{RecordSet, RecordsSpec};
use crate::resource::{Attributes, Class, Fault, FieldChange, Found, Level, Owner, comment};

const CHANGE: &str = "ChangeResourceRecordSets";

/// Groups of record sets in the account's zones.
pub struct Records {
    clients: Arc<Clients>,
    zones: Mutex<BTreeMap<String, Arc<Zone>>>,
    /// The last change of each group, to know when the name servers have it.
    changes: Mutex<BTreeMap<String, String>>,
}

impl Records {
    /// Record sets reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients), zones: Mutex::default(), changes: Mutex::default() }
    }

    fn zone(&self, id: &str) -> Arc<Zone> {
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(zones.entry(id.to_owned()).or_default())
    }

    /// Sends one batch, alone in its zone, and remembers its change id for the group.
    async fn send(&self, group: &Group<'_>, changes: Vec<Change>) -> Result<(), Fault> {
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
            let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            changes.insert(group.id(), bare(&info.id).to_owned());
        }
        Ok(())
    }

    /// What stands now at these names, as the service has it this moment.
    async fn now(&self, group: &Group<'_>, names: &BTreeSet<String>) -> Result<Vec<RecordSet>, Fault> {
        let zone = self.zone(&group.zone);
        zone.forget();
        let listed = zone.list(&self.clients, &group.zone).await?;
        Ok(read::sets_at(&listed, names, &group.spec.sets))
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
        fault.message = words;
    }
    fault
}

/// Whether a batch was refused because of what stands in the zone.
fn stands_in_the_way(fault: &Fault) -> bool {
    let known = ["already exists", "other RRSets exist", "conflicts with other records"];
    fault.code == "InvalidChangeBatch" && known.iter().any(|words| fault.message.contains(words))
}

/// The group that a call is about.
struct Group<'s> {
    subject: &'s Subject<'s>,
    spec: RecordsSpec,
    /// Bare id of the zone that it stands in; while it is replaced, the old one.
    zone: String,
}

impl<'s> Group<'s> {
    fn of(subject: &'s Subject<'s>) -> Result<Self, Fault> {
        let spec: RecordsSpec = subject.typed()?;
        let held = subject.id.and_then(|id| id.split_once('/')).map(|(zone, _)| zone);
        let zone = held.unwrap_or_else(|| bare(&spec.zone_id)).to_owned();
        Ok(Self { subject, spec, zone })
    }

    fn id(&self) -> String {
        format!("{}/{}", self.zone, self.subject.address.name())
    }

    fn made(&self) -> Made {
        Made { id: self.id(), attributes: attributes(&self.spec.sets) }
    }

    /// The names that were owned before; none when that is not known.
    fn owned(&self) -> Option<BTreeSet<String>> {
        let before = self.subject.attributes.get("names").and_then(serde_json::Value::as_array)?;
        Some(before.iter().filter_map(|name| name.as_str().map(domain)).collect())
    }

    /// The names that are wanted, and those that were owned before.
    fn names(&self) -> BTreeSet<String> {
        let before = self.owned().unwrap_or_default();
        self.spec.sets.iter().map(|set| domain(&set.name)).chain(before).collect()
    }

    /// The sets, of these, that nobody asked for, at names that were not owned before.
    fn strangers<'f>(&self, found: &'f [RecordSet]) -> Vec<&'f RecordSet> {
        let known = self.subject.id.is_some();
        let owned = self.owned();
        let is_owned = |set: &RecordSet| known && owned.as_ref().is_none_or(|owned| owned.contains(&domain(&set.name)));
        found.iter().filter(|set| !self.spec.sets.contains(set) && !is_owned(set)).collect()
    }
}

fn attributes(sets: &[RecordSet]) -> Attributes {
    let names: BTreeSet<String> = sets.iter().map(|set| domain(&set.name)).collect();
    Attributes::from([("names".into(), names.into_iter().collect::<Vec<_>>().into())])
}

/// Sets in words: `api.example.com A [eu]`.
fn words<'a>(sets: impl IntoIterator<Item = &'a RecordSet>) -> String {
    let one = |set: &RecordSet| match set.set_identifier.as_deref() {
        Some(id) => format!("{} {} [{id}]", set.name, set.record_type),
        None => format!("{} {}", set.name, set.record_type),
    };
    sets.into_iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Turns a batch in the plan's words into the service's.
fn changes(group: &Group<'_>, steps: &[Step<'_>]) -> Result<Vec<Change>, Fault> {
    batch::within_limits(steps)?;
    tracing::debug!(zone = group.zone, batch = batch::render(steps), "change batch");
    steps.iter().map(batch::change).collect()
}

#[async_trait]
impl Provider for Records {
    async fn read(&self, subject: &Subject<'_>) -> Result<Option<Found>, Fault> {
        let group = Group::of(subject)?;
        let listed = match self.zone(&group.zone).list(&self.clients, &group.zone).await {
            // No zone, no records.
            Err(fault) if fault.class == Class::Missing => return Ok(None),
            other => other?,
        };
        let sets = read::sets_at(&listed, &group.names(), &group.spec.sets);
        if sets.is_empty() {
            return Ok(None);
        }
        let strangers = group.strangers(&sets);
        let owner = if strangers.is_empty() {
            Owner::Ours
        } else if subject.id.is_some() {
            Owner::Contested(format!("other record sets stand at names that are new in it: {}", words(strangers)))
        } else {
            Owner::Foreign(format!("other record sets stand at its names: {}", words(strangers)))
        };
        let same_zone = bare(&group.spec.zone_id) == group.zone;
        let zone_id = if same_zone { group.spec.zone_id.clone() } else { group.zone.clone() };
        let (id, attributes) = (group.id(), attributes(&sets));
        let spec = serde_json::to_value(RecordsSpec { zone_id, sets });
        let spec = spec.map_err(|bad| Fault::unexpected("route53", "read", bad.to_string()))?;
        Ok(Some(Found { id, spec, attributes, owner, extras: Vec::new() }))
    }

    async fn create(&self, subject: &Subject<'_>) -> Result<Made, Fault> {
        let group = Group::of(subject)?;
        let Err(fault) = self.send(&group, changes(&group, &batch::all_new(&group.spec.sets))?).await else {
            return Ok(group.made());
        };
        if !stands_in_the_way(&fault) {
            return Err(fault);
        }
        let standing = self.now(&group, &group.names()).await?;
        if same(&standing, &group.spec.sets) {
            return Ok(group.made());
        }
        let strangers = standing.iter().filter(|set| !group.spec.sets.contains(set));
        let told = format!("other record sets stand at these names: {}", words(strangers));
        Err(Fault::new(Class::Exists, "route53", CHANGE, "RecordsExist", told)
            .next("delete them, or take their names out of the plan; then run this again"))
    }

    async fn update(&self, subject: &Subject<'_>, found: &Found, fields: &[FieldChange]) -> Result<Made, Fault> {
        let group = Group::of(subject)?;
        if fields.is_empty() {
            return Ok(Made { id: found.id.clone(), attributes: found.attributes.clone() });
        }
        let held: RecordsSpec = serde::Deserialize::deserialize(&found.spec)
            .map_err(|bad: serde_json::Error| Fault::unexpected("akidb-edge", "spec", bad.to_string()))?;
        let steps = batch::steps(&held.sets, &group.spec.sets);
        if steps.is_empty() {
            return Ok(group.made());
        }
        match self.send(&group, changes(&group, &steps)?).await {
            Err(fault) if fault.code == "InvalidChangeBatch" => {
                self.explain(&group, &held.sets, fault).await.map(|()| group.made())
            }
            other => other.map(|()| group.made()),
        }
    }

    async fn delete(&self, subject: &Subject<'_>) -> Result<Gone, Fault> {
        let group = Group::of(subject)?;
        let zone = self.zone(&group.zone);
        zone.forget();
        let listed = match zone.list(&self.clients, &group.zone).await {
            Err(fault) if fault.class == Class::Missing => return Ok(Gone::Gone),
            other => other?,
        };
        // As the service has them, so that nothing this program does not know of is lost in between.
        let doomed = read::deletable(&listed, &group.names());
        if doomed.is_empty() {
            return Ok(Gone::Gone);
        }
        let changes = doomed.into_iter().map(|set| {
            let change = Change::builder().action(ChangeAction::Delete).resource_record_set(set.clone()).build();
            change.map_err(|bad| Fault::unexpected("route53", CHANGE, bad.to_string()))
        });
        let sent = self.send(&group, changes.collect::<Result<_, _>>()?).await;
        match sent {
            Ok(()) => Ok(Gone::Gone),
            Err(mut fault) => {
                let moved = ["not found", "do not match"].iter().any(|words| fault.message.contains(words));
                if fault.code == "InvalidChangeBatch" && moved {
                    // Somebody changed them since the list: look again.
                    fault.class = Class::Retry;
                }
                Err(fault)
            }
        }
    }

    async fn settled(&self, subject: &Subject<'_>, level: Level) -> Result<Settled, Fault> {
        let known = {
            let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            subject.id.and_then(|id| changes.get(id).cloned())
        };
        let Some(change) = known.filter(|_| level == Level::Propagated) else {
            return Ok(Settled::Ready(Attributes::new()));
        };
        let answer = self.clients.route53().await.get_change().id(change).send().await;
        let status = match answer.map_err(|bad| fault_of("route53", "GetChange", bad)) {
            Ok(answer) => answer.change_info.map(|info| info.status),
            // The service forgets old changes; those have long arrived.
            Err(fault) if fault.class == Class::Missing => return Ok(Settled::Ready(Attributes::new())),
            Err(fault) => return Err(fault),
        };
        Ok(match status {
            Some(ChangeStatus::Insync) => Settled::Ready(Attributes::new()),
            other => Settled::NotYet(
                other.map_or_else(|| "PENDING".to_owned(), |status| status.as_str().to_owned()),
                Duration::from_millis(500),
            ),
        })
    }
}

impl Records {
    /// Why an update's batch was refused: because an earlier try did it already (no fault), because the records are
    /// not any more what they were when they were read (stale), or for the service's own reason.
    async fn explain(&self, group: &Group<'_>, held: &[RecordSet], mut fault: Fault) -> Result<(), Fault> {
        let before = held.iter().map(|set| domain(&set.name));
        let names = group.names().into_iter().chain(before).collect();
        let standing = self.now(group, &names).await?;
        if same(&standing, &group.spec.sets) {
            return Ok(());
        }
        if !same(&standing, held) {
            fault.class = Class::Stale;
            return Err(fault.next("the records changed since they were read: run this again"));
        }
        Err(fault)
    }
}
