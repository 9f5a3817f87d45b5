//! The memory that a model uses.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Loads that began, and loads that run: what grows while two of them run cannot be told apart.
static BEGAN: AtomicU64 = AtomicU64::new(0);
static RUNNING: AtomicU64 = AtomicU64::new(0);

/// Resident bytes of this process; 0 where the system does not tell.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes =
        line.and_then(|text| text.trim().strip_suffix(" kB")).and_then(|text| text.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// A load that is watched.
pub struct MemoryWatch {
    before: u64,
    number: u64,
    alone: bool,
}

impl MemoryWatch {
    pub fn begin() -> Self {
        let alone = RUNNING.fetch_add(1, Ordering::AcqRel) == 0;
        Self { before: resident(), number: BEGAN.fetch_add(1, Ordering::AcqRel) + 1, alone }
    }

    /// Bytes that the load took: the growth of the process, but no less than the graph has, since freed memory may have been
    /// used again. Beside other loads, the graph alone is counted.
    pub fn taken(&self, graph: &Path) -> u64 {
        let file = std::fs::metadata(graph).map_or(0, |file| file.len());
        let alone = self.alone && BEGAN.load(Ordering::Acquire) == self.number;
        if alone { resident().saturating_sub(self.before).max(file) } else { file }
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::AcqRel);
    }
}
