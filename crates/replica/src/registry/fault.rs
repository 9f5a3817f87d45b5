//! Why the registry was not written.

use std::io;
use std::path::{Path, PathBuf};

use akidb_edge_registry::DocumentFault;

use crate::store::StoreFault;

/// Why the registry was not written. The database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RegistryFault {
    /// The place of the document.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The document breaks off, or is too long.
    #[error("{place}: {source}")]
    Read {
        /// Where it is.
        place: String,
        /// What the system says.
        source: io::Error,
    },
    /// Not a document.
    #[error("{place} is not a registry that this version reads: {source}")]
    Document {
        /// Where it is.
        place: String,
        /// What is wrong with it.
        source: DocumentFault,
    },
    /// The database.
    #[error("the database {}: {source}", path.display())]
    Database {
        /// Its file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The file of the database.
    #[error("the database {}: {source}", path.display())]
    File {
        /// Its file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A newer version of this program migrated it.
    #[error("the database {} has registry version {found} and this program knows {known}: update akidb-edge on the primary", path.display())]
    Newer {
        /// Its file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest one that is known.
        known: i64,
    },
    /// A table of somebody else.
    #[error("the database {} has a table {table} without the column {column}: rename that table, or add the column", path.display())]
    Columns {
        /// Its file.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// What it lacks.
        column: &'static str,
    },
    /// A row of somebody else.
    #[error("the database {} has a row {row} that the registry did not write, with other values: delete that row, or leave it out of the plan", path.display())]
    Foreign {
        /// Its file.
        path: PathBuf,
        /// The row, as `TABLE NAME`.
        row: String,
    },
}

pub(super) fn sql(path: &Path, source: rusqlite::Error) -> RegistryFault {
    RegistryFault::Database { path: path.to_owned(), source }
}
