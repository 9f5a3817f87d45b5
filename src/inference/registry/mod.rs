//! Many models: known, loaded when somebody asks, let go when memory is short.

mod memory;
mod slot;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::event::{Listener, Load};
use super::fault::{Code, EmbedFault};
use super::folder::FolderFault;
pub use memory::resident;
use slot::{Slot, State};

/// Where a model comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// Its folder.
    pub folder: PathBuf,
    /// What is said of its version, when something is.
    pub version: Option<String>,
}

/// Makes an engine of a folder; blocks.
pub trait Loader: Send + Sync {
    /// Loads the model `name`.
    ///
    /// # Errors
    /// What is wrong with its files.
    fn load(&self, name: &str, source: &Source) -> Result<Engine, FolderFault>;
}

/// How much may be in memory.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all loaded models together.
    pub bytes: u64,
    /// Loaded models.
    pub models: usize,
    /// How long a failed model is not tried again.
    pub again: Duration,
}

/// What a model is doing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Status {
    /// Known, not in memory.
    Available,
    /// Being loaded.
    Loading,
    /// In memory.
    Loaded,
    /// Could not be loaded, with the reason.
    Failed(String),
}

impl Status {
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
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
    /// What it is doing.
    pub status: Status,
    /// The loaded engine.
    pub engine: Option<Arc<Engine>>,
    /// Its memory in bytes as measured around its load; 0 when it is not loaded.
    pub bytes: u64,
    /// It is never let go.
    pub pinned: bool,
}

/// The models of a server.
pub struct Registry {
    models: RwLock<BTreeMap<String, Arc<Slot>>>,
    loader: Arc<dyn Loader>,
    limits: Limits,
    pinned: String,
    listener: Arc<dyn Listener>,
}

impl Registry {
    /// A registry with these models; `pinned` is the one for requests that name none.
    pub fn new(
        models: BTreeMap<String, Source>,
        pinned: String,
        limits: Limits,
        loader: Arc<dyn Loader>,
        listener: Arc<dyn Listener>,
    ) -> Arc<Self> {
        let models = models.into_iter().map(|(name, source)| (name, Arc::new(Slot::new(source)))).collect();
        Arc::new(Self { models: RwLock::new(models), loader, limits, pinned, listener })
    }

    /// The model for requests that name none.
    pub fn default_model(&self) -> &str {
        &self.pinned
    }

    /// Makes models known, changes where known ones come from, and forgets those that are not in the list and not loaded.
    pub fn know(&self, models: BTreeMap<String, Source>) {
        let mut known = self.models.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|name, slot| models.contains_key(name) || slot.is_in_use());
        for (name, source) in models {
            match known.get(&name) {
                Some(slot) => slot.move_to(source),
                None => drop(known.insert(name, Arc::new(Slot::new(source)))),
            }
        }
    }

    fn slot(&self, name: &str) -> Result<Arc<Slot>, EmbedFault> {
        let known = self.models.read().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned().ok_or_else(|| {
            let names: Vec<&str> = known.keys().map(String::as_str).take(8).collect();
            EmbedFault::new(Code::ModelNotFound, format!("no model {name:?}; there are: {}", names.join(", ")))
        })
    }

    /// The engine of a model; loads it when it is not in memory, and waits for that until the deadline.
    ///
    /// # Errors
    /// Unknown, still loading at the deadline, or not loadable.
    pub async fn engine(self: &Arc<Self>, name: &str, deadline: Instant) -> Result<Arc<Engine>, EmbedFault> {
        let slot = self.slot(name)?;
        if let Some(engine) = slot.loaded() {
            self.listener.asked(name, true);
            return Ok(engine);
        }
        self.listener.asked(name, false);
        if slot.begin(self.limits.again) {
            let (registry, slot, name) = (self.clone(), slot.clone(), name.to_owned());
            tokio::task::spawn_blocking(move || registry.load(&name, &slot));
        }
        slot.settled(name, deadline).await
    }

    /// Loads, and lets go of others when memory is short.
    fn load(&self, name: &str, slot: &Slot) {
        let (source, before) = (slot.source(), memory::resident());
        let began = Instant::now();
        let loaded = self.loader.load(name, &source);
        let bytes = memory::taken(before, &source.folder);
        let ready = loaded.is_ok();
        slot.finish(match loaded {
            Ok(engine) => State::loaded(Arc::new(engine), bytes),
            Err(why) => State::failed(why.to_string()),
        });
        self.listener.load(name, &Load { took: began.elapsed(), ready, bytes });
        self.make_room(name);
    }

    /// Lets go of the models that were not asked for the longest, until the rest is within the limits.
    fn make_room(&self, keep: &str) {
        let known = self.models.read().unwrap_or_else(PoisonError::into_inner);
        let mut loaded: Vec<(Instant, &String, &Arc<Slot>, u64)> =
            known.iter().filter_map(|(name, slot)| slot.use_of().map(|(used, bytes)| (used, name, slot, bytes))).collect();
        loaded.sort_by_key(|(used, ..)| *used);
        let mut bytes: u64 = loaded.iter().map(|(.., bytes)| bytes).sum();
        let mut count = loaded.len();
        for (_, name, slot, its) in loaded {
            if bytes <= self.limits.bytes && count <= self.limits.models {
                break;
            }
            if *name != self.pinned && name != keep && slot.let_go() {
                self.listener.unloaded(name);
                bytes -= its;
                count -= 1;
            }
        }
    }

    /// Puts a model from another folder in the place of the one that is there; requests that run keep the old one until they
    /// end. Blocks.
    ///
    /// # Errors
    /// The new one cannot be loaded: the old one stays.
    pub fn swap(&self, name: &str, source: Source) -> Result<(), FolderFault> {
        let before = memory::resident();
        let began = Instant::now();
        let engine = self.loader.load(name, &source);
        let load = |ready, bytes| Load { took: began.elapsed(), ready, bytes };
        let engine = engine.inspect_err(|_| self.listener.load(name, &load(false, 0)))?;
        let bytes = memory::taken(before, &source.folder);
        let slot = {
            let mut known = self.models.write().unwrap_or_else(PoisonError::into_inner);
            known.entry(name.to_owned()).or_insert_with(|| Arc::new(Slot::new(source.clone()))).clone()
        };
        slot.move_to(source);
        slot.finish(State::loaded(Arc::new(engine), bytes));
        self.listener.load(name, &load(true, bytes));
        self.make_room(name);
        Ok(())
    }

    /// All models.
    pub fn list(&self) -> Vec<Listed> {
        let known = self.models.read().unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .map(|(name, slot)| {
                let (status, engine, bytes) = slot.look();
                let pinned = *name == self.pinned;
                Listed { name: name.clone(), source: slot.source(), status, engine, bytes, pinned }
            })
            .collect()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("pinned", &self.pinned).finish_non_exhaustive()
    }
}
