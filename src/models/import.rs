//! A folder of this machine into the store: checked, copied, and read back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::digest::{self, Digest};
use super::fault::ModelsFault;
use super::inside::Inside;
use super::manifest::{self, Manifest, Source};
use super::name::ModelName;
use super::place::{self, Work};
use super::store::{Standing, Store};
use super::verify::{self, EXPORT};
use super::wanted::{self, Missing};
use super::{check, vocabulary};
use crate::files::Below;
use crate::inference::folder::{Variant, bounds};

/// Takes a folder in. Links in it are followed as far as a hub's cache has them: within the folder and to the cache beside it.
///
/// # Errors
/// When it is no model, a link leads out of it, it is there already, or the disk refuses.
pub fn import(store: &Store, from: &Path, name: &ModelName) -> Result<Manifest, ModelsFault> {
    let no_model = |why: String| ModelsFault::NoModel { path: from.display().to_string(), why };
    // What cannot be looked at is told by who reads it.
    let inside = Inside::of(from).ok();
    if let Some(inside) = &inside {
        all_inside(from, inside).map_err(no_model)?;
    }
    check::folder(from).map_err(|fault| no_model(fault.to_string()))?;
    let (chosen, inside) =
        (choose(from).map_err(no_model)?, inside.map_or_else(|| Inside::of(from), Ok).map_err(no_model)?);
    let work = Work::begin(store, name)?;
    let what = match store.standing(name)? {
        Standing::Nothing => None,
        Standing::Managed(_) => Some("a model"),
        Standing::Other(what) => Some(what),
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
    inside: &Inside,
    name: &ModelName,
    chosen: BTreeSet<String>,
    work: &Work,
) -> Result<Manifest, ModelsFault> {
    let no_model = |why: String| ModelsFault::NoModel { path: from.display().to_string(), why };
    let folder = work.folder()?;
    let mut files = BTreeMap::new();
    for path in chosen {
        let below = Below::try_from(path).map_err(|bad| no_model(bad.to_string()))?;
        let real = inside.file(below.as_str()).map_err(no_model)?;
        let copy = copied(&real, &below.at(&folder))?;
        files.insert(below, copy);
    }
    vocabulary::check(&folder).map_err(no_model)?;
    check::folder(&folder).map_err(|fault| no_model(fault.to_string()))?;
    let named = from.canonicalize().map_err(ModelsFault::file(from))?;
    let named = named.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let manifest = Manifest::new(name.as_str(), Source::Import { folder: named }, files);
    manifest.write(&folder)?;
    work.put()?;
    Ok(manifest)
}

/// Checks the location and size of every file before anything is read or hashed.
fn all_inside(from: &Path, inside: &Inside) -> Result<(), String> {
    let all = verify::files(from).map_err(|fault| fault.to_string())?;
    let read = |path: &&String| wanted::matters(path) || [EXPORT, manifest::FILE].contains(&path.as_str());
    all.iter().filter(read).try_for_each(|path| {
        let real = inside.file(path)?;
        let facts = fs::metadata(&real).map_err(|why| format!("{path} cannot be read: {why}"))?;
        bounds::check(path, facts.len())
    })
}

/// The files to take, when those that somebody wrote hashes down for are right.
fn choose(from: &Path) -> Result<BTreeSet<String>, String> {
    let all = verify::files(from).map_err(|fault| fault.to_string())?;
    let all: BTreeSet<&str> = all.iter().map(String::as_str).collect();
    let there = |variant: &Variant| wanted::graph(&all, *variant).is_some();
    let variants: Vec<Variant> = [Variant::Fp32, Variant::Int8].into_iter().filter(there).collect();
    let chosen = wanted::choose(&all, &variants).map_err(|missing| match missing {
        Missing::File(why) => why,
        Missing::Graph { variant, .. } => format!("it has no {} graph", variant.name()),
    })?;
    let mut chosen: BTreeSet<String> = chosen.into_iter().map(str::to_owned).collect();
    let said = Manifest::read(from).map_err(|fault| fault.to_string())?;
    let said = said
        .map(|manifest| manifest.files.into_iter().map(|(file, digest)| (file.to_string(), digest.sha256)).collect());
    let exported = verify::exported(from).map_err(|fault| fault.to_string())?;
    if exported.is_some() {
        chosen.insert(EXPORT.to_owned());
    }
    for hashes in [said, exported].into_iter().flatten() {
        // A list may name what nobody serves, and what an earlier import left behind.
        let hashes: BTreeMap<String, String> = hashes.into_iter().filter(|(file, _)| wanted::matters(file)).collect();
        if let Some(bad) = verify::bad_exports(from, &hashes).first() {
            return Err(format!("{} {}", bad.file, bad.why));
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
    place::synced(to)?;
    let after = digest::of_file(to).map_err(ModelsFault::file(to))?;
    if before == after {
        return Ok(after.digest);
    }
    let changed = std::io::Error::other("it changed while it was copied");
    Err(ModelsFault::file(from)(changed))
}
