//! Installs a model atomically: prepared next to its destination, then renamed.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::fault::ModelsFault;
use super::lock::ModelLock;
use super::name::ModelName;
use super::store::ModelStore;

/// A model that this process works on.
pub struct ModelInstall {
    target: PathBuf,
    place: PathBuf,
    _lock: ModelLock,
}

impl ModelInstall {
    /// Takes the lock, and mends what a killed process left between two renames.
    ///
    /// # Errors
    /// When another process works on it, or the disk refuses.
    pub fn begin(store: &ModelStore, name: &ModelName) -> Result<Self, ModelsFault> {
        let work = store.work();
        fs::create_dir_all(&work).map_err(ModelsFault::file(&work))?;
        let lock = ModelLock::take(&work, name)?;
        let begun = Self { target: store.folder(name), place: work.join(name.as_str()), _lock: lock };
        let old = begun.place.join("old");
        if exists(&old) && !exists(&begun.target) {
            rename(&old, &begun.target)?;
        }
        for left in ["old", "gone", "folder"] {
            delete(&begun.place.join(left))?;
        }
        Ok(begun)
    }

    /// Where files come to, each under its hash. They stay there until the model is made.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn parts(&self) -> Result<PathBuf, ModelsFault> {
        made(self.place.join("parts"))
    }

    /// An empty folder for the model.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn folder(&self) -> Result<PathBuf, ModelsFault> {
        made(self.place.join("folder"))
    }

    /// Puts the folder in its place; one that was there before goes.
    ///
    /// # Errors
    /// When the disk refuses. What was there before is there then.
    pub fn put(&self) -> Result<(), ModelsFault> {
        let (new, old) = (self.place.join("folder"), self.place.join("old"));
        synced(&new)?;
        let replaces = exists(&self.target);
        if replaces {
            rename(&self.target, &old)?;
        }
        if let Err(fault) = rename(&new, &self.target) {
            if replaces {
                rename(&old, &self.target)?;
            }
            return Err(fault);
        }
        if let Some(store) = self.target.parent() {
            synced(store)?;
        }
        self.clear()
    }

    /// Takes the model away.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn take_away(&self) -> Result<(), ModelsFault> {
        if exists(&self.target) {
            made(self.place.clone())?;
            rename(&self.target, &self.place.join("gone"))?;
        }
        self.clear()
    }

    /// Nothing is under way any longer.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn clear(&self) -> Result<(), ModelsFault> {
        delete(&self.place)
    }
}

/// Gives a file a second name, or copies it where that cannot be.
///
/// # Errors
/// When the disk refuses.
pub fn link(from: &Path, to: &Path) -> Result<(), ModelsFault> {
    if let Some(folder) = to.parent() {
        made(folder.to_owned())?;
    }
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to).map_err(ModelsFault::file(to))?;
    synced(to)
}

/// Waits until a file or a folder is on the disk.
///
/// # Errors
/// When the disk refuses.
pub fn synced(path: &Path) -> Result<(), ModelsFault> {
    File::open(path).and_then(|file| file.sync_all()).map_err(ModelsFault::file(path))
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn made(folder: PathBuf) -> Result<PathBuf, ModelsFault> {
    fs::create_dir_all(&folder).map_err(ModelsFault::file(&folder))?;
    Ok(folder)
}

fn rename(from: &Path, to: &Path) -> Result<(), ModelsFault> {
    fs::rename(from, to).map_err(ModelsFault::file(to))
}

fn delete(folder: &Path) -> Result<(), ModelsFault> {
    let gone = |bad: &io::Error| bad.kind() == ErrorKind::NotFound;
    match fs::remove_dir_all(folder) {
        Err(bad) if !gone(&bad) => Err(ModelsFault::file(folder)(bad)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, ModelStore, ModelName) {
        let folder = tempfile::tempdir().expect("a directory");
        let store = ModelStore::at(folder.path().to_owned());
        (folder, store, ModelName::parse("m").expect("a name"))
    }

    #[test]
    fn the_new_one_takes_the_place_of_the_old_one() {
        let (_folder, store, name) = store();
        for text in ["one", "two"] {
            let work = ModelInstall::begin(&store, &name).expect("a lock");
            fs::write(work.folder().expect("a folder").join("f"), text).expect("a file");
            work.put().expect("it is put");
            assert_eq!(fs::read_to_string(store.folder(&name).join("f")).expect("a file"), text);
        }
        assert!(!store.work().join("m").exists());
    }

    #[test]
    fn a_kill_between_two_renames_is_mended() {
        let (_folder, store, name) = store();
        let old = store.work().join("m/old");
        fs::create_dir_all(&old).expect("a folder");
        fs::write(old.join("f"), "kept").expect("a file");
        drop(ModelInstall::begin(&store, &name).expect("a lock"));
        assert_eq!(fs::read_to_string(store.folder(&name).join("f")).expect("a file"), "kept");
    }

    #[test]
    fn one_at_a_time() {
        let (_folder, store, name) = store();
        let first = ModelInstall::begin(&store, &name).expect("a lock");
        let process = std::process::id();
        let second = ModelInstall::begin(&store, &name).err().map(|fault| fault.to_string());
        assert_eq!(second, Some(format!("m is being changed by another akidb-edge (process {process})")));
        drop(first);
        assert!(ModelInstall::begin(&store, &name).is_ok());
    }
}
