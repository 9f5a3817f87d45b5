//! Assembles a database from objects and checks the result.

use std::io;
use std::path::{Path, PathBuf};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::RestoreFault;
use crate::calls::Calls;
use crate::fetch::{FetchFault, Fetched, fetch};
use crate::image::{Image, check};
use crate::ltx::{LtxFault, Name};
use crate::merkle::Root;
use crate::proof::Claim;
use crate::trust::Trust;
use crate::txid::Txid;

/// Objects that are brought at the same time.
const AT_ONCE: usize = 8;

/// A database that was put together and has passed its checks. It goes with its folder when it is dropped.
#[derive(Debug)]
pub(crate) struct Built {
    /// Its file.
    pub path: PathBuf,
    /// Its state.
    pub txid: Txid,
    /// Pages.
    pub pages: u32,
    /// Bytes of a page.
    pub page_size: u32,
    /// The root over them.
    pub root: Root,
    /// Whether a signed proof names that root.
    pub proven: bool,
    /// What the last object's proof claims.
    pub claim: Option<Claim>,
    /// Bytes that were read.
    pub bytes: u64,
    /// When the last object says that it was published, in milliseconds since 1970.
    pub timestamp: i64,
    _folder: TempDir,
}

/// Builds a database beside `place`, in a hidden folder of its own.
pub(crate) async fn build(calls: &Calls, trust: &Trust, names: &[Name], place: &Path) -> Result<Built, RestoreFault> {
    let beside = place.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let local = |source| RestoreFault::Local { path: beside.to_owned(), source };
    let folder = tempfile::Builder::new().prefix(".restoring-").tempdir_in(beside).map_err(local)?;
    let path = folder.path().join("database");
    let mut image = Image::create(&path).map_err(local)?;
    let scratch = folder.path();
    let mut brought = stream::iter(names.iter().copied())
        .map(|name| fetch(calls, name, trust, scratch))
        .buffered(AT_ONCE)
        .map_err(|bad| faulty(calls, bad));
    let (mut last, mut bytes) = (None, 0);
    while let Some(object) = brought.try_next().await? {
        bytes += object.size;
        let name = object.name;
        let (back, object) = applied(calls, place, image, object).await?;
        image = back;
        last = Some((name, object));
    }
    drop(brought);
    let Some((name, object)) = last else { return Err(RestoreFault::Empty { store: calls.name() }) };
    let (image, root) = rooted(image, &path).await?;
    let claim = object.proof.as_ref().map(|proof| proof.claim.clone());
    if claim.as_ref().is_some_and(|claim| claim.root != root) {
        let why = "the Merkle root of the restored pages differs from the proof".to_owned();
        return Err(RestoreFault::Refused { store: calls.name(), key: name.key(calls.layout()), why });
    }
    Ok(Built {
        path,
        txid: name.max,
        pages: image.pages(),
        page_size: image.page_size(),
        root,
        proven: object.proof.is_some_and(|proof| proof.signed),
        claim,
        bytes,
        timestamp: object.header.timestamp,
        _folder: folder,
    })
}

/// Writes an object into the image, on a thread that may wait for the disk.
async fn applied(
    calls: &Calls,
    place: &Path,
    mut image: Image,
    mut object: Fetched,
) -> Result<(Image, Fetched), RestoreFault> {
    let key = object.name.key(calls.layout());
    let written = spawn_blocking(move || {
        let written = object.reader().map_err(Into::into).and_then(|reader| image.apply(reader));
        written.map(|_| (image, object))
    });
    let written = written.await.unwrap_or_else(|ended| Err(io::Error::other(ended).into()));
    written.map_err(|bad| match bad {
        LtxFault::Io(source) => RestoreFault::Local { path: place.to_owned(), source },
        LtxFault::Invalid(why) => RestoreFault::Refused { store: calls.name(), key, why },
    })
}

/// The root, and what SQLite says of it.
async fn rooted(image: Image, path: &Path) -> Result<(Image, Root), RestoreFault> {
    let own = path.to_owned();
    let checked = spawn_blocking(move || {
        let local = |source| RestoreFault::Local { path: own.clone(), source };
        image.settle().map_err(local)?;
        let root = std::thread::scope(|both| {
            let root = both.spawn(|| image.root());
            let failed = check(&own, false).map_err(|bad| RestoreFault::Damaged { said: bad.to_string() })?;
            if let Some(failed) = failed {
                return Err(RestoreFault::Damaged { said: format!("{}: {}", failed.check, failed.said) });
            }
            root.join().unwrap_or_else(|_| Err(io::Error::other("the hash was not computed"))).map_err(local)
        })?;
        Ok((image, root))
    });
    let local = |ended| RestoreFault::Local { path: path.to_owned(), source: io::Error::other(ended) };
    checked.await.unwrap_or_else(|ended| Err(local(ended)))
}

/// What belongs to a database at this path.
pub(crate) fn files(output: &Path) -> impl Iterator<Item = PathBuf> {
    ["", "-wal", "-shm", "-journal"].into_iter().map(|end| {
        let mut path = output.as_os_str().to_owned();
        path.push(end);
        path.into()
    })
}

/// Puts what was built in its place, where nothing lies.
pub(super) fn publish(built: &Built, output: &Path) -> Result<(), RestoreFault> {
    let local = |source| RestoreFault::Local { path: output.to_owned(), source };
    // A link to something that is there fails; a rename would replace it.
    match std::fs::hard_link(&built.path, output) {
        Err(there) if there.kind() == io::ErrorKind::AlreadyExists => {
            return Err(RestoreFault::Exists(output.to_owned()));
        }
        // No such links on this kind of disk.
        Err(_) => std::fs::rename(&built.path, output).map_err(local)?,
        Ok(()) => {}
    }
    let above = output.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(above).and_then(|above| above.sync_all()).map_err(local)
}

pub(crate) fn faulty(calls: &Calls, bad: FetchFault) -> RestoreFault {
    match bad {
        FetchFault::Store(bad) => bad.into(),
        FetchFault::Refused { key, why } => RestoreFault::Refused { store: calls.name(), key, why },
        FetchFault::Local { path, source } => RestoreFault::Local { path, source },
    }
}
