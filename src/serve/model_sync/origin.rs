//! Where models come from: a bucket, or a folder.

use std::path::PathBuf;
use std::str::FromStr;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::fault::OriginFault;
use super::folder;
use crate::delivery::partial_file::PartialFile;
use crate::delivery::source::{Listing, ObjectSource, SourceEntry};
use crate::delivery::stage::DeliveryFault;
pub use crate::provider::aws::BucketFault;
use crate::provider::aws::BucketReader;

/// A pointer is not longer.
const LONGEST: u64 = 1 << 20;

/// What `--sync` names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SyncSource {
    /// `s3://BUCKET/PREFIX`.
    Bucket {
        /// Its name.
        bucket: String,
        /// In front of each model's name; without slashes at its ends.
        prefix: String,
    },
    /// `file:FOLDER`.
    Folder(PathBuf),
}

impl FromStr for SyncSource {
    type Err = OriginFault;

    fn from_str(text: &str) -> Result<Self, OriginFault> {
        if let Some(path) = text.strip_prefix("file:") {
            return Ok(Self::Folder(path.strip_prefix("//").unwrap_or(path).into()));
        }
        let (bucket, prefix) =
            text.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, ""))).unwrap_or_default();
        if bucket.is_empty() {
            return Err(OriginFault::Unknown { found: text.to_owned() });
        }
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
    }
}

impl std::fmt::Display for SyncSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Folder(folder) => write!(f, "file:{}", folder.display()),
        }
    }
}

/// An opened source.
#[derive(Debug)]
pub enum OpenedSource {
    /// A bucket and its prefix.
    Bucket(BucketReader),
    /// A folder.
    Folder(PathBuf),
}

impl OpenedSource {
    /// Opens it; the bucket by the usual AWS environment.
    ///
    /// # Errors
    /// The environment or the profile names something else than a region.
    pub async fn open(from: &SyncSource) -> Result<Self, OriginFault> {
        Ok(match from {
            SyncSource::Folder(folder) => Self::Folder(folder.clone()),
            SyncSource::Bucket { bucket, prefix } => Self::Bucket(BucketReader::open(bucket, prefix).await?),
        })
    }

    /// All files, in one request for each thousand.
    ///
    /// # Errors
    /// What the source says.
    pub async fn list(&self) -> Result<Listing, OriginFault> {
        match self {
            Self::Folder(place) => {
                let place = place.clone();
                let walked = tokio::task::spawn_blocking(move || {
                    folder::list(&place).map_err(|why| OriginFault::unread(place.display().to_string(), why))
                });
                walked.await?
            }
            Self::Bucket(bucket) => {
                let listed = bucket.list().await?.into_iter();
                let entries = listed.map(|one| SourceEntry { path: one.path, size: one.size, etag: one.etag });
                Ok(Listing { entries: entries.collect(), skipped: Vec::new() })
            }
        }
    }

    /// A small file.
    ///
    /// # Errors
    /// What the source says; it is too long; it has changed since it was listed.
    pub async fn read(&self, entry: &SourceEntry) -> Result<Vec<u8>, OriginFault> {
        if entry.size > LONGEST {
            return Err(OriginFault::LongPointer { path: entry.path.clone(), bytes: entry.size, most: LONGEST });
        }
        match self {
            Self::Folder(folder) => {
                let bad = |why: std::io::Error| OriginFault::unread(entry.path.as_str(), why);
                let file = tokio::fs::File::open(folder.join(&entry.path)).await.map_err(bad)?;
                let mut bytes = Vec::new();
                file.take(LONGEST).read_to_end(&mut bytes).await.map_err(bad)?;
                Ok(bytes)
            }
            Self::Bucket(bucket) => {
                let (mut body, mut bytes) = (bucket.get(&entry.path, &entry.etag, 0).await?, Vec::new());
                while let Some(more) = body.next().await? {
                    bytes.extend_from_slice(within(entry, bytes.len() as u64, &more)?);
                }
                Ok(bytes)
            }
        }
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// What it says instead.
    pub async fn alive(&self) -> Result<(), OriginFault> {
        match self {
            Self::Folder(folder) => {
                let read = tokio::fs::read_dir(folder).await.map(drop);
                read.map_err(|why| OriginFault::unread(folder.display().to_string(), why))
            }
            Self::Bucket(bucket) => bucket.answers().await.map_err(OriginFault::Bucket),
        }
    }
}

#[async_trait]
impl ObjectSource for OpenedSource {
    async fn fetch(&self, entry: &SourceEntry, part: &mut PartialFile) -> Result<(), DeliveryFault> {
        match self {
            Self::Folder(folder) => {
                let bad = |why: std::io::Error| OriginFault::unread(entry.path.as_str(), why);
                let mut file = tokio::fs::File::open(folder.join(&entry.path)).await.map_err(bad)?;
                file.seek(std::io::SeekFrom::Start(part.size)).await.map_err(bad)?;
                let mut bytes = vec![0; 1 << 18];
                loop {
                    match file.read(&mut bytes).await.map_err(bad)? {
                        0 => return Ok(()),
                        count => part.put(within(entry, part.size, &bytes[..count])?).await?,
                    }
                }
            }
            Self::Bucket(bucket) => {
                let body = bucket.get(&entry.path, &entry.etag, part.size).await;
                let mut body = body.map_err(OriginFault::Bucket)?;
                while let Some(bytes) = body.next().await.map_err(OriginFault::Bucket)? {
                    part.put(within(entry, part.size, &bytes)?).await?;
                }
                Ok(())
            }
        }
    }
}

/// Bytes that come next, when the file is no longer than it was listed.
fn within<'b>(entry: &SourceEntry, there: u64, bytes: &'b [u8]) -> Result<&'b [u8], OriginFault> {
    match there.saturating_add(bytes.len() as u64) <= entry.size {
        true => Ok(bytes),
        false => Err(OriginFault::Longer { path: entry.path.clone(), listed: entry.size }),
    }
}

#[cfg(test)]
mod tests {
    use super::{OriginFault, SyncSource};

    #[test]
    fn places_are_read_and_said_alike() {
        for text in ["s3://models/a/b", "file:/srv/models"] {
            assert_eq!(text.parse::<SyncSource>().unwrap().to_string(), text);
        }
        let whole: SyncSource = "s3://models".parse().unwrap();
        assert_eq!(whole, SyncSource::Bucket { bucket: "models".into(), prefix: String::new() });
        for text in ["models", "s3://", "https://models"] {
            assert!(
                matches!(text.parse::<SyncSource>(), Err(OriginFault::Unknown { found }) if found == text),
                "{text}"
            );
        }
    }
}
