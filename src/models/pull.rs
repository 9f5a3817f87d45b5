//! Downloads a model from the hub into the store: resolves, fetches, verifies, and installs it atomically.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::digest::{self, Digest};
use super::event::{ModelEvent, ModelListener};
use super::fault::ModelsFault;
use super::hub::{FetchRequest, FetchedFile, Hub, RepoListing};
use super::install::{self, ModelInstall};
use super::manifest::{Manifest, ModelOrigin};
use super::name::{ModelName, Repo, is_commit};
use super::selection::{self, MissingPart};
use super::store::{ModelStore, StoreEntry};
use super::{check, verify, vocabulary};
use crate::files::RelativePath;
use crate::inference::folder::{Variant, bounds};

/// Files that come at the same time.
const AT_ONCE: usize = 4;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct PullRequest {
    /// The repository.
    pub repo: Repo,
    /// A branch, a tag or a commit.
    pub revision: String,
    /// The name in the store.
    pub name: ModelName,
    /// Which graphs.
    pub variants: Vec<Variant>,
}

/// What is there now.
#[derive(Clone, Debug, Serialize)]
pub struct PulledModel {
    /// Its name in the store.
    pub name: String,
    /// Where it came from.
    pub source: ModelOrigin,
    /// Where it lies.
    pub folder: String,
    /// It was already there, and right.
    pub unchanged: bool,
    /// Its files.
    pub files: BTreeMap<RelativePath, Digest>,
    /// Bytes that came now.
    pub fetched_bytes: u64,
}

/// Makes sure that a model is in the store as the hub has it.
///
/// # Errors
/// Why not. What was in its place is there then.
pub async fn pull(
    store: &ModelStore,
    options: &PullRequest,
    hub: &Hub,
    listener: ModelListener<'_>,
) -> Result<PulledModel, ModelsFault> {
    let work = ModelInstall::begin(store, &options.name)?;
    let before = standing(store, options)?;
    if let Some(manifest) = before.as_ref().filter(|_| is_commit(&options.revision))
        && missing(manifest, options).is_none()
        && verify::bad_files(&store.folder(&options.name), manifest)?.is_empty()
    {
        return done(store, options, manifest.clone(), None);
    }
    let listing = hub.listing(&options.repo, &options.revision, listener).await?;
    let chosen = chosen(&listing, options, before.as_ref(), hub)?;
    let kept = intact(&store.folder(&options.name), &listing, &chosen, before.as_ref()).await?;
    let same_commit = before.as_ref().is_some_and(|manifest| manifest.is_commit(&listing.commit));
    if let Some(manifest) =
        before.filter(|manifest| same_commit && manifest.files == kept && kept.len() == chosen.len())
    {
        work.clear()?;
        return done(store, options, manifest, None);
    }
    let fetched = fetch(hub, options, &listing, &chosen, &kept, &work, listener).await?;
    let manifest = assemble(store, options, &listing, &work, &kept, &fetched)?;
    done(store, options, manifest, Some(fetched.iter().map(|(_, file)| file.came).sum()))
}

/// The same without the network: fine when it is there and right.
///
/// # Errors
/// What is missing.
pub fn offline(
    store: &ModelStore,
    options: &PullRequest,
    listener: ModelListener<'_>,
) -> Result<PulledModel, ModelsFault> {
    let why_not = |why: String| ModelsFault::Offline { name: options.repo.to_string(), why };
    let manifest = match store.standing(&options.name)? {
        StoreEntry::Managed(manifest) => *manifest,
        StoreEntry::Nothing => return Err(why_not(format!("there is no {} in {}", options.name, store.shown()))),
        StoreEntry::Other(what) => return Err(why_not(format!("{} in {} is {what}", options.name, store.shown()))),
    };
    if let Some(why) = missing(&manifest, options) {
        return Err(why_not(why));
    }
    let bad = verify::bad_files(&store.folder(&options.name), &manifest)?;
    if let Some(first) = bad.first() {
        return Err(why_not(format!("{} of {} {}", first.file, options.name, first.why)));
    }
    if let ModelOrigin::Import { folder } = &manifest.source {
        listener(&ModelEvent::Remark(&format!("{} was imported from {folder}: its revision is unknown", options.name)));
    }
    done(store, options, manifest, None)
}

fn done(
    store: &ModelStore,
    options: &PullRequest,
    manifest: Manifest,
    fetched: Option<u64>,
) -> Result<PulledModel, ModelsFault> {
    Ok(PulledModel {
        name: manifest.name,
        source: manifest.source,
        folder: store.folder(&options.name).display().to_string(),
        unchanged: fetched.is_none(),
        files: manifest.files,
        fetched_bytes: fetched.unwrap_or(0),
    })
}

/// The model that is there, when it is the same repository's.
fn standing(store: &ModelStore, options: &PullRequest) -> Result<Option<Manifest>, ModelsFault> {
    let what = match store.standing(&options.name)? {
        StoreEntry::Nothing => return Ok(None),
        StoreEntry::Managed(manifest) => match &manifest.source {
            ModelOrigin::Hub { repo, .. } if *repo == options.repo.to_string() => return Ok(Some(*manifest)),
            ModelOrigin::Hub { repo, .. } => format!("pulled from {repo}"),
            ModelOrigin::Import { folder } => format!("imported from {folder}"),
            ModelOrigin::Sync { from, .. } => format!("synced from {from}"),
        },
        StoreEntry::Other(what) => what.to_owned(),
    };
    Err(ModelsFault::Taken { name: options.name.to_string(), store: store.shown(), what })
}

/// What a model in the store lacks of what is wanted.
fn missing(manifest: &Manifest, options: &PullRequest) -> Option<String> {
    let at = |revision: &str, commit: &str| format!("{} is installed at {revision} ({commit:.12})", options.name);
    match &manifest.source {
        ModelOrigin::Hub { repo, .. } if *repo != options.repo.to_string() => {
            return Some(format!("{} was installed from {repo}", options.name));
        }
        ModelOrigin::Hub { revision, commit, .. } if ![revision, commit].contains(&&options.revision) => {
            return Some(format!("{}, not at {}", at(revision, commit), options.revision));
        }
        ModelOrigin::Import { folder } if options.revision != "main" => {
            return Some(format!("{} was imported from the folder {folder}, of unknown revision", options.name));
        }
        ModelOrigin::Sync { from, .. } => return Some(format!("{} was synced from {from}", options.name)),
        _ => {}
    }
    let files = manifest.files.keys().map(RelativePath::as_str).collect();
    let lacks = options.variants.iter().find(|variant| selection::graph(&files, **variant).is_none())?;
    Some(format!("{} is installed without its {} graph", options.name, lacks.name()))
}

/// The files of the model: the graphs that are wanted, and those that were there before.
fn chosen<'l>(
    listing: &'l RepoListing,
    options: &PullRequest,
    before: Option<&Manifest>,
    hub: &Hub,
) -> Result<BTreeSet<&'l str>, ModelsFault> {
    let paths = listing.paths();
    let had: BTreeSet<&str> =
        before.iter().flat_map(|manifest| manifest.files.keys().map(RelativePath::as_str)).collect();
    let had =
        |variant: &Variant| selection::graph(&had, *variant).is_some() && selection::graph(&paths, *variant).is_some();
    let mut variants = options.variants.clone();
    variants.extend([Variant::Fp32, Variant::Int8].into_iter().filter(had));
    selection::choose(&paths, &variants).map_err(|missing| lacking(missing, options, hub))
}

fn lacking(missing: MissingPart, options: &PullRequest, hub: &Hub) -> ModelsFault {
    let repo = &options.repo;
    let export =
        "export it to ONNX (optimum-cli export onnx --library sentence_transformers), then akidb-edge models import it";
    let (problem, next_step) = match missing {
        MissingPart::File(why) => (format!("{repo} is not a model that can be served: {why}"), String::new()),
        MissingPart::Graph { there, .. } if there.is_empty() => {
            (format!("{repo} has no ONNX graph"), export.to_owned())
        }
        MissingPart::Graph { variant, there } => {
            let other = if variant == Variant::Int8 { "fp32" } else { "int8" };
            let problem = format!("{repo} has no known {} graph; it has {}", variant.name(), there.join(", "));
            (problem, format!("try --variant {other}, or {export}"))
        }
    };
    let next_step = if next_step.is_empty() { format!("choose another model at {}", hub.host()) } else { next_step };
    ModelsFault::Refused { problem, next_step }
}

/// Files that are in the folder already and are as the hub has them.
async fn intact(
    folder: &Path,
    listing: &RepoListing,
    chosen: &BTreeSet<&str>,
    before: Option<&Manifest>,
) -> Result<BTreeMap<RelativePath, Digest>, ModelsFault> {
    let mut kept = BTreeMap::new();
    let Some(before) = before else { return Ok(kept) };
    for path in chosen.iter().filter(|path| before.files.contains_key(**path)) {
        let (below, remote) = listing.remote(path)?;
        let file = below.at(folder);
        let own = std::fs::symlink_metadata(&file).is_ok_and(|facts| facts.is_file());
        // One that cannot be read is fetched again.
        let Some(read) = (if own { digest::of(&file).await.ok() } else { None }) else { continue };
        if read.digest.size == remote.size && read.is(&remote.expected) {
            kept.insert(below.clone(), read.digest);
        }
    }
    Ok(kept)
}

type Fetches = Vec<(RelativePath, FetchedFile)>;

async fn fetch(
    hub: &Hub,
    options: &PullRequest,
    listing: &RepoListing,
    chosen: &BTreeSet<&str>,
    kept: &BTreeMap<RelativePath, Digest>,
    work: &ModelInstall,
    listener: ModelListener<'_>,
) -> Result<Fetches, ModelsFault> {
    let parts = work.parts()?;
    let mut asks: BTreeMap<&str, FetchRequest<'_>> = BTreeMap::new();
    let mut same: Vec<(RelativePath, &str)> = Vec::new();
    for path in chosen.iter().filter(|path| !kept.contains_key(**path)) {
        let (below, remote) = listing.remote(path)?;
        bounds::check(path, remote.size).map_err(|why| ModelsFault::no_model(options.repo.to_string(), why))?;
        let ask = FetchRequest { repo: &options.repo, commit: &listing.commit, path, remote };
        // Two files of the same bytes come once.
        asks.entry(remote.expected.hex()).or_insert(ask);
        same.push((below.clone(), remote.expected.hex()));
    }
    let coming: Vec<_> = asks.into_values().map(|ask| hub.fetch(ask, &parts, listener)).collect();
    let all: Vec<FetchedFile> = stream::iter(coming).buffer_unordered(AT_ONCE).try_collect().await?;
    let mut came: BTreeMap<String, FetchedFile> = all.into_iter().map(|file| (file.hash.clone(), file)).collect();
    let mut fetched = Vec::new();
    for (path, hash) in same {
        let Some(file) = came.get_mut(hash) else { continue };
        fetched.push((path, file.clone()));
        file.came = 0;
    }
    Ok(fetched)
}

fn assemble(
    store: &ModelStore,
    options: &PullRequest,
    listing: &RepoListing,
    work: &ModelInstall,
    kept: &BTreeMap<RelativePath, Digest>,
    fetched: &[(RelativePath, FetchedFile)],
) -> Result<Manifest, ModelsFault> {
    let folder = work.folder()?;
    let mut files = kept.clone();
    for path in kept.keys() {
        install::link(&path.at(&store.folder(&options.name)), &path.at(&folder))?;
    }
    for (path, file) in fetched {
        install::link(&file.place, &path.at(&folder))?;
        files.insert(path.clone(), file.digest.clone());
    }
    vocabulary::check(&folder).map_err(|why| ModelsFault::no_model(options.repo.to_string(), why))?;
    check::folder(&folder).map_err(|why| ModelsFault::no_model(options.repo.to_string(), why))?;
    let source = ModelOrigin::Hub {
        repo: options.repo.to_string(),
        revision: options.revision.clone(),
        commit: listing.commit.clone(),
    };
    let manifest = Manifest::new(options.name.as_str(), source, files);
    manifest.write(&folder)?;
    work.put()?;
    Ok(manifest)
}
