//! S3 replication: S3 takes the rules of a source bucket as a whole. Ours are told from those of others by their ids.

mod rules;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::types as s3;
use serde_json::Value;

use self::rules::StatedRules;
use super::bucket::home;
use super::fault::{optional, taken, unbuilt};
use super::{Clients, fault_of};
use crate::permissions::{Grant, context};
use crate::provider::{Applied, DeleteOutcome, Provider, ResourceContext};
use crate::resource::replication::ReplicationSpec;
use crate::resource::{Attributes, Fault, FieldChange, ObservedResource, Owner, UnmanagedField};

/// What its calls need.
pub const GRANTS: &[Grant] = &[Grant {
    sid: "Replication",
    on: context::source_bucket,
    actions: &["s3:GetReplicationConfiguration", "s3:PutReplicationConfiguration"],
}];

/// Replication rules of the account's buckets.
pub struct Replications {
    clients: Arc<Clients>,
}

impl Replications {
    /// Replication rules reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients) }
    }
}

#[async_trait]
impl Provider for Replications {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let wanted: ReplicationSpec = subject.typed()?;
        let region = home(subject, "source", wanted.region.clone());
        let Some(held) = self.held(&ReplicationSpec { region, ..wanted.clone() }).await? else { return Ok(None) };
        // Rules carry no mark. What the journal knows is ours whatever its role: the plan may be about to change it.
        let owner = if held.role == wanted.role_arn || subject.id.is_some() {
            Owner::Ours
        } else {
            Owner::Foreign(format!("it uses role {}", held.role))
        };
        let (spec, extras) = seen(&StatedRules::of(subject, &wanted), held);
        let attributes = attributes(&spec);
        let spec = serde_json::to_value(spec)
            .map_err(|bad| Fault::unexpected("s3", "GetBucketReplication", bad.to_string()))?;
        Ok(Some(ObservedResource { id: wanted.source, spec, attributes, owner, extras }))
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let spec: ReplicationSpec = subject.typed()?;
        // S3 replaces the rules without a word, so they are looked at first, unless this run just did.
        let held = if subject.seen_absent { None } else { self.held(&spec).await? };
        if let Some(held) = held.as_ref().filter(|held| held.role != spec.role_arn) {
            let (what, whose) =
                (format!("replication of bucket {}", spec.source), format!("it uses role {}", held.role));
            return Err(taken("s3", "PutBucketReplication", "ReplicationExists", &what, &whose, subject.address));
        }
        self.put(&StatedRules::of(subject, &spec), held).await
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        if fields.is_empty() {
            return Ok(Applied { id: found.id.clone(), attributes: found.attributes.clone() });
        }
        let spec: ReplicationSpec = subject.typed()?;
        let held = self.held(&spec).await?;
        self.put(&StatedRules::of(subject, &spec), held).await
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let spec: ReplicationSpec = subject.typed()?;
        let Some(held) = self.held(&spec).await? else { return Ok(DeleteOutcome::Deleted) };
        let (stated, count) = (StatedRules::of(subject, &spec), held.rules.len());
        let others: Vec<s3::ReplicationRule> = held.rules.into_iter().filter(|rule| !stated.covers(rule)).collect();
        if !others.is_empty() {
            if others.len() < count {
                optional(self.write(&spec, &held.role, others).await)?;
            }
            return Ok(DeleteOutcome::Deleted);
        }
        let answer = self.clients.s3(&spec.region)?.delete_bucket_replication().bucket(&spec.source).send().await;
        optional(answer.map_err(|bad| fault_of("s3", "DeleteBucketReplication", bad)))?;
        Ok(DeleteOutcome::Deleted)
    }
}

impl Replications {
    async fn held(&self, spec: &ReplicationSpec) -> Result<Option<s3::ReplicationConfiguration>, Fault> {
        let answer = self.clients.s3(&spec.region)?.get_bucket_replication().bucket(&spec.source).send().await;
        let answer = optional(answer.map_err(|bad| fault_of("s3", "GetBucketReplication", bad)))?;
        Ok(answer.and_then(|answer| answer.replication_configuration))
    }

    async fn put(
        &self,
        stated: &StatedRules<'_>,
        held: Option<s3::ReplicationConfiguration>,
    ) -> Result<Applied, Fault> {
        let spec = stated.now;
        let rules = rules::merged(stated, held.map(|held| held.rules).unwrap_or_default());
        let rules = rules.map_err(unbuilt("s3", "PutBucketReplication"))?;
        self.write(spec, &spec.role_arn, rules).await.map_err(|fault| advised(spec, fault))?;
        Ok(Applied { attributes: attributes(spec), id: spec.source.clone() })
    }

    async fn write(&self, spec: &ReplicationSpec, role: &str, rules: Vec<s3::ReplicationRule>) -> Result<(), Fault> {
        let config = s3::ReplicationConfiguration::builder().role(role).set_rules(Some(rules)).build();
        let config = config.map_err(unbuilt("s3", "PutBucketReplication"))?;
        let client = self.clients.s3(&spec.region)?;
        let call = client.put_bucket_replication().bucket(&spec.source).replication_configuration(config);
        call.send().await.map(drop).map_err(|bad| fault_of("s3", "PutBucketReplication", bad))
    }
}

fn advised(spec: &ReplicationSpec, fault: Fault) -> Fault {
    if fault.message.text().to_lowercase().contains("versioning") {
        let all = destinations(spec).join(", ");
        return fault.next(format!("turn versioning on in {} and in its destinations ({all}) first", spec.source));
    }
    fault
}

fn destinations(spec: &ReplicationSpec) -> Vec<String> {
    spec.rules.iter().map(|rule| rule.destination.clone()).collect()
}

fn attributes(spec: &ReplicationSpec) -> Attributes {
    Attributes::from([
        ("source".into(), spec.source.clone().into()),
        ("destinations".into(), Value::from(destinations(spec))),
    ])
}

/// What is there: our rules in the plan's order, those of others as extras.
fn seen(stated: &StatedRules<'_>, held: s3::ReplicationConfiguration) -> (ReplicationSpec, Vec<UnmanagedField>) {
    let (mut ours, others): (Vec<_>, Vec<_>) = held.rules.into_iter().partition(|rule| stated.covers(rule));
    ours.sort_by_key(|rule| (stated.place(rule), rule.priority));
    let taken: BTreeSet<i32> = others.iter().filter_map(|rule| rule.priority).collect();
    let mut extras = Vec::new();
    for rule in &ours {
        let id = rule.id().unwrap_or("unnamed");
        let unknown = rules::unknown(rule).into_iter();
        extras.extend(unknown.map(|(part, value)| UnmanagedField {
            path: format!("rules.{id}.{part}"),
            value,
            theirs: false,
        }));
    }
    extras.extend(others.iter().map(|rule| {
        let mut value = serde_json::to_value(rules::told(rule, None, &taken)).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.extend(rules::unknown(rule));
        }
        UnmanagedField { path: format!("rules.{}", rule.id().unwrap_or("unnamed")), value, theirs: true }
    }));
    let rules = ours.iter().map(|rule| rules::told(rule, stated.wanted(rule), &taken)).collect();
    let (source, region) = (stated.now.source.clone(), stated.now.region.clone());
    (ReplicationSpec { source, region, role_arn: held.role, rules }, extras)
}
