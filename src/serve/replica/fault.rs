//! Why the metadata replica cannot be read.

use std::path::PathBuf;

/// What is wrong with the replica.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaFault {
    /// There is no file.
    #[error("{} is not there", file.display())]
    Absent {
        /// Its path.
        file: PathBuf,
    },
    /// The file is not a database.
    #[error("{} cannot be read as SQLite: {source}", file.display())]
    NotSqlite {
        /// Its path.
        file: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// SQLite finds damage in it.
    #[error("{} is damaged: {said}", file.display())]
    Damaged {
        /// Its path.
        file: PathBuf,
        /// The first thing that it finds.
        said: String,
    },
    /// SQLite does not answer.
    #[error("{}: {source}", file.display())]
    Unread {
        /// Its path.
        file: PathBuf,
        /// What it says.
        source: rusqlite::Error,
    },
    /// The table of models has other columns, or values of other types.
    #[error("{}, table models: {source}", file.display())]
    Table {
        /// Its path.
        file: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}
