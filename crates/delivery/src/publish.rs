//! A folder as a version of a model in a bucket: files first, then the manifest, then the pointer.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};

use akidb_edge_engine::files::RelativePath;
use akidb_edge_engine::resource::sha256_hex;
use async_trait::async_trait;

use crate::digest;
use crate::disk::FileFault;
use crate::layout::{IMMUTABLE, MANIFESTS, POINTER, POINTER_CACHE, VersionFile, VersionManifest};

/// The most bytes that one request may upload: 5 GB (S3 User Guide, "Uploading objects").
const LARGEST: u64 = 5_000_000_000;

/// Why a model is not published.
#[derive(Debug, thiserror::Error)]
pub enum ModelPublishFault {
    /// A file of this machine.
    #[error(transparent)]
    File(#[from] FileFault),
    /// A file is larger than one request may upload.
    #[error("{file} has {bytes} bytes; at most {} can be published", LARGEST)]
    TooLarge {
        /// Its path.
        file: String,
        /// Its bytes.
        bytes: u64,
    },
    /// The plan of a stack manages the model.
    #[error("{model} is managed by the stack {stack}, whose next deploy would restore its own version")]
    Managed {
        /// The model.
        model: String,
        /// The stack.
        stack: String,
    },
    /// The bucket or folder does not take it.
    #[error("{0}")]
    Store(#[source] Box<dyn Error + Send + Sync>),
}

impl ModelPublishFault {
    /// What a bucket or folder says.
    pub fn store(why: impl Error + Send + Sync + 'static) -> Self {
        Self::Store(Box::new(why))
    }
}

/// The bytes of an upload.
#[derive(Clone, Debug)]
pub enum UploadContent {
    /// A file of this machine.
    File(PathBuf),
    /// A document.
    Bytes(Vec<u8>),
}

/// One object.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Its key, below the prefix.
    pub key: String,
    /// Its bytes.
    pub content: UploadContent,
    /// How many.
    pub size: u64,
    /// Their SHA-256 in hex.
    pub sha256: String,
    /// Media type.
    pub content_type: &'static str,
    /// `Cache-Control`.
    pub cache_control: &'static str,
}

/// An object that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExistingObject {
    /// Its key, below the prefix.
    pub key: String,
    /// Its bytes.
    pub size: u64,
    /// When it was written, in seconds since 1970.
    pub written: i64,
}

/// A place that takes objects.
#[async_trait]
pub trait UploadStore: Send + Sync {
    /// The objects whose keys begin so.
    async fn list(&self, begin: &str) -> Result<Vec<ExistingObject>, ModelPublishFault>;

    /// The stack that manages an object; none for one that is not there or that no stack manages.
    async fn stack_of(&self, key: &str) -> Result<Option<String>, ModelPublishFault>;

    /// A small object; none when it is not there.
    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, ModelPublishFault>;

    /// Writes an object, whole or not at all.
    async fn put(&self, upload: &Upload) -> Result<(), ModelPublishFault>;

    /// Deletes an object; one that is not there is fine.
    async fn delete(&self, key: &str) -> Result<(), ModelPublishFault>;
}

/// A version to publish.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The version.
    pub manifest: VersionManifest,
    /// Its files.
    files: Vec<Upload>,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Published {
    /// What the version is called.
    pub version: String,
    /// Objects that were uploaded.
    pub uploaded: usize,
    /// Their bytes.
    pub bytes: u64,
    /// It was already the current version.
    pub unchanged: bool,
    /// Versions that were deleted.
    pub removed: Vec<String>,
}

impl Publication {
    /// These files of a folder as a version of `model`. Reads all of them.
    ///
    /// # Errors
    /// A file cannot be read, or is larger than 5 GB.
    pub fn of(model: &str, folder: &Path, files: &BTreeSet<RelativePath>) -> Result<Self, ModelPublishFault> {
        let (mut listed, mut uploads) = (Vec::new(), Vec::new());
        for path in files {
            let place = path.at(folder);
            let digest = digest::sha256_of_file(&place).map_err(FileFault::of(&place))?;
            if digest.size > LARGEST {
                return Err(ModelPublishFault::TooLarge { file: path.to_string(), bytes: digest.size });
            }
            let file = VersionFile { path: path.to_string(), size: digest.size, sha256: digest.sha256 };
            uploads.push(Upload {
                key: format!("{model}/{}", file.key()),
                content: UploadContent::File(place),
                size: file.size,
                sha256: file.sha256.clone(),
                content_type: media_type(&file.path),
                cache_control: IMMUTABLE,
            });
            listed.push(file);
        }
        Ok(Self { manifest: VersionManifest::new(model, listed), files: uploads })
    }

    fn list(&self) -> Upload {
        document(&self.manifest.model, &self.manifest.key(), self.manifest.bytes(), IMMUTABLE)
    }

    fn pointer(&self) -> Upload {
        document(&self.manifest.model, POINTER, self.manifest.pointer().bytes(), POINTER_CACHE)
    }

    /// Puts the version there and makes it the current one; `keep` versions that were current before stay. `replace` also takes the
    /// place of one that a stack manages.
    ///
    /// # Errors
    /// A stack manages the model, or the place refuses. The pointer names the version before then.
    pub async fn publish(
        &self,
        store: &impl UploadStore,
        keep: u32,
        replace: bool,
    ) -> Result<Published, ModelPublishFault> {
        let model = &self.manifest.model;
        let pointer = self.pointer();
        if let Some(stack) = store.stack_of(&pointer.key).await?.filter(|_| !replace) {
            return Err(ModelPublishFault::Managed { model: model.clone(), stack });
        }
        let held = store.list(&format!("{model}/")).await?;
        let mut done = Published { version: self.manifest.version.clone(), ..Published::default() };
        for upload in self.files.iter().chain([&self.list()]) {
            // A key with a hash in it has one content; another size is an upload that was cut off.
            if held.iter().any(|held| held.key == upload.key && held.size == upload.size) {
                continue;
            }
            store.put(upload).await?;
            done.uploaded += 1;
            done.bytes += upload.size;
        }
        let UploadContent::Bytes(bytes) = &pointer.content else { return Ok(done) };
        done.unchanged = store.read(&pointer.key).await?.as_ref() == Some(bytes);
        if !done.unchanged {
            store.put(&pointer).await?;
        }
        done.removed = self.prune(store, held, keep).await?;
        Ok(done)
    }

    /// Deletes the manifests of old versions and the files that no kept version has. What a stack manages stays.
    async fn prune(
        &self,
        store: &impl UploadStore,
        held: Vec<ExistingObject>,
        keep: u32,
    ) -> Result<Vec<String>, ModelPublishFault> {
        let model = &self.manifest.model;
        let manifests = format!("{model}/{MANIFESTS}/");
        let mut versions: Vec<&ExistingObject> = held.iter().filter(|held| held.key.starts_with(&manifests)).collect();
        versions.retain(|held| held.key != self.list().key);
        versions.sort_by_key(|held| std::cmp::Reverse((held.written, held.key.clone())));
        let old = versions.split_off(versions.len().min(usize::try_from(keep).unwrap_or(usize::MAX)));
        let mut needed: BTreeSet<String> = self.files.iter().map(|file| file.key.clone()).collect();
        for kept in versions {
            needed.extend(version_at(store, model, &kept.key).await?.files);
        }
        let (mut going, mut removed) = (BTreeSet::new(), Vec::new());
        for version in old {
            let ListedVersion { name, files } = version_at(store, model, &version.key).await?;
            if store.stack_of(&version.key).await?.is_some() {
                needed.extend(files);
                continue;
            }
            store.delete(&version.key).await?;
            removed.push(name);
            going.extend(files);
        }
        for key in going.difference(&needed) {
            if store.stack_of(key).await?.is_none() {
                store.delete(key).await?;
            }
        }
        Ok(removed)
    }
}

/// A version that is there.
struct ListedVersion {
    /// What it is called; its key when its manifest cannot be read.
    name: String,
    /// The keys of its files.
    files: Vec<String>,
}

/// The version of a manifest that is there. One that cannot be read names no files: nothing of it is deleted.
async fn version_at(store: &impl UploadStore, model: &str, key: &str) -> Result<ListedVersion, ModelPublishFault> {
    let bytes = store.read(key).await?.unwrap_or_default();
    Ok(match serde_json::from_slice::<VersionManifest>(&bytes) {
        Ok(manifest) => {
            let files = manifest.files.iter().map(|file| format!("{model}/{}", file.key())).collect();
            ListedVersion { name: manifest.version, files }
        }
        Err(_) => ListedVersion { name: key.to_owned(), files: Vec::new() },
    })
}

fn document(model: &str, key: &str, bytes: Vec<u8>, cache_control: &'static str) -> Upload {
    Upload {
        key: format!("{model}/{key}"),
        size: bytes.len() as u64,
        sha256: sha256_hex(&bytes),
        content: UploadContent::Bytes(bytes),
        content_type: "application/json",
        cache_control,
    }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "json")) => "application/json",
        Some((_, "txt" | "md")) => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;
