//! Sources of models: the interface of a bucket or a folder.

use async_trait::async_trait;

use crate::partial_file::PartialFile;
use crate::stage::DeliveryFault;

/// A file of a source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceEntry {
    /// Its path below the source, with the model's name in front.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// Changes whenever its content does.
    pub etag: String,
}

/// The files of a source.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Listing {
    /// All that can be taken.
    pub entries: Vec<SourceEntry>,
    /// What is passed over, and why, for a person.
    pub skipped: Vec<String>,
}

/// A place of models.
#[async_trait]
pub trait ObjectSource: Send + Sync {
    /// Brings the rest of a file, behind what is there already. What has come stays when it breaks off.
    ///
    /// # Errors
    /// What the source or the disk says.
    async fn fetch(&self, entry: &SourceEntry, part: &mut PartialFile) -> Result<(), DeliveryFault>;
}
