//! The files of this machine that a plan names: size and hash, read once when the plan is loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::bounds::LARGEST;
use super::content::{ContentPlan, files_below, fits};
use super::step_config::StepConfig;
use super::{FileDigest, Plan, PlanError, archive, objects, rules};
use crate::files::hash;
use crate::plan::edge::CodePlan;
use crate::plan::jetson::{JetsonStep, artifact};

/// Hashes every file that the plan names, if it may: gives those that it may not read. One that cannot be read is recorded as
/// missing: `validate plan` warns of it, `deploy` refuses.
pub fn read(plan: &mut Plan) -> Vec<PlanError> {
    let named = Named::of(plan);
    let mut outside = Vec::new();
    for (path, origin) in named.paths.iter().chain(&named.texts) {
        outside.extend(plan.may_read(path, origin).err().map(|why| not_ours(plan, origin, why)));
    }
    for (path, origin) in &named.texts {
        outside.extend(oversized(path).map(|why| mismatch(plan, origin, why)));
    }
    outside.extend(objects::read(plan));
    if outside.is_empty() {
        add(plan);
    }
    outside
}

pub(super) fn mismatch(plan: &Plan, origin: &str, problem: String) -> PlanError {
    let next_step = "name another file".to_owned();
    let (file, place) = (plan.file_of(origin).to_owned(), plan.place(origin));
    PlanError { rule: rules::FILE, file, place, problem, next_step }
}

pub(super) fn not_ours(plan: &Plan, origin: &str, problem: String) -> PlanError {
    let next_step = "move it there, set its path with --var, or allow it: --allow-files-outside".to_owned();
    PlanError { rule: rules::FILE_OUTSIDE, next_step, ..mismatch(plan, origin, problem) }
}

/// What is wrong with a file that is read as a whole; none when it is not there, which is told later.
fn oversized(path: &str) -> Option<String> {
    let facts = std::fs::metadata(path).ok()?;
    let sound = facts.is_file() && facts.len() <= LARGEST;
    (!sound).then(|| format!("{path} is not a regular file of {} MiB at most", LARGEST >> 20))
}

/// What the plan names.
#[derive(Default)]
struct Named {
    /// Files that are hashed: path, and where the plan names it.
    paths: Vec<(String, String)>,
    /// Files that are read as texts.
    texts: Vec<(String, String)>,
    zips: BTreeSet<String>,
    folders: BTreeMap<String, Result<Vec<String>, String>>,
}

impl Named {
    fn of(plan: &Plan) -> Self {
        let mut named = Self::default();
        let (paths, zips, folders) = (&mut named.paths, &mut named.zips, &mut named.folders);
        for step in &plan.steps {
            let base = format!("{}.with", step.path);
            match &step.work {
                StepConfig::Page(page) => {
                    for (key, one) in &page.files {
                        of_content(one, &format!("{base}.files.{key}"), plan, paths, folders);
                    }
                }
                StepConfig::Models(models) => {
                    for (bucket, files) in &models.files {
                        for (key, one) in files {
                            of_content(one, &format!("{base}.files.{bucket}.{key}"), plan, paths, folders);
                        }
                    }
                    for (name, model) in &models.models {
                        let base = format!("{base}.models.{name}.files");
                        let files = model.files.iter();
                        paths.extend(files.map(|(file, facts)| (facts.path.clone(), format!("{base}.{file}"))));
                    }
                }
                StepConfig::EdgeFunction(edge) => {
                    for (name, function) in &edge.functions {
                        if let CodePlan::Zip(path) = &function.code {
                            zips.insert(path.clone());
                            paths.push((path.clone(), format!("{base}.functions.{name}.code")));
                        }
                        let parity = function.parity.iter().map(|parity| parity.file.clone());
                        paths.extend(parity.map(|file| (file, format!("{base}.functions.{name}.parity.file"))));
                    }
                }
                StepConfig::Jetson(jetson) => {
                    paths.extend(of_devices(jetson, &step.path));
                    let sums = jetson.artifacts.as_ref().map(|_| jetson.at_hand(artifact::SUMS));
                    let inventory = jetson.inventory.iter().map(|file| (file.clone(), format!("{base}.inventory")));
                    named.texts.extend(inventory.chain(sums.map(|file| (file, format!("{base}.artifacts")))));
                }
                _ => {}
            }
        }
        // What a placeholder names is not read.
        named.paths.retain(|(_, origin)| plan.is_sound(origin));
        named.texts.retain(|(_, origin)| plan.is_sound(origin));
        named
    }
}

/// Hashes every file that the plan and those who brought devices to it name.
pub fn add(plan: &mut Plan) {
    let Named { paths, zips, folders, .. } = Named::of(plan);
    plan.folders.extend(folders);
    for (path, origin) in paths {
        // Devices bring more files after the plan was read: what is hashed is not hashed again.
        if plan.files.contains_key(&path) {
            continue;
        }
        let facts = hash(Path::new(&path)).map_err(|bad| bad.to_string());
        let archive = (zips.contains(&path) && facts.is_ok()).then(|| archive::read(Path::new(&path)));
        plan.files.insert(path.clone(), FileDigest { content: facts, archive, origin });
    }
}

/// What goes into a bucket: a file, or all that are below a folder.
fn of_content(
    content: &ContentPlan,
    origin: &str,
    plan: &Plan,
    paths: &mut Vec<(String, String)>,
    folders: &mut BTreeMap<String, Result<Vec<String>, String>>,
) {
    paths.extend(content.file.iter().map(|path| (path.clone(), origin.to_owned())));
    let Some(folder) = &content.folder else { return };
    // A folder that may not be read is not listed either: it is told by its own path.
    if plan.may_read(folder, origin).is_err() {
        paths.push((folder.clone(), origin.to_owned()));
        return;
    }
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
