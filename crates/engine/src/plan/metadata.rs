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
