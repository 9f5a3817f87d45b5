//! Graphs run by ONNX Runtime, whose library is loaded at run time.

pub mod gpu;
pub mod library;
pub mod provider;
mod session;
mod shared_weights;

pub use library::Runtime;
pub use session::{Start, open};

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::cache::VectorCache;
use super::engine::{Engine, Settings};
use super::event::Listener;
use super::folder::{FolderFault, ModelFolder, Variant};
use super::registry::{Loader, Source};

/// Loads folders as sessions of ONNX Runtime.
pub struct OnnxLoader {
    /// The library.
    pub runtime: Runtime,
    /// Which graph of a folder is wanted.
    pub variant: Variant,
    /// How sessions are made.
    pub start: Start,
    /// How models are run.
    pub settings: Settings,
    /// Vectors that were made before.
    pub cache: Option<Arc<VectorCache>>,
    /// Who wants to know.
    pub listener: Arc<dyn Listener>,
}

impl Loader for OnnxLoader {
    fn load(&self, name: &str, source: &Source) -> Result<Engine, FolderFault> {
        let folder = ModelFolder::open(&source.folder, self.start.device.suits(self.variant))?;
        let hash = hash(&[&folder.graph, &folder.tokenizer])?;
        let sessions = open(&self.runtime, &folder, &self.start)?;
        Engine::start(name, folder, hash, sessions, &self.settings, self.listener.clone())
            .map(|engine| engine.with_cache(self.cache.clone()))
    }
}

/// SHA-256 over files, in hexadecimal.
fn hash(files: &[&Path]) -> Result<String, FolderFault> {
    let mut hasher = Sha256::new();
    for file in files {
        let bad = |why: std::io::Error| FolderFault::Bad { file: file.display().to_string(), why: why.to_string() };
        let mut opened = std::fs::File::open(file).map_err(bad)?;
        let mut part = vec![0; 1 << 18];
        loop {
            match opened.read(&mut part).map_err(bad)? {
                0 => break,
                count => hasher.update(&part[..count]),
            }
        }
    }
    Ok(hex::encode(hasher.finalize()))
}
