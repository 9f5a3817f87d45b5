//! Files that a later rollback needs, stored next to a local journal.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use crate::cli::Global;
use crate::exit::Failure;
use crate::files::RelativePath;
use crate::resource::{ArtifactSource, Artifacts, Change, Changes, Desired, Kind, Resource, SafeText, link, shown};

/// Larger artifacts are not kept beside the journal.
const KEPT: u64 = 64 * 1024 * 1024;

fn artifact_directory(global: &Global, stack: &str) -> Option<PathBuf> {
    Some(super::workflow::directory(global, stack)?.join("artefacts"))
}

/// Keeps beside a journal on disk what a later rollback needs and is kept nowhere else: what was made in memory (pages,
/// function code), zips of functions, and objects of buckets without versions.
///
/// # Errors
/// When it cannot be written.
pub fn keep_artifacts(global: &Global, desired: &Desired, artifacts: &Artifacts, dry_run: bool) -> Result<(), Failure> {
    let Some(directory) = artifact_directory(global, &desired.stack).filter(|_| !dry_run) else { return Ok(()) };
    let kept_nowhere = kept_nowhere(desired);
    for (sha256, source, bytes) in artifacts.iter() {
        let file = directory.join(sha256);
        if bytes > KEPT || file.exists() {
            continue;
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        let mut draft = tempfile::NamedTempFile::new_in(&directory)?;
        match source {
            ArtifactSource::Memory(bytes) => std::io::Write::write_all(&mut draft, bytes)?,
            ArtifactSource::File(path) if kept_nowhere.contains(sha256) => {
                std::io::copy(&mut crate::files::open(path)?, &mut draft)?;
            }
            ArtifactSource::File(_) => continue,
        }
        draft.persist(&file).map_err(|bad| Failure::from(bad.error))?;
    }
    Ok(())
}

/// Hashes of content that neither a versioned bucket nor anything else records.
fn kept_nowhere(desired: &Desired) -> BTreeSet<String> {
    let text = |resource: &Resource, field: &str| {
        resource.spec.get(field).and_then(serde_json::Value::as_str).map(str::to_owned)
    };
    let versioned = |resource: &Resource| {
        let named = text(resource, "bucket").unwrap_or_default();
        desired.resources.values().filter(|other| other.kind == Kind::Bucket).any(|bucket| {
            let same = named == link(&bucket.address, "name") || Some(&named) == text(bucket, "name").as_ref();
            same && bucket.spec.get("versioning") == Some(&true.into())
        })
    };
    let hashes = desired.resources.values().filter_map(|resource| match resource.kind {
        Kind::Function => text(resource, "code_sha256"),
        Kind::Object if !versioned(resource) => text(resource, "sha256"),
        _ => None,
    });
    hashes.collect()
}

/// What a rollback of these changes would not find: former content that is neither kept here nor at hand.
pub fn not_to_be_undone(changes: &Changes, at_hand: &BTreeSet<String>, global: &Global, stack: &str) -> Vec<SafeText> {
    let directory = artifact_directory(global, stack);
    // The hash of a journal that somebody may have edited.
    let kept = |sha256: &str| {
        let file = directory.as_ref().zip(RelativePath::parse(sha256));
        file.is_some_and(|(directory, file)| file.at(directory).exists())
    };
    let former = |change: &Change, field: &str| {
        let text = |spec: &serde_json::Value| spec.get(field).and_then(serde_json::Value::as_str).map(str::to_owned);
        let before = change.before.as_ref().and_then(|record| text(&record.spec))?;
        let after = change.after.as_ref().and_then(|resource| text(&resource.spec));
        (after.as_ref() != Some(&before) && !at_hand.contains(&before) && !kept(&before)).then_some(before)
    };
    let lost = |kind: Kind, field: &'static str| {
        changes.acting().filter(move |change| change.kind == kind).filter(move |change| former(change, field).is_some())
    };
    let code = lost(Kind::Function, "code_sha256").map(|change| {
        shown!(
            "{}: its current code is not stored on this machine; a rollback takes it from a published version as long \
             as Lambda has one, and is refused after that: keep the zip file",
            change.address
        )
    });
    let content = lost(Kind::Object, "sha256").filter(|change| !keeps_versions(changes, change)).map(|change| {
        shown!(
            "{}: its current content is stored neither on this machine (up to 64 MiB) nor in its bucket (not \
             versioned); a rollback needs the file",
            change.address
        )
    });
    code.chain(content).collect()
}

/// Whether the bucket of an object records what the object was.
fn keeps_versions(changes: &Changes, object: &Change) -> bool {
    let seen = |change: &Change, field: &str| change.found.as_ref()?.spec.get(field).cloned();
    let bucket = seen(object, "bucket");
    let buckets = changes.items.values().filter(|change| change.kind == Kind::Bucket);
    buckets
        .filter(|change| seen(change, "name") == bucket)
        .any(|change| seen(change, "versioning") == Some(true.into()))
}

/// The bytes that were kept; one whose content is not what its name says is left out.
pub fn kept_artifacts(global: &Global, stack: &str) -> Artifacts {
    let mut artifacts = Artifacts::default();
    let Some(directory) = artifact_directory(global, stack) else { return artifacts };
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if let Ok((sha256, bytes)) = crate::plan::hash(&entry.path())
            && Some(sha256.as_str()) == entry.file_name().to_str()
        {
            artifacts.add_file(&sha256, entry.path(), bytes);
        }
    }
    artifacts
}

/// The bytes that were made in memory.
pub fn made_in_memory(artifacts: &Artifacts) -> Vec<Vec<u8>> {
    let memory = artifacts.iter().filter_map(|(_, source, _)| match source {
        ArtifactSource::Memory(bytes) => Some(bytes.to_vec()),
        ArtifactSource::File(_) => None,
    });
    memory.collect()
}
