//! Where models come from: a bucket, or a folder.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::fault::{OriginFault, SyncFault};
use super::stage::Part;
use super::wanted::Entry;
pub use crate::provider::aws::BucketFault;
use crate::provider::aws::BucketReader;

/// A pointer is not longer.
const LONGEST: u64 = 1 << 20;

/// What `--sync` names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum From {
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

impl FromStr for From {
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

impl std::fmt::Display for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Folder(folder) => write!(f, "file:{}", folder.display()),
        }
    }
}

/// An opened source.
#[derive(Debug)]
pub enum Origin {
    /// A bucket and its prefix.
    Bucket(BucketReader),
    /// A folder.
    Folder(PathBuf),
}

impl Origin {
    /// Opens it; the bucket by the usual AWS environment.
    ///
    /// # Errors
    /// The environment or the profile names something else than a region.
    pub async fn open(from: &From) -> Result<Self, OriginFault> {
        Ok(match from {
            From::Folder(folder) => Self::Folder(folder.clone()),
            From::Bucket { bucket, prefix } => Self::Bucket(BucketReader::open(bucket, prefix).await?),
        })
    }

    /// All files, in one request for each thousand.
    ///
    /// # Errors
    /// What the source says.
    pub async fn list(&self) -> Result<Vec<Entry>, OriginFault> {
        match self {
            Self::Folder(folder) => {
                let folder = folder.clone();
                let walked = tokio::task::spawn_blocking(move || {
                    let mut found = Vec::new();
                    let whole = folder.canonicalize();
                    let walked = whole.and_then(|whole| walk(&whole, "", 0, &mut found));
                    walked.map(|()| found).map_err(|why| OriginFault::unread(folder.display().to_string(), why))
                });
                walked.await?
            }
            Self::Bucket(bucket) => {
                let listed = bucket.list().await?.into_iter();
                Ok(listed.map(|one| Entry { path: one.path, size: one.size, etag: one.etag }).collect())
            }
        }
    }

    /// A small file.
    ///
    /// # Errors
    /// What the source says; it is too long; it has changed since it was listed.
    pub async fn read(&self, entry: &Entry) -> Result<Vec<u8>, OriginFault> {
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

    /// The rest of a file, behind what is there already.
    ///
    /// # Errors
    /// What the source or the disk says. What has come stays.
    pub async fn fetch(&self, entry: &Entry, part: &mut Part) -> Result<(), SyncFault> {
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

/// Bytes that come next, when the file is no longer than it was listed.
fn within<'b>(entry: &Entry, there: u64, bytes: &'b [u8]) -> Result<&'b [u8], OriginFault> {
    match there.saturating_add(bytes.len() as u64) <= entry.size {
        true => Ok(bytes),
        false => Err(OriginFault::Longer { path: entry.path.clone(), listed: entry.size }),
    }
}

/// Folders within folders of a source.
const DEEPEST: usize = 8;
/// Files of a source.
const MOST_FILES: usize = 100_000;

/// The files of a folder whose own path has no links. A link that leads out of it is passed over: what is brought is given to
/// everybody who downloads a model. So is what is no plain file.
fn walk(root: &Path, below: &str, deep: usize, found: &mut Vec<Entry>) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    if deep > DEEPEST || found.len() > MOST_FILES {
        let why = format!("it has more than {DEEPEST} folders within each other, or more than {MOST_FILES} files");
        return Err(std::io::Error::other(why));
    }
    let mut entries = std::fs::read_dir(root.join(below))?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let Ok(file) = std::fs::metadata(entry.path()) else { continue };
        if !entry.path().canonicalize().is_ok_and(|whole| whole.starts_with(root)) {
            continue;
        }
        if file.is_dir() {
            walk(root, &path, deep + 1, found)?;
        } else if file.is_file() {
            let etag = format!("{}-{}-{}.{}", file.ino(), file.len(), file.mtime(), file.mtime_nsec());
            found.push(Entry { path, size: file.len(), etag });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{From, Origin, OriginFault};

    #[tokio::test]
    async fn what_leads_out_of_a_folder_is_not_listed() {
        let (source, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(source.path().join("tiny")).unwrap();
        std::fs::write(source.path().join("tiny/config.json"), "{}").unwrap();
        std::fs::write(other.path().join("secret"), "x").unwrap();
        let link = |to: &std::path::Path, name: &str| std::os::unix::fs::symlink(to, source.path().join(name)).unwrap();
        link(&other.path().join("secret"), "tiny/vocab.txt");
        link(other.path(), "other");
        link(std::path::Path::new("/dev/zero"), "tiny/current.json");
        link(std::path::Path::new("config.json"), "tiny/same.json");
        let listed = Origin::Folder(source.path().to_owned()).list().await.unwrap();
        let paths: Vec<&str> = listed.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["tiny/config.json", "tiny/same.json"]);
        link(source.path(), "tiny/loop");
        let why = Origin::Folder(source.path().to_owned()).list().await.unwrap_err();
        assert!(matches!(why, OriginFault::Unread { .. }), "{why}");
        assert!(why.to_string().contains("folders within each other"), "{why}");
    }

    #[test]
    fn places_are_read_and_said_alike() {
        for text in ["s3://models/a/b", "file:/srv/models"] {
            assert_eq!(text.parse::<From>().unwrap().to_string(), text);
        }
        let whole: From = "s3://models".parse().unwrap();
        assert_eq!(whole, From::Bucket { bucket: "models".into(), prefix: String::new() });
        for text in ["models", "s3://", "https://models"] {
            assert!(matches!(text.parse::<From>(), Err(OriginFault::Unknown { found }) if found == text), "{text}");
        }
    }
}
