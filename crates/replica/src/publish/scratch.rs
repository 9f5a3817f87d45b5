//! The local scratch folder of a publisher.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::PublishFault;

/// The folder, which one publisher at a time has.
#[derive(Debug)]
pub(super) struct Scratch {
    /// Copies of the database.
    pub copies: PathBuf,
    /// Files that wait to be published.
    pub spool: PathBuf,
    /// Hashes over the database as it was published.
    pub tree: PathBuf,
    /// Hashes over a snapshot beside the chain.
    pub beside: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Takes the folder. What a killed publisher left there is removed.
    pub fn take(folder: &Path) -> Result<Self, PublishFault> {
        let local = |path: &Path| {
            let path = path.to_owned();
            move |source| PublishFault::Local { path, source }
        };
        fs::create_dir_all(folder).map_err(local(folder))?;
        let path = folder.join(".lock");
        let lock = File::create(&path).map_err(local(&path))?;
        let taken = |_| io::Error::new(io::ErrorKind::WouldBlock, "another publisher of this machine uses this folder");
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(taken).map_err(local(folder))?;
        let made = |name: &str| {
            let path = folder.join(name);
            match fs::remove_dir_all(&path) {
                Err(bad) if bad.kind() != io::ErrorKind::NotFound => return Err(local(&path)(bad)),
                _ => {}
            }
            fs::create_dir(&path).map_err(local(&path))?;
            Ok(path)
        };
        let (copies, spool) = (made("copies")?, made("spool")?);
        Ok(Self { copies, spool, tree: made("tree")?, beside: made("beside")?, _lock: lock })
    }
}
