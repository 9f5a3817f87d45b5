//! The location of the models on this machine.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::fault::ModelsFault;
use super::manifest::Manifest;
use super::name::ModelName;
use crate::delivery::versions;

/// Work in progress lies here, on the same file system as the models.
const WORK: &str = ".work";

/// A folder of models.
#[derive(Clone, Debug)]
pub struct ModelStore {
    root: PathBuf,
}

/// What is under a name.
#[derive(Clone, Debug)]
pub enum StoreEntry {
    /// Nothing.
    Nothing,
    /// A model with its manifest.
    Managed(Box<Manifest>),
    /// A folder without a manifest, a file, or a link.
    Other(&'static str),
}

impl ModelStore {
    /// A store in this folder; it is made when something is put into it.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder when nobody named one: `models` here if it is there, else below the user's data.
    pub fn usual(here: &Path, data: Option<PathBuf>, home: Option<PathBuf>) -> PathBuf {
        let local = here.join("models");
        if local.is_dir() {
            return PathBuf::from("models");
        }
        let data = data.filter(|path| path.is_absolute()).or_else(|| Some(home?.join(".local/share")));
        data.map_or(local, |data| data.join("akidb-edge/models"))
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// As it is shown.
    pub fn shown(&self) -> String {
        self.root.display().to_string()
    }

    /// Where a model lies.
    pub fn folder(&self, name: &ModelName) -> PathBuf {
        self.root.join(name.as_str())
    }

    /// The folder that a server serves under a name: the version that model sync brought, else the model's own.
    pub fn served(&self, name: &ModelName) -> PathBuf {
        versions::kept(&self.root, name.as_str()).map_or_else(|| self.folder(name), |kept| kept.folder)
    }

    /// Where work in progress lies.
    pub fn work(&self) -> PathBuf {
        self.root.join(WORK)
    }

    /// The names of all folders that may be models, and of those that model sync brought, in order.
    ///
    /// # Errors
    /// When the store cannot be read. One that is not there is empty.
    pub fn names(&self) -> Result<Vec<ModelName>, ModelsFault> {
        let mut names = names_in(&self.root)?;
        let synced = versions::names(&self.root).into_iter();
        let synced = synced.filter(|name| versions::current(&self.root, name).is_some());
        names.extend(synced.filter_map(|name| ModelName::parse(&name).ok()));
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Names that something is under way for, in order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn under_way(&self) -> Result<Vec<ModelName>, ModelsFault> {
        names_in(&self.work())
    }

    /// What is under a name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn standing(&self, name: &ModelName) -> Result<StoreEntry, ModelsFault> {
        Self::standing_at(&self.folder(name))
    }

    /// What is in a place of the store.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn standing_at(folder: &Path) -> Result<StoreEntry, ModelsFault> {
        let kind = match fs::symlink_metadata(folder) {
            Err(none) if none.kind() == ErrorKind::NotFound => return Ok(StoreEntry::Nothing),
            other => other.map_err(ModelsFault::file(folder))?.file_type(),
        };
        if kind.is_symlink() {
            return Ok(StoreEntry::Other("a link to another place"));
        }
        if !kind.is_dir() {
            return Ok(StoreEntry::Other("a file"));
        }
        let manifest = Manifest::read(folder)?.map(Box::new);
        Ok(manifest.map_or(StoreEntry::Other("a folder without a manifest"), StoreEntry::Managed))
    }

    /// A fault that names the models that are there.
    pub fn unknown(&self, name: &ModelName) -> ModelsFault {
        let known = self.names().unwrap_or_default().iter().map(ModelName::to_string).collect();
        ModelsFault::Unknown { name: name.to_string(), store: self.shown(), known }
    }
}

fn names_in(folder: &Path) -> Result<Vec<ModelName>, ModelsFault> {
    let entries = match fs::read_dir(folder) {
        Err(none) if none.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(ModelsFault::file(folder))?,
    };
    let folders = entries.flatten().filter(|entry| entry.path().is_dir());
    let mut names: Vec<ModelName> =
        folders.filter_map(|entry| ModelName::parse(&entry.file_name().to_string_lossy()).ok()).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_place() {
        let here = tempfile::tempdir().expect("a directory");
        let usual = |data: Option<&str>, home: Option<&str>| {
            ModelStore::usual(here.path(), data.map(PathBuf::from), home.map(PathBuf::from))
        };
        assert_eq!(usual(Some("/data"), Some("/home/x")), Path::new("/data/akidb-edge/models"));
        assert_eq!(usual(Some("not/absolute"), Some("/home/x")), Path::new("/home/x/.local/share/akidb-edge/models"));
        assert_eq!(usual(None, None), here.path().join("models"));
        fs::create_dir(here.path().join("models")).expect("a folder");
        assert_eq!(usual(Some("/data"), Some("/home/x")), Path::new("models"));
    }
}
