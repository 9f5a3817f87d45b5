//! Checks what a configuration refers to: library, models, keys, certificates.

use std::fmt;
use std::path::PathBuf;

use super::Config;
use super::layers::ConfigError;
use crate::inference::folder::{FolderFault, ModelFolder, ModelOptions, UnsupportedModel};
use crate::inference::onnx::OnnxRuntime;
use crate::inference::onnx::library::HOW_TO_GET;
use crate::serve::admission::keys::ApiKeys;
use crate::serve::tls::Tls;

/// Everything that would keep the server from starting, or its default model from being loaded.
pub fn problems(config: &Config) -> Vec<ConfigError> {
    let library = OnnxRuntime::load(config.onnxruntime.as_deref());
    let library = library.err().map(|why| wrong("onnxruntime", &format!("{why}; {HOW_TO_GET}")));
    let keys = config.api_keys.as_deref().map(ApiKeys::open).and_then(Result::err);
    let keys = keys.map(|why| wrong("api-keys", &why));
    let tls = config.tls.clone().map(Tls::open).and_then(Result::err).map(|why| wrong("tls-cert", &why));
    let model = model(config).err().map(|why| wrong("model", &why));
    [library, model, keys, tls].into_iter().flatten().collect()
}

fn wrong(place: &str, why: &dyn fmt::Display) -> ConfigError {
    ConfigError { place: place.to_owned(), why: why.to_string() }
}

/// Why the default model cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ModelFault {
    /// It is not there.
    #[error("no model {model} in {}: akidb-edge models pull {model}, or name an existing one with --model", store.display())]
    Absent {
        /// Its name.
        model: String,
        /// Where it was looked for.
        store: PathBuf,
    },
    /// Its folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderFault),
    /// Its folder can be read, and its graph not be served.
    #[error("{}: {source}", graph.display())]
    Unserved {
        /// The graph.
        graph: PathBuf,
        /// Why not.
        source: UnsupportedModel,
    },
    /// Its vectors have another length than was asked for.
    #[error("{model} has vectors of {found} dimensions, not {wanted}: correct --model-dimension, or use another model")]
    Dimension {
        /// Its name.
        model: String,
        /// Numbers of its vectors.
        found: usize,
        /// Numbers that were asked for.
        wanted: usize,
    },
}

/// The default model's folder.
pub fn folder(config: &Config) -> PathBuf {
    config.only.clone().unwrap_or_else(|| config.models.join(&config.model))
}

/// The default model's folder opens, and its vectors are as long as they should be.
///
/// # Errors
/// Why not.
pub fn model(config: &Config) -> Result<(), ModelFault> {
    let (folder, model) = (folder(config), config.model.clone());
    if !folder.is_dir() {
        return Err(ModelFault::Absent { model, store: folder.parent().unwrap_or(&folder).to_owned() });
    }
    let choice = ModelOptions { variant: config.device.suits(config.choice.variant), ..config.choice.clone() };
    let opened = ModelFolder::open(&folder, &choice)?;
    opened.served().map_err(|source| ModelFault::Unserved { graph: opened.graph.clone(), source })?;
    match config.dimension {
        Some(wanted) if wanted != opened.dimension => {
            Err(ModelFault::Dimension { model, found: opened.dimension, wanted })
        }
        _ => Ok(()),
    }
}
