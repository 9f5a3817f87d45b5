//! The available models: folders of the store, newer versions from model sync, and the entries of the metadata replica.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::log::{LogLevel, LogWriter};
use super::replica::{Replica, ReplicaRow};
use crate::delivery::versions;
use crate::files::RelativePath;
use crate::inference::folder::FolderIdentity;
use crate::inference::registry::{ModelRegistry, ModelSource};

/// How often the replica is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// The store cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", folder.display())]
pub struct StoreUnreadable {
    /// Its folder.
    pub folder: PathBuf,
    /// What the system says.
    pub source: std::io::Error,
}

/// The models of a server.
#[derive(Debug)]
pub struct Catalog {
    /// The store.
    pub folder: PathBuf,
    /// The metadata replica, when there is one.
    pub replica: Option<Replica>,
    /// What is told to people.
    pub log: Arc<LogWriter>,
    /// Held by whoever changes what is served.
    pub turn: tokio::sync::Mutex<()>,
    /// The model whose vectors have to have so many numbers.
    dimension: Option<(String, usize)>,
    last: Mutex<LastRows>,
}

/// What the replica said when it could be read the last time.
#[derive(Debug, Default)]
struct LastRows {
    rows: Option<Vec<ReplicaRow>>,
    /// Why those rows still count.
    fault: Option<String>,
}

impl Catalog {
    /// The models of a store, as a replica wants them.
    pub fn new(folder: PathBuf, replica: Option<Replica>, log: Arc<LogWriter>) -> Self {
        Self { folder, replica, log, turn: tokio::sync::Mutex::default(), dimension: None, last: Mutex::default() }
    }

    /// The same; the vectors of that model have to have so many numbers, whichever version is loaded.
    #[must_use]
    pub fn with_dimension(self, dimension: Option<(String, usize)>) -> Self {
        Self { dimension, ..self }
    }

    /// What the replica says, or said when it could be read the last time; nothing when it never could. Blocks.
    fn rows(&self) -> Option<Vec<ReplicaRow>> {
        let replica = self.replica.as_ref()?;
        let read = replica.models();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = match read {
            Ok(Some(rows)) => {
                *last = LastRows { rows: Some(rows), fault: None };
                return last.rows.clone();
            }
            Ok(None) => "the metadata replica has no table models".to_owned(),
            Err(why) => why.to_string(),
        };
        let served = match last.rows {
            Some(_) => "the previous list stays in use",
            None => "the folders of the store are served instead",
        };
        if last.fault.as_ref() != Some(&fault) {
            self.log.say(LogLevel::Warn, &format!("{fault}; {served}"), &[]);
        }
        last.fault = Some(fault);
        last.rows.clone()
    }

    /// Why an earlier state of the replica is served, when one is.
    pub fn replica_fault(&self) -> Option<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.fault.clone().filter(|_| last.rows.is_some())
    }

    /// The models and where they come from. Blocks.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn sources(&self) -> Result<BTreeMap<String, ModelSource>, StoreUnreadable> {
        let no_store = |source| StoreUnreadable { folder: self.folder.clone(), source };
        let mut models = folders(&self.folder).map_err(no_store)?;
        models.extend(self.synced());
        let Some(rows) = self.rows() else { return Ok(self.checked(models)) };
        let mut wanted = BTreeMap::new();
        for row in rows.into_iter().filter(|row| row.enabled) {
            let own = models.remove(&row.name);
            let source = match row.path {
                Some(path) => below(&self.folder, &path).map(|folder| ModelSource {
                    folder,
                    version: row.version,
                    dimension: row.dimension,
                }),
                None => {
                    own.map(|own| ModelSource { version: own.version.or(row.version), dimension: row.dimension, ..own })
                }
            };
            match source {
                Some(source) => drop(wanted.insert(row.name, source)),
                None => {
                    let what = "the metadata replica names a model whose folder is not in the store";
                    self.log.say(LogLevel::Warn, what, &[("model", row.name.into())]);
                }
            }
        }
        Ok(self.checked(wanted))
    }

    /// The versions that model sync brought.
    fn synced(&self) -> BTreeMap<String, ModelSource> {
        let kept = versions::all_kept(&self.folder).into_iter();
        let sources = kept.map(|(name, kept)| {
            if kept.is_previous {
                let what =
                    "a file of the current version is missing: the previous version is served until model sync has \
                     repaired it";
                self.log.say(LogLevel::Warn, what, &[("model", name.as_str().into())]);
            }
            (name, ModelSource { folder: kept.folder, version: kept.version, dimension: None })
        });
        sources.collect()
    }

    /// The same with the dimension that was asked for.
    fn checked(&self, mut models: BTreeMap<String, ModelSource>) -> BTreeMap<String, ModelSource> {
        if let Some((name, dimension)) = &self.dimension
            && let Some(source) = models.get_mut(name)
        {
            source.dimension = Some(*dimension);
        }
        models
    }

    /// Whether sync decides which version of a model is served. Blocks.
    pub fn leaves_to_sync(&self, name: &str) -> bool {
        let rows = self.rows();
        rows.is_none_or(|rows| rows.iter().any(|row| row.name == name && row.enabled && row.path.is_none()))
    }

    /// The dimension that was asked for, or that the replica says. Blocks.
    pub fn dimension(&self, name: &str) -> Option<usize> {
        let own = self.dimension.as_ref().filter(|(model, _)| model == name).map(|(_, dimension)| *dimension);
        own.or_else(|| self.rows()?.into_iter().find(|row| row.name == name)?.dimension)
    }

    /// Looks again and again whether another folder has taken the place of one that a model was loaded from (`models pull`), and
    /// loads that: what is given out and what embeds are one version.
    pub async fn follow_folders(self: Arc<Self>, registry: Arc<ModelRegistry>) {
        let mut refused: BTreeMap<String, FolderIdentity> = BTreeMap::new();
        loop {
            tokio::time::sleep(LOOK).await;
            for listed in registry.list() {
                let Some(engine) = listed.engine else { continue };
                let Some(now) = FolderIdentity::of(&listed.source.folder) else { continue };
                if engine.folder.identity == Some(now) || refused.get(&listed.name) == Some(&now) {
                    continue;
                }
                let _turn = self.turn.lock().await;
                // Another version may have been swapped in meanwhile.
                if registry.look(&listed.name).is_none_or(|now| now.source != listed.source) {
                    continue;
                }
                let (registry, name, source) = (registry.clone(), listed.name.clone(), listed.source);
                let swapped = tokio::task::spawn_blocking(move || registry.swap(&name, source).map(drop)).await;
                let fields = [("model", listed.name.as_str().into())];
                match swapped {
                    Ok(Ok(())) => {
                        self.log.say(LogLevel::Info, "the model's folder was replaced: it is reloaded", &fields)
                    }
                    Ok(Err(why)) => {
                        let what = format!(
                            "the model's folder was replaced, but cannot be loaded: {why}; the old version \
                                     stays in use"
                        );
                        self.log.say(LogLevel::Error, &what, &fields);
                        refused.insert(listed.name, now);
                    }
                    Err(why) => self.log.say(LogLevel::Error, &why.to_string(), &fields),
                }
            }
        }
    }

    /// Looks at the replica again and again; serves what it says when it has changed.
    pub async fn follow(self: Arc<Self>, registry: Arc<ModelRegistry>) {
        let Some(replica) = &self.replica else { return };
        let mut known = replica.mark();
        loop {
            tokio::time::sleep(LOOK).await;
            let mark = replica.mark();
            // While a new file takes the old one's place there may be none.
            if mark.is_some() && mark != known {
                known = mark;
                self.apply(&registry).await;
            }
        }
    }

    async fn apply(self: &Arc<Self>, registry: &Arc<ModelRegistry>) {
        let _turn = self.turn.lock().await;
        let (catalog, registry) = (self.clone(), registry.clone());
        let applied = tokio::task::spawn_blocking(move || {
            let models = catalog.sources()?;
            let count = models.len();
            catalog.log.say(LogLevel::Info, "the metadata replica has changed", &[("models", count.into())]);
            for (name, source) in registry.know(models) {
                if let Err(why) = registry.swap(&name, source) {
                    let what = format!("the model {name} stays unchanged: {why}");
                    catalog.log.say(LogLevel::Error, &what, &[]);
                }
            }
            Ok::<_, StoreUnreadable>(())
        });
        if let Ok(Err(why)) = applied.await {
            self.log.say(LogLevel::Error, &why.to_string(), &[]);
        }
    }
}

/// Each folder of the store that says what it is.
fn folders(store: &Path) -> std::io::Result<BTreeMap<String, ModelSource>> {
    let mut models = BTreeMap::new();
    for entry in std::fs::read_dir(store)? {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with('.') && is_model(&folder) {
            models.insert(name, ModelSource { folder, ..ModelSource::default() });
        }
    }
    Ok(models)
}

/// Whether a folder says that it is a model; some kinds have no `config.json` of their own.
fn is_model(folder: &Path) -> bool {
    ["config.json", "modules.json"].iter().any(|file| folder.join(file).is_file())
}

/// A folder of the store that holds a model; nothing that leads out of it, by its path or through a link.
fn below(store: &Path, path: &Path) -> Option<PathBuf> {
    let folder = RelativePath::parse(path.to_str()?.trim_end_matches('/'))?.at(store);
    let stays = folder.canonicalize().ok()?.starts_with(store.canonicalize().ok()?);
    (stays && is_model(&folder)).then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::Catalog;
    use crate::serve::replica::Replica;

    fn catalog(sql: &str) -> (tempfile::TempDir, Catalog) {
        let store = tempfile::tempdir().unwrap();
        for name in ["a", "b", "old/b"] {
            std::fs::create_dir_all(store.path().join(name)).unwrap();
            std::fs::write(store.path().join(name).join("config.json"), "{}").unwrap();
        }
        let file = store.path().join("replica.db");
        rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
        let catalog =
            Catalog::new(store.path().to_owned(), Some(Replica::new(&file)), crate::serve::log::LogWriter::silent());
        (store, catalog)
    }

    const TABLE: &str =
        "CREATE TABLE models (name TEXT PRIMARY KEY, version TEXT, path TEXT, dimension INTEGER, enabled INTEGER);";

    #[test]
    fn the_replica_says_which_models_are_served_and_from_where() {
        let rows = "INSERT INTO models VALUES ('a', '1', NULL, 8, 1), ('c', '2', 'old/b', NULL, 1), ('b', NULL, NULL, NULL, 0),
            ('out', NULL, '../b', NULL, 1), ('none', NULL, NULL, NULL, 1);";
        let (store, catalog) = catalog(&format!("{TABLE}{rows}"));
        let models = catalog.sources().unwrap();
        assert_eq!(models.keys().collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!((models["a"].dimension, models["a"].version.as_deref()), (Some(8), Some("1")));
        assert_eq!(models["c"].folder, store.path().join("old/b"));
        assert!(catalog.leaves_to_sync("a"));
        assert!(!catalog.leaves_to_sync("b") && !catalog.leaves_to_sync("c"));
    }

    #[test]
    fn a_link_that_leads_out_of_the_store_is_not_followed() {
        let other = tempfile::tempdir().unwrap();
        std::fs::create_dir(other.path().join("m")).unwrap();
        std::fs::write(other.path().join("m/config.json"), "{}").unwrap();
        let rows = "INSERT INTO models VALUES ('out', NULL, 'link', NULL, 1), ('deep', NULL, 'far/m', NULL, 1),
            ('within', NULL, 'near', NULL, 1);";
        let (store, catalog) = catalog(&format!("{TABLE}{rows}"));
        let link = |to: &std::path::Path, name: &str| std::os::unix::fs::symlink(to, store.path().join(name)).unwrap();
        link(&other.path().join("m"), "link");
        link(other.path(), "far");
        link(std::path::Path::new("old/b"), "near");
        assert_eq!(catalog.sources().unwrap().keys().collect::<Vec<_>>(), ["within"]);
    }

    #[test]
    fn what_the_replica_said_stays_while_it_cannot_be_read() {
        let rows = "INSERT INTO models VALUES ('c', '2', 'old/b', 8, 1), ('b', NULL, NULL, NULL, 0);";
        let (store, catalog) = catalog(&format!("{TABLE}{rows}"));
        let before = catalog.sources().unwrap();
        assert_eq!(before.keys().collect::<Vec<_>>(), ["c"]);
        assert_eq!(catalog.replica_fault(), None);
        let file = store.path().join("replica.db");
        let bad_row = || {
            let open = rusqlite::Connection::open(&file).unwrap();
            open.execute_batch("INSERT INTO models VALUES ('d', NULL, NULL, 'many', 1);").unwrap();
        };
        bad_row();
        for content in [None, Some("garbage, but long enough to be looked at as a database"), Some("")] {
            if let Some(content) = content {
                std::fs::write(&file, content).unwrap();
            }
            assert_eq!(catalog.sources().unwrap(), before, "{content:?}");
            assert!(!catalog.leaves_to_sync("b") && !catalog.leaves_to_sync("c"), "{content:?}");
            assert_eq!(catalog.dimension("c"), Some(8));
            assert!(catalog.replica_fault().is_some(), "{content:?}");
        }
    }

    #[test]
    fn the_dimension_that_was_asked_for_goes_with_every_version() {
        let (_store, catalog) = catalog("CREATE TABLE other (x);");
        let catalog = catalog.with_dimension(Some(("a".to_owned(), 384)));
        let models = catalog.sources().unwrap();
        assert_eq!((models["a"].dimension, models["b"].dimension), (Some(384), None));
        assert_eq!((catalog.dimension("a"), catalog.dimension("b")), (Some(384), None));
    }

    #[test]
    fn a_replica_without_the_table_leaves_it_to_the_folders() {
        let (_store, catalog) = catalog("CREATE TABLE other (x);");
        assert_eq!(catalog.sources().unwrap().keys().collect::<Vec<_>>(), ["a", "b"]);
        assert!(catalog.leaves_to_sync("anything"));
    }
}
