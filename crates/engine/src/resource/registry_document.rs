//! The registry as a document: which models, tenants and collections there are. `deploy` writes it into a bucket, and the publisher of
//! the metadata database writes it into the database (`akidb_edge_replica::registry` reads the same format).

use serde::Serialize;

/// The format of the document. A newer one is refused by readers.
pub const FORMAT: u32 = 1;
/// Its key.
pub const KEY: &str = "registry/registry.json";

/// The document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegistryDocument {
    /// The format.
    pub format: u32,
    /// The rows of `models`, by name.
    pub models: Vec<RegistryModelSpec>,
    /// The rows of `tenants`, by name.
    pub tenants: Vec<RegistryTenantSpec>,
    /// The rows of `collections`, by tenant and name.
    pub collections: Vec<RegistryCollectionSpec>,
}

/// A model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegistryModelSpec {
    /// The name that clients request.
    pub name: String,
    /// Name of its version.
    pub version: Option<String>,
    /// Its folder below the server's `--models`.
    pub path: Option<String>,
    /// Numbers in a vector.
    pub dimension: Option<u32>,
    /// Whether it is served.
    pub enabled: bool,
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegistryTenantSpec {
    /// Its name.
    pub name: String,
    /// Whether the tenant may use the service.
    pub enabled: bool,
}

/// A collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegistryCollectionSpec {
    /// Its tenant.
    pub tenant: String,
    /// Its name.
    pub name: String,
    /// The model of its vectors.
    pub model: String,
    /// Numbers in a vector.
    pub dimension: Option<u32>,
}

impl RegistryDocument {
    /// Its bytes: the same for the same rows.
    pub fn bytes(&self) -> Vec<u8> {
        // Plain data with keys of text can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
