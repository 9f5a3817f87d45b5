//! Graphs run by ONNX Runtime, whose library is loaded at run time.

pub mod gpu;
mod inputs;
pub mod library;
mod outputs;
pub mod provider;
mod session;
mod shared_weights;

pub use library::Runtime;
pub use session::{Start, open};

use std::sync::Arc;

use super::cache::VectorCache;
use super::engine::{Engine, Settings};
use super::event::Listener;
use super::folder::{Choice, FolderFault, ModelFolder};
use super::registry::{Loader, Source};

/// Loads folders as sessions of ONNX Runtime.
pub struct OnnxLoader {
    /// The library.
    pub runtime: Runtime,
    /// Which graph of a folder is wanted, and what its files do not say.
    pub choice: Choice,
    /// The model whose graph the choice may name.
    pub default_model: String,
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
        let variant = self.start.device.suits(self.choice.variant);
        let graph = self.choice.graph.clone().filter(|_| name == self.default_model);
        let wanted = Choice { variant, graph, ..self.choice };
        let folder = ModelFolder::open(&source.folder, &wanted)?;
        let sessions = open(&self.runtime, &folder, &self.start)?;
        let version = folder.version(sessions.arithmetic)?;
        Engine::start(name, folder, version, sessions, &self.settings, self.listener.clone())
            .map(|engine| engine.with_cache(self.cache.clone()))
    }
}
