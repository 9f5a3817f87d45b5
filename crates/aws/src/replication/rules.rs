//! One replication rule: the settings of the plan merged into the existing rule.

use std::collections::BTreeSet;

use aws_sdk_s3::types as s3;
use aws_smithy_types::error::operation::BuildError;
use serde_json::{Map, Value};

use crate::provider::ResourceContext;
use crate::resource::replication::{ReplicationRule, ReplicationSpec};

/// In front of a bucket's name in its ARN.
const ARN: &str = "arn:aws:s3:::";

/// What the plan says, and the ids that an earlier run asked for.
pub struct StatedRules<'a> {
    pub now: &'a ReplicationSpec,
    before: BTreeSet<String>,
}

impl<'a> StatedRules<'a> {
    pub fn of(subject: &ResourceContext<'_>, now: &'a ReplicationSpec) -> Self {
        let before = subject.before.and_then(|before| serde_json::from_value::<ReplicationSpec>(before.clone()).ok());
        Self { now, before: before.into_iter().flat_map(|before| before.rules).map(|rule| rule.id).collect() }
    }

    pub fn wanted(&self, rule: &s3::ReplicationRule) -> Option<(i32, &'a ReplicationRule)> {
        (1..).zip(&self.now.rules).find(|(_, wanted)| Some(wanted.id.as_str()) == rule.id())
    }

    /// Place in the plan; what it does not have comes last.
    pub fn place(&self, rule: &s3::ReplicationRule) -> i32 {
        self.wanted(rule).map_or(i32::MAX, |(place, _)| place)
    }

    pub fn covers(&self, rule: &s3::ReplicationRule) -> bool {
        self.wanted(rule).is_some() || rule.id().is_some_and(|id| self.before.contains(id))
    }
}

/// Our rules in the plan's order behind those of others.
pub fn merged(
    stated: &StatedRules<'_>,
    held: Vec<s3::ReplicationRule>,
) -> Result<Vec<s3::ReplicationRule>, BuildError> {
    let (ours, mut all): (Vec<_>, Vec<_>) = held.into_iter().partition(|rule| stated.covers(rule));
    let mut taken: BTreeSet<i32> = all.iter().filter_map(|rule| rule.priority).collect();
    taken.extend(stated.now.rules.iter().filter_map(|rule| rule.priority));
    for (place, wanted) in (1..).zip(&stated.now.rules) {
        let there = ours.iter().find(|rule| rule.id() == Some(&wanted.id)).cloned();
        let free = |number: &i32| !taken.contains(number);
        let priority = wanted.priority.or_else(|| (place..=i32::MAX).find(free)).unwrap_or(place);
        taken.insert(priority);
        all.push(written(wanted, priority, there)?);
    }
    Ok(all)
}

/// A V2 rule, with a word on everything that S3 wants a word on once there is a filter.
fn written(
    rule: &ReplicationRule,
    priority: i32,
    there: Option<s3::ReplicationRule>,
) -> Result<s3::ReplicationRule, BuildError> {
    let status = if rule.enabled { s3::ReplicationRuleStatus::Enabled } else { s3::ReplicationRuleStatus::Disabled };
    let markers = if rule.delete_markers.unwrap_or_default() {
        s3::DeleteMarkerReplicationStatus::Enabled
    } else {
        s3::DeleteMarkerReplicationStatus::Disabled
    };
    let (criteria, filter, existing, to) = there.map_or_else(Default::default, |there| {
        (there.source_selection_criteria, there.filter, there.existing_object_replication, there.destination)
    });
    s3::ReplicationRule::builder()
        .id(&rule.id)
        .priority(priority)
        .filter(with_prefix(&rule.prefix, filter))
        .status(status)
        .delete_marker_replication(s3::DeleteMarkerReplication::builder().status(markers).build())
        .set_source_selection_criteria(selection(rule, criteria)?)
        .set_existing_object_replication(existing)
        .destination(destination(rule, to)?)
        .build()
}

/// The plan's prefix beside the tags that others put into the filter.
fn with_prefix(prefix: &str, held: Option<s3::ReplicationRuleFilter>) -> s3::ReplicationRuleFilter {
    let tags = held.as_ref().map(tags).unwrap_or_default();
    let plain = s3::ReplicationRuleFilter::builder();
    match (tags.as_slice(), prefix) {
        ([], prefix) => plain.prefix(prefix).build(),
        ([one], "") => plain.tag(one.clone()).build(),
        (_, prefix) => {
            let prefix = Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty());
            let both = s3::ReplicationRuleAndOperator::builder().set_prefix(prefix).set_tags(Some(tags));
            plain.and(both.build()).build()
        }
    }
}

fn tags(filter: &s3::ReplicationRuleFilter) -> Vec<s3::Tag> {
    let together = filter.and.as_ref().and_then(|both| both.tags.clone()).unwrap_or_default();
    filter.tag.iter().cloned().chain(together).collect()
}

fn selection(
    rule: &ReplicationRule,
    held: Option<s3::SourceSelectionCriteria>,
) -> Result<Option<s3::SourceSelectionCriteria>, BuildError> {
    use s3::{ReplicaModificationsStatus, SseKmsEncryptedObjectsStatus};
    let (kms, back) = held.map_or((None, None), |held| (held.sse_kms_encrypted_objects, held.replica_modifications));
    let back = match (rule.replica_modifications, back) {
        (true, _) => Some(s3::ReplicaModifications::builder().status(ReplicaModificationsStatus::Enabled).build()?),
        (false, Some(_)) => {
            Some(s3::ReplicaModifications::builder().status(ReplicaModificationsStatus::Disabled).build()?)
        }
        (false, None) => None,
    };
    // Told as a difference when others turned it on: what the plan does not want is off.
    let kms = match (rule.encrypted_objects, kms) {
        (Some(true), _) => {
            Some(s3::SseKmsEncryptedObjects::builder().status(SseKmsEncryptedObjectsStatus::Enabled).build()?)
        }
        (Some(false), Some(_)) => {
            Some(s3::SseKmsEncryptedObjects::builder().status(SseKmsEncryptedObjectsStatus::Disabled).build()?)
        }
        _ => None,
    };
    let built = s3::SourceSelectionCriteria::builder();
    let any = kms.is_some() || back.is_some();
    let built = built.set_sse_kms_encrypted_objects(kms).set_replica_modifications(back).build();
    Ok(any.then_some(built))
}

fn destination(rule: &ReplicationRule, held: Option<s3::Destination>) -> Result<s3::Destination, BuildError> {
    let bucket = format!("{ARN}{}", rule.destination);
    let mut to = match held {
        Some(held) => held,
        None => s3::Destination::builder().bucket(&bucket).build()?,
    };
    to.bucket = bucket;
    let timed = |to: &s3::Destination| {
        to.replication_time.as_ref().is_some_and(|time| time.status == s3::ReplicationTimeStatus::Enabled)
    };
    if let Some(minutes) = rule.time_control_minutes {
        // Replication Time Control comes with its metrics, both with the same threshold.
        let within = s3::ReplicationTimeValue::builder().minutes(minutes).build();
        let time = s3::ReplicationTime::builder().status(s3::ReplicationTimeStatus::Enabled).time(within.clone());
        let metrics = s3::Metrics::builder().status(s3::MetricsStatus::Enabled).event_threshold(within);
        (to.replication_time, to.metrics) = (Some(time.build()?), Some(metrics.build()?));
    } else if timed(&to) {
        (to.replication_time, to.metrics) = (None, None);
    }
    to.encryption_configuration =
        rule.replica_key.as_ref().map(|key| s3::EncryptionConfiguration::builder().replica_kms_key_id(key).build());
    Ok(to)
}

/// A rule in the plan's words. What the plan leaves to the default, and is at the default, is not told: rules are
/// compared to the letter. `taken` are the priorities of others' rules, which move the default.
pub fn told(
    rule: &s3::ReplicationRule,
    like: Option<(i32, &ReplicationRule)>,
    taken: &BTreeSet<i32>,
) -> ReplicationRule {
    let place = like.map_or(0, |(place, _)| place);
    let like = like.map(|(_, like)| like);
    let stated = |setting: fn(&ReplicationRule) -> bool| like.is_none_or(setting);
    let criteria = rule.source_selection_criteria.as_ref();
    let back = criteria.and_then(|criteria| criteria.replica_modifications.as_ref());
    let kms = criteria.and_then(|criteria| criteria.sse_kms_encrypted_objects.as_ref());
    let kms = kms.is_some_and(|kms| kms.status == s3::SseKmsEncryptedObjectsStatus::Enabled);
    let markers = rule.delete_marker_replication.as_ref().and_then(|markers| markers.status.as_ref());
    let markers = markers == Some(&s3::DeleteMarkerReplicationStatus::Enabled);
    let to = rule.destination.as_ref();
    let time = to.and_then(|to| to.replication_time.as_ref());
    let time = time.filter(|time| time.status == s3::ReplicationTimeStatus::Enabled);
    let filter = rule.filter.as_ref();
    let prefix = filter.and_then(|filter| filter.prefix.as_ref().or_else(|| filter.and.as_ref()?.prefix.as_ref()));
    let by_default = |held: &i32| *held == place || taken.contains(&place);
    ReplicationRule {
        id: rule.id.clone().unwrap_or_default(),
        priority: rule.priority.filter(|held| stated(|like| like.priority.is_some()) || !by_default(held)),
        prefix: prefix.cloned().unwrap_or_default(),
        destination: to.map(|to| to.bucket.trim_start_matches(ARN).to_owned()).unwrap_or_default(),
        enabled: rule.status == s3::ReplicationRuleStatus::Enabled,
        delete_markers: Some(markers).filter(|on| *on || stated(|like| like.delete_markers.is_some())),
        replica_modifications: back.is_some_and(|back| back.status == s3::ReplicaModificationsStatus::Enabled),
        time_control_minutes: time.and_then(|time| time.time.as_ref()).and_then(|value| value.minutes),
        encrypted_objects: Some(kms).filter(|on| *on || stated(|like| like.encrypted_objects.is_some())),
        replica_key: to
            .and_then(|to| to.encryption_configuration.as_ref())
            .and_then(|by| by.replica_kms_key_id.clone()),
    }
}

/// What a rule has beyond the plan's words.
pub fn unknown(rule: &s3::ReplicationRule) -> Map<String, Value> {
    let tags: Map<String, Value> =
        rule.filter.as_ref().map(tags).unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value.into())).collect();
    let to = rule.destination.as_ref();
    let timed = to.is_some_and(|to| to.replication_time.is_some());
    let metrics = to.and_then(|to| to.metrics.as_ref());
    let metrics = metrics.filter(|metrics| !timed && metrics.status == s3::MetricsStatus::Enabled);
    let existing = rule.existing_object_replication.as_ref();
    let all = [
        ("tags", (!tags.is_empty()).then(|| tags.into())),
        ("storage_class", to.and_then(|to| to.storage_class.as_ref()).map(|class| class.as_str().into())),
        ("account", to.and_then(|to| to.account.clone()).map(Value::from)),
        ("replica_owner", to.and_then(|to| to.access_control_translation.as_ref()).map(|to| to.owner.as_str().into())),
        ("metrics", metrics.map(|metrics| metrics.status.as_str().into())),
        ("existing_objects", existing.map(|existing| existing.status.as_str().into())),
    ];
    all.into_iter().filter_map(|(part, value)| Some((part.to_owned(), value?))).collect()
}
