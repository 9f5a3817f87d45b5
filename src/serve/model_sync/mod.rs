//! Model sync from a bucket or a folder: polls, fetches, opens and replaces versions.
//!
//! ```text
//!  list (one request) --> changed? --> staging, hashes --> .versions/NAME/ID --> opened, canary --> swap --> current.json
//! ```
//!
//! Whatever fails, the version that is served stays.

mod fault;
mod folder;
pub mod origin;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Metrics;
use super::catalog::Catalog;
use super::log::LogLevel;
use crate::delivery::desired_version::{self, DesiredVersion, PointerTarget};
use crate::delivery::disk::DiskFault;
use crate::delivery::lock::LockFault;
use crate::delivery::source::SourceEntry;
use crate::delivery::stage::{Delivery, DeliveryFault, bring};
use crate::delivery::versions::{self, CurrentVersion};
use crate::inference::registry::{ModelRegistry, ModelSource, ModelStatus};
pub use fault::{OriginFault, SyncFault};
use origin::{OpenedSource, SyncSource};

/// A version that could not be opened is tried again after that, or when the source has changed.
const BAD: Duration = Duration::from_secs(3600);
/// A list without a pointer has to hold still as long before it is taken: somebody may be writing.
const STILL: Duration = Duration::from_secs(5);

/// More names of a source say nothing new.
const MOST_NAMED: usize = 5;

/// What became of a model at the last look.
#[derive(Clone, Debug, Default)]
pub struct SyncStatus {
    /// The version that sync brought last.
    pub version: Option<String>,
    /// When.
    pub synced_at: Option<jiff::Timestamp>,
    /// Why the source's version is not served.
    pub error: Option<String>,
}

/// A version that is not tried again: what the source had of the model then, and until when. Without a time, until that changes.
struct RejectedVersion {
    mark: String,
    until: Option<Instant>,
}

#[derive(Default)]
struct State {
    told: BTreeMap<String, SyncStatus>,
    bad: BTreeMap<String, RejectedVersion>,
    /// Marks of lists that have to hold still.
    seen: BTreeMap<String, String>,
    /// What was passed over at the last look.
    skipped: BTreeSet<String>,
    /// Whether the source was looked at, and what it said when it could not be.
    looked: Option<SyncResults>,
}

/// What came of the last look at a source.
pub type SyncResults = Result<(), Arc<OriginFault>>;

/// Sync of all models of a source.
pub struct ModelSync {
    origin: OpenedSource,
    /// The source as it was named.
    from: String,
    catalog: Arc<Catalog>,
    registry: Arc<ModelRegistry>,
    metrics: Arc<Metrics>,
    interval: Duration,
    state: Mutex<State>,
}

/// What the source has of a model.
struct OfferedVersion<'l> {
    name: &'l str,
    listed: &'l [SourceEntry],
    pointer: Option<&'l SourceEntry>,
    /// Another one makes another version.
    mark: String,
    /// Another one after any change of any file.
    all: String,
}

impl<'l> OfferedVersion<'l> {
    fn of(name: &'l str, listed: &'l [SourceEntry]) -> Self {
        let (pointer, all) = (desired_version::pointer(name, listed), desired_version::mark(listed));
        let mark = pointer.map_or_else(|| all.clone(), |pointer| pointer.etag.clone());
        Self { name, listed, pointer, mark, all }
    }
}

impl ModelSync {
    /// Sync from an opened source.
    pub fn new(
        (origin, from): (OpenedSource, &SyncSource),
        catalog: Arc<Catalog>,
        registry: Arc<ModelRegistry>,
        metrics: Arc<Metrics>,
        interval: Duration,
    ) -> Self {
        Self { origin, from: from.to_string(), catalog, registry, metrics, interval, state: Mutex::default() }
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The source.
    pub fn origin(&self) -> &OpenedSource {
        &self.origin
    }

    /// What became of a model.
    pub fn told(&self, name: &str) -> SyncStatus {
        self.state(|state| state.told.get(name).cloned().unwrap_or_default())
    }

    /// Whether the source was looked at, and what it said when it could not be.
    pub fn looked(&self) -> Option<SyncResults> {
        self.state(|state| state.looked.clone())
    }

    /// Why what the source has of a model is not served: the model's own reason, or that the source cannot be looked at.
    pub fn last_error(&self, name: &str) -> Option<String> {
        self.told(name).error.or_else(|| match self.looked() {
            Some(Err(why)) => Some(format!("cannot read the source: {why}")),
            _ => None,
        })
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
        let listing = match self.origin.list().await {
            Ok(listing) => listing,
            Err(why) => {
                let what = format!("model sync cannot read its source: {why}; the current versions stay in use");
                self.catalog.log.say(LogLevel::Warn, &what, &[]);
                self.metrics.synced("", false);
                self.state(|state| state.looked = Some(Err(Arc::new(why))));
                return false;
            }
        };
        let (models, odd) = desired_version::by_model(listing.entries);
        self.say_skipped(listing.skipped.into_iter().chain(odd).collect());
        self.say_absent(&models.keys().cloned().collect());
        let mut waits = false;
        for (name, listed) in models {
            waits |= self.model(&OfferedVersion::of(&name, &listed)).await;
        }
        self.state(|state| state.looked = Some(Ok(())));
        waits
    }

    /// What is passed over is said once.
    fn say_skipped(&self, skipped: BTreeSet<String>) {
        let before = self.state(|state| std::mem::replace(&mut state.skipped, skipped.clone()));
        for what in skipped.difference(&before) {
            self.catalog.log.say(LogLevel::Warn, &format!("model sync skips {what}"), &[]);
        }
    }

    /// Models that are to come from the source and are not there: a wrong prefix, a folder that somebody deleted. What is served stays.
    fn say_absent(&self, offered: &BTreeSet<String>) {
        for name in self.awaited().difference(offered) {
            let has = offered.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
            let why = SyncFault::Absent { has: if has.is_empty() { "no model".to_owned() } else { has } }.to_string();
            self.metrics.synced(name, false);
            let told = self.state(|state| {
                let told = state.told.entry(name.clone()).or_default();
                std::mem::replace(&mut told.error, Some(why.clone()))
            });
            if told.as_ref() != Some(&why) {
                let what = format!("model sync: {why}; what is served stays in use");
                self.catalog.log.say(LogLevel::Warn, &what, &[("model", name.as_str().into())]);
            }
        }
    }

    /// Models that sync brought once, and those that are wanted and not there at all.
    fn awaited(&self) -> BTreeSet<String> {
        let known = self.registry.list().into_iter().map(|listed| listed.name);
        let all: BTreeSet<String> = known.chain([self.registry.default_model().to_owned()]).collect();
        let is_awaited = |name: &String| {
            let loaded =
                self.registry.look(name).is_some_and(|listed| !matches!(listed.status, ModelStatus::Failed(_)));
            let brought = versions::current(&self.catalog.folder, name).is_some();
            !name.is_empty() && (brought || !loaded) && self.catalog.leaves_to_sync(name)
        };
        all.into_iter().filter(is_awaited).collect()
    }

    /// One model; whether another look at it is due soon.
    async fn model(&self, offered: &OfferedVersion<'_>) -> bool {
        let name = offered.name;
        if !self.catalog.leaves_to_sync(name) {
            return false;
        }
        let current = versions::current(&self.catalog.folder, name).unwrap_or_default();
        let known = current.mark == offered.mark;
        if known && self.is_served(name, &current) {
            // A version that was refused may have gone from the source again.
            self.state(|state| state.told.entry(name.to_owned()).or_default().error = None);
            return false;
        }
        if self.is_bad(offered) {
            return false;
        }
        let (seen, mark) = (name.to_owned(), offered.mark.clone());
        if offered.pointer.is_none()
            && !known
            && self.state(|state| state.seen.insert(seen, mark.clone())) != Some(mark)
        {
            return true;
        }
        let done = match self.wanted(offered).await {
            Ok(wanted) => self.take(name, wanted, &offered.mark).await,
            Err(why) => Err(why),
        };
        if let Err(why) = &done {
            self.remember_bad(offered, why);
        }
        self.tell(name, done)
    }

    /// Whether this process serves the version that is written down: another server of the same store may have brought it, and a
    /// file of it may be missing since.
    fn is_served(&self, name: &str, current: &CurrentVersion) -> bool {
        let folder = versions::of_id(&self.catalog.folder, name, &current.id);
        folder.is_some_and(|folder| versions::is_whole(&folder) && self.is_loaded_from(name, &folder))
    }

    /// Whether a model comes from a folder, and was not refused when it was last loaded.
    fn is_loaded_from(&self, name: &str, folder: &Path) -> bool {
        let listed = self.registry.look(name);
        listed.is_some_and(|listed| listed.source.folder == folder && !matches!(listed.status, ModelStatus::Failed(_)))
    }

    fn is_bad(&self, offered: &OfferedVersion<'_>) -> bool {
        self.state(|state| {
            let bad = state.bad.get(offered.name).filter(|bad| bad.mark == offered.all);
            bad.is_some_and(|bad| bad.until.is_none_or(|until| Instant::now() < until))
        })
    }

    /// What the source says wrongly is looked at again when it changes; a model that cannot be loaded, also after an hour.
    fn remember_bad(&self, offered: &OfferedVersion<'_>, why: &SyncFault) {
        let until = match why {
            SyncFault::Load(_) | SyncFault::Ended(_) => Some(Instant::now() + BAD),
            SyncFault::Wanted(_) | SyncFault::Delivery(DeliveryFault::Hash { resumed: false, .. }) => None,
            _ => return,
        };
        let bad = RejectedVersion { mark: offered.all.clone(), until };
        self.state(|state| state.bad.insert(offered.name.to_owned(), bad));
    }

    /// The version that a pointer names, or the files as they are listed.
    async fn wanted(&self, offered: &OfferedVersion<'_>) -> Result<DesiredVersion, SyncFault> {
        let (name, listed) = (offered.name, offered.listed);
        let wanted = match offered.pointer {
            Some(pointer) => match PointerTarget::read(name, pointer, &self.origin.read(pointer).await?, listed)? {
                PointerTarget::Files(wanted) => wanted,
                PointerTarget::Manifest(manifest) => {
                    manifest.read(name, &self.origin.read(&manifest.entry).await?, listed)?
                }
            },
            None => DesiredVersion::listed(name, &offered.mark, listed)?,
        };
        wanted.is_model(name)?;
        Ok(wanted)
    }

    /// Keeps what became of a model; whether another look at it is due soon.
    fn tell(&self, name: &str, done: Result<String, SyncFault>) -> bool {
        let shared = matches!(done, Err(SyncFault::Shared(_)));
        if !shared {
            self.metrics.synced(name, done.is_ok());
        }
        match &done {
            Ok(version) => {
                let fields = [("model", name.into()), ("version", version.as_str().into())];
                self.catalog.log.say(LogLevel::Info, "a new version is served", &fields);
            }
            Err(_) if shared => {}
            Err(why) => {
                let what = format!("the new version is not served, the old one stays in use: {why}");
                self.catalog.log.say(LogLevel::Error, &what, &[("model", name.into())]);
            }
        }
        self.state(|state| {
            let told = state.told.entry(name.to_owned()).or_default();
            match done {
                Ok(version) => {
                    *told = SyncStatus { version: Some(version), synced_at: Some(jiff::Timestamp::now()), error: None }
                }
                Err(why) => told.error = Some(why.to_string()),
            }
        });
        shared
    }

    /// Fetches a version, opens it and serves it; its name.
    async fn take(&self, name: &str, wanted: DesiredVersion, mark: &str) -> Result<String, SyncFault> {
        let store = &self.catalog.folder;
        let versions = versions::folder(store, name);
        tokio::fs::create_dir_all(&versions).await.map_err(|why| DiskFault::of(&versions, why))?;
        let _lock = versions::lock(store, name).map_err(|fault| match fault {
            LockFault::File(fault) => SyncFault::Disk(fault.into()),
            busy => SyncFault::Shared(busy),
        })?;
        let old = versions::current(store, name).unwrap_or_default();
        let delivery = Delivery { name, from: &self.from, wanted: &wanted, versions: &versions };
        let folder = bring(&self.origin, delivery).await?;
        let _turn = self.catalog.turn.lock().await;
        if !self.is_loaded_from(name, &folder)
            && let Err(why) = self.swap(name, &folder, &wanted.version).await
        {
            // What was served before stays, and so does the version before that.
            if wanted.id != old.id && Some(&wanted.id) != old.previous.as_ref() {
                let _ = tokio::fs::remove_dir_all(&folder).await;
            }
            return Err(why);
        }
        let previous = if wanted.id == old.id { old.previous } else { Some(old.id).filter(|id| !id.is_empty()) };
        let current =
            CurrentVersion { id: wanted.id, version: wanted.version.clone(), mark: mark.to_owned(), previous };
        versions::put_current(store, name, &current).map_err(SyncFault::Unwritten)?;
        versions::prune(store, name, &current);
        Ok(wanted.version)
    }

    /// Opens a version and puts it in the place of the one that is served.
    async fn swap(&self, name: &str, folder: &Path, version: &str) -> Result<(), SyncFault> {
        let (registry, model) = (self.registry.clone(), name.to_owned());
        let (folder, dimension): (PathBuf, _) = (folder.to_owned(), self.catalog.dimension(name));
        let source = ModelSource { folder, version: Some(version.to_owned()), dimension };
        let swapped = tokio::task::spawn_blocking(move || registry.swap(&model, source).map(drop)).await;
        swapped.map_err(SyncFault::Ended)?.map_err(SyncFault::Load)
    }
}
