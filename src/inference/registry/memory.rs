//! How much memory a model took.

use std::path::Path;

/// Resident bytes of this process; 0 where the system does not tell.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|text| text.trim().strip_suffix(" kB")).and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0)
        * 1024
}

/// What a load took: the growth of the process, but no less than the folder's graph, since freed memory may have been used again.
pub fn taken(before: u64, folder: &Path) -> u64 {
    resident().saturating_sub(before).max(graphs(folder))
}

/// Bytes of the smallest graph of a folder.
fn graphs(folder: &Path) -> u64 {
    let places = [folder.to_owned(), folder.join("onnx")];
    let files = places.iter().filter_map(|place| std::fs::read_dir(place).ok()).flatten().flatten();
    let graphs = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "onnx"));
    graphs.filter_map(|file| Some(file.metadata().ok()?.len())).min().unwrap_or(0)
}
