//! The files of this machine that a plan names: size and hash, read once when the plan is loaded.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::Digest;

use super::work::Work;
use super::{FileFacts, Plan};
use crate::plan::edge::CodePlan;

/// Hashes every file that the plan names. One that cannot be read is remembered as missing: `validate plan` warns of it,
/// `deploy` refuses.
pub fn add(plan: &mut Plan) {
    let mut paths = Vec::new();
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
                        paths.push((path.clone(), format!("{}.with.functions.{name}.code", step.path)));
                    }
                }
            }
            _ => {}
        }
    }
    for (path, origin) in paths {
        let facts = hash(Path::new(&path)).map_err(|bad| bad.to_string());
        plan.files.insert(path.clone(), FileFacts { content: facts, origin });
    }
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
