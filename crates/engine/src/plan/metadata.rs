//! Steps that create the buckets of the metadata database and write its model registry.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::resource::bucket::BucketSpec;

/// The buckets that the metadata database of the primary region is published to, and the registry: which models, tenants and
/// collections there are. `deploy` writes the registry into the bucket of the primary region; `replicate metadata --registry` on the
/// primary writes it into the database, whose replicas the servers of the other regions read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetadataStep {
    /// Region of the primary: the registry goes into its bucket.
    pub primary: String,
    /// One bucket per region, by its name in the plan.
    pub buckets: BTreeMap<String, BucketSpec>,
    /// IAM roles for the service accounts of publishers and followers in clusters, by name in the plan.
    #[serde(default)]
    pub roles: BTreeMap<String, MetadataRolePlan>,
    /// Prefix of the snapshots in each bucket, for the policies of `roles`; none: `metadata`.
    #[serde(default = "snapshots")]
    pub prefix: String,
    /// The models that servers offer, by the name that clients request.
    #[serde(default)]
    pub models: BTreeMap<String, RegistryModelPlan>,
    /// The tenants, by name.
    #[serde(default)]
    pub tenants: BTreeMap<String, RegistryTenantPlan>,
    /// The collections of each tenant: by the tenant's name, then by the collection's.
    #[serde(default)]
    pub collections: BTreeMap<String, BTreeMap<String, RegistryCollectionPlan>>,
}

/// A role that a service account of one cluster takes on (IAM roles for service accounts). Its policy has what the task needs on the
/// prefix of the snapshots, and nothing else.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetadataRolePlan {
    /// Name of the role, up to 64 characters.
    pub name: String,
    /// What it is for.
    pub task: MetadataTask,
    /// `follow`: the bucket, by its name in this step, whose snapshots it reads. A publisher writes to all of them.
    #[serde(default)]
    pub bucket: Option<String>,
    /// ARN of the cluster's OIDC provider in IAM.
    pub oidc_provider: String,
    /// Namespace of the service account.
    pub namespace: String,
    /// Name of the service account.
    pub service_account: String,
}

/// What a role is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum MetadataTask {
    /// `replicate metadata`: reads the registry, writes the snapshots of all buckets.
    Publish,
    /// `replicate follow`: reads the snapshots of one bucket.
    Follow,
}

/// A row of the table `models`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryModelPlan {
    /// Name of its version; none: the version that follows from the files of the model with this name in a step of kind `models`.
    #[serde(default)]
    pub version: Option<String>,
    /// Its folder below the server's `--models`; none: the folder with its name, or the version of model sync.
    #[serde(default)]
    pub path: Option<String>,
    /// Dimension of a vector, 1 to 65536; none: not checked.
    #[serde(default)]
    pub dimension: Option<u32>,
    /// `false`: servers answer MODEL_NOT_FOUND.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// A row of the table `tenants`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryTenantPlan {
    /// Whether the tenant may use the service.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// A row of the table `collections`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryCollectionPlan {
    /// The model of its vectors, one of `models`.
    pub model: String,
    /// Dimension of its vectors, 1 to 65536; none: that of the model.
    #[serde(default)]
    pub dimension: Option<u32>,
}

const fn yes() -> bool {
    true
}

fn snapshots() -> String {
    "metadata".to_owned()
}
