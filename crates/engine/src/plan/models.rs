//! Steps that put models and pages into buckets.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::content::ContentPlan;
use crate::resource::bucket::BucketSpec;
use crate::resource::model_layout;

/// Buckets, the models in them, and their replication.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelsStep {
    /// The buckets by name in the plan.
    pub buckets: BTreeMap<String, BucketSpec>,
    /// The replication rules by name.
    #[serde(default)]
    pub replication: BTreeMap<String, ReplicationPlan>,
    /// Managed policy of the account, by its name, that the replication roles cannot go beyond; `deploy --print-iam-boundary` prints
    /// what it has to hold. `encrypted_objects: true` needs it.
    #[serde(default)]
    pub role_boundary: Option<String>,
    /// The models by name in the plan.
    #[serde(default)]
    pub models: BTreeMap<String, ModelPlan>,
    /// Own files: by bucket (its name in the plan), then by key.
    #[serde(default)]
    pub files: BTreeMap<String, BTreeMap<String, ContentPlan>>,
}

/// One replication rule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplicationPlan {
    /// Source bucket, by its name in the plan.
    pub from: String,
    /// Destination bucket, by its name in the plan.
    pub to: String,
    /// Whether objects are replicated in the other direction as well.
    #[serde(default)]
    pub bidirectional: bool,
    /// Keys it applies to; empty for all.
    #[serde(default)]
    pub prefix: String,
    /// Unique among the rules of a source.
    #[serde(default)]
    pub priority: Option<i32>,
    /// Whether deletions are copied.
    #[serde(default)]
    pub delete_markers: Option<bool>,
    /// Whether changes of metadata on the replica flow back; `bidirectional` needs it.
    #[serde(default)]
    pub replica_modifications: Option<bool>,
    /// Replication Time Control: 15, or leave it out.
    #[serde(default)]
    pub time_control_minutes: Option<i32>,
    /// Whether objects that are encrypted with a KMS key are replicated; S3 skips them otherwise.
    /// `false` confirms that.
    #[serde(default)]
    pub encrypted_objects: Option<bool>,
    /// ARN of the KMS key of such replicas; else it is the `kms_key` of the destination bucket.
    #[serde(default)]
    pub replica_key: Option<String>,
    /// `false` pauses it.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// One model: its files go to `models/<name>/<sha256>/<file>`; `models/<name>/manifests/<sha256>.json` lists them, and
/// `models/<name>/current.json`, written last, names that list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelPlan {
    /// Bucket, by its name in the plan.
    pub bucket: String,
    /// Name of the model, e.g. `all-MiniLM-L6-v2`.
    pub name: String,
    /// Its files: path in the model's folder to place on this machine.
    pub files: BTreeMap<String, FilePlan>,
    /// Versions before the current one that stay in the bucket for a rollback; at most 20.
    #[serde(default = "kept")]
    pub keep: u32,
    /// `Cache-Control` of the files; their keys never change their content.
    #[serde(default = "immutable")]
    pub cache_control: String,
    /// `Cache-Control` of the pointer.
    #[serde(default = "a_minute")]
    pub pointer_cache_control: String,
}

/// One file of this machine.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilePlan {
    /// Its path; a relative one starts at the working directory.
    pub path: String,
    /// Media type.
    #[serde(default = "octets")]
    pub content_type: String,
}

/// A page in a bucket of its own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageStep {
    /// The bucket.
    pub bucket: BucketSpec,
    /// Its files by key: from the tool's templates, or files and folders of this machine.
    pub files: BTreeMap<String, ContentPlan>,
}

const fn yes() -> bool {
    true
}

fn immutable() -> String {
    model_layout::IMMUTABLE.to_owned()
}

fn a_minute() -> String {
    model_layout::POINTER_CACHE.to_owned()
}

const fn kept() -> u32 {
    model_layout::KEPT
}

fn octets() -> String {
    "application/octet-stream".to_owned()
}
