//! A lock for one process per model. The lock ends with the process.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::disk::FileFault;

/// Why a lock is not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockFault {
    /// Another process has it.
    #[error("another akidb-edge is working on it{}", by(*process))]
    Busy {
        /// That process, where it said so.
        process: Option<u32>,
    },
    /// The file cannot be opened or written.
    #[error(transparent)]
    File(#[from] FileFault),
}

/// Something that is worked on.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes it.
    ///
    /// # Errors
    /// When another process has it, or the file cannot be opened.
    pub fn take(path: &Path) -> Result<Self, LockFault> {
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = opened.map_err(FileFault::of(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut who = String::new();
                // Who holds it is only told when it can be read.
                let _ = file.read_to_string(&mut who);
                return Err(LockFault::Busy { process: who.trim().parse().ok() });
            }
            Err(TryLockError::Error(bad)) => return Err(FileFault::of(path)(bad).into()),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(FileFault::of(path))?;
        writeln!(file, "{}", std::process::id()).map_err(FileFault::of(path))?;
        Ok(Self { _file: file })
    }
}

fn by(process: Option<u32>) -> String {
    process.map_or_else(String::new, |process| format!(" (process {process})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("m.lock");
        let first = Lock::take(&path).expect("a lock");
        let process = Some(std::process::id());
        assert!(matches!(Lock::take(&path), Err(LockFault::Busy { process: who }) if who == process));
        drop(first);
        assert!(Lock::take(&path).is_ok());
    }
}
