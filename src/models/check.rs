//! Checks a folder as the server would read it.

use std::path::Path;

use serde::Serialize;

use crate::delivery::large_file::{self, PointerFile};
use crate::inference::folder::{FolderFault, ModelFolder, ModuleStep, UnsupportedModel, UnsupportedPooling, Variant};

/// What is known of a model that can be served.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ModelSummary {
    /// Numbers in a vector.
    pub dimension: usize,
    /// Tokens of a text that are read.
    pub max_tokens: usize,
    /// Its graphs.
    pub variants: Vec<Variant>,
    /// What has to be said when it is served, since no file says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

/// Whether a folder can be served, and what it is then.
///
/// # Errors
/// What is in the way.
pub fn folder(path: &Path) -> Result<ModelSummary, FolderFault> {
    let any = ModelFolder::open(path, &Variant::Auto.into())?;
    whole(&any)?;
    let there = |variant: &Variant| ModelFolder::open(path, &(*variant).into()).is_ok();
    let variants = [Variant::Fp32, Variant::Int8].into_iter().filter(there).collect();
    let condition = match any.served() {
        Ok(()) => None,
        Err(UnsupportedModel::Pooling(UnsupportedPooling::Unsaid)) => Some(UnsupportedPooling::Unsaid.to_string()),
        Err(why) => return Err(FolderFault::bad(&any.graph, why)),
    };
    Ok(ModelSummary { dimension: any.dimension, max_tokens: any.longest, variants, condition })
}

/// Whether the large files of a folder are there, and not the pointers to them that a clone without `git lfs` has.
fn whole(folder: &ModelFolder) -> Result<(), FolderFault> {
    let weights = folder.modules.steps.iter().filter_map(|step| match step {
        ModuleStep::Dense(dense) => Some(&dense.weights),
        ModuleStep::LayerNorm { weights, .. } => Some(weights),
        ModuleStep::Normalize => None,
    });
    for file in [&folder.graph, &folder.tokenizer].into_iter().chain(weights) {
        // What cannot be read is told by who reads it.
        if large_file::is_pointer(file).unwrap_or_default() {
            return Err(FolderFault::bad(file, PointerFile));
        }
    }
    Ok(())
}
