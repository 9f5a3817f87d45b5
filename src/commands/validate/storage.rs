//! Where measurements are kept for `report`: beside the journal, one document for each check of a step.

use std::path::PathBuf;
use std::sync::Arc;

use super::measurements::{FORMAT, Measurement};
use crate::commands::{Context, workflow, write_private};
use crate::exit::{Failure, codes};
use crate::ledger::{ObjectApi, WriteCondition};
use crate::resource::shown;

/// A document of measurements is smaller than this.
const LARGEST: u64 = 32 << 20;
/// Checks of a plan are fewer than this.
const MOST: usize = 1000;

/// The place.
enum Storage {
    Folder(PathBuf),
    Bucket(Arc<dyn ObjectApi>, String),
}

impl Storage {
    async fn of(stack: &str, context: &Context) -> Result<Self, Failure> {
        if let Some(directory) = workflow::directory(&context.global, stack) {
            return Ok(Self::Folder(directory.join("measurements")));
        }
        let (objects, prefix) = workflow::objects(&context.global, &context.session, stack).await?;
        Ok(Self::Bucket(objects, format!("{prefix}/measurements/")))
    }

    /// What is there, each with its place.
    async fn read(&self) -> Result<Vec<(String, Result<Vec<u8>, String>)>, Failure> {
        let mut documents = Vec::new();
        match self {
            Self::Folder(folder) => {
                let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
                for entry in entries.flatten().take(MOST) {
                    let bytes = crate::files::read(&entry.path(), LARGEST);
                    documents.push((entry.path().display().to_string(), bytes.map_err(|bad| bad.to_string())));
                }
            }
            Self::Bucket(objects, prefix) => {
                for listed in objects.list(prefix).await?.into_iter().take(MOST) {
                    if let Some(object) = objects.get(&listed.key).await? {
                        documents.push((objects.place(&listed.key), Ok(object.bytes)));
                    }
                }
            }
        }
        Ok(documents)
    }
}

/// The name of a measurement's document: a later one of the same check and step replaces it.
fn name(measurement: &Measurement) -> String {
    match &measurement.step {
        Some(step) => format!("{}.{step}.json", measurement.check),
        None => format!("{}.json", measurement.check),
    }
}

/// Keeps a measurement of a stack.
///
/// # Errors
/// When the place cannot be written.
pub async fn keep(measurement: &Measurement, stack: &str, context: &Context) -> Result<(), Failure> {
    let bytes = serde_json::to_vec(measurement).map_err(|bad| {
        let problem = shown!("the measurement cannot be written as JSON: {}", bad);
        Failure { internal: true, ..codes::MEASUREMENT.error(problem, "") }
    })?;
    let name = name(measurement);
    match Storage::of(stack, context).await? {
        Storage::Folder(folder) => {
            use std::os::unix::fs::DirBuilderExt;
            let unwritten = |bad: std::io::Error| {
                codes::MEASUREMENT
                    .error(shown!("{}: {}", folder.display(), bad), "make that directory writable for this user")
            };
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(unwritten)?;
            write_private(&folder.join(name), &bytes).map_err(unwritten)?;
        }
        Storage::Bucket(objects, prefix) => {
            objects.put(&format!("{prefix}{name}"), &bytes, &WriteCondition::Always).await?;
        }
    }
    Ok(())
}

/// All measurements that were kept of a stack. One that cannot be read (another version wrote it) is said and left out.
///
/// # Errors
/// When the place cannot be read.
pub async fn kept(stack: &str, context: &Context) -> Result<Vec<Measurement>, Failure> {
    let mut all = Vec::new();
    for (place, bytes) in Storage::of(stack, context).await?.read().await? {
        match bytes.and_then(|bytes| serde_json::from_slice::<Measurement>(&bytes).map_err(|bad| bad.to_string())) {
            Ok(one) if one.format == FORMAT => all.push(one),
            Ok(_) => context.printer.remark(shown!("{} was written by another version: it is left out", place)),
            Err(why) => context.printer.remark(shown!("{} cannot be read and is left out: {}", place, why)),
        }
    }
    // The place lists them in any order, and several checks may end in one second.
    all.sort_by(|one, other| (one.at_ms, &one.at).cmp(&(other.at_ms, &other.at)));
    Ok(all)
}
