//! The tables of the registry, version by version. A migration is never changed; a new version is a new row at the end.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::fault::{RegistryFault, sql};
use super::rows::TABLES;

/// What each version adds.
const MIGRATIONS: &[(i64, &str)] = &[(
    1,
    // `IF NOT EXISTS`: an application may have made the table `models` of docs/serve-metadata.md before.
    "CREATE TABLE IF NOT EXISTS models (
        name TEXT PRIMARY KEY, version TEXT, path TEXT, dimension INTEGER, enabled INTEGER);
     CREATE TABLE IF NOT EXISTS tenants (name TEXT PRIMARY KEY, enabled INTEGER);
     CREATE TABLE IF NOT EXISTS collections (
        tenant TEXT NOT NULL REFERENCES tenants (name), name TEXT NOT NULL, model TEXT REFERENCES models (name),
        dimension INTEGER, PRIMARY KEY (tenant, name));
     CREATE TABLE akidb_registry_rows (
        table_name TEXT NOT NULL, row_key TEXT NOT NULL, PRIMARY KEY (table_name, row_key)) WITHOUT ROWID;
     CREATE TABLE akidb_registry_revisions (
        revision INTEGER PRIMARY KEY, written_at TEXT NOT NULL, sha256 TEXT NOT NULL, document TEXT NOT NULL);",
)];

/// The version that this program writes.
pub(super) const NEWEST: i64 = 1;

const RECORDS: &str =
    "CREATE TABLE IF NOT EXISTS akidb_registry_migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)";

/// The version of a database; none: no migration was applied.
pub(super) fn version(open: &Connection) -> rusqlite::Result<Option<i64>> {
    let known = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'akidb_registry_migrations'";
    if open.query_row(known, [], |_| Ok(())).optional()?.is_none() {
        return Ok(None);
    }
    open.query_row("SELECT max(version) FROM akidb_registry_migrations", [], |row| row.get(0))
}

/// Applies what is missing, within the caller's transaction, and checks the columns that are written.
pub(super) fn apply(open: &Connection, path: &Path) -> Result<(), RegistryFault> {
    let failed = |source| sql(path, source);
    let found = version(open).map_err(failed)?.unwrap_or(0);
    if found > NEWEST {
        return Err(RegistryFault::Newer { path: path.to_owned(), found, known: NEWEST });
    }
    open.execute_batch(RECORDS).map_err(failed)?;
    for (version, statements) in MIGRATIONS.iter().filter(|(version, _)| *version > found) {
        open.execute_batch(statements).map_err(failed)?;
        let applied = "INSERT INTO akidb_registry_migrations (version, applied_at) VALUES (?1, ?2)";
        open.execute(applied, (version, Timestamp::now().to_string())).map_err(failed)?;
    }
    for table in TABLES {
        for column in table.key.iter().chain(table.values).copied() {
            let known = "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2";
            let known = open.query_row(known, (table.name, column), |_| Ok(())).optional().map_err(failed)?;
            if known.is_none() {
                return Err(RegistryFault::Columns { path: path.to_owned(), table: table.name, column });
            }
        }
    }
    Ok(())
}
