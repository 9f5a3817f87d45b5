//! What a place of objects has to do.

mod fault;
mod folder;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt};

pub use fault::StoreFault;
pub use folder::FolderStore;

/// What tells one state of an object from another. Opaque: it is only handed back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Etag(pub String);

/// Short texts beside an object: in S3 its user metadata. Keys are lower-case ASCII; all together at most 1 KiB.
pub type ObjectMetadata = BTreeMap<String, String>;

/// Where Litestream 0.5 looks for objects. It differs by the kind of store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Layout {
    /// `ltx/9/…`: folders, SFTP, GCS, Azure.
    Folder,
    /// `0009/…`: S3 and OSS.
    Bucket,
}

/// On what condition an object is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Precondition {
    /// None.
    None,
    /// Nothing lies there (`If-None-Match: *`).
    Absent,
    /// It is still this one (`If-Match`).
    Unchanged(Etag),
}

/// What is written.
#[derive(Clone, Debug)]
pub enum ObjectBody {
    /// These bytes.
    Bytes(Bytes),
    /// All bytes of this file, which nobody changes meanwhile. A large one may go in parts; the precondition holds for the last step.
    File(PathBuf),
}

/// An object that is being read.
pub struct Object {
    /// Its state.
    pub etag: Etag,
    /// Its bytes.
    pub size: u64,
    /// What was written beside it.
    pub metadata: ObjectMetadata,
    /// Its content.
    pub body: Pin<Box<dyn AsyncRead + Send>>,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("etag", &self.etag).field("size", &self.size).finish_non_exhaustive()
    }
}

impl Object {
    /// The whole content, when it is no longer than that.
    ///
    /// # Errors
    /// It breaks off, or is longer.
    pub async fn bytes(self, at_most: u64) -> std::io::Result<Bytes> {
        let mut found = Vec::new();
        self.body.take(at_most.saturating_add(1)).read_to_end(&mut found).await?;
        if found.len() as u64 > at_most {
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, format!("more than {at_most} bytes")));
        }
        Ok(found.into())
    }
}

/// An answer to a conditional read.
#[derive(Debug)]
pub enum ReadAnswer {
    /// It is still the one that the caller knows (304).
    Unchanged,
    /// This one.
    Object(Object),
}

/// A line of a listing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// Its key below the store's own prefix.
    pub key: String,
    /// Its bytes.
    pub size: u64,
    /// When the store says it was written.
    pub written: Option<Timestamp>,
}

/// A part of a listing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ListPage {
    /// In the order of keys.
    pub objects: Vec<Listed>,
    /// How to ask for the rest; `None` when this was the end.
    pub next: Option<String>,
}

/// A place of objects: a bucket with a prefix, or a folder. Every call is a single try, and may be dropped at any time (it has timed
/// out): the caller waits, repeats, and looks what became of a write. Keys are relative, made of `[a-z0-9./-]`, without `..`.
#[async_trait]
pub trait ObjectStore: fmt::Debug + Send + Sync {
    /// What a person calls it: `s3://bucket/prefix`. No secrets.
    fn name(&self) -> String;

    /// Where Litestream looks in a store of this kind.
    fn layout(&self) -> Layout;

    /// Reads an object, unless it is still the one that the caller knows.
    ///
    /// # Errors
    /// [`StoreFault::NotFound`] when nothing lies there; else what the store says.
    async fn get(&self, key: &str, known: Option<&Etag>) -> Result<ReadAnswer, StoreFault>;

    /// Reads a part of an object. Fewer bytes come back when it ends before.
    ///
    /// # Errors
    /// [`StoreFault::NotFound`] when nothing lies there; else what the store says.
    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreFault>;

    /// Writes an object as a whole: whoever reads sees the former one or this one.
    ///
    /// # Errors
    /// [`StoreFault::PreconditionFailed`] when the condition did not hold (also when two wrote at once: S3's 409); else what the
    /// store says. After any other fault it may have been written.
    async fn put(
        &self,
        key: &str,
        body: &ObjectBody,
        metadata: &ObjectMetadata,
        on: &Precondition,
    ) -> Result<Etag, StoreFault>;

    /// The objects whose keys begin like that, in the order of keys: the first of them, or those after a former page.
    ///
    /// # Errors
    /// What the store says.
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreFault>;

    /// Removes an object. One that is not there is fine.
    ///
    /// # Errors
    /// What the store says.
    async fn delete(&self, key: &str) -> Result<(), StoreFault>;
}
