//! Which models there are: the folders of the store, newer versions that sync brought, and what the metadata replica says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::log::{Level, Log};
use super::model_sync::store;
use super::replica::Replica;
use crate::files::Below;
use crate::inference::registry::{Registry, Source};

/// How often the replica is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// The store cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", folder.display())]
pub struct NoStore {
    /// Its folder.
    pub folder: PathBuf,
    /// What the system says.
    pub source: std::io::Error,
}

/// The models of a server.
#[derive(Debug)]
pub struct Catalogue {
    /// The store.
    pub folder: PathBuf,
    /// The metadata replica, when there is one.
    pub replica: Option<Replica>,
    /// What is told to people.
    pub log: Arc<Log>,
    /// Held by whoever changes what is served.
    pub turn: tokio::sync::Mutex<()>,
}

impl Catalogue {
    /// The models of a store, as a replica wants them.
    pub fn new(folder: PathBuf, replica: Option<Replica>, log: Arc<Log>) -> Self {
        Self { folder, replica, log, turn: tokio::sync::Mutex::default() }
    }

    /// The models and where they come from. Blocks.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn sources(&self) -> Result<BTreeMap<String, Source>, NoStore> {
        let no_store = |source| NoStore { folder: self.folder.clone(), source };
        let mut models = folders(&self.folder).map_err(no_store)?;
        models.extend(store::currents(&self.folder));
        let Some(replica) = &self.replica else { return Ok(models) };
        let rows = match replica.models() {
            Ok(Some(rows)) => rows,
            Ok(None) => {
                let why = "the metadata replica has no table models";
                self.log.say(Level::Warn, &format!("{why}; the folders of the store are served instead"), &[]);
                return Ok(models);
            }
            Err(why) => {
                self.log.say(Level::Warn, &format!("{why}; the folders of the store are served instead"), &[]);
                return Ok(models);
            }
        };
        let mut wanted = BTreeMap::new();
        for row in rows.into_iter().filter(|row| row.enabled) {
            let own = models.remove(&row.name);
            let source = match row.path {
                Some(path) => below(&self.folder, &path).map(|folder| Source {
                    folder,
                    version: row.version,
                    dimension: row.dimension,
                }),
                None => own.map(|own| Source { version: own.version.or(row.version), dimension: row.dimension, ..own }),
            };
            match source {
                Some(source) => drop(wanted.insert(row.name, source)),
                None => {
                    let what = "the metadata replica names a model whose folder is not in the store";
                    self.log.say(Level::Warn, what, &[("model", row.name.into())]);
                }
            }
        }
        Ok(wanted)
    }

    /// Whether sync decides which version of a model is served. Blocks.
    pub fn leaves_to_sync(&self, name: &str) -> bool {
        let rows = self.replica.as_ref().and_then(|replica| replica.models().ok().flatten());
        rows.is_none_or(|rows| rows.iter().any(|row| row.name == name && row.enabled && row.path.is_none()))
    }

    /// The dimension that the replica says, when it says one. Blocks.
    pub fn dimension(&self, name: &str) -> Option<usize> {
        let rows = self.replica.as_ref()?.models().ok()??;
        rows.into_iter().find(|row| row.name == name)?.dimension
    }

    /// Looks at the replica again and again; serves what it says when it has changed.
    pub async fn follow(self: Arc<Self>, registry: Arc<Registry>) {
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

    async fn apply(self: &Arc<Self>, registry: &Arc<Registry>) {
        let _turn = self.turn.lock().await;
        let (catalogue, registry) = (self.clone(), registry.clone());
        let applied = tokio::task::spawn_blocking(move || {
            let models = catalogue.sources()?;
            let count = models.len();
            catalogue.log.say(Level::Info, "the metadata replica has changed", &[("models", count.into())]);
            for (name, source) in registry.know(models) {
                if let Err(why) = registry.swap(&name, source) {
                    let what = format!("the model {name} stays as it is: {why}");
                    catalogue.log.say(Level::Error, &what, &[]);
                }
            }
            Ok::<_, NoStore>(())
        });
        if let Ok(Err(why)) = applied.await {
            self.log.say(Level::Error, &why.to_string(), &[]);
        }
    }
}

/// Each folder of the store that says what it is.
fn folders(store: &Path) -> std::io::Result<BTreeMap<String, Source>> {
    let mut models = BTreeMap::new();
    for entry in std::fs::read_dir(store)? {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with('.') && is_model(&folder) {
            models.insert(name, Source { folder, ..Source::default() });
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
    let folder = Below::parse(path.to_str()?.trim_end_matches('/'))?.at(store);
    let stays = folder.canonicalize().ok()?.starts_with(store.canonicalize().ok()?);
    (stays && is_model(&folder)).then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::Catalogue;
    use crate::serve::replica::Replica;

    fn catalogue(sql: &str) -> (tempfile::TempDir, Catalogue) {
        let store = tempfile::tempdir().unwrap();
        for name in ["a", "b", "old/b"] {
            std::fs::create_dir_all(store.path().join(name)).unwrap();
            std::fs::write(store.path().join(name).join("config.json"), "{}").unwrap();
        }
        let file = store.path().join("replica.db");
        rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
        let catalogue =
            Catalogue::new(store.path().to_owned(), Some(Replica::new(&file)), crate::serve::log::Log::silent());
        (store, catalogue)
    }

    const TABLE: &str =
        "CREATE TABLE models (name TEXT PRIMARY KEY, version TEXT, path TEXT, dimension INTEGER, enabled INTEGER);";

    #[test]
    fn the_replica_says_which_models_are_served_and_from_where() {
        let rows = "INSERT INTO models VALUES ('a', '1', NULL, 8, 1), ('c', '2', 'old/b', NULL, 1), ('b', NULL, NULL, NULL, 0),
            ('out', NULL, '../b', NULL, 1), ('none', NULL, NULL, NULL, 1);";
        let (store, catalogue) = catalogue(&format!("{TABLE}{rows}"));
        let models = catalogue.sources().unwrap();
        assert_eq!(models.keys().collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!((models["a"].dimension, models["a"].version.as_deref()), (Some(8), Some("1")));
        assert_eq!(models["c"].folder, store.path().join("old/b"));
        assert!(catalogue.leaves_to_sync("a"));
        assert!(!catalogue.leaves_to_sync("b") && !catalogue.leaves_to_sync("c"));
    }

    #[test]
    fn a_link_that_leads_out_of_the_store_is_not_followed() {
        let other = tempfile::tempdir().unwrap();
        std::fs::create_dir(other.path().join("m")).unwrap();
        std::fs::write(other.path().join("m/config.json"), "{}").unwrap();
        let rows = "INSERT INTO models VALUES ('out', NULL, 'link', NULL, 1), ('deep', NULL, 'far/m', NULL, 1),
            ('within', NULL, 'near', NULL, 1);";
        let (store, catalogue) = catalogue(&format!("{TABLE}{rows}"));
        let link = |to: &std::path::Path, name: &str| std::os::unix::fs::symlink(to, store.path().join(name)).unwrap();
        link(&other.path().join("m"), "link");
        link(other.path(), "far");
        link(std::path::Path::new("old/b"), "near");
        assert_eq!(catalogue.sources().unwrap().keys().collect::<Vec<_>>(), ["within"]);
    }

    #[test]
    fn a_replica_without_the_table_leaves_it_to_the_folders() {
        let (_store, catalogue) = catalogue("CREATE TABLE other (x);");
        assert_eq!(catalogue.sources().unwrap().keys().collect::<Vec<_>>(), ["a", "b"]);
        assert!(catalogue.leaves_to_sync("anything"));
    }
}
