//! Errors of the file system, with the path.

use std::io;
use std::path::{Path, PathBuf};

/// A file or folder that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct FileFault {
    /// Its path.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

impl FileFault {
    /// What the system says of a file.
    pub fn of(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { path, source }
    }
}

/// Why the disk of a store does not take a file.
#[derive(Debug, thiserror::Error)]
pub enum DiskFault {
    /// It is full: that has nothing to do with the source.
    #[error("the disk of the store is full ({}): free some space, the next poll tries again", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Anything else.
    #[error("{}: {source}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl DiskFault {
    /// What the system says of a file of the store.
    pub fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, source },
            _ => Self::Refused { path, source },
        }
    }
}

impl From<FileFault> for DiskFault {
    fn from(FileFault { path, source }: FileFault) -> Self {
        Self::of(&path, source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_one_that_refuses() {
        for (kind, full) in [
            (io::ErrorKind::StorageFull, true),
            (io::ErrorKind::QuotaExceeded, true),
            (io::ErrorKind::PermissionDenied, false),
        ] {
            let fault = DiskFault::of(Path::new("models/a"), kind.into());
            assert_eq!(matches!(fault, DiskFault::Full { .. }), full, "{fault}");
            assert!(fault.to_string().contains("models/a"), "{fault}");
        }
    }
}
