//! The four calls that a journal in a bucket is made of. Who makes them knows the SDK.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::ledger::error::LedgerError;

/// An object as it was read.
pub struct StoredObject {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Which version of the content it is.
    pub etag: String,
}

/// What must be so for a write to take effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteCondition {
    /// Nothing: the name says what the content is.
    Always,
    /// Only if no object has that name yet.
    New,
    /// The object is still as it was read.
    Same(String),
}

/// How a write ended.
pub enum WriteOutcome {
    /// It took effect; the object's new ETag.
    Done(String),
    /// The condition did not hold, or the answer to a first try was lost: look to tell.
    Refused,
}

/// An object of a listing.
pub struct ObjectListing {
    /// Its key.
    pub key: String,
    /// When it was written, by the service's clock.
    pub modified: Option<Timestamp>,
}

/// A bucket of objects whose writes can be on a condition.
#[async_trait]
pub trait ObjectApi: Send + Sync {
    /// The place of a key, for a person.
    fn place(&self, key: &str) -> String;

    /// The object of that name; none when it does not exist.
    ///
    /// # Errors
    /// When the service refuses, or no answer comes.
    async fn get(&self, key: &str) -> Result<Option<StoredObject>, LedgerError>;

    /// Writes an object, if the condition holds.
    ///
    /// # Errors
    /// When the service refuses for another reason than the condition, does not support conditions, or no answer comes.
    async fn put(&self, key: &str, bytes: &[u8], condition: &WriteCondition) -> Result<WriteOutcome, LedgerError>;

    /// All objects whose keys begin so, in the order of their keys.
    ///
    /// # Errors
    /// When the service refuses, or no answer comes.
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectListing>, LedgerError>;

    /// Deletes an object that nothing refers to any longer.
    ///
    /// # Errors
    /// When the service refuses, or no answer comes.
    async fn delete(&self, key: &str) -> Result<(), LedgerError>;
}
