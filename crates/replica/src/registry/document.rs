//! The registry as a document.

use serde::{Deserialize, Serialize};

use super::fault::RegistryFault;

/// The format that is read and written.
const FORMAT: u32 = 1;
/// The key of the document below its place.
pub(super) const KEY: &str = "registry.json";
/// A document is at most this many bytes: about 50,000 models.
pub(super) const LARGEST: u64 = 8 << 20;

/// Which models, tenants and collections there are.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    format: u32,
    /// The rows of `models`.
    pub models: Vec<RegistryModel>,
    /// The rows of `tenants`.
    #[serde(default)]
    pub tenants: Vec<RegistryTenant>,
    /// The rows of `collections`.
    #[serde(default)]
    pub collections: Vec<RegistryCollection>,
}

/// A model.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryModel {
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
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryTenant {
    /// Its name.
    pub name: String,
    /// Whether the tenant may use the service.
    pub enabled: bool,
}

/// A collection.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryCollection {
    /// Its tenant.
    pub tenant: String,
    /// Its name.
    pub name: String,
    /// The model of its vectors.
    pub model: String,
    /// Numbers in a vector.
    pub dimension: Option<u32>,
}

impl Registry {
    /// A registry with these models.
    pub fn new(models: Vec<RegistryModel>) -> Self {
        Self { format: FORMAT, models, ..Self::default() }
    }

    /// Reads a document; `place` names it in faults.
    ///
    /// # Errors
    /// It is not JSON of this format. A newer format is refused.
    pub fn from_bytes(place: &str, bytes: &[u8]) -> Result<Self, RegistryFault> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let bad = |source| RegistryFault::Document { place: place.to_owned(), source };
        let head: Head = serde_json::from_slice(bytes).map_err(bad)?;
        if head.format != FORMAT {
            return Err(RegistryFault::Format { place: place.to_owned(), found: head.format, known: FORMAT });
        }
        serde_json::from_slice(bytes).map_err(bad)
    }

    /// The document: the same for the same rows.
    pub fn text(&self) -> String {
        // Plain data with keys of text can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}
