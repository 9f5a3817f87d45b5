//! Versions that sync brought, below `.versions/` of the store, and which of them is served.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files::Below;
use crate::inference::registry::Source;

const VERSIONS: &str = ".versions";
const CURRENT: &str = "current.json";

/// `.versions/NAME/current.json`: what is served after a restart.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Current {
    /// The folder beside this file.
    pub id: String,
    /// What its source calls it.
    pub version: String,
    /// What the source looked like: the same mark means that nothing has changed.
    pub mark: String,
    /// The version before, which is kept.
    pub previous: Option<String>,
}

/// The folder of all versions of a model.
pub fn versions(store: &Path, name: &str) -> PathBuf {
    store.join(VERSIONS).join(name)
}

/// What is served of a model that sync brought.
pub fn current(store: &Path, name: &str) -> Option<Current> {
    let bytes = fs::read(versions(store, name).join(CURRENT)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// All models that sync brought. When the version that should be served has gone, the one before is.
pub fn currents(store: &Path) -> BTreeMap<String, Source> {
    let names = fs::read_dir(store.join(VERSIONS)).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter_map(|name| {
            let current = current(store, &name)?;
            let folders = [Some(&current.id), current.previous.as_ref()].into_iter().flatten();
            let folder = folders
                .filter_map(|id| Some(Below::parse(id)?.at(&versions(store, &name))))
                .find(|folder| folder.join("config.json").is_file())?;
            let version = folder.ends_with(&current.id).then_some(current.version);
            Some((name, Source { folder, version, dimension: None }))
        })
        .collect()
}

/// Writes down what is served, whole or not at all.
///
/// # Errors
/// What the system says.
pub fn put_current(store: &Path, name: &str, current: &Current) -> io::Result<()> {
    let folder = versions(store, name);
    let partial = folder.join(".current.json");
    let mut file = File::create(&partial)?;
    file.write_all(&serde_json::to_vec_pretty(current)?)?;
    file.sync_all()?;
    fs::rename(&partial, folder.join(CURRENT))?;
    File::open(&folder)?.sync_all()
}

/// Removes what is neither served nor the version before.
pub fn prune(store: &Path, name: &str, current: &Current) {
    for entry in fs::read_dir(versions(store, name)).into_iter().flatten().flatten() {
        let folder = entry.file_name().to_string_lossy().into_owned();
        let kept = folder == current.id || current.previous.as_ref() == Some(&folder);
        if !kept && entry.path().is_dir() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Current, current, currents, prune, put_current, versions};

    #[test]
    fn the_version_before_is_kept_and_steps_in() {
        let store = tempfile::tempdir().unwrap();
        let folder = versions(store.path(), "m");
        for id in ["v1", "v2", "v3", ".staging-v4"] {
            std::fs::create_dir_all(folder.join(id)).unwrap();
            std::fs::write(folder.join(id).join("config.json"), "{}").unwrap();
        }
        let now = Current { id: "v3".into(), version: "3".into(), mark: "x".into(), previous: Some("v2".into()) };
        put_current(store.path(), "m", &now).unwrap();
        prune(store.path(), "m", &now);
        let mut left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["current.json", "v2", "v3"]);
        assert_eq!(current(store.path(), "m"), Some(now));
        assert_eq!(currents(store.path())["m"].version.as_deref(), Some("3"));
        std::fs::remove_dir_all(folder.join("v3")).unwrap();
        assert_eq!(currents(store.path())["m"].folder, folder.join("v2"));
    }
}
