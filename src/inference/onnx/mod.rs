//! Graphs run by ONNX Runtime, whose library is loaded at run time.

mod fault;
pub mod gpu;
mod inputs;
pub mod library;
mod outputs;
pub mod provider;
mod run_limit;
mod session;
mod shared_weights;
mod trial_load;

pub use fault::SessionFault;
pub use library::OnnxRuntime;
pub use session::{SessionOptions, open};
pub use trial_load::{TrialLoad, TrialProcess, VERB as TRIAL_VERB};

use std::path::Path;
use std::sync::Arc;

use provider::Device;

use super::cache::VectorCache;
use super::engine::{Engine, EngineSettings};
use super::folder::{FolderFault, ModelFolder, ModelOptions};
use super::graph_file;
use super::observer::InferenceObserver;
use super::registry::{Loader, ModelSource};
use crate::delivery::manifest::{FILE, Manifest};

/// Loads folders as sessions of ONNX Runtime.
pub struct OnnxLoader {
    /// The library.
    pub runtime: OnnxRuntime,
    /// Which graph of a folder is wanted, and what its files do not say.
    pub choice: ModelOptions,
    /// The model whose graph the choice may name.
    pub default_model: String,
    /// Bytes that the weights of a model may have.
    pub most: u64,
    /// Where models are loaded on trial.
    pub trial: Option<TrialProcess>,
    /// How sessions are made.
    pub start: SessionOptions,
    /// How models are run.
    pub settings: EngineSettings,
    /// Vectors that were made before.
    pub cache: Option<Arc<VectorCache>>,
    /// Who wants to know.
    pub listener: Arc<dyn InferenceObserver>,
}

/// The weights of one model are larger than the memory of all.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("its weights have {bytes} bytes, but all models may use {most}: see --model-memory")]
pub struct WeightsTooLarge {
    /// Bytes of the graph and its weights.
    pub bytes: u64,
    /// Bytes that all models may have.
    pub most: u64,
}

impl Loader for OnnxLoader {
    fn load(&self, name: &str, source: &ModelSource) -> Result<Engine, FolderFault> {
        need_intact(&source.folder)?;
        let folder = ModelFolder::open(&source.folder, &self.choice_for(name))?;
        self.fits(&folder)?;
        let sessions = open(&self.runtime, &folder, &self.start)?;
        let version = folder.version(sessions.arithmetic)?;
        Engine::start(name, folder, version, sessions, &self.settings, self.listener.clone())
            .map(|engine| engine.with_cache(self.cache.clone()))
    }

    /// A processor's load. On a GPU the trial would need the memory of the device twice.
    fn on_trial(&self, name: &str, source: &ModelSource) -> Result<(), FolderFault> {
        let Some(trial) = self.trial.as_ref().filter(|_| self.start.device == Device::Cpu) else { return Ok(()) };
        let choice = self.choice_for(name);
        let weights = self.fits(&ModelFolder::open(&source.folder, &choice)?)?;
        trial.load(&TrialLoad::new(&source.folder, &choice, &self.runtime.file, weights))
    }
}

/// Reads the files of a folder that model sync brought, and refuses one that is not as it was published: after a restart nobody has
/// compared its hashes.
fn need_intact(folder: &Path) -> Result<(), FolderFault> {
    let manifest = Manifest::read(folder).map_err(|fault| FolderFault::bad(&folder.join(FILE), fault))?;
    let Some(manifest) = manifest.filter(Manifest::is_synced) else { return Ok(()) };
    match manifest.damaged(folder).into_iter().next() {
        None => Ok(()),
        Some((file, damage)) => Err(FolderFault::bad(&file.at(folder), format!("it is damaged: it {damage}"))),
    }
}

impl OnnxLoader {
    fn choice_for(&self, name: &str) -> ModelOptions {
        let variant = self.start.device.suits(self.choice.variant);
        let graph = self.choice.graph.clone().filter(|_| name == self.default_model);
        ModelOptions { variant, graph, ..self.choice }
    }

    /// Bytes of the graph and the files of its weights: plain files, and no larger than the memory of all models.
    fn fits(&self, folder: &ModelFolder) -> Result<u64, FolderFault> {
        let size = |file: &Path| match std::fs::metadata(file) {
            Ok(about) if about.is_file() => Ok(about.len()),
            Ok(_) => Err(FolderFault::bad(file, "it is not a plain file")),
            Err(why) => Err(FolderFault::bad(file, why)),
        };
        let mut all = size(&folder.graph)?;
        for file in graph_file::read(&folder.graph).map_err(|why| FolderFault::bad(&folder.graph, why))?.external {
            all = all.saturating_add(size(&file)?);
        }
        if all <= self.most {
            return Ok(all);
        }
        Err(FolderFault::bad(&folder.graph, WeightsTooLarge { bytes: all, most: self.most }))
    }
}
