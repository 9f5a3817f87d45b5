//! Why a version of a model is not brought, or not served.

use std::io;
use std::path::{Path, PathBuf};

use tokio::task::JoinError;

use super::origin::BucketFault;
use super::wanted::POINTER;
use crate::inference::folder::FolderFault;

/// Why a source does not give what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum OriginFault {
    /// A text that does not name a source.
    #[error("{found:?} is not s3://BUCKET/PREFIX or file:FOLDER")]
    Unknown {
        /// The text.
        found: String,
    },
    /// The bucket.
    #[error(transparent)]
    Bucket(#[from] BucketFault),
    /// A file or folder of the source cannot be read.
    #[error("{place}: {source}")]
    Unread {
        /// Its path.
        place: String,
        /// What the system says.
        source: io::Error,
    },
    /// The task that looked through a folder ended.
    #[error("{0}")]
    Ended(#[from] JoinError),
    /// A pointer has more bytes than one may.
    #[error("{path} has {bytes} bytes; a pointer has at most {most}")]
    LongPointer {
        /// Its path.
        path: String,
        /// Its bytes.
        bytes: u64,
        /// Bytes of a pointer.
        most: u64,
    },
    /// More comes of a file than was listed.
    #[error("{path} is longer than the {listed} bytes that were listed")]
    Longer {
        /// Its path.
        path: String,
        /// Its bytes in the list.
        listed: u64,
    },
}

impl OriginFault {
    /// What the system says of a place of the source.
    pub(super) fn unread(place: impl Into<String>, source: io::Error) -> Self {
        Self::Unread { place: place.into(), source }
    }
}

/// Why a version cannot be taken as its source describes it.
#[derive(Debug, thiserror::Error)]
pub enum WantedFault {
    /// The pointer is not one.
    #[error("{name}/{}: not as expected: {source}", POINTER)]
    Pointer {
        /// The model.
        name: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A path of the pointer leads out of the model's folder.
    #[error("{name}/{}: {path:?} leads out of the folder, or is not a path", POINTER)]
    LeadsOut {
        /// The model.
        name: String,
        /// The path.
        path: String,
    },
    /// The pointer names a file that the source does not have.
    #[error("{name}/{} names {path}, which is not there", POINTER)]
    Absent {
        /// The model.
        name: String,
        /// The path.
        path: String,
    },
    /// A file has another size than the pointer says.
    #[error("{path} has {found} bytes; {} says {said}", POINTER)]
    Size {
        /// Its path.
        path: String,
        /// Its bytes.
        found: u64,
        /// The bytes of the pointer.
        said: u64,
    },
    /// The name of a file in the source leads out of the model's folder.
    #[error("{path}: its name leads out of the folder, or is not a path")]
    Outside {
        /// Its path.
        path: String,
    },
    /// There is nothing to take.
    #[error("{name}: no files")]
    Empty {
        /// The model.
        name: String,
    },
}

/// Why the disk of the store does not take a file.
#[derive(Debug, thiserror::Error)]
pub enum DiskFault {
    /// It is full: that has nothing to do with the source.
    #[error("the disk of the store is full ({}): make room, the next look tries again", path.display())]
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
    pub(super) fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, source },
            _ => Self::Refused { path, source },
        }
    }
}

/// Why the version of a source is not served.
#[derive(Debug, thiserror::Error)]
pub enum SyncFault {
    /// The source.
    #[error(transparent)]
    Origin(#[from] OriginFault),
    /// What the source says of it.
    #[error(transparent)]
    Wanted(#[from] WantedFault),
    /// The disk of the store.
    #[error(transparent)]
    Disk(#[from] DiskFault),
    /// Fewer bytes came than were listed.
    #[error("{path}: {found} bytes came instead of {listed}")]
    Bytes {
        /// The file.
        path: String,
        /// Bytes that came.
        found: u64,
        /// Its bytes in the list.
        listed: u64,
    },
    /// Other bytes came than the pointer says.
    #[error("{path}: its SHA-256 is {found}, but the pointer says {said}")]
    Hash {
        /// The file.
        path: String,
        /// The hash of what came.
        found: String,
        /// The hash of the pointer.
        said: String,
    },
    /// The model cannot be loaded.
    #[error(transparent)]
    Load(#[from] FolderFault),
    /// The task that loaded the model ended.
    #[error("{0}")]
    Ended(#[source] JoinError),
    /// It is served, and after a restart the old one would be.
    #[error("served, but not written down: {0}")]
    Unwritten(#[source] io::Error),
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
            let fault = SyncFault::from(fault);
            assert!(fault.to_string().contains("models/a"), "{fault}");
        }
    }
}
