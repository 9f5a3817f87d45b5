//! The files of a model that are published, if they are unchanged.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::fault::ModelsFault;
use super::name::ModelName;
use super::selection;
use super::store::ModelStore;
use super::verify::{self, BadFile, Verification};
use crate::files::RelativePath;
use crate::inference::folder::Variant;

/// A text whose vector is known: servers compare themselves with it at load.
const CANARY: &str = "canary.json";

/// Why a model of the store is not published.
#[derive(Debug, thiserror::Error)]
pub enum NotPublishable {
    /// A file is not as it was, or it cannot be served.
    #[error("{} {}", .0.file, .0.why)]
    Bad(BadFile),
    /// It lacks something that a model needs.
    #[error(transparent)]
    Missing(#[from] selection::MissingPart),
}

/// A model that may be published.
#[derive(Clone, Debug)]
pub struct PublishableModel {
    /// Its folder.
    pub folder: PathBuf,
    /// The files that a server needs.
    pub files: BTreeSet<RelativePath>,
}

/// Verifies a model of the store, and says which of its files a server needs for these graphs; without any, for those that it
/// has.
///
/// # Errors
/// There is no such model, a hash is wrong, it cannot be served, or it lacks a graph.
pub fn fit(store: &ModelStore, name: &ModelName, variants: &[Variant]) -> Result<PublishableModel, ModelsFault> {
    let Verification { bad, .. } = verify::verify(store, name)?;
    let folder = store.served(name);
    let unfit = |why: NotPublishable| ModelsFault::no_model(folder.display().to_string(), why);
    if let Some(bad) = bad.into_iter().next() {
        return Err(unfit(NotPublishable::Bad(bad)));
    }
    let files = chosen(&folder, variants)?.map_err(|missing| unfit(missing.into()))?;
    Ok(PublishableModel { folder, files })
}

fn chosen(
    folder: &Path,
    variants: &[Variant],
) -> Result<Result<BTreeSet<RelativePath>, selection::MissingPart>, ModelsFault> {
    let all = verify::files(folder)?;
    let all: BTreeSet<&str> = all.iter().map(String::as_str).collect();
    let there = |variant: &Variant| selection::graph(&all, *variant).is_some();
    let variants = match variants {
        [] => [Variant::Fp32, Variant::Int8].into_iter().filter(there).collect(),
        said => said.to_vec(),
    };
    let canary = all.get(CANARY).copied();
    Ok(selection::choose(&all, &variants)
        .map(|chosen| chosen.into_iter().chain(canary).filter_map(RelativePath::parse).collect()))
}
