//! Versions that model sync downloaded, below `.versions/` of the store, and which of them is served.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use akidb_edge_engine::files::RelativePath;
use serde::{Deserialize, Serialize};

use crate::layout::is_model_name;
use crate::lock::{Lock, LockFault};
use crate::manifest::{Manifest, ModelOrigin};

const VERSIONS: &str = ".versions";
const CURRENT: &str = "current.json";

/// `.versions/NAME/current.json`: what is served after a restart.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct CurrentVersion {
    /// The folder beside this file.
    pub id: String,
    /// What its source calls it.
    pub version: String,
    /// What the source looked like: the same mark means that nothing has changed.
    pub mark: String,
    /// The version before, which is kept.
    pub previous: Option<String>,
}

/// A version on the disk that can be served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredVersion {
    /// Its folder.
    pub folder: PathBuf,
    /// What its source calls it.
    pub version: Option<String>,
    /// It is the version before, since a file of the current one is missing.
    pub is_previous: bool,
}

/// The folder of all versions of a model. `name` is that of a model.
pub fn folder(store: &Path, name: &str) -> PathBuf {
    store.join(VERSIONS).join(name)
}

/// The folder of one version; nothing when the id leads elsewhere.
pub fn of_id(store: &Path, name: &str, id: &str) -> Option<PathBuf> {
    Some(RelativePath::parse(id)?.at(&folder(store, name)))
}

/// The models that sync brought something of, in order.
pub fn names(store: &Path) -> Vec<String> {
    let entries = fs::read_dir(store.join(VERSIONS)).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| is_model_name(name)).collect();
    names.sort();
    names
}

/// What is written down as served of a model.
pub fn current(store: &Path, name: &str) -> Option<CurrentVersion> {
    let bytes = fs::read(folder(store, name).join(CURRENT)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The version of a model to serve: the current one, or the one before when a file of that is missing.
pub fn kept(store: &Path, name: &str) -> Option<StoredVersion> {
    let current = current(store, name)?;
    let whole = |id: &str| of_id(store, name, id).filter(|folder| is_whole(folder));
    if let Some(folder) = whole(&current.id) {
        return Some(StoredVersion { folder, version: Some(current.version), is_previous: false });
    }
    let folder = whole(current.previous.as_deref()?)?;
    let version = Manifest::read(&folder).ok().flatten().and_then(|manifest| match manifest.source {
        ModelOrigin::Sync { version, .. } => Some(version),
        _ => None,
    });
    Some(StoredVersion { folder, version, is_previous: true })
}

/// All models that sync brought.
pub fn all_kept(store: &Path) -> BTreeMap<String, StoredVersion> {
    names(store).into_iter().filter_map(|name| Some((name.clone(), kept(store, &name)?))).collect()
}

/// Whether no file of a version is missing or has another size. Nothing is read.
pub fn is_whole(folder: &Path) -> bool {
    match Manifest::read(folder) {
        Ok(Some(manifest)) => manifest.mismatch(folder).is_none(),
        // Brought by a program that wrote none.
        Ok(None) => ["config.json", "modules.json"].iter().any(|file| folder.join(file).is_file()),
        Err(_) => false,
    }
}

/// Writes down what is served, whole or not at all.
///
/// # Errors
/// What the system says.
pub fn put_current(store: &Path, name: &str, current: &CurrentVersion) -> io::Result<()> {
    let folder = folder(store, name);
    let partial = folder.join(".current.json");
    let mut file = File::create(&partial)?;
    file.write_all(&serde_json::to_vec_pretty(current)?)?;
    file.sync_all()?;
    fs::rename(&partial, folder.join(CURRENT))?;
    File::open(&folder)?.sync_all()
}

/// Removes what is neither served nor the version before.
pub fn prune(store: &Path, name: &str, current: &CurrentVersion) {
    for entry in fs::read_dir(folder(store, name)).into_iter().flatten().flatten() {
        let id = entry.file_name().to_string_lossy().into_owned();
        let kept = id == current.id || current.previous.as_ref() == Some(&id);
        if !kept && entry.path().is_dir() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Takes the lock of a model's versions. The folder of the versions has to be there.
///
/// # Errors
/// When another process has it, or it cannot be written.
pub fn lock(store: &Path, name: &str) -> Result<Lock, LockFault> {
    Lock::take(&store.join(VERSIONS).join(format!(".{name}.lock")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest;

    #[test]
    fn the_version_before_is_kept_and_steps_in() {
        let store = tempfile::tempdir().expect("a folder");
        let folder = folder(store.path(), "m");
        for id in ["v1", "v2", "v3", ".staging-v4"] {
            let version = folder.join(id);
            fs::create_dir_all(&version).expect("a folder");
            fs::write(version.join("config.json"), "{}").expect("a file");
            let config = digest::sha256_of_file(&version.join("config.json")).expect("a digest");
            let files = [(RelativePath::parse("config.json").expect("a path"), config)].into_iter().collect();
            let source = ModelOrigin::Sync { from: "file:x".to_owned(), version: format!("of {id}") };
            Manifest::new("m", source, files).write(&version).expect("it is written");
        }
        let now =
            CurrentVersion { id: "v3".into(), version: "3".into(), mark: "x".into(), previous: Some("v2".into()) };
        put_current(store.path(), "m", &now).expect("it is written");
        prune(store.path(), "m", &now);
        let mut left: Vec<_> =
            fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("it").file_name()).collect();
        left.sort();
        assert_eq!(left, ["current.json", "v2", "v3"]);
        assert_eq!(current(store.path(), "m"), Some(now));
        let all = all_kept(store.path());
        assert_eq!((all["m"].version.as_deref(), all["m"].is_previous), (Some("3"), false));
        fs::remove_file(folder.join("v3/config.json")).expect("it goes");
        let previous =
            StoredVersion { folder: folder.join("v2"), version: Some("of v2".to_owned()), is_previous: true };
        assert_eq!(kept(store.path(), "m"), Some(previous));
        fs::remove_dir_all(folder.join("v2")).expect("it goes");
        assert_eq!(kept(store.path(), "m"), None);
    }

    #[test]
    fn only_names_of_models_are_looked_at() {
        let store = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder(store.path(), "m")).expect("a folder");
        fs::create_dir_all(store.path().join(".versions/.lost")).expect("a folder");
        assert_eq!(names(store.path()), ["m"]);
    }
}
