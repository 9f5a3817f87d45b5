//! A model from the hub into the store: looked up, fetched, checked, and put in its place by one rename.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::digest::{self, Digest};
use super::event::{Event, Listener};
use super::fault::ModelsFault;
use super::hub::{Ask, Fetched, Hub, Listing};
use super::manifest::{Manifest, Source};
use super::name::{ModelName, Repo, is_commit};
use super::place::{self, Work};
use super::store::{Standing, Store};
use super::wanted::{self, Missing};
use super::{check, verify, vocabulary};
use crate::files::Below;
use crate::inference::folder::{Variant, bounds};

/// Files that come at the same time.
const AT_ONCE: usize = 4;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wish {
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
pub struct Pulled {
    /// Its name in the store.
    pub name: String,
    /// Where it came from.
    pub source: Source,
    /// Where it lies.
    pub folder: String,
    /// It was there already, and right.
    pub unchanged: bool,
    /// Its files.
    pub files: BTreeMap<Below, Digest>,
    /// Bytes that came now.
    pub fetched_bytes: u64,
}

/// Makes sure that a model is in the store as the hub has it.
///
/// # Errors
/// Why not. What was in its place is there then.
pub async fn pull(store: &Store, wish: &Wish, hub: &Hub, listener: Listener<'_>) -> Result<Pulled, ModelsFault> {
    let work = Work::begin(store, &wish.name)?;
    let before = standing(store, wish)?;
    if let Some(manifest) = before.as_ref().filter(|_| is_commit(&wish.revision))
        && missing(manifest, wish).is_none()
        && verify::bad_files(&store.folder(&wish.name), manifest)?.is_empty()
    {
        return done(store, wish, manifest.clone(), None);
    }
    let listing = hub.listing(&wish.repo, &wish.revision, listener).await?;
    let chosen = chosen(&listing, wish, before.as_ref(), hub)?;
    let kept = intact(&store.folder(&wish.name), &listing, &chosen, before.as_ref()).await?;
    let same_commit = before.as_ref().is_some_and(|manifest| manifest.is_commit(&listing.commit));
    if let Some(manifest) =
        before.filter(|manifest| same_commit && manifest.files == kept && kept.len() == chosen.len())
    {
        work.clear()?;
        return done(store, wish, manifest, None);
    }
    let fetched = fetch(hub, wish, &listing, &chosen, &kept, &work, listener).await?;
    let manifest = assemble(store, wish, &listing, &work, &kept, &fetched)?;
    done(store, wish, manifest, Some(fetched.iter().map(|(_, file)| file.came).sum()))
}

/// The same without the network: fine when it is there and right.
///
/// # Errors
/// What is missing.
pub fn offline(store: &Store, wish: &Wish, listener: Listener<'_>) -> Result<Pulled, ModelsFault> {
    let why_not = |why: String| ModelsFault::Offline { name: wish.repo.to_string(), why };
    let manifest = match store.standing(&wish.name)? {
        Standing::Managed(manifest) => *manifest,
        Standing::Nothing => return Err(why_not(format!("there is no {} in {}", wish.name, store.shown()))),
        Standing::Other(what) => return Err(why_not(format!("{} in {} is {what}", wish.name, store.shown()))),
    };
    if let Some(why) = missing(&manifest, wish) {
        return Err(why_not(why));
    }
    let bad = verify::bad_files(&store.folder(&wish.name), &manifest)?;
    if let Some(first) = bad.first() {
        return Err(why_not(format!("{} of {} {}", first.file, wish.name, first.why)));
    }
    if let Source::Import { folder } = &manifest.source {
        listener(&Event::Remark(&format!("{} was imported from {folder}: its revision is not known", wish.name)));
    }
    done(store, wish, manifest, None)
}

fn done(store: &Store, wish: &Wish, manifest: Manifest, fetched: Option<u64>) -> Result<Pulled, ModelsFault> {
    Ok(Pulled {
        name: manifest.name,
        source: manifest.source,
        folder: store.folder(&wish.name).display().to_string(),
        unchanged: fetched.is_none(),
        files: manifest.files,
        fetched_bytes: fetched.unwrap_or(0),
    })
}

/// The model that is there, when it is the same repository's.
fn standing(store: &Store, wish: &Wish) -> Result<Option<Manifest>, ModelsFault> {
    let what = match store.standing(&wish.name)? {
        Standing::Nothing => return Ok(None),
        Standing::Managed(manifest) => match &manifest.source {
            Source::Hub { repo, .. } if *repo == wish.repo.to_string() => return Ok(Some(*manifest)),
            Source::Hub { repo, .. } => format!("pulled from {repo}"),
            Source::Import { folder } => format!("imported from {folder}"),
            Source::Sync { from, .. } => format!("synced from {from}"),
        },
        Standing::Other(what) => what.to_owned(),
    };
    Err(ModelsFault::Taken { name: wish.name.to_string(), store: store.shown(), what })
}

/// What a model in the store lacks of what is wanted.
fn missing(manifest: &Manifest, wish: &Wish) -> Option<String> {
    let at = |revision: &str, commit: &str| format!("{} is here at {revision} ({commit:.12})", wish.name);
    match &manifest.source {
        Source::Hub { repo, .. } if *repo != wish.repo.to_string() => {
            return Some(format!("{} is here from {repo}", wish.name));
        }
        Source::Hub { revision, commit, .. } if ![revision, commit].contains(&&wish.revision) => {
            return Some(format!("{}, not at {}", at(revision, commit), wish.revision));
        }
        Source::Import { folder } if wish.revision != "main" => {
            return Some(format!("{} is here from the folder {folder}, of no known revision", wish.name));
        }
        Source::Sync { from, .. } => return Some(format!("{} is here from {from}", wish.name)),
        _ => {}
    }
    let files = manifest.files.keys().map(Below::as_str).collect();
    let lacks = wish.variants.iter().find(|variant| wanted::graph(&files, **variant).is_none())?;
    Some(format!("{} is here without its {} graph", wish.name, lacks.name()))
}

/// The files of the model: the graphs that are wanted, and those that were there before.
fn chosen<'l>(
    listing: &'l Listing,
    wish: &Wish,
    before: Option<&Manifest>,
    hub: &Hub,
) -> Result<BTreeSet<&'l str>, ModelsFault> {
    let paths = listing.paths();
    let had: BTreeSet<&str> = before.iter().flat_map(|manifest| manifest.files.keys().map(Below::as_str)).collect();
    let had = |variant: &Variant| wanted::graph(&had, *variant).is_some() && wanted::graph(&paths, *variant).is_some();
    let mut variants = wish.variants.clone();
    variants.extend([Variant::Fp32, Variant::Int8].into_iter().filter(had));
    wanted::choose(&paths, &variants).map_err(|missing| lacking(missing, wish, hub))
}

fn lacking(missing: Missing, wish: &Wish, hub: &Hub) -> ModelsFault {
    let repo = &wish.repo;
    let export =
        "export it to ONNX (optimum-cli export onnx --library sentence_transformers), then akidb-edge models import it";
    let (problem, next_step) = match missing {
        Missing::File(why) => (format!("{repo} is no model that can be served: {why}"), String::new()),
        Missing::Graph { there, .. } if there.is_empty() => (format!("{repo} has no ONNX graph"), export.to_owned()),
        Missing::Graph { variant, there } => {
            let other = if variant == Variant::Int8 { "fp32" } else { "int8" };
            let problem = format!("{repo} has no {} graph that is known; it has {}", variant.name(), there.join(", "));
            (problem, format!("try --variant {other}, or {export}"))
        }
    };
    let next_step = if next_step.is_empty() { format!("choose another model at {}", hub.host()) } else { next_step };
    ModelsFault::Refused { problem, next_step }
}

/// Files that are in the folder already and are as the hub has them.
async fn intact(
    folder: &Path,
    listing: &Listing,
    chosen: &BTreeSet<&str>,
    before: Option<&Manifest>,
) -> Result<BTreeMap<Below, Digest>, ModelsFault> {
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

type Fetches = Vec<(Below, Fetched)>;

async fn fetch(
    hub: &Hub,
    wish: &Wish,
    listing: &Listing,
    chosen: &BTreeSet<&str>,
    kept: &BTreeMap<Below, Digest>,
    work: &Work,
    listener: Listener<'_>,
) -> Result<Fetches, ModelsFault> {
    let parts = work.parts()?;
    let mut asks: BTreeMap<&str, Ask<'_>> = BTreeMap::new();
    let mut same: Vec<(Below, &str)> = Vec::new();
    for path in chosen.iter().filter(|path| !kept.contains_key(**path)) {
        let (below, remote) = listing.remote(path)?;
        bounds::check(path, remote.size).map_err(|why| ModelsFault::no_model(wish.repo.to_string(), why))?;
        let ask = Ask { repo: &wish.repo, commit: &listing.commit, path, remote };
        // Two files of the same bytes come once.
        asks.entry(remote.expected.hex()).or_insert(ask);
        same.push((below.clone(), remote.expected.hex()));
    }
    let coming: Vec<_> = asks.into_values().map(|ask| hub.fetch(ask, &parts, listener)).collect();
    let all: Vec<Fetched> = stream::iter(coming).buffer_unordered(AT_ONCE).try_collect().await?;
    let mut came: BTreeMap<String, Fetched> = all.into_iter().map(|file| (file.hash.clone(), file)).collect();
    let mut fetched = Vec::new();
    for (path, hash) in same {
        let Some(file) = came.get_mut(hash) else { continue };
        fetched.push((path, file.clone()));
        file.came = 0;
    }
    Ok(fetched)
}

fn assemble(
    store: &Store,
    wish: &Wish,
    listing: &Listing,
    work: &Work,
    kept: &BTreeMap<Below, Digest>,
    fetched: &[(Below, Fetched)],
) -> Result<Manifest, ModelsFault> {
    let folder = work.folder()?;
    let mut files = kept.clone();
    for path in kept.keys() {
        place::link(&path.at(&store.folder(&wish.name)), &path.at(&folder))?;
    }
    for (path, file) in fetched {
        place::link(&file.place, &path.at(&folder))?;
        files.insert(path.clone(), file.digest.clone());
    }
    vocabulary::check(&folder).map_err(|why| ModelsFault::no_model(wish.repo.to_string(), why))?;
    check::folder(&folder).map_err(|why| ModelsFault::no_model(wish.repo.to_string(), why))?;
    let source =
        Source::Hub { repo: wish.repo.to_string(), revision: wish.revision.clone(), commit: listing.commit.clone() };
    let manifest = Manifest::new(wish.name.as_str(), source, files);
    manifest.write(&folder)?;
    work.put()?;
    Ok(manifest)
}
