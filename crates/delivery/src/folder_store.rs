//! A folder as a destination of models: a mounted disk of a site without a network.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use akidb_edge_engine::files::{self, RelativePath};
use async_trait::async_trait;
use tokio::fs;

use crate::disk::FileFault;
use crate::publish::{ExistingObject, ModelPublishFault, Upload, UploadContent, UploadStore};

/// Folders within each other below a model's name.
const DEEPEST: usize = 8;
/// Bytes of a document that is read.
const LONGEST: u64 = 16 << 20;

/// A folder.
#[derive(Clone, Debug)]
pub struct UploadFolder {
    root: PathBuf,
}

impl UploadFolder {
    /// Objects below this folder. It is made when something is put into it.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    fn place(&self, key: &str) -> Result<PathBuf, FileFault> {
        let leads_out = || FileFault {
            path: self.root.clone(),
            source: io::Error::new(io::ErrorKind::InvalidInput, format!("{key:?} is outside the folder")),
        };
        Ok(RelativePath::parse(key).ok_or_else(leads_out)?.at(&self.root))
    }
}

#[async_trait]
impl UploadStore for UploadFolder {
    async fn list(&self, begin: &str) -> Result<Vec<ExistingObject>, ModelPublishFault> {
        let mut found = Vec::new();
        walk(&self.root, begin.trim_end_matches('/'), 0, &mut found)?;
        Ok(found)
    }

    async fn stack_of(&self, _: &str) -> Result<Option<String>, ModelPublishFault> {
        Ok(None)
    }

    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, ModelPublishFault> {
        let place = self.place(key)?;
        match files::read(&place, LONGEST) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(none) if none.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(bad) => Err(FileFault::of(&place)(bad).into()),
        }
    }

    async fn put(&self, upload: &Upload) -> Result<(), ModelPublishFault> {
        let place = self.place(&upload.key)?;
        let folder = place.parent().unwrap_or(&self.root).to_owned();
        fs::create_dir_all(&folder).await.map_err(FileFault::of(&folder))?;
        let partial = tempfile::NamedTempFile::new_in(&folder).map_err(FileFault::of(&folder))?;
        match &upload.content {
            UploadContent::File(from) => drop(fs::copy(from, partial.path()).await.map_err(FileFault::of(&place))?),
            UploadContent::Bytes(bytes) => fs::write(partial.path(), bytes).await.map_err(FileFault::of(&place))?,
        }
        readable(partial.as_file()).map_err(FileFault::of(&place))?;
        partial.persist(&place).map_err(|bad| FileFault::of(&place)(bad.error))?;
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), ModelPublishFault> {
        let place = self.place(key)?;
        match fs::remove_file(&place).await {
            Err(bad) if bad.kind() != io::ErrorKind::NotFound => Err(FileFault::of(&place)(bad).into()),
            _ => {
                // The folder of a hash holds one file as a rule.
                let above = place.parent().filter(|above| *above != self.root);
                if let Some(above) = above {
                    let _ = fs::remove_dir(above).await;
                }
                Ok(())
            }
        }
    }
}

/// On the disk, and for everybody to read.
fn readable(file: &std::fs::File) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.sync_all()
}

fn walk(root: &Path, below: &str, deep: usize, found: &mut Vec<ExistingObject>) -> Result<(), FileFault> {
    let folder = root.join(below);
    let entries = match std::fs::read_dir(&folder) {
        Err(none) if none.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(FileFault::of(&folder))?,
    };
    for entry in entries.flatten() {
        let key = format!("{below}/{}", entry.file_name().to_string_lossy());
        let Ok(facts) = entry.metadata() else { continue };
        if facts.is_dir() && deep < DEEPEST {
            walk(root, &key, deep + 1, found)?;
        } else if facts.is_file() {
            found.push(ExistingObject { key, size: facts.len(), written: facts.mtime() });
        }
    }
    Ok(())
}
