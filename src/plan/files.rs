//! The files of this machine that a plan names: size and hash, read once when the plan is loaded.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::Digest;

use super::work::Work;
use super::{FileFacts, Plan, archive};
use crate::plan::edge::CodePlan;
use crate::plan::jetson::{JetsonStep, artifact};

/// Hashes every file that the plan names. One that cannot be read is remembered as missing: `validate plan` warns of it,
/// `deploy` refuses.
pub fn add(plan: &mut Plan) {
    let (mut paths, mut zips) = (Vec::new(), BTreeSet::new());
    for step in &plan.steps {
        match &step.work {
            Work::Models(models) => {
                for (name, model) in &models.models {
                    let base = format!("{}.with.models.{name}.files", step.path);
                    paths
                        .extend(model.files.iter().map(|(file, facts)| (facts.path.clone(), format!("{base}.{file}"))));
                }
            }
            Work::EdgeFunction(edge) => {
                for (name, function) in &edge.functions {
                    if let CodePlan::Zip(path) = &function.code {
                        zips.insert(path.clone());
                        paths.push((path.clone(), format!("{}.with.functions.{name}.code", step.path)));
                    }
                }
            }
            Work::Jetson(jetson) => paths.extend(of_devices(jetson, &step.path)),
            _ => {}
        }
    }
    for (path, origin) in paths {
        // Devices bring more files after the plan was read: what is hashed is not hashed again.
        if plan.files.contains_key(&path) {
            continue;
        }
        let facts = hash(Path::new(&path)).map_err(|bad| bad.to_string());
        let archive = (zips.contains(&path) && facts.is_ok()).then(|| archive::read(Path::new(&path)));
        plan.files.insert(path.clone(), FileFacts { content: facts, archive, origin });
    }
}

/// What devices are brought: each with the place where the plan names it.
fn of_devices(plan: &JetsonStep, step: &str) -> Vec<(String, String)> {
    let copied =
        plan.files.iter().filter_map(|(path, what)| Some((what.file.clone()?, format!("{step}.with.files.{path}"))));
    let mut paths: Vec<(String, String)> = copied.collect();
    let images = plan.k3s.iter().flat_map(|k3s| k3s.images.values());
    paths.extend(images.map(|archive| (plan.at_hand(archive), format!("{step}.with.k3s.images"))));
    if plan.artifacts.is_some() {
        let mut names = Vec::new();
        if plan.k3s.is_some() {
            names.extend([artifact::K3S, artifact::INSTALLER]);
        }
        if plan.toolkit.is_some() {
            names.push(artifact::TOOLKIT_KEY);
        }
        paths.extend(names.into_iter().map(|name| (plan.at_hand(name), format!("{step}.with.artifacts"))));
    }
    paths
}

/// SHA-256 in hex and size of a file, without holding it in memory.
///
/// # Errors
/// When the file cannot be read.
pub fn hash(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((hex::encode(hasher.finalize()), size));
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
}
