//! S3 replication rules of one source bucket.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Kind;
use super::id_form::{IdPart, of_the_bucket};
use super::kind_facts::{ApiRow, KindFacts, NO_MEMBER, on_aws};
use super::naming::Naming;

/// All replication rules of one source bucket (S3 takes them as a whole).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplicationSpec {
    /// Source bucket name.
    pub source: String,
    /// Region of the source.
    pub region: String,
    /// ARN of the role that S3 takes on.
    pub role_arn: String,
    /// The rules, by priority.
    pub rules: Vec<ReplicationRule>,
}

/// One V2 rule (`Filter` present, so `Priority` and `DeleteMarkerReplication` always are, too).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplicationRule {
    /// Name of the rule.
    pub id: String,
    /// Unique in the set; the higher one wins. S3 wants it in every rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Keys it applies to; empty for all.
    #[serde(default)]
    pub prefix: String,
    /// Destination bucket name.
    pub destination: String,
    /// `false` pauses the rule.
    pub enabled: bool,
    /// Whether deletions (markers) are copied. S3 wants a word on it in every rule with a filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_markers: Option<bool>,
    /// Whether changes of metadata on the replica flow back (needed on both sides of a pair).
    #[serde(default)]
    pub replica_modifications: bool,
    /// Replication Time Control with its metrics; S3 knows 15 minutes only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_control_minutes: Option<i32>,
    /// Whether objects under a KMS key are copied, too; S3 leaves them out else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted_objects: Option<bool>,
    /// ARN of the KMS key in the destination's region that such replicas get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_key: Option<String>,
}

const SETTINGS: &[ApiRow] = &[
    ("source", "s3.PutBucketReplicationRequest.Bucket"),
    ("region", NO_MEMBER),
    ("role_arn", "s3.ReplicationConfiguration.Role"),
    ("rules", "s3.ReplicationConfiguration.Rules!"),
];

const RULE: &[ApiRow] = &[
    ("id", "s3.ReplicationRule.ID"),
    ("priority", "s3.ReplicationRule.Priority"),
    ("prefix", "s3.ReplicationRuleFilter.Prefix"),
    ("destination", NO_MEMBER),
    ("enabled", "s3.ReplicationRule.Status"),
    ("delete_markers", "s3.DeleteMarkerReplication.Status"),
    ("replica_modifications", "s3.ReplicaModifications.Status"),
    ("time_control_minutes", "s3.ReplicationTimeValue.Minutes"),
    ("encrypted_objects", "s3.SseKmsEncryptedObjects.Status"),
    ("replica_key", "s3.EncryptionConfiguration.ReplicaKmsKeyID"),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS), ("rules.*", RULE)],
    replace_on: &["source"],
    identity: &["source"],
    exact: &["rules"],
    mark: None,
    attributes: &["source", "destinations"],
    id: of_the_bucket(&[IdPart::Setting("source")]),
    naming: Naming::OF_A_BUCKET,
    label: &[],
    identity_rank: 1,
    part_of: Some(Kind::Bucket),
    ..on_aws::<ReplicationSpec>("replication", "S3 replication rules")
};
