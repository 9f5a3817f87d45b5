//! Models from a bucket or a folder: looked for again and again, fetched, opened, and put in the place of the old ones.
//!
//! ```text
//!  list (one request) --> changed? --> staging, hashes --> .versions/NAME/ID --> opened, canary --> swap --> current.json
//! ```
//!
//! Whatever fails, the version that is served stays.

mod fault;
pub mod origin;
mod stage;
pub mod store;
pub mod wanted;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Metrics;
use super::catalogue::Catalogue;
use super::log::Level;
use crate::inference::registry::{Registry, Source};
pub use fault::{DiskFault, OriginFault, SyncFault, WantedFault};
use origin::Origin;
use store::Current;
use wanted::{Entry, POINTER, Wanted};

/// A version that could not be opened is tried again after that, or when the source has changed.
const BAD: Duration = Duration::from_secs(3600);
/// A list without a pointer has to hold still as long before it is taken: somebody may be writing.
const STILL: Duration = Duration::from_secs(5);

/// What became of a model at the last look.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The version that sync brought last.
    pub version: Option<String>,
    /// When.
    pub synced_at: Option<jiff::Timestamp>,
    /// Why the source's version is not served.
    pub error: Option<String>,
}

#[derive(Default)]
struct State {
    told: BTreeMap<String, Told>,
    /// Marks of versions that could not be opened.
    bad: BTreeMap<String, (String, Instant)>,
    /// Marks of lists that have to hold still.
    seen: BTreeMap<String, String>,
    /// Whether the source was looked at, and what it said when it could not be.
    looked: Option<Looked>,
}

/// What came of the last look at a source.
pub type Looked = Result<(), Arc<OriginFault>>;

/// Sync of all models of a source.
pub struct ModelSync {
    origin: Origin,
    catalogue: Arc<Catalogue>,
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    interval: Duration,
    state: Mutex<State>,
}

impl ModelSync {
    /// Sync from an opened source.
    pub fn new(
        origin: Origin,
        catalogue: Arc<Catalogue>,
        registry: Arc<Registry>,
        metrics: Arc<Metrics>,
        interval: Duration,
    ) -> Self {
        Self { origin, catalogue, registry, metrics, interval, state: Mutex::default() }
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The source.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What became of a model.
    pub fn told(&self, name: &str) -> Told {
        self.state(|state| state.told.get(name).cloned().unwrap_or_default())
    }

    /// Whether the source was looked at, and what it said when it could not be.
    pub fn looked(&self) -> Option<Looked> {
        self.state(|state| state.looked.clone())
    }

    /// Looks at the source again and again, not at the same time as other servers.
    pub async fn run(self: Arc<Self>) {
        loop {
            let waits = self.look().await;
            let share = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
            let pause = if waits { self.interval.min(STILL) } else { self.interval.mul_f64(0.9 + 0.2 * share) };
            tokio::time::sleep(pause).await;
        }
    }

    /// One look; whether another one is due soon.
    async fn look(&self) -> bool {
        let listed = match self.origin.list().await {
            Ok(listed) => listed,
            Err(why) => {
                let what = format!("model sync cannot look at its source: {why}; what is served stays");
                self.catalogue.log.say(Level::Warn, &what, &[]);
                self.metrics.synced("", false);
                self.state(|state| state.looked = Some(Err(Arc::new(why))));
                return false;
            }
        };
        let mut waits = false;
        for (name, listed) in wanted::by_model(listed) {
            waits |= self.model(&name, &listed).await;
        }
        self.state(|state| state.looked = Some(Ok(())));
        waits
    }

    /// One model; whether it has to hold still first.
    async fn model(&self, name: &str, listed: &[Entry]) -> bool {
        let pointer = listed.iter().find(|entry| entry.path == format!("{name}/{POINTER}"));
        let mark = pointer.map_or_else(|| wanted::mark(listed), |pointer| pointer.etag.clone());
        let current = store::current(&self.catalogue.folder, name).unwrap_or_default();
        let known_bad =
            self.state(|state| state.bad.get(name).is_some_and(|(bad, at)| *bad == mark && at.elapsed() < BAD));
        if current.mark == mark || known_bad || !self.catalogue.leaves_to_sync(name) {
            return false;
        }
        if pointer.is_none()
            && self.state(|state| state.seen.insert(name.to_owned(), mark.clone())) != Some(mark.clone())
        {
            return true;
        }
        let done = match self.wanted(name, pointer, &mark, listed).await {
            Ok(wanted) => self.take(name, wanted, &mark, current).await,
            Err(why) => Err(why),
        };
        self.tell(name, done);
        false
    }

    /// The version that a pointer names, or the files as they are listed.
    async fn wanted(
        &self,
        name: &str,
        pointer: Option<&Entry>,
        mark: &str,
        listed: &[Entry],
    ) -> Result<Wanted, SyncFault> {
        Ok(match pointer {
            Some(pointer) => Wanted::pointed(name, &self.origin.read(pointer).await?, listed)?,
            None => Wanted::listed(name, mark, listed)?,
        })
    }

    fn tell(&self, name: &str, done: Result<String, SyncFault>) {
        self.metrics.synced(name, done.is_ok());
        match &done {
            Ok(version) => {
                let fields = [("model", name.into()), ("version", version.as_str().into())];
                self.catalogue.log.say(Level::Info, "a new version is served", &fields);
            }
            Err(why) => {
                let what = format!("the new version is not served, the old one stays: {why}");
                self.catalogue.log.say(Level::Error, &what, &[("model", name.into())]);
            }
        }
        self.state(|state| {
            let told = state.told.entry(name.to_owned()).or_default();
            match done {
                Ok(version) => {
                    *told = Told { version: Some(version), synced_at: Some(jiff::Timestamp::now()), error: None }
                }
                Err(why) => told.error = Some(why.to_string()),
            }
        });
    }

    /// Fetches a version, opens it and serves it; its name.
    async fn take(&self, name: &str, wanted: Wanted, mark: &str, old: Current) -> Result<String, SyncFault> {
        let store = &self.catalogue.folder;
        let versions = store::versions(store, name);
        tokio::fs::create_dir_all(&versions).await.map_err(|why| DiskFault::of(&versions, why))?;
        let folder = stage::bring(&self.origin, &wanted, &versions).await?;
        let _turn = self.catalogue.turn.lock().await;
        if wanted.id != old.id {
            let (registry, model) = (self.registry.clone(), name.to_owned());
            let (version, dimension) = (Some(wanted.version.clone()), self.catalogue.dimension(name));
            let source = Source { folder: folder.clone(), version, dimension };
            let swapped = tokio::task::spawn_blocking(move || registry.swap(&model, source).map(drop)).await;
            let swapped = swapped.map_err(SyncFault::Ended).and_then(|swapped| swapped.map_err(SyncFault::Load));
            if let Err(why) = swapped {
                self.state(|state| state.bad.insert(name.to_owned(), (mark.to_owned(), Instant::now())));
                let _ = tokio::fs::remove_dir_all(&folder).await;
                return Err(why);
            }
        }
        let previous = if wanted.id == old.id { old.previous } else { Some(old.id).filter(|id| !id.is_empty()) };
        let current = Current { id: wanted.id, version: wanted.version.clone(), mark: mark.to_owned(), previous };
        store::put_current(store, name, &current).map_err(SyncFault::Unwritten)?;
        store::prune(store, name, &current);
        Ok(wanted.version)
    }
}
