//! Saved plans.

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
use super::kept;
use super::walk::{self, Purpose, Run, RunArgs};
use crate::change::{Outside, Scope};
use crate::desired::Built;
use crate::exit::Failure;
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::report::{Header, Omitted, Terminal};
use crate::resource::{Address, Changes, Desired, Remembered, RunPurpose};

/// Format of the file; another one is refused.
const FORMAT: &str = "akidb-edge/plan/v1";

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
    /// Code over all the rest, by the key beside the journal; none in files of older versions.
    #[serde(default)]
    code: String,
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
        // A plan that extends others is whole only with all of its files as they were.
        let plans = plan.lineage().on_disk().map(|(sha256, path, bytes)| {
            let path = fs::canonicalize(path).unwrap_or_else(|_| PathBuf::from(path));
            (sha256.to_owned(), path, bytes)
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
            code: String::new(),
            only: scope.only.clone(),
            adopt: scope.adopt.clone(),
            state: Some(place(&header.state)),
            empty_buckets: *empty_buckets,
            desired: built.desired.clone(),
            later: built.later.clone(),
            waiting: built.waiting.clone(),
            files: files.chain(plans).collect(),
            made: made.iter().map(|bytes| BASE64_STANDARD.encode(bytes)).collect(),
            changes: Changes::clone(changes),
        }
    }

    /// Writes it, for this user alone. The contents of files and sensitive values are kept beside the journal.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn write(&self, file: &Path, ledger: &Ledger) -> Result<(), Failure> {
        let mut data = serde_json::to_value(self).unwrap_or_default();
        ledger.keep_apart(&mut data).await?;
        data["code"] = ledger.code_of(&coded(&data)).await?.into();
        let text = serde_json::to_string_pretty(&data).unwrap_or_default();
        super::write_private(file, text.as_bytes())
            .map_err(|bad| Failure::error(format!("{}: {bad}", file.display()), "name a file that can be written"))
    }

    /// The same with what was kept beside the journal.
    async fn whole(&self, file: &str, ledger: &Ledger) -> Result<Self, Failure> {
        let mut data = serde_json::to_value(self).unwrap_or_default();
        // Its preview shows little of what is made, and contents come back by their hashes: nothing in it may be another's.
        if !ledger.is_code_of(&coded(&data), &self.code).await? {
            return Err(stale("it was changed after it was made, or made beside another journal"));
        }
        ledger.bring_back(&mut data).await?;
        serde_json::from_value(data).map_err(|bad| Failure::refused(format!("{file} is no saved plan: {bad}"), AGAIN))
    }

    fn read(file: &str) -> Result<Self, Failure> {
        let next = AGAIN;
        let text =
            super::read_bounded(Path::new(file)).map_err(|bad| Failure::refused(format!("{file}: {bad}"), next))?;
        let raw: serde_json::Value = serde_json::from_slice(&text)
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

/// What the code of a saved plan is over.
fn coded(data: &serde_json::Value) -> Vec<u8> {
    let mut data = data.clone();
    if let Some(fields) = data.as_object_mut() {
        fields.remove("code");
    }
    data.to_string().into_bytes()
}

/// What helps against a saved plan that cannot be carried out.
const AGAIN: &str = "make it again: akidb-edge deploy --plan PLAN --out FILE.plan.json";

fn stale(why: impl std::fmt::Display) -> Failure {
    Failure::refused(format!("the saved plan is stale: {why}; nothing was done"), AGAIN)
}

/// Where a journal lies, the same from whatever folder it is named.
fn place(state: &str) -> String {
    let Some(directory) = walk::root(state) else { return state.trim_end_matches('/').to_owned() };
    let whole = std::path::absolute(&directory).unwrap_or(directory);
    format!("file:{}", fs::canonicalize(&whole).unwrap_or(whole).display())
}

/// Refuses to write a saved plan over a file that is something else.
///
/// # Errors
/// When there is such a file.
pub fn may_write(file: &Path, force: bool) -> Result<(), Failure> {
    super::may_overwrite(file, force, |text| has_schema(text, "akidb-edge/plan/"))
}

/// Whether a text is a JSON document of this program.
pub fn has_schema(text: &str, start: &str) -> bool {
    let raw: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    raw.get("schema").and_then(serde_json::Value::as_str).is_some_and(|schema| schema.starts_with(start))
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
    let command = format!("deploy {file}");
    let ledger = walk::open(context, &connection, &saved.stack, &command, RunPurpose::Deploy, false).await?;
    let answer = match saved.whole(file, &ledger).await {
        Ok(saved) => with_ledger(&saved, file, run, context, &connection, &ledger).await,
        Err(lost) => Err(lost),
    };
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
    let mut artefacts = kept::kept_artefacts(&context.global, &saved.stack);
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
    let outside = saved.only.as_ref().map(|only| Outside::of(&saved.desired, &remembered, only)).unwrap_or_default();
    let asked = Asked {
        changes: &changes,
        built: &built,
        header: &header,
        only_looks: run.dry_run,
        whole: saved.only.is_none(),
        omitted: Omitted { unselected: &outside.addresses, would_change: &outside.would_change, ..Omitted::default() },
    };
    let terminal = Terminal::new(context.session.terminal, context.global.quiet, context.session.colour);
    let purpose = Purpose {
        command: saved.command.clone(),
        kind: RunPurpose::Deploy,
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
    if let Some(code) = asking::confirm(&asked, run, context)? {
        if changes.is_empty() && !run.dry_run && purpose.is_news(&changes, &remembered) {
            work.go(&changes, &purpose).await?;
        }
        return Ok(code);
    }
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
