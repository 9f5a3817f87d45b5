//! The registry in the primary's database: which models, tenants and collections there are. `serve --metadata` reads the table `models`
//! of a replica.
//!
//! Rows that the registry did not write are never changed: one with the same name and other values is a fault. The database records
//! which rows are the registry's, and each document that was written (`akidb_registry_revisions`), so that an earlier one can be
//! written again.

mod fault;
mod migrations;
mod rows;
mod source;

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use sha2::{Digest, Sha256};

pub use akidb_edge_registry::{Registry, RegistryCollection, RegistryModel, RegistryTenant};
pub use fault::RegistryFault;

pub use source::fetch;

use fault::sql;

/// How long a write waits for other writers of the database.
const WAIT: Duration = Duration::from_secs(10);

/// What a write changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RegistryChange {
    /// Number of the revision that is in force.
    pub revision: i64,
    /// Rows that were added, as `TABLE NAME`.
    pub added: Vec<String>,
    /// Rows whose values changed.
    pub changed: Vec<String>,
    /// Rows that were removed.
    pub removed: Vec<String>,
}

impl RegistryChange {
    /// Whether a row changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// Writes a registry into a database in one transaction, after the migrations that are missing. A database that does not exist is
/// created in WAL mode. When the rows are as the registry wants them, nothing is written. With `adopt`, rows of somebody else under
/// the same names become the registry's. Blocks.
///
/// # Errors
/// The database cannot be written, is of a newer version, has tables with other columns, or has rows of somebody else under the same
/// names. The database stays as it was.
pub fn write(database: &Path, registry: &Registry, adopt: bool) -> Result<RegistryChange, RegistryFault> {
    let mut open = open(database)?;
    let failed = |source| sql(database, source);
    if !adopt && is_written(&open, registry).map_err(failed)? {
        let revision = revision(&open).map_err(failed)?.map_or(0, |(revision, _)| revision);
        return Ok(RegistryChange { revision, added: Vec::new(), changed: Vec::new(), removed: Vec::new() });
    }
    let within = open.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    migrations::apply(&within, database)?;
    let mut change = rows::write(&within, database, registry, adopt)?;
    change.revision = record(&within, registry).map_err(failed)?;
    within.commit().map_err(failed)?;
    Ok(change)
}

fn open(database: &Path) -> Result<Connection, RegistryFault> {
    let failed = |source| sql(database, source);
    let is_new = !database.try_exists().map_err(|source| RegistryFault::File { path: database.to_owned(), source })?;
    let open = Connection::open(database).map_err(failed)?;
    open.busy_timeout(WAIT).map_err(failed)?;
    if is_new {
        open.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(())).map_err(failed)?;
    }
    open.execute_batch("PRAGMA foreign_keys=ON").map_err(failed)?;
    Ok(open)
}

/// Whether the newest revision is this registry and its rows are as it wants them.
fn is_written(open: &Connection, registry: &Registry) -> rusqlite::Result<bool> {
    if migrations::version(open)? != Some(migrations::NEWEST) {
        return Ok(false);
    }
    let same = revision(open)?.is_some_and(|(_, hash)| hash == hash_of(registry));
    Ok(same && rows::are_as(open, registry)?)
}

/// Number and hash of the newest revision.
fn revision(open: &Connection) -> rusqlite::Result<Option<(i64, String)>> {
    let newest = "SELECT revision, sha256 FROM akidb_registry_revisions ORDER BY revision DESC LIMIT 1";
    open.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// Records the document, unless it is the newest one already; returns its number.
fn record(open: &Connection, registry: &Registry) -> rusqlite::Result<i64> {
    let hash = hash_of(registry);
    if let Some((revision, _)) = revision(open)?.filter(|(_, newest)| *newest == hash) {
        return Ok(revision);
    }
    let insert = "INSERT INTO akidb_registry_revisions (written_at, sha256, document) VALUES (?1, ?2, ?3)";
    open.execute(insert, (Timestamp::now().to_string(), hash, registry.text()))?;
    Ok(open.last_insert_rowid())
}

fn hash_of(registry: &Registry) -> String {
    hex::encode(Sha256::digest(registry.text()))
}

#[cfg(test)]
mod tests;
