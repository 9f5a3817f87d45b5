//! A folder as a store (`file://`): a mounted disk, or a test.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use tempfile::NamedTempFile;

use super::{
    Etag, Layout, ListPage, Listed, Object, ObjectBody, ObjectMetadata, ObjectStore, Precondition, ReadAnswer,
    StoreFault,
};

/// Where the texts beside an object lie.
const BESIDE: &str = ".metadata";
/// Held while something is written on a condition.
const LOCK: &str = ".lock";
/// Objects of one page of a listing.
const PAGE: usize = 1000;
/// Folders within each other.
const DEEPEST: usize = 8;
/// Bytes of the texts beside an object.
const LONGEST: u64 = 16 << 10;
/// When an object was published, as Litestream writes it: its `restore -timestamp` goes by the time of the file here.
const WRITTEN: &str = "litestream-timestamp";

/// A folder. Texts beside the objects lie in `.metadata` there.
#[derive(Clone, Debug)]
pub struct FolderStore {
    root: PathBuf,
}

impl FolderStore {
    /// Objects below this folder. It is made when something is put into it.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, StoreFault> {
        let own = self.clone();
        let ended = |bad: tokio::task::JoinError| StoreFault::Other { store: self.name(), detail: bad.to_string() };
        tokio::task::spawn_blocking(move || work(&own)).await.map_err(ended)?
    }

    fn place(&self, key: &str) -> Result<PathBuf, StoreFault> {
        let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\\');
        if key.split('/').all(plain) {
            return Ok(self.root.join(key));
        }
        Err(StoreFault::Other { store: self.name(), detail: format!("{key:?} is not a key of an object") })
    }

    fn beside(&self, key: &str) -> PathBuf {
        self.root.join(BESIDE).join(key)
    }

    fn fault(&self, key: &str) -> impl Fn(io::Error) -> StoreFault {
        let (store, key) = (self.name(), key.to_owned());
        move |bad| {
            let (store, key, detail) = (store.clone(), key.clone(), bad.to_string());
            match bad.kind() {
                io::ErrorKind::NotFound => StoreFault::NotFound { store, key },
                io::ErrorKind::PermissionDenied => StoreFault::Denied { store, key, detail },
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreFault::Full { store, key, detail },
                _ => StoreFault::Other { store, detail: format!("{key}: {detail}") },
            }
        }
    }

    fn open(&self, key: &str) -> Result<(File, Etag), StoreFault> {
        let file = File::open(self.place(key)?).map_err(self.fault(key))?;
        let etag = etag(&file.metadata().map_err(self.fault(key))?);
        Ok((file, etag))
    }

    fn metadata(&self, key: &str) -> Result<ObjectMetadata, StoreFault> {
        match fs::read(self.beside(key)) {
            Ok(text) if text.len() as u64 <= LONGEST => serde_json::from_slice(&text)
                .map_err(|bad| StoreFault::Other { store: self.name(), detail: format!("{key}: {bad}") }),
            Ok(_) => Err(StoreFault::Other { store: self.name(), detail: format!("{key}: its metadata is too long") }),
            Err(none) if none.kind() == io::ErrorKind::NotFound => Ok(ObjectMetadata::new()),
            Err(bad) => Err(self.fault(key)(bad)),
        }
    }

    fn write(
        &self,
        key: &str,
        body: &ObjectBody,
        metadata: &ObjectMetadata,
        on: &Precondition,
    ) -> Result<Etag, StoreFault> {
        let place = self.place(key)?;
        let fault = self.fault(key);
        fs::create_dir_all(&self.root).map_err(&fault)?;
        let written = staged(&place, |to| match body {
            ObjectBody::Bytes(bytes) => to.write_all(bytes),
            ObjectBody::File(from) => io::copy(&mut File::open(from)?, to).map(drop),
        })
        .map_err(&fault)?;
        if let Some(at) = metadata.get(WRITTEN).and_then(|at| at.parse::<Timestamp>().ok()) {
            written.as_file().set_modified(SystemTime::from(at)).map_err(&fault)?;
        }
        // One writer at a time looks and writes.
        let lock = File::create(self.root.join(LOCK)).map_err(&fault)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|bad| fault(bad.into()))?;
        let there = fs::metadata(&place).ok().map(|facts| etag(&facts));
        let holds = match on {
            Precondition::None => true,
            Precondition::Absent => there.is_none(),
            Precondition::Unchanged(known) => there.as_ref() == Some(known),
        };
        if !holds {
            return Err(StoreFault::PreconditionFailed { store: self.name(), key: key.to_owned() });
        }
        self.describe(key, metadata).map_err(&fault)?;
        let file = written.persist(&place).map_err(|bad| fault(bad.error))?;
        settle(&place).map_err(&fault)?;
        Ok(etag(&file.metadata().map_err(&fault)?))
    }

    /// The texts come first: an object is never seen without them.
    fn describe(&self, key: &str, metadata: &ObjectMetadata) -> io::Result<()> {
        let beside = self.beside(key);
        if metadata.is_empty() {
            return match fs::remove_file(&beside) {
                Err(bad) if bad.kind() != io::ErrorKind::NotFound => Err(bad),
                _ => Ok(()),
            };
        }
        let text = serde_json::to_vec(metadata)?;
        staged(&beside, |to| to.write_all(&text))?.persist(&beside).map_err(|bad| bad.error)?;
        settle(&beside)
    }

    fn listed(&self, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreFault> {
        let below = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut found = Vec::new();
        walk(&self.root, below, 0, &mut found).map_err(self.fault(prefix))?;
        found.retain(|one| one.key.starts_with(prefix) && after.is_none_or(|after| one.key.as_str() > after));
        found.sort_by(|a, b| a.key.cmp(&b.key));
        let more = found.len() > PAGE;
        found.truncate(PAGE);
        let next = found.last().filter(|_| more).map(|last| last.key.clone());
        Ok(ListPage { objects: found, next })
    }
}

#[async_trait]
impl ObjectStore for FolderStore {
    fn name(&self) -> String {
        format!("file://{}", self.root.display())
    }

    fn layout(&self) -> Layout {
        Layout::Folder
    }

    async fn get(&self, key: &str, known: Option<&Etag>) -> Result<ReadAnswer, StoreFault> {
        let (wanted, known) = (key.to_owned(), known.cloned());
        self.blocking(move |own| {
            let (file, etag) = own.open(&wanted)?;
            if known.as_ref() == Some(&etag) {
                return Ok(ReadAnswer::Unchanged);
            }
            let size = file.metadata().map_err(own.fault(&wanted))?.len();
            let metadata = own.metadata(&wanted)?;
            Ok(ReadAnswer::Object(Object { etag, size, metadata, body: Box::pin(tokio::fs::File::from_std(file)) }))
        })
        .await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreFault> {
        let wanted = key.to_owned();
        self.blocking(move |own| {
            let (file, _) = own.open(&wanted)?;
            let end = range.end.min(file.metadata().map_err(own.fault(&wanted))?.len());
            let length = usize::try_from(end.saturating_sub(range.start)).unwrap_or(usize::MAX);
            let mut found = vec![0; length];
            file.read_exact_at(&mut found, range.start).map_err(own.fault(&wanted))?;
            Ok(found.into())
        })
        .await
    }

    async fn put(
        &self,
        key: &str,
        body: &ObjectBody,
        metadata: &ObjectMetadata,
        on: &Precondition,
    ) -> Result<Etag, StoreFault> {
        let (key, body, metadata, on) = (key.to_owned(), body.clone(), metadata.clone(), on.clone());
        self.blocking(move |own| own.write(&key, &body, &metadata, &on)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreFault> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.blocking(move |own| own.listed(&prefix, after.as_deref())).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreFault> {
        let wanted = key.to_owned();
        self.blocking(move |own| {
            for path in [own.place(&wanted)?, own.beside(&wanted)] {
                match fs::remove_file(&path) {
                    Err(bad) if bad.kind() != io::ErrorKind::NotFound => return Err(own.fault(&wanted)(bad)),
                    _ => {}
                }
            }
            Ok(())
        })
        .await
    }
}

/// Each write is another file.
fn etag(facts: &fs::Metadata) -> Etag {
    Etag(format!("{}-{}-{}.{}-{}", facts.dev(), facts.ino(), facts.ctime(), facts.ctime_nsec(), facts.len()))
}

/// A file beside its place, on the disk.
fn staged(place: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<NamedTempFile> {
    let folder = place.parent().unwrap_or(place);
    fs::create_dir_all(folder)?;
    let mut staged = tempfile::Builder::new().prefix(".staged-").tempfile_in(folder)?;
    fill(staged.as_file_mut())?;
    staged.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    staged.as_file().sync_all()?;
    Ok(staged)
}

/// The name is on the disk, too.
fn settle(place: &Path) -> io::Result<()> {
    place.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn walk(root: &Path, below: &str, deep: usize, found: &mut Vec<Listed>) -> io::Result<()> {
    let folder = root.join(below);
    let entries = match fs::read_dir(&folder) {
        Err(none) if matches!(none.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        other => other?,
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(facts) = entry.metadata() else { continue };
        if name.starts_with('.') {
            continue;
        }
        let key = if below.is_empty() { name } else { format!("{below}/{name}") };
        if facts.is_dir() && deep < DEEPEST {
            walk(root, &key, deep + 1, found)?;
        } else if facts.is_file() {
            let written = facts.modified().ok().and_then(|at| Timestamp::try_from(at).ok());
            found.push(Listed { key, size: facts.len(), written });
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
