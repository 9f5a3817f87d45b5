//! Removes a model from the store: its folder, and the versions from model sync.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::check;
use super::fault::ModelsFault;
use super::install::ModelInstall;
use super::manifest::FILE;
use super::name::ModelName;
use super::store::ModelStore;
use super::verify::files;
use crate::delivery::lock::LockFault;
use crate::delivery::versions;

/// What would go.
#[derive(Clone, Debug, Default)]
pub struct RemovalPreview {
    /// How many files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Versions that model sync brought are among them: a server with `--sync` brings the model again.
    pub synced: bool,
}

/// Looks at what would go.
///
/// # Errors
/// When there is nothing of that name, or it is not a model.
pub fn look(store: &ModelStore, name: &ModelName) -> Result<RemovalPreview, ModelsFault> {
    let synced = synced(store, name)?;
    match own(store, name) {
        Ok(own) => Ok(RemovalPreview { files: own.files + synced.files, bytes: own.bytes + synced.bytes, ..synced }),
        Err(ModelsFault::Unknown { .. }) if synced.synced => Ok(synced),
        Err(fault) => Err(fault),
    }
}

fn own(store: &ModelStore, name: &ModelName) -> Result<RemovalPreview, ModelsFault> {
    let folder = store.folder(name);
    let refused = |why: &str| ModelsFault::Foreign { path: folder.display().to_string(), why: why.to_owned() };
    match fs::symlink_metadata(&folder) {
        Ok(facts) if facts.is_symlink() => Err(refused("it is a link")),
        Ok(facts) if !facts.is_dir() => Err(refused("it is a file")),
        Ok(_) if folder.join(FILE).is_file() || check::folder(&folder).is_ok() => counted(&folder),
        Ok(_) => Err(refused("it is not a model: it has neither a manifest nor the files of a model")),
        Err(_) => {
            let place = Some(store.work().join(name.as_str())).filter(|place| place.is_dir());
            counted(&place.ok_or_else(|| store.unknown(name))?)
        }
    }
}

/// The versions that model sync brought.
fn synced(store: &ModelStore, name: &ModelName) -> Result<RemovalPreview, ModelsFault> {
    let folder = versions::folder(store.root(), name.as_str());
    let entries = match fs::read_dir(&folder) {
        Err(none) if none.kind() == ErrorKind::NotFound => return Ok(RemovalPreview::default()),
        other => other.map_err(ModelsFault::file(&folder))?,
    };
    let mut all = RemovalPreview { synced: true, ..RemovalPreview::default() };
    for version in entries.flatten().filter(|entry| entry.path().is_dir()) {
        let one = counted(&version.path())?;
        all.files += one.files;
        all.bytes += one.bytes;
    }
    Ok(all)
}

fn counted(place: &Path) -> Result<RemovalPreview, ModelsFault> {
    let all = files(place)?;
    let bytes = all.iter().filter_map(|file| fs::metadata(place.join(file)).ok()).map(|facts| facts.len()).sum();
    Ok(RemovalPreview { files: all.len(), bytes, synced: false })
}

/// Takes it away, and what was fetched of it so far.
///
/// # Errors
/// When it is not a model, another process works on it, or the disk refuses.
pub fn remove(store: &ModelStore, name: &ModelName) -> Result<RemovalPreview, ModelsFault> {
    look(store, name)?;
    let work = ModelInstall::begin(store, name)?;
    let removal = look(store, name)?;
    if removal.synced {
        remove_synced(store, name)?;
    }
    work.take_away()?;
    Ok(removal)
}

/// What names the served version goes first: half of the rest is nothing that a server starts with.
fn remove_synced(store: &ModelStore, name: &ModelName) -> Result<(), ModelsFault> {
    let _lock = versions::lock(store.root(), name.as_str()).map_err(|fault| match fault {
        LockFault::Busy { process } => ModelsFault::Busy { name: name.to_string(), process },
        LockFault::File(fault) => fault.into(),
    })?;
    let folder = versions::folder(store.root(), name.as_str());
    let current = folder.join("current.json");
    match fs::remove_file(&current) {
        Err(bad) if bad.kind() != ErrorKind::NotFound => return Err(ModelsFault::file(&current)(bad)),
        _ => {}
    }
    fs::remove_dir_all(&folder).map_err(ModelsFault::file(&folder))
}
