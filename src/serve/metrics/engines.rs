//! TensorRT engines, built or cached. TensorRT does not report this, so the cache folder is read.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::names;

/// What happened in a folder of engines.
pub struct Engines {
    cache: PathBuf,
    builds: Counter,
    hits: Counter,
}

impl Engines {
    /// Nothing so far.
    pub fn new(cache: PathBuf) -> Self {
        Self { cache, builds: Counter::default(), hits: Counter::default() }
    }

    /// A load that took so long has just ended: engines that were written since are new; when there are only older ones, the
    /// load took its own from the cache.
    pub fn look(&self, took: Duration) {
        let began = SystemTime::now().checked_sub(took).unwrap_or(SystemTime::UNIX_EPOCH);
        let written = engines(&self.cache);
        let new = written.iter().filter(|at| **at >= began).count();
        self.builds.inc_by(new as u64);
        if new == 0 && !written.is_empty() {
            self.hits.inc();
        }
    }

    /// Shown once something happened.
    pub fn register(&self, registry: &mut Registry) {
        if self.builds.get() + self.hits.get() > 0 {
            names::ENGINE_BUILDS.register(registry, self.builds.clone());
            names::ENGINE_CACHE_HITS.register(registry, self.hits.clone());
        }
    }
}

/// When the engines in the folders of a folder were written.
fn engines(cache: &Path) -> Vec<SystemTime> {
    let read = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = read(cache).flat_map(|folder| read(&folder).collect::<Vec<_>>());
    let engines = files.filter(|file| file.extension().is_some_and(|extension| extension == "engine"));
    engines.filter_map(|file| file.metadata().ok()?.modified().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_engines_are_builds_and_old_ones_are_hits() {
        let cache = tempfile::tempdir().unwrap();
        let engines = Engines::new(cache.path().to_owned());
        engines.look(Duration::from_secs(60));
        assert_eq!((engines.builds.get(), engines.hits.get()), (0, 0));
        let model = cache.path().join("model");
        std::fs::create_dir(&model).unwrap();
        std::fs::write(model.join("a.engine"), "x").unwrap();
        std::fs::write(model.join("a.profile"), "x").unwrap();
        engines.look(Duration::from_secs(60));
        assert_eq!((engines.builds.get(), engines.hits.get()), (1, 0));
        let old = SystemTime::now() - Duration::from_secs(3600);
        std::fs::File::options().write(true).open(model.join("a.engine")).unwrap().set_modified(old).unwrap();
        engines.look(Duration::from_secs(60));
        assert_eq!((engines.builds.get(), engines.hits.get()), (1, 1));
    }
}
