//! The files of this machine that a plan names: size and hash, read once when the plan is loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::Digest;

use super::content::{ContentPlan, files_below, fits};
use super::work::Work;
use super::{FileFacts, Plan, archive};
use crate::plan::edge::CodePlan;
use crate::plan::jetson::{JetsonStep, artifact};

/// Hashes every file that the plan names. One that cannot be read is remembered as missing: `validate plan` warns of it,
/// `deploy` refuses.
pub fn add(plan: &mut Plan) {
    let (mut paths, mut zips) = (Vec::new(), BTreeSet::new());
    let mut folders = BTreeMap::new();
    for step in &plan.steps {
        match &step.work {
            Work::Page(page) => {
                let base = format!("{}.with.files", step.path);
                page.files
                    .iter()
                    .for_each(|(key, one)| of_content(one, &format!("{base}.{key}"), &mut paths, &mut folders));
            }
            Work::Models(models) => {
                for (bucket, files) in &models.files {
                    let base = format!("{}.with.files.{bucket}", step.path);
                    files
                        .iter()
                        .for_each(|(key, one)| of_content(one, &format!("{base}.{key}"), &mut paths, &mut folders));
                }
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
    plan.folders.extend(folders);
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

/// What goes into a bucket: a file, or all that lie below a folder.
fn of_content(
    content: &ContentPlan,
    origin: &str,
    paths: &mut Vec<(String, String)>,
    folders: &mut BTreeMap<String, Result<Vec<String>, String>>,
) {
    paths.extend(content.file.iter().map(|path| (path.clone(), origin.to_owned())));
    let Some(folder) = &content.folder else { return };
    let listed = folders.entry(folder.clone()).or_insert_with(|| files_below(Path::new(folder)));
    let files = listed.iter().flatten().filter(|path| !content.exclude.iter().any(|pattern| fits(pattern, path)));
    paths.extend(files.map(|path| (format!("{folder}/{path}"), origin.to_owned())));
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
