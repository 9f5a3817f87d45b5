//! How many parameters a graph has, counted once for each file.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::inference::engine::Engine;
use crate::inference::graph_file;

/// A file as it was at some time.
type Seen = (PathBuf, Option<SystemTime>);

/// Counts that are known.
#[derive(Debug, Default)]
pub struct ParameterCounts(Mutex<HashMap<Seen, Option<u64>>>);

impl ParameterCounts {
    /// Those of a loaded model's graph; nothing when its file cannot be read as one.
    pub async fn of(&self, engine: &Engine) -> Option<u64> {
        let graph = engine.folder.graph.clone();
        let written = std::fs::metadata(&graph).and_then(|about| about.modified()).ok();
        let seen = (graph.clone(), written);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&seen).copied();
        if let Some(known) = known {
            return known;
        }
        let counted = tokio::task::spawn_blocking(move || graph_file::read(&graph).ok()).await.ok().flatten();
        let counted = counted.map(|read| read.parameters);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(seen, counted);
        counted
    }
}
