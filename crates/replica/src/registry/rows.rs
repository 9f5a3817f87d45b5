//! The rows of a registry in their tables.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::fault::{RegistryFault, sql};
use super::{Registry, RegistryChange, RegistryCollection, RegistryModel, RegistryTenant};

/// A table that the registry writes.
pub(super) struct Table {
    pub name: &'static str,
    /// Columns of the primary key: texts.
    pub key: &'static [&'static str],
    /// The other columns that are written.
    pub values: &'static [&'static str],
    /// The rows that a registry wants.
    rows: fn(&Registry) -> Rows,
}

/// In the order in which rows are added; rows are removed in the opposite order.
pub(super) const TABLES: &[Table] = &[
    Table { name: "models", key: &["name"], values: &["version", "path", "dimension", "enabled"], rows: models },
    Table { name: "tenants", key: &["name"], values: &["enabled"], rows: tenants },
    Table { name: "collections", key: &["tenant", "name"], values: &["model", "dimension"], rows: collections },
];

/// Key and values of each row.
type Rows = BTreeMap<Vec<String>, Vec<Value>>;

fn text(text: &Option<String>) -> Value {
    text.clone().map_or(Value::Null, Value::Text)
}

fn number(number: Option<u32>) -> Value {
    number.map_or(Value::Null, |number| Value::Integer(number.into()))
}

fn models(registry: &Registry) -> Rows {
    let row = |model: &RegistryModel| {
        let RegistryModel { name, version, path, dimension, enabled } = model;
        (vec![name.clone()], vec![text(version), text(path), number(*dimension), Value::Integer((*enabled).into())])
    };
    registry.models.iter().map(row).collect()
}

fn tenants(registry: &Registry) -> Rows {
    let row = |tenant: &RegistryTenant| (vec![tenant.name.clone()], vec![Value::Integer(tenant.enabled.into())]);
    registry.tenants.iter().map(row).collect()
}

fn collections(registry: &Registry) -> Rows {
    let row = |one: &RegistryCollection| {
        let key = vec![one.tenant.clone(), one.name.clone()];
        (key, vec![Value::Text(one.model.clone()), number(one.dimension)])
    };
    registry.collections.iter().map(row).collect()
}

impl Table {
    fn where_key(&self) -> String {
        let parts: Vec<String> =
            self.key.iter().enumerate().map(|(at, column)| format!("{column} = ?{}", at + 1)).collect();
        parts.join(" AND ")
    }

    /// The values of a row.
    fn row(&self, open: &Connection, key: &[String]) -> rusqlite::Result<Option<Vec<Value>>> {
        let asked = format!("SELECT {} FROM {} WHERE {}", self.values.join(", "), self.name, self.where_key());
        let count = self.values.len();
        open.query_row(&asked, params_from_iter(key), |row| (0..count).map(|at| row.get(at)).collect()).optional()
    }

    fn insert(&self, open: &Connection, key: &[String], values: &[Value]) -> rusqlite::Result<()> {
        let columns: Vec<&str> = self.key.iter().chain(self.values).copied().collect();
        let places: Vec<String> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
        let insert = format!("INSERT INTO {} ({}) VALUES ({})", self.name, columns.join(", "), places.join(", "));
        open.execute(&insert, params_from_iter(all(key, values))).map(drop)
    }

    /// The columns of others in the row stay.
    fn update(&self, open: &Connection, key: &[String], values: &[Value]) -> rusqlite::Result<()> {
        let first = self.key.len() + 1;
        let sets: Vec<String> =
            self.values.iter().enumerate().map(|(at, column)| format!("{column} = ?{}", at + first)).collect();
        let update = format!("UPDATE {} SET {} WHERE {}", self.name, sets.join(", "), self.where_key());
        open.execute(&update, params_from_iter(all(key, values))).map(drop)
    }

    fn delete(&self, open: &Connection, key: &[String]) -> rusqlite::Result<()> {
        open.execute(&format!("DELETE FROM {} WHERE {}", self.name, self.where_key()), params_from_iter(key)).map(drop)
    }

    fn shown(&self, key: &[String]) -> String {
        format!("{} {}", self.name, key.join("/"))
    }
}

fn all(key: &[String], values: &[Value]) -> Vec<Value> {
    key.iter().cloned().map(Value::Text).chain(values.iter().cloned()).collect()
}

/// The key as one text: names may have any character, so that it is a JSON list.
fn recorded(key: &[String]) -> String {
    // A list of texts can always be written.
    serde_json::to_string(key).unwrap_or_default()
}

/// The keys of the rows that the registry wrote.
fn own(open: &Connection, table: &Table) -> rusqlite::Result<Vec<Vec<String>>> {
    let mut asked = open.prepare("SELECT row_key FROM akidb_registry_rows WHERE table_name = ?1")?;
    let keys = asked.query_map([table.name], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(keys.iter().filter_map(|key| serde_json::from_str(key).ok()).collect())
}

/// Whether the rows are as a registry wants them, and no others are recorded as its own.
pub(super) fn are_as(open: &Connection, registry: &Registry) -> rusqlite::Result<bool> {
    for table in TABLES {
        let wanted = (table.rows)(registry);
        if own(open, table)?.iter().any(|key| !wanted.contains_key(key)) {
            return Ok(false);
        }
        for (key, values) in &wanted {
            if table.row(open, key)?.as_ref() != Some(values) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Makes the rows as a registry wants them, within the caller's transaction. A row of somebody else that has the same values stays
/// theirs, unless they are adopted.
pub(super) fn write(
    open: &Connection,
    path: &Path,
    registry: &Registry,
    adopt: bool,
) -> Result<RegistryChange, RegistryFault> {
    let failed = |source| sql(path, source);
    let mut change = RegistryChange { revision: 0, added: Vec::new(), changed: Vec::new(), removed: Vec::new() };
    for table in TABLES {
        let own = own(open, table).map_err(failed)?;
        for (key, values) in (table.rows)(registry) {
            match table.row(open, &key).map_err(failed)? {
                Some(found) if found == values && !adopt => continue,
                Some(found) if found == values => {}
                Some(_) if adopt || own.contains(&key) => {
                    table.update(open, &key, &values).map_err(failed)?;
                    change.changed.push(table.shown(&key));
                }
                Some(_) => return Err(RegistryFault::Foreign { path: path.to_owned(), row: table.shown(&key) }),
                None => {
                    table.insert(open, &key, &values).map_err(failed)?;
                    change.added.push(table.shown(&key));
                }
            }
            let note = "INSERT OR IGNORE INTO akidb_registry_rows (table_name, row_key) VALUES (?1, ?2)";
            open.execute(note, (table.name, recorded(&key))).map_err(failed)?;
        }
    }
    for table in TABLES.iter().rev() {
        let wanted = (table.rows)(registry);
        for key in own(open, table).map_err(failed)?.into_iter().filter(|key| !wanted.contains_key(key)) {
            table.delete(open, &key).map_err(failed)?;
            let forget = "DELETE FROM akidb_registry_rows WHERE table_name = ?1 AND row_key = ?2";
            open.execute(forget, (table.name, recorded(&key))).map_err(failed)?;
            change.removed.push(table.shown(&key));
        }
    }
    Ok(change)
}
