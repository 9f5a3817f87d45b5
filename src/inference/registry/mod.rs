//! Multiple models: loaded on demand, unloaded when memory is short.

mod memory;
mod slot;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::fault::{EmbedFault, ErrorCode, beginning};
use super::folder::FolderFault;
use super::observer::{InferenceObserver, LoadEvent};
use memory::MemoryWatch;
pub use memory::resident;
use slot::{LoadTurn, ModelSlot, SlotLookup, SlotState, SlotView};

/// Where a model comes from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ModelSource {
    /// Its folder.
    pub folder: PathBuf,
    /// What is said of its version, when something is.
    pub version: Option<String>,
    /// What is said of its dimension, when something is; another one is refused.
    pub dimension: Option<usize>,
}

/// A model makes vectors of another length than is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("its vectors have {found} dimensions, but --model-dimension or the list of models requires {said}")]
pub struct DimensionMismatch {
    /// Numbers of its vectors.
    pub found: usize,
    /// Numbers that are asked for.
    pub said: usize,
}

/// Makes an engine of a folder; blocks.
pub trait Loader: Send + Sync {
    /// Loads the model `name`.
    ///
    /// # Errors
    /// What is wrong with its files.
    fn load(&self, name: &str, source: &ModelSource) -> Result<Engine, FolderFault>;

    /// Loads it where nothing but the trial can be lost, before [`Loader::load`] does.
    ///
    /// # Errors
    /// What is wrong with its files.
    fn on_trial(&self, _name: &str, _source: &ModelSource) -> Result<(), FolderFault> {
        Ok(())
    }
}

/// How much may be in memory.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimits {
    /// Bytes of all loaded models together.
    pub bytes: u64,
    /// Loaded models.
    pub models: usize,
    /// How long a failed model is not tried again.
    pub again: Duration,
}

/// What a model is doing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ModelStatus {
    /// Known, not in memory.
    Available,
    /// Being loaded.
    Loading,
    /// In memory.
    Loaded,
    /// Could not be loaded, with the reason.
    Failed(String),
}

impl ModelStatus {
    /// As clients see it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Loading => "loading",
            Self::Loaded => "loaded",
            Self::Failed(_) => "failed",
        }
    }
}

/// A model in the list.
#[derive(Clone, Debug)]
pub struct ListedModel {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub source: ModelSource,
    /// What it is doing.
    pub status: ModelStatus,
    /// The loaded engine.
    pub engine: Option<Arc<Engine>>,
    /// Its memory in bytes as measured around its load; 0 when it is not loaded.
    pub bytes: u64,
    /// It is never let go.
    pub pinned: bool,
    /// Since when it does that.
    pub since: jiff::Timestamp,
}

/// The models of a server.
pub struct ModelRegistry {
    models: RwLock<BTreeMap<String, Arc<ModelSlot>>>,
    loader: Arc<dyn Loader>,
    limits: MemoryLimits,
    pinned: String,
    listener: Arc<dyn InferenceObserver>,
}

impl ModelRegistry {
    /// A registry with these models; `pinned` is the one for requests that name none.
    pub fn new(
        models: BTreeMap<String, ModelSource>,
        pinned: String,
        limits: MemoryLimits,
        loader: Arc<dyn Loader>,
        listener: Arc<dyn InferenceObserver>,
    ) -> Arc<Self> {
        let models = models.into_iter().map(|(name, source)| (name, Arc::new(ModelSlot::new(source)))).collect();
        Arc::new(Self { models: RwLock::new(models), loader, limits, pinned, listener })
    }

    /// The model for requests that name none.
    pub fn default_model(&self) -> &str {
        &self.pinned
    }

    /// Makes models known, changes where known ones come from, and forgets those that are not in the list, but for the default
    /// one. Whoever uses a forgotten one keeps it until then. Names those that are in memory from another place than the list
    /// says: they are to be swapped.
    pub fn know(&self, models: BTreeMap<String, ModelSource>) -> Vec<(String, ModelSource)> {
        let mut forgotten = Vec::new();
        let mut stale = Vec::new();
        let mut known = self.models.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|name, slot| {
            let stays = models.contains_key(name) || *name == self.pinned;
            if !stays {
                forgotten.push((name.clone(), slot.clone()));
            }
            stays
        });
        for (name, source) in models {
            match known.get(&name) {
                Some(slot) if slot.is_in_use() && slot.source() != source => stale.push((name, source)),
                Some(slot) => slot.move_to(source),
                None => drop(known.insert(name, Arc::new(ModelSlot::new(source)))),
            }
        }
        drop(known);
        for (name, slot) in forgotten {
            if slot.let_go() {
                self.listener.unloaded(&name);
            }
        }
        stale
    }

    fn slot(&self, name: &str) -> Result<Arc<ModelSlot>, EmbedFault> {
        let known = self.models.read().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned().ok_or_else(|| {
            let names: Vec<&str> = known.keys().map(String::as_str).take(8).collect();
            let name = beginning(name);
            EmbedFault::new(
                ErrorCode::ModelNotFound,
                format!("unknown model {name:?}; available: {}", names.join(", ")),
            )
        })
    }

    /// The engine of a model; loads it when it is not in memory, and waits for that until the deadline.
    ///
    /// # Errors
    /// Unknown, still loading at the deadline, or not loadable.
    pub async fn engine(self: &Arc<Self>, name: &str, deadline: Instant) -> Result<Arc<Engine>, EmbedFault> {
        let slot = self.slot(name)?;
        let again = self.limits.again;
        match slot.find(name, again) {
            SlotLookup::Engine(engine) => {
                self.listener.asked(name, true);
                return Ok(engine);
            }
            SlotLookup::Begin(turn) => self.begin(name, turn),
            SlotLookup::Wait => {}
            SlotLookup::Fault(fault) => return Err(fault),
        }
        self.listener.asked(name, false);
        let mut changes = slot.changes();
        loop {
            // Loaded and let go again before this request came to look: it begins anew.
            match slot.find(name, again) {
                SlotLookup::Engine(engine) => return Ok(engine),
                SlotLookup::Begin(turn) => self.begin(name, turn),
                SlotLookup::Wait => {}
                SlotLookup::Fault(fault) => return Err(fault),
            }
            if tokio::time::timeout_at(deadline.into(), changes.changed()).await.is_err() {
                let fault = EmbedFault::new(ErrorCode::ModelLoading, format!("the model {name} is still being loaded"));
                return Err(fault.again_after(Duration::from_secs(1)));
            }
        }
    }

    fn begin(self: &Arc<Self>, name: &str, turn: LoadTurn) {
        let (registry, name) = (self.clone(), name.to_owned());
        tokio::task::spawn_blocking(move || registry.load(&name, turn));
    }

    /// Loads, and lets go of others when memory is short.
    fn load(&self, name: &str, turn: LoadTurn) {
        // The default model is what the server is there for: nothing is lost with it, and its start is not made longer.
        let (loaded, load) = self.make(name, &turn.source, name != self.pinned);
        turn.end(match loaded {
            Ok(engine) => SlotState::loaded(engine, load.bytes),
            Err(why) => SlotState::failed(why.to_string()),
        });
        self.listener.load(name, &load);
        self.make_room();
    }

    /// An engine, and what it took to make it.
    fn make(&self, name: &str, source: &ModelSource, on_trial: bool) -> (Result<Arc<Engine>, FolderFault>, LoadEvent) {
        let (watch, began) = (MemoryWatch::begin(), Instant::now());
        // What reads its files may panic at what is in them: this load has failed then, and the models after it are loaded.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            if on_trial {
                self.loader.on_trial(name, source)?;
            }
            self.loader.load(name, source)
        }));
        let broken = |_| {
            let why = "loading it fails, so one of its files is damaged or invalid; see the log";
            Err(FolderFault::bad(&source.folder, why))
        };
        let loaded = ended.unwrap_or_else(broken).and_then(|engine| match source.dimension {
            Some(said) if said != engine.folder.dimension => {
                Err(FolderFault::bad(&source.folder, DimensionMismatch { found: engine.folder.dimension, said }))
            }
            _ => Ok(Arc::new(engine)),
        });
        let bytes = loaded.as_ref().map_or(0, |engine| watch.taken(&engine.folder.graph));
        let load = LoadEvent { took: began.elapsed(), ready: loaded.is_ok(), bytes };
        (loaded, load)
    }

    /// Lets go of the models that were not asked for the longest, until the rest is within the limits. The one that was asked
    /// for last stays, however large it is.
    fn make_room(&self) {
        let known = self.models.read().unwrap_or_else(PoisonError::into_inner);
        let mut loaded: Vec<(Instant, &String, &Arc<ModelSlot>, u64)> = known
            .iter()
            .filter_map(|(name, slot)| slot.use_of().map(|(used, bytes)| (used, name, slot, bytes)))
            .collect();
        loaded.sort_by_key(|(used, ..)| *used);
        let mut bytes: u64 = loaded.iter().map(|(.., bytes)| bytes).sum();
        let mut count = loaded.len();
        loaded.pop();
        for (_, name, slot, its) in loaded {
            if bytes <= self.limits.bytes && count <= self.limits.models {
                break;
            }
            if *name != self.pinned && slot.let_go() {
                self.listener.unloaded(name);
                bytes -= its;
                count -= 1;
            }
        }
    }

    /// Puts a model from another folder in the place of the one that is there; requests that run keep the old one until they
    /// end. A model that nobody uses is loaded all the same, to know that it can be, and let go again. Blocks.
    ///
    /// # Errors
    /// The new one cannot be loaded: the old one stays.
    pub fn swap(&self, name: &str, source: ModelSource) -> Result<Arc<Engine>, FolderFault> {
        let (made, load) = self.make(name, &source, true);
        self.listener.load(name, &load);
        let engine = made?;
        let slot = {
            let mut known = self.models.write().unwrap_or_else(PoisonError::into_inner);
            known.entry(name.to_owned()).or_insert_with(|| Arc::new(ModelSlot::new(source.clone()))).clone()
        };
        if slot.is_in_use() || name == self.pinned {
            slot.replace(source, SlotState::loaded(engine.clone(), load.bytes));
            self.make_room();
        } else {
            slot.move_to(source);
            self.listener.unloaded(name);
        }
        Ok(engine)
    }

    /// What a model is doing.
    pub fn look(&self, name: &str) -> Option<ListedModel> {
        let slot = self.slot(name).ok()?;
        Some(self.listed(name, &slot))
    }

    fn listed(&self, name: &str, slot: &ModelSlot) -> ListedModel {
        let SlotView { source, status, engine, bytes, since } = slot.look();
        ListedModel { name: name.to_owned(), source, status, engine, bytes, pinned: name == self.pinned, since }
    }

    /// All models.
    pub fn list(&self) -> Vec<ListedModel> {
        let known = self.models.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(name, slot)| self.listed(name, slot)).collect()
    }
}

impl std::fmt::Debug for ModelRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelRegistry").field("pinned", &self.pinned).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
