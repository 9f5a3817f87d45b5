//! Saved plans, and the bytes that a later rollback needs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::Context;
use super::asking::{self, Asked};
use super::full;
use super::walk::{self, Purpose, Run, RunArgs};
use crate::change::Scope;
use crate::cli::Global;
use crate::desired::Built;
use crate::exit::Failure;
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::report::{Header, Terminal};
use crate::resource::{Address, Artefacts, Change, Changes, Desired, Kind, Remembered, Resource, Source, link};

/// Format of the file; another one is refused.
const FORMAT: &str = "akidb-edge/plan/v1";

/// Larger artefacts are not kept beside the journal.
const KEPT: u64 = 64 * 1024 * 1024;

/// A plan that was looked at and saved: exactly this is done later, or nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedPlan {
    schema: String,
    tool: String,
    plan: String,
    stack: String,
    account: String,
    endpoint: String,
    command: String,
    requested: BTreeSet<String>,
    fallback: Option<String>,
    /// Number of the journal's last entry when it was made.
    sequence: u64,
    only: Option<BTreeSet<Address>>,
    adopt: BTreeSet<Address>,
    /// Where the journal lies; none in files of older versions.
    #[serde(default)]
    state: Option<String>,
    /// The data in buckets that go may be deleted.
    #[serde(default)]
    empty_buckets: bool,
    desired: Desired,
    later: Vec<(String, String)>,
    waiting: Vec<String>,
    files: Vec<(String, PathBuf, u64)>,
    /// What was made in memory (function code, pages), in base64: small, and not to be found elsewhere.
    made: Vec<String>,
    changes: Changes,
}

/// What was looked at, ready to be saved.
pub struct Looked<'a> {
    /// Whom we talked to.
    pub header: &'a Header,
    /// The plan.
    pub plan: &'a Plan,
    /// What the run would be called, and what it would put in force.
    pub purpose: &'a Purpose,
    /// The journal's state.
    pub remembered: &'a Remembered,
    /// The graph.
    pub built: &'a Built,
    /// What the difference looked at.
    pub scope: &'a Scope,
    /// The bytes that were made in memory.
    pub made: &'a [Vec<u8>],
    /// The difference.
    pub changes: &'a Changes,
    /// The data in buckets that go may be deleted.
    pub empty_buckets: bool,
}

impl SavedPlan {
    /// What would be done now.
    pub fn new(looked: &Looked<'_>) -> Self {
        let Looked { header, plan, purpose, remembered, built, scope, made, changes, empty_buckets } = looked;
        let files = plan.files.iter().filter_map(|(path, facts)| {
            let (sha256, bytes) = facts.content.clone().ok()?;
            let path = fs::canonicalize(path).unwrap_or_else(|_| PathBuf::from(path));
            Some((sha256, path, bytes))
        });
        Self {
            schema: FORMAT.to_owned(),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            plan: plan.file.clone(),
            stack: plan.stack.clone(),
            account: header.account.clone(),
            endpoint: header.endpoint.clone(),
            command: purpose.command.clone(),
            requested: purpose.requested.clone(),
            fallback: purpose.fallback.clone(),
            sequence: remembered.sequence,
            only: scope.only.clone(),
            adopt: scope.adopt.clone(),
            state: Some(place(&header.state)),
            empty_buckets: *empty_buckets,
            desired: built.desired.clone(),
            later: built.later.clone(),
            waiting: built.waiting.clone(),
            files: files.collect(),
            made: made.iter().map(|bytes| BASE64_STANDARD.encode(bytes)).collect(),
            changes: Changes::clone(changes),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        fs::write(file, text)
            .map_err(|bad| Failure::error(format!("{}: {bad}", file.display()), "name a file that can be written"))
    }

    fn read(file: &str) -> Result<Self, Failure> {
        let next = AGAIN;
        let text = fs::read_to_string(file).map_err(|bad| Failure::refused(format!("{file}: {bad}"), next))?;
        let raw: serde_json::Value = serde_json::from_str(&text)
            .map_err(|bad| Failure::refused(format!("{file} is no saved plan: {bad}"), next))?;
        let found = raw.get("schema").and_then(serde_json::Value::as_str).unwrap_or("none");
        if found != FORMAT {
            return Err(Failure::refused(format!("{file} has schema {found:?}, this version knows {FORMAT:?}"), next));
        }
        serde_json::from_value(raw).map_err(|bad| Failure::refused(format!("{file} is no saved plan: {bad}"), next))
    }

    /// Refuses a journal at another place than that of the saved plan.
    fn need_place(&self, context: &Context) -> Result<(), Failure> {
        let (there, here) = (self.state.clone().unwrap_or_default(), place(&context.global.state));
        if there == here {
            return Ok(());
        }
        if there.is_empty() {
            return Err(stale("an older version made it, which did not write down where its journal lies"));
        }
        Err(Failure::refused(
            format!("the saved plan is for the journal at {there}, this run would use {here}; nothing was done"),
            format!(
                "name its place with --state {there}, or make it again: akidb-edge deploy --plan PLAN --out FILE.plan.json"
            ),
        ))
    }
}

/// What helps against a saved plan that cannot be carried out.
const AGAIN: &str = "make it again: akidb-edge deploy --plan PLAN --out FILE.plan.json";

fn stale(why: impl std::fmt::Display) -> Failure {
    Failure::refused(format!("the saved plan is stale: {why}; nothing was done"), AGAIN)
}

/// Where a journal lies, the same from whatever folder it is named.
fn place(state: &str) -> String {
    let Some(directory) = state.strip_prefix("file:") else { return state.trim_end_matches('/').to_owned() };
    let whole = std::path::absolute(directory).unwrap_or_else(|_| PathBuf::from(directory));
    format!("file:{}", fs::canonicalize(&whole).unwrap_or(whole).display())
}

/// Refuses to write a saved plan over a file that is something else.
///
/// # Errors
/// When there is such a file.
pub fn may_write(file: &Path) -> Result<(), Failure> {
    let Ok(text) = fs::read(file) else { return Ok(()) };
    let raw: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let schema = raw.get("schema").and_then(serde_json::Value::as_str).unwrap_or_default();
    if text.is_empty() || schema.starts_with("akidb-edge/plan/") {
        return Ok(());
    }
    Err(Failure::refused(
        format!("{} is there and is not a saved plan: it was left alone", file.display()),
        "name another file with --out, or add --force to overwrite it",
    ))
}

/// Does exactly what a saved plan says, if the world is still as it was.
///
/// # Errors
/// When it is stale, and whatever a deploy may fail with.
pub async fn apply(file: &str, run: &RunArgs, context: &Context) -> Result<u8, Failure> {
    let saved = SavedPlan::read(file)?;
    saved.need_place(context)?;
    let run = &RunArgs { empty_buckets: saved.empty_buckets, ..run.clone() };
    let connection = walk::connect(&context.session).await?;
    let ledger = walk::open(context, &connection, &saved.stack, &format!("deploy {file}"), false).await?;
    let answer = with_ledger(&saved, file, run, context, &connection, &ledger).await;
    walk::close(ledger, answer).await
}

async fn with_ledger(
    saved: &SavedPlan,
    file: &str,
    run: &RunArgs,
    context: &Context,
    connection: &walk::Connection,
    ledger: &Ledger,
) -> Result<u8, Failure> {
    let begun = Instant::now();
    let remembered = ledger.remembered();
    if remembered.sequence != saved.sequence {
        return Err(stale(format!("the journal went on from entry {} to {}", saved.sequence, remembered.sequence)));
    }
    let mut artefacts = kept_artefacts(&context.global, &saved.stack);
    for (sha256, path, bytes) in &saved.files {
        let now = crate::plan::hash(path).map_err(|bad| stale(format!("{}: {bad}", path.display())))?;
        if now.0 != *sha256 {
            return Err(stale(format!("{} has changed", path.display())));
        }
        artefacts.add_file(sha256, path.clone(), *bytes);
    }
    for text in &saved.made {
        artefacts.add_bytes(BASE64_STANDARD.decode(text).map_err(|bad| stale(format!("it is damaged: {bad}")))?);
    }
    let providers = walk::with_artefacts(connection, artefacts);
    let moves = saved.changes.moves.clone();
    let remembered = remembered.moved(&moves);
    let scope = Scope { only: saved.only.clone(), adopt: saved.adopt.clone(), moves, ..Scope::default() };
    let covers = |address: &Address| scope.only.as_ref().is_none_or(|only| only.contains(address));
    let (identity, observed) = connection.look(&saved.desired, &remembered, &providers, covers).await?;
    if identity.account != saved.account {
        return Err(stale(format!(
            "it is for account {}, these credentials are of {}",
            saved.account, identity.account
        )));
    }
    let header = Header {
        plan: Some(file.to_owned()),
        ..walk::header(connection, &identity, &saved.stack, None, &context.global)
    };
    if header.endpoint != saved.endpoint {
        let why = format!("it is for the endpoint {}, this run would use {}", saved.endpoint, header.endpoint);
        return Err(stale(why));
    }
    let changes = walk::difference(&saved.desired, &remembered, &observed, &scope)?;
    if let Some(address) = first_other(&saved.changes, &changes) {
        return Err(stale(format!("{address} is not as it was")));
    }
    full::refuse(&changes, &providers, run, full::SAVE_ANEW, context).await?;
    context.voice.header(&header);
    let built = Built {
        desired: saved.desired.clone(),
        later: saved.later.clone(),
        waiting: saved.waiting.clone(),
        ..Built::default()
    };
    let asked = Asked {
        changes: &changes,
        built: &built,
        header: &header,
        only_looks: run.dry_run,
        whole: saved.only.is_none(),
    };
    if let Some(code) = asking::confirm(&asked, run, context)? {
        return Ok(code);
    }
    let terminal = Terminal::new(context.session.terminal, context.global.quiet, context.session.colour);
    let purpose = Purpose {
        command: saved.command.clone(),
        requested: saved.requested.clone(),
        fallback: saved.fallback.clone(),
    };
    let session = &context.session;
    let work = Run {
        ledger,
        providers: &providers,
        listener: &terminal,
        identity: &identity,
        session,
        options: run.options(),
    };
    // The time that a person took to say yes is not the run's.
    let begun = if run.yes { begun } else { Instant::now() };
    let outcome = work.go(&changes, &purpose).await?;
    Ok(asking::tell(&outcome, begun, &asked, context, &context.session.again))
}

/// The first address where what was saved and what would be done now are not the same.
fn first_other(saved: &Changes, now: &Changes) -> Option<Address> {
    let addresses: BTreeSet<&Address> = saved.items.keys().chain(now.items.keys()).collect();
    let other = addresses.into_iter().find(|address| {
        let essence =
            |changes: &Changes| changes.items.get(*address).map(|change| (change.action, change.fields.clone()));
        essence(saved) != essence(now)
    });
    other.cloned()
}

fn artefact_directory(global: &Global, stack: &str) -> Option<PathBuf> {
    Some(Path::new(global.state.strip_prefix("file:")?).join(stack).join("artefacts"))
}

/// Keeps beside a journal on disk what a later rollback needs and nobody else keeps: what was made in memory (pages,
/// function code), zips of functions, and objects of buckets without versions.
///
/// # Errors
/// When it cannot be written.
pub fn keep_artefacts(global: &Global, desired: &Desired, artefacts: &Artefacts, dry_run: bool) -> Result<(), Failure> {
    let Some(directory) = artefact_directory(global, &desired.stack).filter(|_| !dry_run) else { return Ok(()) };
    let kept_nowhere = kept_nowhere(desired);
    for (sha256, source, bytes) in artefacts.iter() {
        let file = directory.join(sha256);
        if bytes > KEPT || file.exists() {
            continue;
        }
        fs::create_dir_all(&directory)?;
        let mut draft = tempfile::NamedTempFile::new_in(&directory)?;
        match source {
            Source::Memory(bytes) => std::io::Write::write_all(&mut draft, bytes)?,
            Source::File(path) if kept_nowhere.contains(sha256) => {
                std::io::copy(&mut fs::File::open(path)?, &mut draft)?;
            }
            Source::File(_) => continue,
        }
        draft.persist(&file).map_err(|bad| Failure::from(bad.error))?;
    }
    Ok(())
}

/// Hashes of content that neither a versioned bucket nor anything else remembers.
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
pub fn not_to_be_undone(changes: &Changes, at_hand: &BTreeSet<String>, global: &Global, stack: &str) -> Vec<String> {
    let directory = artefact_directory(global, stack);
    let kept = |sha256: &str| directory.as_ref().is_some_and(|directory| directory.join(sha256).exists());
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
        format!(
            "{}: its present code is not kept on this machine; a rollback takes it from a published version while Lambda \
             has one, and is refused after that: keep the zip",
            change.address
        )
    });
    let content = lost(Kind::Object, "sha256").filter(|change| !keeps_versions(changes, change)).map(|change| {
        format!(
            "{}: its present content is kept neither on this machine (up to 64 MiB) nor by its bucket (no versions); a \
             rollback needs the file",
            change.address
        )
    });
    code.chain(content).collect()
}

/// Whether the bucket of an object remembers what the object was.
fn keeps_versions(changes: &Changes, object: &Change) -> bool {
    let seen = |change: &Change, field: &str| change.found.as_ref()?.spec.get(field).cloned();
    let bucket = seen(object, "bucket");
    let buckets = changes.items.values().filter(|change| change.kind == Kind::Bucket);
    buckets
        .filter(|change| seen(change, "name") == bucket)
        .any(|change| seen(change, "versioning") == Some(true.into()))
}

/// The bytes that were kept; one whose content is not what its name says is left out.
pub fn kept_artefacts(global: &Global, stack: &str) -> Artefacts {
    let mut artefacts = Artefacts::default();
    let Some(directory) = artefact_directory(global, stack) else { return artefacts };
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if let Ok((sha256, bytes)) = crate::plan::hash(&entry.path())
            && Some(sha256.as_str()) == entry.file_name().to_str()
        {
            artefacts.add_file(&sha256, entry.path(), bytes);
        }
    }
    artefacts
}

/// The bytes that were made in memory.
pub fn made_in_memory(artefacts: &Artefacts) -> Vec<Vec<u8>> {
    let memory = artefacts.iter().filter_map(|(_, source, _)| match source {
        Source::Memory(bytes) => Some(bytes.to_vec()),
        Source::File(_) => None,
    });
    memory.collect()
}
