//! Imports a local folder into the store: checks, copies, and verifies it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::containment::{ContainedFolder, ContainmentFault};
use super::digest::{self, Digest};
use super::fault::ModelsFault;
use super::install::{self, ModelInstall};
use super::manifest::{self, Manifest, ModelOrigin};
use super::name::ModelName;
use super::selection::{self, MissingPart};
use super::store::{ModelStore, StoreEntry};
use super::verify::{self, BadFile, EXPORT};
use super::{check, vocabulary};
use crate::delivery::disk::FileFault;
use crate::files::RelativePath;
use crate::inference::folder::Variant;
use crate::inference::folder::bounds::{self, FileTooLarge};

/// Why a folder is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportFault {
    /// A file of it lies elsewhere, or is not one.
    #[error(transparent)]
    Inside(#[from] ContainmentFault),
    /// A file of it is larger than such a file may be.
    #[error(transparent)]
    TooLarge(#[from] FileTooLarge),
    /// It lacks something that a model needs.
    #[error(transparent)]
    Missing(#[from] MissingPart),
    /// Its files, or a list of their hashes, cannot be read.
    #[error(transparent)]
    Unread(Box<ModelsFault>),
    /// A file is not what a list of hashes says.
    #[error("{} {}", .0.file, .0.why)]
    Changed(BadFile),
}

impl From<FileFault> for ImportFault {
    fn from(fault: FileFault) -> Self {
        ModelsFault::from(fault).into()
    }
}

impl From<ModelsFault> for ImportFault {
    fn from(fault: ModelsFault) -> Self {
        Self::Unread(Box::new(fault))
    }
}

/// Takes a folder in. Links in it are followed as far as a hub's cache has them: within the folder and to the cache beside it.
///
/// # Errors
/// When it is not a model, a link leads out of it, it already exists, or the disk refuses.
pub fn import(store: &ModelStore, from: &Path, name: &ModelName) -> Result<Manifest, ModelsFault> {
    let shown = from.display().to_string();
    // What cannot be looked at is told by who reads it.
    let inside = ContainedFolder::of(from).ok();
    if let Some(inside) = &inside {
        all_inside(from, inside).map_err(|why| ModelsFault::no_model(&shown, why))?;
    }
    check::folder(from).map_err(|why| ModelsFault::no_model(&shown, why))?;
    let chosen = choose(from).map_err(|why| ModelsFault::no_model(&shown, why))?;
    let inside = match inside {
        Some(inside) => inside,
        None => ContainedFolder::of(from).map_err(|why| ModelsFault::no_model(&shown, why))?,
    };
    let work = ModelInstall::begin(store, name)?;
    let what = match store.standing(name)? {
        StoreEntry::Nothing => None,
        StoreEntry::Managed(_) => Some("a model"),
        StoreEntry::Other(what) => Some(what),
    };
    if let Some(what) = what {
        let what = what.to_owned();
        return Err(ModelsFault::Taken { name: name.to_string(), store: store.shown(), what });
    }
    let made = make(from, &inside, name, chosen, &work);
    if made.is_err() {
        // Half a copy is of no use, and may be what filled the disk. What went wrong is worth more than what this says.
        let _ = work.clear();
    }
    made
}

fn make(
    from: &Path,
    inside: &ContainedFolder,
    name: &ModelName,
    chosen: BTreeSet<String>,
    work: &ModelInstall,
) -> Result<Manifest, ModelsFault> {
    let shown = from.display().to_string();
    let folder = work.folder()?;
    let mut files = BTreeMap::new();
    for path in chosen {
        let below = RelativePath::try_from(path).map_err(|why| ModelsFault::no_model(&shown, why))?;
        let real = inside.file(below.as_str()).map_err(|why| ModelsFault::no_model(&shown, why))?;
        let copy = copied(&real, &below.at(&folder))?;
        files.insert(below, copy);
    }
    vocabulary::check(&folder).map_err(|why| ModelsFault::no_model(&shown, why))?;
    check::folder(&folder).map_err(|why| ModelsFault::no_model(&shown, why))?;
    let named = from.canonicalize().map_err(ModelsFault::file(from))?;
    let named = named.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let manifest = Manifest::new(name.as_str(), ModelOrigin::Import { folder: named }, files);
    manifest.write(&folder)?;
    work.put()?;
    Ok(manifest)
}

/// Checks the location and size of every file before anything is read or hashed.
fn all_inside(from: &Path, inside: &ContainedFolder) -> Result<(), ImportFault> {
    let all = verify::files(from)?;
    let read = |path: &&String| selection::matters(path) || [EXPORT, manifest::FILE].contains(&path.as_str());
    all.iter().filter(read).try_for_each(|path| {
        let real = inside.file(path)?;
        let facts = fs::metadata(&real).map_err(|source| ContainmentFault::Unread { path: path.clone(), source })?;
        Ok(bounds::check(path, facts.len())?)
    })
}

/// The files to take, when those that somebody wrote hashes down for are right.
fn choose(from: &Path) -> Result<BTreeSet<String>, ImportFault> {
    let all = verify::files(from)?;
    let all: BTreeSet<&str> = all.iter().map(String::as_str).collect();
    let there = |variant: &Variant| selection::graph(&all, *variant).is_some();
    let variants: Vec<Variant> = [Variant::Fp32, Variant::Int8].into_iter().filter(there).collect();
    let chosen = selection::choose(&all, &variants)?;
    let mut chosen: BTreeSet<String> = chosen.into_iter().map(str::to_owned).collect();
    let said = Manifest::read(from)?;
    let said = said
        .map(|manifest| manifest.files.into_iter().map(|(file, digest)| (file.to_string(), digest.sha256)).collect());
    let exported = verify::exported(from)?;
    if exported.is_some() {
        chosen.insert(EXPORT.to_owned());
    }
    for hashes in [said, exported].into_iter().flatten() {
        // A list may name what nobody serves, and what an earlier import left behind.
        let hashes: BTreeMap<String, String> =
            hashes.into_iter().filter(|(file, _)| selection::matters(file)).collect();
        if let Some(bad) = verify::bad_exports(from, &hashes).into_iter().next() {
            return Err(ImportFault::Changed(bad));
        }
    }
    Ok(chosen)
}

/// Copies a file and reads the copy back.
fn copied(from: &Path, to: &Path) -> Result<Digest, ModelsFault> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(ModelsFault::file(folder))?;
    }
    let before = digest::of_file(from).map_err(ModelsFault::file(from))?;
    fs::copy(from, to).map_err(ModelsFault::file(to))?;
    install::synced(to)?;
    let after = digest::of_file(to).map_err(ModelsFault::file(to))?;
    if before == after {
        return Ok(after.digest);
    }
    let changed = std::io::Error::other("it changed while it was copied");
    Err(ModelsFault::file(from)(changed))
}
