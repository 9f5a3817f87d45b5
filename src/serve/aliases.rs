//! Other names of models: those of a setting, and the repository of the hub that a model came from. A model's own name goes
//! before every other.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use crate::inference::registry::{ListedModel, ModelRegistry};

/// What `models pull` writes into a folder.
const MANIFEST: &str = "akidb-model.json";
/// The default model is built from this repository, by a tool that writes no manifest.
const BUILT: (&str, &str) = ("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2");

/// Where a model came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HubOrigin {
    /// `OWNER/NAME`.
    pub repo: String,
    /// The commit, when it is known.
    pub commit: Option<String>,
}

#[derive(Deserialize)]
struct Manifest {
    source: AliasSource,
}

/// A manifest has more kinds of sources, which have no repository.
#[derive(Deserialize)]
struct AliasSource {
    kind: Option<String>,
    repo: Option<String>,
    commit: Option<String>,
}

/// Other names of models.
#[derive(Debug, Default)]
pub struct Aliases {
    /// By the setting.
    named: BTreeMap<String, String>,
    /// Of folders that were looked at.
    hubs: Mutex<HashMap<PathBuf, Option<Arc<HubOrigin>>>>,
}

impl Aliases {
    /// With these names, each of a model.
    pub fn new(named: BTreeMap<String, String>) -> Self {
        Self { named, hubs: Mutex::default() }
    }

    /// The model that is meant by a name that is not a model's own.
    pub fn model(&self, name: &str, registry: &ModelRegistry) -> Option<String> {
        if let Some(model) = self.named.get(name) {
            return Some(model.clone());
        }
        // Of two models from one repository the default one is meant.
        let mut from = registry.list();
        from.retain(|model| self.hub(model).is_some_and(|hub| hub.repo == name));
        from.iter().find(|model| model.pinned).or(from.first()).map(|model| model.name.clone())
    }

    /// The other names of each of these models, in their order. A name that is a model's own is not another one's.
    pub fn of(&self, models: &[ListedModel]) -> Vec<Vec<String>> {
        let own = |name: &str| models.iter().any(|model| model.name == name);
        let mut known: Vec<Vec<String>> = vec![Vec::new(); models.len()];
        for (alias, model) in &self.named {
            if let Some(place) = models.iter().position(|one| one.name == *model).filter(|_| !own(alias)) {
                known[place].push(alias.clone());
            }
        }
        let mut taken: Vec<String> = self.named.keys().cloned().collect();
        let pinned_first =
            (0..models.len()).filter(|at| models[*at].pinned).chain((0..models.len()).filter(|at| !models[*at].pinned));
        for place in pinned_first {
            let Some(hub) = self.hub(&models[place]) else { continue };
            if !own(&hub.repo) && !taken.contains(&hub.repo) {
                taken.push(hub.repo.clone());
                known[place].push(hub.repo.clone());
            }
        }
        known
    }

    /// The repository that a model came from, when it is known. A folder is looked at once: another version has another one.
    pub fn hub(&self, model: &ListedModel) -> Option<Arc<HubOrigin>> {
        let folder = &model.source.folder;
        let known = self.hubs.lock().unwrap_or_else(PoisonError::into_inner).get(folder).cloned();
        known.unwrap_or_else(|| {
            let hub = look(folder, &model.name).map(Arc::new);
            self.hubs.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.clone(), hub.clone());
            hub
        })
    }
}

fn look(folder: &Path, name: &str) -> Option<HubOrigin> {
    let built = || (name == BUILT.0).then(|| HubOrigin { repo: BUILT.1.to_owned(), commit: None });
    let Ok(bytes) = std::fs::read(folder.join(MANIFEST)) else { return built() };
    let AliasSource { kind, repo, commit } = serde_json::from_slice::<Manifest>(&bytes).ok()?.source;
    // Who put a model into a bucket gave it its name there.
    if kind.as_deref() == Some("sync") {
        return built();
    }
    Some(HubOrigin { repo: repo?, commit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::manifest::{FILE, Manifest as Written, ModelOrigin as From};

    #[test]
    fn the_manifest_of_the_store_says_where_a_model_came_from() {
        assert_eq!(MANIFEST, FILE);
        let folder = tempfile::tempdir().unwrap();
        let write = |source: From| Written::new("m", source, BTreeMap::new()).write(folder.path()).unwrap();
        write(From::Hub { repo: "a/b".into(), revision: "main".into(), commit: "beef".into() });
        assert_eq!(look(folder.path(), "m"), Some(HubOrigin { repo: "a/b".into(), commit: Some("beef".into()) }));
        write(From::Import { folder: "x".into() });
        assert_eq!(look(folder.path(), BUILT.0), None, "what was imported may be anything");
        write(From::Sync { from: "s3://models".into(), version: "1".into() });
        assert_eq!(look(folder.path(), BUILT.0).unwrap().repo, BUILT.1, "synced under the name of the built model");
    }

    #[test]
    fn the_default_model_is_known_without_a_manifest() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(look(folder.path(), BUILT.0).unwrap().repo, BUILT.1);
        assert_eq!(look(folder.path(), "other"), None);
    }
}
