//! Why a version of a model is not downloaded, or not served.

use std::io;

use tokio::task::JoinError;

use super::origin::BucketFault;
use crate::delivery::desired_version::VersionFault;
use crate::delivery::disk::DiskFault;
use crate::delivery::lock::LockFault;
use crate::delivery::stage::DeliveryFault;
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

impl From<OriginFault> for DeliveryFault {
    fn from(fault: OriginFault) -> Self {
        Self::Source(Box::new(fault))
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
    Wanted(#[from] VersionFault),
    /// The source does not have it, or no longer.
    #[error("the source does not have this model; it has {has}")]
    Absent {
        /// What it has.
        has: String,
    },
    /// The disk of the store.
    #[error(transparent)]
    Disk(#[from] DiskFault),
    /// What came of it.
    #[error(transparent)]
    Delivery(#[from] DeliveryFault),
    /// Another process works on the same model of the same store.
    #[error("{0}, in the same store; it is checked again")]
    Shared(#[source] LockFault),
    /// The model cannot be loaded.
    #[error(transparent)]
    Load(#[from] FolderFault),
    /// The task that loaded the model ended.
    #[error("{0}")]
    Ended(#[source] JoinError),
    /// It is served, and after a restart the old one would be.
    #[error("served, but not recorded: {0}")]
    Unwritten(#[source] io::Error),
}
