//! What a configuration names, looked at: library, models, keys, certificates.

use std::path::PathBuf;

use super::Config;
use super::layers::Wrong;
use crate::inference::folder::{Choice, ModelFolder};
use crate::inference::onnx::Runtime;
use crate::inference::onnx::library::HOW_TO_GET;
use crate::serve::admission::keys::KeyRing;
use crate::serve::tls::Tls;

/// Everything that would keep the server from starting, or its default model from being loaded.
pub fn problems(config: &Config) -> Vec<Wrong> {
    let wrong = |place: &str, why: String| Wrong { place: place.to_owned(), why };
    let library = Runtime::load(config.onnxruntime.as_deref());
    let library = library.err().map(|why| wrong("onnxruntime", format!("{why}; {HOW_TO_GET}")));
    let keys = config.api_keys.as_deref().map(KeyRing::open).and_then(Result::err);
    let keys = keys.map(|why| wrong("api-keys", why));
    let tls = config.tls.clone().map(Tls::open).and_then(Result::err).map(|why| wrong("tls-cert", why));
    let model = model(config).err().map(|why| wrong("model", why));
    [library, model, keys, tls].into_iter().flatten().collect()
}

/// The default model's folder.
pub fn folder(config: &Config) -> PathBuf {
    config.only.clone().unwrap_or_else(|| config.models.join(&config.model))
}

/// The default model's folder opens, and its vectors are as long as they should be.
///
/// # Errors
/// Why not.
pub fn model(config: &Config) -> Result<(), String> {
    let folder = folder(config);
    if !folder.is_dir() {
        return Err(format!(
            "no model {} in {}: akidb-edge models pull {}, or name one that is there with --model",
            config.model,
            folder.parent().unwrap_or(&folder).display(),
            config.model
        ));
    }
    let choice = Choice { variant: config.device.suits(config.choice.variant), ..config.choice.clone() };
    let opened = ModelFolder::open(&folder, &choice).map_err(|why| why.to_string())?;
    opened.served().map_err(|why| format!("{}: {why}", opened.graph.display()))?;
    match config.dimension {
        Some(wanted) if wanted != opened.dimension => Err(format!(
            "{} makes vectors of {} numbers, not {wanted}: correct --model-dimension, or name another model",
            config.model, opened.dimension
        )),
        _ => Ok(()),
    }
}
