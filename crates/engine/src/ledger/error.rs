//! What goes wrong with a journal or its lease: what failed and why. The next step is said in `exit`.

use std::path::PathBuf;

use super::fold::JournalContradiction;
use super::lease::Lease;

/// What went wrong with a journal or its lease.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Somebody else holds the lease.
    #[error(
        "the stack is being changed by {}@{} (process {}, `{}`) since {:.0}; the lease ends at {:.0}",
        .0.user, .0.host, .0.pid, .0.command, .0.since, .0.expires
    )]
    Locked(Box<Lease>),
    /// The lease was lost: nothing more may be done.
    #[error("the lease on the stack was lost: {0}; nothing more was begun. Run the same command again")]
    LeaseLost(String),
    /// The journal cannot be read.
    #[error("the journal {place} cannot be read at line {line}: {problem}")]
    Corrupt {
        /// Where it lies.
        place: String,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A part of the journal is gone.
    #[error("{place} is missing, and the journal needs it")]
    Missing {
        /// The object.
        place: String,
    },
    /// A newer version wrote it.
    #[error("the journal {place} has format {found}, this version knows {known}: use a newer akidb-edge")]
    Newer {
        /// Where it lies.
        place: String,
        /// The format found.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// Its entries contradict each other.
    #[error("the journal {place} contradicts itself: {source}")]
    Contradicts {
        /// Where it lies.
        place: String,
        /// How.
        source: JournalContradiction,
    },
    /// A process holds the guard of the state and does not go on.
    #[error("{0}: another process of this machine is writing here and does not go on; it may be stopped")]
    Guarded(PathBuf),
    /// The file system is full.
    #[error("{path}: the file system is full: {needed} more bytes must fit for the next entries of the journal")]
    Full {
        /// The file.
        path: PathBuf,
        /// Bytes that did not fit.
        needed: usize,
    },
    /// An entry before this one could not be written.
    #[error("the journal {0} could not be written before; nothing more is begun")]
    Broken(String),
    /// The file system refused.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bucket refused.
    #[error("s3 {operation} on {place}: {problem}")]
    Bucket {
        /// The call.
        operation: &'static str,
        /// Bucket and key.
        place: String,
        /// What the service said.
        problem: String,
        /// What that means.
        cause: BucketRefusal,
    },
    /// The store takes writes that it must refuse.
    #[error(
        "{place}: this store does not support conditional writes ({header}): two runs at once would overwrite each other's entries"
    )]
    Unconditional {
        /// The bucket.
        place: String,
        /// The header that it ignores.
        header: &'static str,
    },
}

/// Why a bucket refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketRefusal {
    /// The session ended.
    Expired,
    /// No credentials, or ones that the service does not know.
    Credentials,
    /// The clock of this machine is wrong.
    Clock,
    /// There is no such bucket.
    NoBucket,
    /// The bucket's name can be none.
    Name,
    /// Not allowed.
    Denied,
    /// The key that the bucket is encrypted with.
    Key,
    /// The object was moved to an archive.
    Archived,
    /// The service could not be reached.
    Unreachable,
    /// The service is in trouble for a moment.
    Busy,
    /// Something else.
    Other,
}

impl BucketRefusal {
    /// By the code that the service gives.
    pub fn of(code: &str, status: u16) -> Self {
        match code {
            "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "RequestExpired" => Self::Expired,
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidToken"
            | "UnrecognizedClientException"
            | "MissingAuthenticationToken"
            | "InvalidClientTokenId"
            | "AuthFailure"
            | "NotSignedUp"
            | "InvalidSecurity" => Self::Credentials,
            "RequestTimeTooSkewed" | "RequestInTheFuture" => Self::Clock,
            "NoSuchBucket" => Self::NoBucket,
            "InvalidBucketName" => Self::Name,
            "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" | "AccountProblem" | "Forbidden" => {
                Self::Denied
            }
            "InvalidObjectState" => Self::Archived,
            "SlowDown"
            | "InternalError"
            | "ServiceUnavailable"
            | "RequestTimeout"
            | "OperationAborted"
            | "ConditionalRequestConflict" => Self::Busy,
            key if key.starts_with("KMS.") || key.starts_with("Kms") => Self::Key,
            _ if status == 401 || status == 403 => Self::Denied,
            _ if status >= 500 => Self::Busy,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_more_than_a_status() {
        assert_eq!(BucketRefusal::of("ExpiredToken", 400), BucketRefusal::Expired);
        assert_eq!(BucketRefusal::of("KMS.DisabledException", 400), BucketRefusal::Key);
        assert_eq!(BucketRefusal::of("SomethingNew", 403), BucketRefusal::Denied);
        assert_eq!(BucketRefusal::of("SomethingNew", 503), BucketRefusal::Busy);
        assert_eq!(BucketRefusal::of("SomethingNew", 400), BucketRefusal::Other);
    }
}
