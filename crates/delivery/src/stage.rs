//! Staging of a version: resumes its download, verifies it, and renames it when it is complete.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use akidb_edge_engine::files::RelativePath;
use tokio::fs;
use tokio::task::JoinError;

use crate::desired_version::{self, DesiredVersion};
use crate::digest::Digest;
use crate::disk::{DiskFault, FileFault};
use crate::manifest::{Manifest, ModelOrigin};
use crate::partial_file::PartialFile;
use crate::source::ObjectSource;

/// Why a version is not brought.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryFault {
    /// The source.
    #[error("{0}")]
    Source(#[source] Box<dyn Error + Send + Sync>),
    /// The disk of the store.
    #[error(transparent)]
    Disk(#[from] DiskFault),
    /// Fewer bytes came than were listed.
    #[error("{path}: received {found} bytes instead of {listed}")]
    Bytes {
        /// The file.
        path: String,
        /// Bytes that came.
        found: u64,
        /// Its bytes in the list.
        listed: u64,
    },
    /// Other bytes came than the manifest says.
    #[error("{path}: its SHA-256 is {found}, but the manifest has {said}")]
    Hash {
        /// The file.
        path: String,
        /// The hash of what came.
        found: String,
        /// The hash of the manifest.
        said: String,
        /// Its beginning was here before: that may be what is wrong.
        resumed: bool,
    },
    /// The task that read the files ended.
    #[error("{0}")]
    Ended(#[from] JoinError),
}

impl From<FileFault> for DeliveryFault {
    fn from(fault: FileFault) -> Self {
        Self::Disk(fault.into())
    }
}

/// What is brought, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The model.
    pub name: &'a str,
    /// The source as a person names it.
    pub from: &'a str,
    /// The version.
    pub wanted: &'a DesiredVersion,
    /// The folder of all versions of the model.
    pub versions: &'a Path,
}

/// Brings a version into its folder. One that is there is read again: what is missing or damaged in it is fetched.
///
/// # Errors
/// What the source or the disk says, or a file that is not what the manifest says. What has come of a download that was cut
/// off stays for the next time; on a full disk nothing stays.
pub async fn bring(source: &impl ObjectSource, delivery: Delivery<'_>) -> Result<PathBuf, DeliveryFault> {
    let folder = delivery.versions.join(&delivery.wanted.id);
    let staging = delivery.versions.join(format!(".staging-{}", delivery.wanted.id));
    if fs::try_exists(&folder).await.unwrap_or(false) {
        if repaired(&folder, &staging).await? {
            return Ok(folder);
        }
    } else {
        fs::create_dir_all(&staging).await.map_err(|why| DiskFault::of(&staging, why))?;
    }
    let brought = complete(source, delivery, &staging).await;
    if matches!(brought, Err(DeliveryFault::Disk(DiskFault::Full { .. }))) {
        let _ = fs::remove_dir_all(&staging).await;
    }
    brought?;
    fs::rename(&staging, &folder).await.map_err(|why| DiskFault::of(&folder, why))?;
    Ok(folder)
}

/// Whether a version that is there is whole. One that is not becomes a staging folder without its damaged files.
async fn repaired(folder: &Path, staging: &Path) -> Result<bool, DeliveryFault> {
    let read = folder.to_owned();
    let damaged = tokio::task::spawn_blocking(move || {
        let manifest = Manifest::read(&read).ok().flatten();
        manifest
            .map(|manifest| manifest.damaged(&read).into_iter().map(|(file, _)| file).collect::<Vec<RelativePath>>())
    });
    let damaged = damaged.await?;
    if damaged.as_ref().is_some_and(Vec::is_empty) {
        return Ok(true);
    }
    remove(fs::remove_dir_all(staging).await, staging)?;
    fs::rename(folder, staging).await.map_err(|why| DiskFault::of(staging, why))?;
    for file in damaged.unwrap_or_default() {
        let path = file.at(staging);
        remove(fs::remove_file(&path).await, &path)?;
    }
    Ok(false)
}

/// What is gone already need not go.
fn remove(removed: io::Result<()>, path: &Path) -> Result<(), DiskFault> {
    match removed {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(DiskFault::of(path, why)),
        _ => Ok(()),
    }
}

async fn complete(source: &impl ObjectSource, delivery: Delivery<'_>, staging: &Path) -> Result<(), DeliveryFault> {
    let mut files = BTreeMap::new();
    for file in &delivery.wanted.files {
        let path = file.place.at(staging);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).await.map_err(|why| DiskFault::of(above, why))?;
        }
        files.insert(file.place.clone(), fetch(source, file, &path).await?);
    }
    let version = delivery.wanted.version.clone();
    let from = ModelOrigin::Sync { from: delivery.from.to_owned(), version };
    Ok(Manifest::new(delivery.name, from, files).write(staging)?)
}

async fn fetch(
    source: &impl ObjectSource,
    file: &desired_version::DesiredFile,
    path: &Path,
) -> Result<Digest, DeliveryFault> {
    let mut part = PartialFile::open(path, file.entry.size).await?;
    let resumed = part.size > 0;
    if part.size < file.entry.size {
        source.fetch(&file.entry, &mut part).await?;
    }
    let (found, listed, name) = (part.size, file.entry.size, file.entry.path.clone());
    let hash = part.end().await?;
    let wrong = match &file.sha256 {
        _ if found != listed => DeliveryFault::Bytes { path: name, found, listed },
        Some(said) if *said != hash => DeliveryFault::Hash { path: name, found: hash, said: said.clone(), resumed },
        _ => return Ok(Digest { size: found, sha256: hash }),
    };
    let _ = fs::remove_file(path).await;
    Err(wrong)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::desired_version::PointerTarget;
    use crate::source::SourceEntry;

    /// SHA-256 of `hello world`.
    const HASH: &str = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";

    /// One text, and the ranges that were asked for.
    #[derive(Default)]
    struct Text(Mutex<Vec<u64>>);

    #[async_trait]
    impl ObjectSource for Text {
        async fn fetch(&self, _: &SourceEntry, part: &mut PartialFile) -> Result<(), DeliveryFault> {
            self.0.lock().expect("no panic").push(part.size);
            let from = usize::try_from(part.size).expect("a small file");
            Ok(part.put(&b"hello world"[from..]).await?)
        }
    }

    impl Text {
        fn asked(&self) -> Vec<u64> {
            std::mem::take(&mut self.0.lock().expect("no panic"))
        }
    }

    fn wanted(hash: &str) -> DesiredVersion {
        let pointer = format!(r#"{{"version": "1", "files": [{{"path": "sub/a", "size": 11, "sha256": "{hash}"}}]}}"#);
        let entry = |path: &str, size: u64| SourceEntry { path: path.to_owned(), size, etag: "x".to_owned() };
        let listed = [entry("m/sub/a", 11)];
        match PointerTarget::read("m", &entry("m/current.json", 1), pointer.as_bytes(), &listed) {
            Ok(PointerTarget::Files(wanted)) => wanted,
            other => panic!("{other:?}"),
        }
    }

    async fn brought(source: &Text, wanted: &DesiredVersion, versions: &Path) -> Result<PathBuf, DeliveryFault> {
        bring(source, Delivery { name: "m", from: "test", wanted, versions }).await
    }

    #[tokio::test]
    async fn a_download_goes_on_where_it_was_cut_off() {
        let (source, wanted, versions) = (Text::default(), wanted(HASH), tempfile::tempdir().expect("a folder"));
        let staging = versions.path().join(format!(".staging-{}/sub", wanted.id));
        std::fs::create_dir_all(&staging).expect("a folder");
        std::fs::write(staging.join("a"), "hello").expect("a file");
        let folder = brought(&source, &wanted, versions.path()).await.expect("it comes");
        assert_eq!(std::fs::read_to_string(folder.join("sub/a")).expect("a file"), "hello world");
        assert_eq!(source.asked(), [5]);
        // Once there it is not fetched again.
        assert_eq!(brought(&source, &wanted, versions.path()).await.expect("it is there"), folder);
        assert_eq!(source.asked(), [0_u64; 0]);
    }

    #[tokio::test]
    async fn a_kept_version_that_lost_or_changed_a_file_is_fetched_again() {
        let (source, wanted, versions) = (Text::default(), wanted(HASH), tempfile::tempdir().expect("a folder"));
        let folder = brought(&source, &wanted, versions.path()).await.expect("it comes");
        source.asked();
        for content in [None, Some("hellO world"), Some("hello")] {
            match content {
                None => std::fs::remove_file(folder.join("sub/a")).expect("it goes"),
                Some(text) => std::fs::write(folder.join("sub/a"), text).expect("a file"),
            }
            brought(&source, &wanted, versions.path()).await.expect("it comes again");
            assert_eq!(source.asked(), [0], "{content:?}");
            assert_eq!(std::fs::read_to_string(folder.join("sub/a")).expect("a file"), "hello world");
        }
    }

    #[tokio::test]
    async fn another_content_never_gets_its_name() {
        let (source, versions) = (Text::default(), tempfile::tempdir().expect("a folder"));
        let wrong = wanted(&HASH.replace("b94d", "0000"));
        let why = brought(&source, &wrong, versions.path()).await.expect_err("it is refused");
        assert!(matches!(why, DeliveryFault::Hash { resumed: false, .. }), "{why}");
        assert!(!versions.path().join(&wrong.id).exists());
        // A wrong beginning is thrown away and fetched anew.
        let right = wanted(HASH);
        let staging = versions.path().join(format!(".staging-{}/sub", right.id));
        std::fs::create_dir_all(&staging).expect("a folder");
        std::fs::write(staging.join("a"), "HELLO").expect("a file");
        let why = brought(&source, &right, versions.path()).await.expect_err("it is refused");
        assert!(matches!(why, DeliveryFault::Hash { resumed: true, .. }), "{why}");
        brought(&source, &right, versions.path()).await.expect("it comes");
    }
}
