//! What a folder says of itself, as the server will read it.

use std::path::Path;

use serde::Serialize;

use crate::inference::folder::{FolderFault, ModelFolder, Variant};

/// What is known of a model that can be served.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Summary {
    /// Numbers in a vector.
    pub dimension: usize,
    /// Tokens of a text that are read.
    pub max_tokens: usize,
    /// Its graphs.
    pub variants: Vec<Variant>,
}

/// Whether a folder can be served, and what it is then.
///
/// # Errors
/// What stands in the way.
pub fn folder(path: &Path) -> Result<Summary, FolderFault> {
    let any = ModelFolder::open(path, &Variant::Auto.into())?;
    let there = |variant: &Variant| ModelFolder::open(path, &(*variant).into()).is_ok();
    let variants = [Variant::Fp32, Variant::Int8].into_iter().filter(there).collect();
    Ok(Summary { dimension: any.dimension, max_tokens: any.longest, variants })
}
