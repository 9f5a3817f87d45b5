//! Lists the store.

use jiff::Timestamp;
use serde::Serialize;

use super::check::{self, ModelSummary};
use super::fault::ModelsFault;
use super::manifest::{Manifest, ModelOrigin};
use super::name::ModelName;
use super::store::{ModelStore, StoreEntry};
use super::verify::files;

/// How a model is, without reading its bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelState {
    /// Its manifest, files and sizes fit.
    Ready,
    /// A folder that can be served, and has no manifest.
    Unmanaged,
    /// It cannot be served.
    Broken,
    /// A part of it is here; a pull goes on from there.
    Partial,
}

/// A model.
#[derive(Clone, Debug, Serialize)]
pub struct ModelRow {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: ModelState,
    /// What is wrong.
    pub problem: Option<String>,
    /// Where it came from.
    pub source: Option<ModelOrigin>,
    /// What can be served.
    pub summary: Option<ModelSummary>,
    /// Bytes of its files.
    pub bytes: u64,
    /// When every hash was right the last time.
    pub verified: Option<Timestamp>,
}

/// Looks at all of them.
///
/// # Errors
/// When the store cannot be read.
pub fn list(store: &ModelStore) -> Result<Vec<ModelRow>, ModelsFault> {
    let names = store.names()?;
    let mut rows: Vec<ModelRow> = names.iter().map(|name| row(store, name)).collect();
    let under_way = store.under_way()?;
    let partial = under_way.iter().filter(|name| !names.contains(name)).map(|name| partial(store, name));
    rows.extend(partial.filter(|row| row.bytes > 0));
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(rows)
}

fn row(store: &ModelStore, name: &ModelName) -> ModelRow {
    let folder = store.served(name);
    let standing = ModelStore::standing_at(&folder);
    let mut row = empty(name, ModelState::Unmanaged);
    row.bytes = bytes(&folder, files(&folder).unwrap_or_default());
    match check::folder(&folder) {
        Ok(summary) => row.summary = Some(summary),
        Err(fault) => row.problem = Some(fault.to_string()),
    }
    match standing {
        Ok(StoreEntry::Managed(manifest)) => {
            row.state = ModelState::Ready;
            row.problem = row.problem.or_else(|| changed(&folder, &manifest));
            row.verified = manifest.verified;
            row.bytes = manifest.size();
            row.source = Some(manifest.source);
        }
        Ok(_) => {}
        Err(fault) => row.problem = Some(fault.to_string()),
    }
    if row.problem.is_some() {
        row.state = ModelState::Broken;
        row.verified = None;
    }
    row
}

/// A file whose size is another one.
fn changed(folder: &std::path::Path, manifest: &Manifest) -> Option<String> {
    let file = manifest.mismatch(folder)?;
    Some(format!("{file} has changed since it was pulled"))
}

fn partial(store: &ModelStore, name: &ModelName) -> ModelRow {
    let mut row = empty(name, ModelState::Partial);
    let place = store.work().join(name.as_str());
    row.bytes = bytes(&place, files(&place).unwrap_or_default());
    row
}

fn empty(name: &ModelName, state: ModelState) -> ModelRow {
    ModelRow { name: name.to_string(), state, problem: None, source: None, summary: None, bytes: 0, verified: None }
}

fn bytes(folder: &std::path::Path, files: Vec<String>) -> u64 {
    files.iter().filter_map(|file| std::fs::metadata(folder.join(file)).ok()).map(|facts| facts.len()).sum()
}
