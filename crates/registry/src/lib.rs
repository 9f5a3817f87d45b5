//! The model registry as a document: which models, tenants and collections there are. `deploy` writes it into a bucket, and the
//! publisher of the metadata database writes its rows into the database. Both use this definition, so what one writes the other reads.

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The format that is written and read. Any other one is refused.
pub const FORMAT: u32 = 1;
/// The place of the document in the bucket that `deploy` writes it to.
pub const PREFIX: &str = "registry";
/// The document below its place.
pub const FILE: &str = "registry.json";
/// A document has at most this many bytes: about 50,000 models.
pub const LARGEST: u64 = 8 << 20;

/// Which models, tenants and collections there are.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    format: u32,
    /// The rows of `models`, by name.
    pub models: Vec<RegistryModel>,
    /// The rows of `tenants`, by name.
    #[serde(default)]
    pub tenants: Vec<RegistryTenant>,
    /// The rows of `collections`, by tenant and name.
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

/// Why bytes are not a registry.
#[derive(Debug, thiserror::Error)]
pub enum DocumentFault {
    /// They are not JSON of this shape.
    #[error(transparent)]
    Shape(#[from] serde_json::Error),
    /// A document of another format.
    #[error("it has format {found}, and this version knows {FORMAT}")]
    Format {
        /// Its format.
        found: u32,
    },
}

impl Registry {
    /// A registry with these models.
    pub fn new(models: Vec<RegistryModel>) -> Self {
        Self { format: FORMAT, models, tenants: Vec::new(), collections: Vec::new() }
    }

    /// Reads a document.
    ///
    /// # Errors
    /// It is not JSON of this format. A newer format is refused, whatever else is in it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DocumentFault> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_slice(bytes)?;
        if head.format != FORMAT {
            return Err(DocumentFault::Format { found: head.format });
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The document: the same for the same rows.
    pub fn text(&self) -> String {
        // Plain data with keys of text can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}
