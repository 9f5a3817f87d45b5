//! Verifies every hash of a model again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fault::ModelsFault;
use super::install::ModelInstall;
use super::manifest::{FILE, Manifest, damage};
use super::name::ModelName;
use super::store::{ModelStore, StoreEntry};
use super::{check, selection};
use crate::files::{self, RelativePath};
use crate::inference::folder::bounds::SETTINGS;
use crate::inference::folder::{Arithmetic, ModelFolder, ModelOptions};

/// Hashes of a folder that no manifest is in, written by who made it.
pub const EXPORT: &str = "export.json";

/// A file that is not as it was.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct BadFile {
    /// Its path in the model's folder.
    pub file: String,
    /// What is wrong.
    pub why: String,
}

/// How a model is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VerifyState {
    /// Every hash is right, and it can be served.
    Verified,
    /// It can be served; nothing says what its hashes are to be.
    Unhashed,
    /// Its files are as they were, and cannot be served: what is in the way is among what is wrong.
    Unserved,
    /// A file is not as it was.
    Damaged,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// The model.
    pub name: String,
    /// How it is.
    pub state: VerifyState,
    /// Files whose hashes were looked at.
    pub files: usize,
    /// What is wrong.
    pub bad: Vec<BadFile>,
    /// The version that a server on this machine's processor gives it; nothing when it cannot be served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What has to be said when it is served, since no file says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

/// Looks at a model, and writes down when every hash was right.
///
/// # Errors
/// When there is no such model, or another process works on it.
pub fn verify(store: &ModelStore, name: &ModelName) -> Result<Verification, ModelsFault> {
    let work = match ModelInstall::begin(store, name) {
        // A store that can only be read can be verified, too.
        Err(ModelsFault::File { source, .. }) if is_read_only(&source) => None,
        other => Some(other?),
    };
    let folder = store.served(name);
    let manifest = match ModelStore::standing_at(&folder) {
        Ok(StoreEntry::Nothing) => return Err(store.unknown(name)),
        Ok(StoreEntry::Managed(manifest)) => Some(*manifest),
        Ok(StoreEntry::Other(_)) => None,
        Err(fault) => return Ok(damaged(name, vec![BadFile { file: FILE.to_owned(), why: fault.to_string() }])),
    };
    let Some(mut manifest) = manifest else { return unmanaged(&folder, name) };
    let mut bad = bad_files(&folder, &manifest)?;
    let right = bad.is_empty();
    manifest.verified = right.then(Timestamp::now);
    let unserved = if right { unserved(&folder) } else { None };
    if work.is_some() {
        manifest.write(&folder)?;
    }
    let state = match (right, &unserved) {
        (false, _) => VerifyState::Damaged,
        (true, Some(_)) => VerifyState::Unserved,
        (true, None) => VerifyState::Verified,
    };
    bad.extend(unserved);
    Ok(Verification {
        name: name.to_string(),
        state,
        files: manifest.files.len(),
        bad,
        version: version(&folder),
        condition: condition(&folder),
    })
}

/// The files of a folder that are not as its manifest says.
///
/// # Errors
/// When the folder cannot be read.
pub fn bad_files(folder: &Path, manifest: &Manifest) -> Result<Vec<BadFile>, ModelsFault> {
    let mut bad = Vec::new();
    for (file, wanted) in &manifest.files {
        if let Some(damage) = damage(&file.at(folder), &wanted.sha256, Some(wanted.size)) {
            bad.push(BadFile { file: file.to_string(), why: damage.to_string() });
        }
    }
    for path in files(folder)?.into_iter().filter(|path| selection::matters(path)) {
        if !manifest.files.contains_key(path.as_str()) {
            bad.push(BadFile { file: path, why: "exists, but is not in a manifest".to_owned() });
        }
    }
    Ok(bad)
}

/// The files of a model's folder and of the folders in it, as paths with `/`.
///
/// # Errors
/// When they cannot be read.
pub fn files(folder: &Path) -> Result<Vec<String>, ModelsFault> {
    let mut all = Vec::new();
    let inner = |path: &Path| fs::read_dir(path).map_err(ModelsFault::file(path));
    for entry in inner(folder)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.path().is_dir() {
            all.push(name);
            continue;
        }
        let below = inner(&entry.path())?.flatten().filter(|entry| !entry.path().is_dir());
        all.extend(below.map(|entry| format!("{name}/{}", entry.file_name().to_string_lossy())));
    }
    all.sort();
    Ok(all)
}

/// The hashes that whoever made a folder wrote down.
///
/// # Errors
/// When they cannot be read.
pub fn exported(folder: &Path) -> Result<Option<BTreeMap<String, String>>, ModelsFault> {
    #[derive(Deserialize)]
    struct Export {
        files: BTreeMap<String, Entry>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Entry {
        Plain(String),
        Facts { sha256: String },
    }
    let path = folder.join(EXPORT);
    let bytes = match files::read(&path, SETTINGS) {
        Err(none) if none.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(ModelsFault::file(&path))?,
    };
    let export: Export = serde_json::from_slice(&bytes)
        .map_err(|why| ModelsFault::file(&path)(io::Error::other(format!("it lists no hashes: {why}"))))?;
    let hash = |entry| match entry {
        Entry::Plain(sha256) | Entry::Facts { sha256 } => sha256,
    };
    Ok(Some(export.files.into_iter().map(|(file, entry)| (file, hash(entry))).collect()))
}

/// What differs from the hashes that [`exported`] gives.
pub fn bad_exports(folder: &Path, hashes: &BTreeMap<String, String>) -> Vec<BadFile> {
    let differs = |(file, sha256): (&String, &String)| {
        let why = match RelativePath::parse(file) {
            Some(below) => damage(&below.at(folder), sha256, None)?.to_string(),
            None => "is not in it".to_owned(),
        };
        Some(BadFile { file: file.clone(), why })
    };
    hashes.iter().filter_map(differs).collect()
}

fn unmanaged(folder: &Path, name: &ModelName) -> Result<Verification, ModelsFault> {
    let hashes = match exported(folder) {
        Ok(hashes) => hashes,
        Err(fault) => return Ok(damaged(name, vec![BadFile { file: EXPORT.to_owned(), why: fault.to_string() }])),
    };
    let mut bad = hashes.as_ref().map_or_else(Vec::new, |hashes| bad_exports(folder, hashes));
    let unserved = if bad.is_empty() { unserved(folder) } else { None };
    let state = match (bad.is_empty(), &unserved, &hashes) {
        (false, ..) => VerifyState::Damaged,
        (true, Some(_), _) => VerifyState::Unserved,
        (true, None, Some(_)) => VerifyState::Verified,
        (true, None, None) => VerifyState::Unhashed,
    };
    bad.extend(unserved);
    Ok(Verification {
        name: name.to_string(),
        state,
        files: hashes.map_or(0, |hashes| hashes.len()),
        bad,
        version: version(folder),
        condition: condition(folder),
    })
}

fn damaged(name: &ModelName, bad: Vec<BadFile>) -> Verification {
    Verification { name: name.to_string(), state: VerifyState::Damaged, files: 0, bad, version: None, condition: None }
}

/// The version of what is served when nobody says which graph.
fn version(folder: &Path) -> Option<String> {
    let opened = ModelFolder::open(folder, &ModelOptions::default()).ok()?;
    opened.version(Arithmetic::of_processor(opened.variant)).ok()
}

/// What has to be said when a folder is served.
fn condition(folder: &Path) -> Option<String> {
    check::folder(folder).ok()?.condition
}

/// Why a folder cannot be served.
fn unserved(folder: &Path) -> Option<BadFile> {
    let why = check::folder(folder).err()?.to_string();
    Some(BadFile { file: ".".to_owned(), why: format!("cannot be served: {why}") })
}

fn is_read_only(bad: &io::Error) -> bool {
    matches!(bad.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}
