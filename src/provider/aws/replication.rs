//! S3 replication: all rules of one source bucket, written as a whole.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::types as s3;
use serde_json::Value;

use super::fault::{optional, taken, unbuilt};
use super::{Clients, fault_of};
use crate::provider::{Gone, Made, Provider, Subject};
use crate::resource::replication::{ReplicationRule, ReplicationSpec};
use crate::resource::{Attributes, Fault, FieldChange, Found, Owner};

/// In front of a bucket's name in its ARN.
const ARN: &str = "arn:aws:s3:::";

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
    async fn read(&self, subject: &Subject<'_>) -> Result<Option<Found>, Fault> {
        let wanted: ReplicationSpec = subject.typed()?;
        let answer = self.clients.s3(&wanted.region).get_bucket_replication().bucket(&wanted.source).send().await;
        let answer = optional(answer.map_err(|bad| fault_of("s3", "GetBucketReplication", bad)))?;
        let Some(held) = answer.and_then(|answer| answer.replication_configuration) else { return Ok(None) };
        // Rules carry no mark. What the journal knows is ours whatever its role: the plan may be about to change it.
        let owner = if held.role == wanted.role_arn || subject.id.is_some() {
            Owner::Ours
        } else {
            Owner::Foreign(format!("it uses role {}", held.role))
        };
        let spec = seen(&wanted, held);
        let attributes = attributes(&spec);
        let spec = serde_json::to_value(spec)
            .map_err(|bad| Fault::unexpected("s3", "GetBucketReplication", bad.to_string()))?;
        Ok(Some(Found { id: wanted.source, spec, attributes, owner, extras: Vec::new() }))
    }

    async fn create(&self, subject: &Subject<'_>) -> Result<Made, Fault> {
        let spec: ReplicationSpec = subject.typed()?;
        // S3 replaces the rules without a word, so they are looked at first, unless this run just did.
        let standing = if subject.seen_absent { None } else { self.read(subject).await? };
        if let Some(Found { owner: Owner::Foreign(whose), .. }) = standing {
            let what = format!("replication of bucket {}", spec.source);
            return Err(taken("s3", "PutBucketReplication", "ReplicationExists", &what, &whose, subject.address));
        }
        self.put(spec).await
    }

    async fn update(&self, subject: &Subject<'_>, found: &Found, fields: &[FieldChange]) -> Result<Made, Fault> {
        if fields.is_empty() {
            return Ok(Made { id: found.id.clone(), attributes: found.attributes.clone() });
        }
        self.put(subject.typed()?).await
    }

    async fn delete(&self, subject: &Subject<'_>) -> Result<Gone, Fault> {
        let spec: ReplicationSpec = subject.typed()?;
        let answer = self.clients.s3(&spec.region).delete_bucket_replication().bucket(&spec.source).send().await;
        optional(answer.map_err(|bad| fault_of("s3", "DeleteBucketReplication", bad)))?;
        Ok(Gone::Gone)
    }
}

impl Replications {
    async fn put(&self, spec: ReplicationSpec) -> Result<Made, Fault> {
        let rules = spec.rules.iter().zip(1..).map(|(rule, place)| written(rule, place));
        let rules = rules.collect::<Result<Vec<_>, _>>().map_err(unbuilt("s3", "PutBucketReplication"))?;
        let config = s3::ReplicationConfiguration::builder().role(&spec.role_arn).set_rules(Some(rules)).build();
        let config = config.map_err(unbuilt("s3", "PutBucketReplication"))?;
        let client = self.clients.s3(&spec.region);
        let call = client.put_bucket_replication().bucket(&spec.source).replication_configuration(config);
        let answer = call.send().await.map_err(|bad| fault_of("s3", "PutBucketReplication", bad));
        answer.map_err(|fault| advised(&spec, fault))?;
        Ok(Made { attributes: attributes(&spec), id: spec.source })
    }
}

fn advised(spec: &ReplicationSpec, fault: Fault) -> Fault {
    if fault.message.to_lowercase().contains("versioning") {
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

/// A V2 rule, with a word on everything that S3 wants a word on once there is a filter.
fn written(
    rule: &ReplicationRule,
    place: i32,
) -> Result<s3::ReplicationRule, aws_smithy_types::error::operation::BuildError> {
    let status = if rule.enabled { s3::ReplicationRuleStatus::Enabled } else { s3::ReplicationRuleStatus::Disabled };
    let markers = if rule.delete_markers.unwrap_or_default() {
        s3::DeleteMarkerReplicationStatus::Enabled
    } else {
        s3::DeleteMarkerReplicationStatus::Disabled
    };
    let mut to = s3::Destination::builder().bucket(format!("{ARN}{}", rule.destination));
    if let Some(minutes) = rule.time_control_minutes {
        // Replication Time Control comes with its metrics, both with the same threshold.
        let within = s3::ReplicationTimeValue::builder().minutes(minutes).build();
        let time = s3::ReplicationTime::builder().status(s3::ReplicationTimeStatus::Enabled).time(within.clone());
        let metrics = s3::Metrics::builder().status(s3::MetricsStatus::Enabled).event_threshold(within);
        to = to.replication_time(time.build()?).metrics(metrics.build()?);
    }
    let mut built = s3::ReplicationRule::builder()
        .id(&rule.id)
        .priority(rule.priority.unwrap_or(place))
        .filter(s3::ReplicationRuleFilter::builder().prefix(&rule.prefix).build())
        .status(status)
        .delete_marker_replication(s3::DeleteMarkerReplication::builder().status(markers).build())
        .destination(to.build()?);
    if rule.replica_modifications {
        let back = s3::ReplicaModifications::builder().status(s3::ReplicaModificationsStatus::Enabled).build()?;
        let criteria = s3::SourceSelectionCriteria::builder().replica_modifications(back).build();
        built = built.source_selection_criteria(criteria);
    }
    built.build()
}

/// What is there, by priority.
fn seen(wanted: &ReplicationSpec, held: s3::ReplicationConfiguration) -> ReplicationSpec {
    let mut rules: Vec<ReplicationRule> = held.rules.into_iter().map(read_rule).collect();
    rules.sort_by_key(|rule| rule.priority);
    for (rule, (place, wanted)) in rules.iter_mut().zip((1..).zip(&wanted.rules)) {
        // What the plan leaves to the default, and is at the default, is not told: the rules are compared to the letter.
        rule.priority = rule.priority.filter(|held| wanted.priority.is_some() || *held != place);
        rule.delete_markers = rule.delete_markers.filter(|held| wanted.delete_markers.is_some() || *held);
    }
    ReplicationSpec { source: wanted.source.clone(), region: wanted.region.clone(), role_arn: held.role, rules }
}

fn read_rule(rule: s3::ReplicationRule) -> ReplicationRule {
    let back = rule.source_selection_criteria.and_then(|criteria| criteria.replica_modifications);
    let markers = rule.delete_marker_replication.and_then(|markers| markers.status);
    let to = rule.destination;
    let time = to.as_ref().and_then(|to| to.replication_time.as_ref());
    let time = time.filter(|time| time.status == s3::ReplicationTimeStatus::Enabled);
    ReplicationRule {
        id: rule.id.unwrap_or_default(),
        priority: rule.priority,
        prefix: rule.filter.and_then(|filter| filter.prefix).unwrap_or_default(),
        time_control_minutes: time.and_then(|time| time.time.as_ref()).and_then(|value| value.minutes),
        destination: to.map(|to| to.bucket.trim_start_matches(ARN).to_owned()).unwrap_or_default(),
        enabled: rule.status == s3::ReplicationRuleStatus::Enabled,
        delete_markers: Some(markers == Some(s3::DeleteMarkerReplicationStatus::Enabled)),
        replica_modifications: back.is_some_and(|back| back.status == s3::ReplicaModificationsStatus::Enabled),
    }
}
