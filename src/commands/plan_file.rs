//! Saved plans.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::Context;
use super::deploy::WithDevices;
use super::holding_data;
use super::jetson::UnnamedDevices;
use super::retained;
use super::workflow::{self, AllowedChanges, Journals, Operation, Platforms, RunArgs, RunRequest, RunTarget, RunView};
use crate::change::{DiffScope, OutsideResources};
use crate::desired::DesiredStack;
use crate::exit::{Failure, codes};
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::resource::{Address, Artifacts, Changes, Desired, RunPurpose, SafeText, shown};

/// Format of the file; another one is refused. In v1, objects of Kubernetes clusters name the machine of their server.
const FORMAT: &str = "akidb-edge/plan/v2";

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
    /// Number of the last entry in the journal of the devices, when they are part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    devices: Option<u64>,
    desired: Desired,
    later: Vec<(String, String)>,
    waiting: Vec<String>,
    files: Vec<(String, PathBuf, u64)>,
    /// What was made in memory (function code, pages), in base64: small, and not to be found elsewhere.
    made: Vec<String>,
    changes: Changes,
}

impl SavedPlan {
    /// What would be done now. `made` are the bytes that were made in memory; `empty_buckets`: the data in buckets that go may
    /// be deleted.
    pub fn new(allowed: &AllowedChanges<'_>, plan: &Plan, made: &[Vec<u8>], empty_buckets: bool) -> Self {
        let AllowedChanges { header, purpose, wanted, changes, journals } = allowed;
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
            sequence: wanted.recorded.sequence,
            code: String::new(),
            only: wanted.scope.only.clone(),
            adopt: wanted.scope.adopt.clone(),
            state: Some(place(&header.state)),
            empty_buckets,
            devices: journals.devices().map(|devices| devices.ask(|state| state.sequence)),
            desired: wanted.built.desired.clone(),
            later: wanted.built.later.clone(),
            waiting: wanted.built.waiting.clone(),
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
        super::write_private(file, text.as_bytes()).map_err(|bad| {
            codes::OUTPUT_FILE.error(shown!("{}: {}", file.display(), bad), "name a file that can be written")
        })
    }

    /// The same with what was kept beside the journal.
    async fn whole(&self, file: &str, ledger: &Ledger) -> Result<Self, Failure> {
        let mut data = serde_json::to_value(self).unwrap_or_default();
        // Its preview shows little of what is made, and contents come back by their hashes: nothing in it may be another's.
        if !ledger.is_code_of(&coded(&data), &self.code).await? {
            return Err(stale("it was changed after it was saved, or saved for another journal"));
        }
        // A stale one may name contents that are not kept any longer.
        need_sequence(self.sequence, ledger.ask(|state| state.sequence))?;
        ledger.bring_back(&mut data).await?;
        serde_json::from_value(data)
            .map_err(|bad| codes::SAVED_PLAN.refused(shown!("{} is not a saved plan: {}", file, bad), AGAIN))
    }

    fn read(file: &str) -> Result<Self, Failure> {
        let text = super::read_bounded(Path::new(file))
            .map_err(|bad| codes::SAVED_PLAN.refused(shown!("{}: {}", file, bad), AGAIN))?;
        Self::parse(file, &text)
    }

    /// Reads the text of a saved plan. Whether this program wrote it is known only beside its journal.
    ///
    /// # Errors
    /// When it is not a saved plan of this version; `file` is its name in the message.
    pub fn parse(file: &str, text: &[u8]) -> Result<Self, Failure> {
        let next = AGAIN;
        let raw: serde_json::Value = serde_json::from_slice(text)
            .map_err(|bad| codes::SAVED_PLAN.refused(shown!("{} is not a saved plan: {}", file, bad), next))?;
        let found = raw.get("schema").and_then(serde_json::Value::as_str).unwrap_or("none");
        if found != FORMAT {
            return Err(codes::SAVED_PLAN
                .refused(shown!("{} has schema {:?}, this version knows {:?}", file, found, FORMAT), next));
        }
        serde_json::from_value(raw)
            .map_err(|bad| codes::SAVED_PLAN.refused(shown!("{} is not a saved plan: {}", file, bad), next))
    }

    /// Refuses a journal at another place than that of the saved plan.
    fn need_place(&self, context: &Context) -> Result<(), Failure> {
        let (there, here) = (self.state.clone().unwrap_or_default(), place(&context.global.state));
        if there == here {
            return Ok(());
        }
        if there.is_empty() {
            return Err(stale("an older version saved it, without the location of its journal"));
        }
        Err(codes::SAVED_PLAN.refused(
            shown!("the saved plan is for the journal at {}, this run would use {}; nothing was done", there, here),
            shown!(
                "name its place with --state {}, or save it again: akidb-edge deploy --plan PLAN --out FILE.plan.json",
                there
            ),
        ))
    }

    /// The bytes that it carries: what is kept beside the journal, the files as they were, what was made in memory.
    fn artifacts(&self, context: &Context) -> Result<Artifacts, Failure> {
        let mut artifacts = retained::kept_artifacts(&context.global, &self.stack);
        for (sha256, path, bytes) in &self.files {
            let now = crate::plan::hash(path).map_err(|bad| stale(shown!("{}: {}", path.display(), bad)))?;
            if now.0 != *sha256 {
                return Err(stale(shown!("{} has changed", path.display())));
            }
            artifacts.add_file(sha256, path.clone(), *bytes);
        }
        for text in &self.made {
            artifacts.add_bytes(BASE64_STANDARD.decode(text).map_err(|bad| stale(shown!("it is damaged: {}", bad)))?);
        }
        Ok(artifacts)
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
const AGAIN: &str = "save it again: akidb-edge deploy --plan PLAN --out FILE.plan.json";

fn stale(why: impl Into<SafeText>) -> Failure {
    let why: SafeText = why.into();
    codes::SAVED_PLAN.refused(shown!("the saved plan is stale: {}; nothing was done", why), AGAIN)
}

/// Where a journal lies, the same from whatever folder it is named.
fn place(state: &str) -> String {
    let Some(directory) = workflow::root(state) else { return state.trim_end_matches('/').to_owned() };
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

/// Does exactly what a saved plan says, if the real resources are still as it was.
///
/// # Errors
/// When it is stale, and whatever a deploy may fail with.
pub async fn apply(file: &str, run: &RunArgs, with: &WithDevices, context: &Context) -> Result<u8, Failure> {
    let saved = SavedPlan::read(file)?;
    saved.need_place(context)?;
    if with.devices && saved.devices.is_none() {
        return Err(stale("it was saved without --devices"));
    }
    let run = RunArgs { empty_buckets: saved.empty_buckets, ..run.clone() };
    // What was made without an account needs none.
    let platforms = if saved.account.is_empty() && saved.devices.is_none() {
        Platforms::of_clusters(context)
    } else {
        Platforms::of_account(context).await?
    };
    let platforms = if saved.devices.is_some() { platforms.and_devices(&with.access) } else { platforms };
    let request = RunRequest {
        stack: saved.stack.clone(),
        devices: saved.devices.and_then(|_| saved.desired.devices.clone()),
        command: format!("deploy {file}"),
        purpose: RunPurpose::Deploy,
        run: &run,
        plan: Some(file.to_owned()),
        only_looks: run.dry_run,
        emptying: holding_data::SAVE_ANEW,
    };
    workflow::carry_out(&request, platforms, &mut SavedPlanOperation { saved, file }, context).await
}

/// A saved plan on its way into the real resources.
struct SavedPlanOperation<'a> {
    saved: SavedPlan,
    file: &'a str,
}

impl Operation for SavedPlanOperation<'_> {
    async fn wants(&mut self, journals: &Journals, context: &Context) -> Result<RunTarget, Failure> {
        self.saved = self.saved.whole(self.file, journals.own()).await?;
        let saved = &self.saved;
        let recorded = journals.recorded();
        if let (Some(then), Some(devices)) = (saved.devices, journals.devices()) {
            need_sequence(then, devices.ask(|state| state.sequence))?;
        }
        let moves = saved.changes.moves.clone();
        let recorded = recorded.moved(&moves);
        let mut scope =
            DiffScope { only: saved.only.clone(), adopt: saved.adopt.clone(), moves, ..DiffScope::default() };
        let outside = |only| OutsideResources::of(&saved.desired, &recorded, only);
        let mut unselected = saved.only.as_ref().map(outside).unwrap_or_default();
        let unnamed = match journals.devices() {
            Some(_) => UnnamedDevices::of(&saved.desired, &recorded),
            None => UnnamedDevices::default(),
        };
        if let Some(devices) = journals.devices() {
            unnamed.refuse_renamed(&saved.desired, &recorded, devices.stack())?;
        }
        unnamed.leave_out(&mut scope, &mut unselected, &saved.desired, &recorded);
        let built = DesiredStack {
            desired: saved.desired.clone(),
            artifacts: saved.artifacts(context)?,
            later: saved.later.clone(),
            waiting: saved.waiting.clone(),
            ..DesiredStack::default()
        };
        Ok(RunTarget {
            built,
            recorded,
            scope,
            command: Some(saved.command.clone()),
            requested: saved.requested.clone(),
            fallback: saved.fallback.clone(),
            // Devices that are not named are left out without a selection, too.
            whole: unselected.addresses.is_empty(),
            unselected,
            unnamed: unnamed.names(),
            remarks: journals.devices().and_then(|devices| unnamed.remark(devices.stack())).into_iter().collect(),
            again: context.session.again.clone(),
            ..RunTarget::default()
        })
    }

    fn seen(&mut self, _wanted: &mut RunTarget, seen: &RunView, _context: &Context) -> Result<(), Failure> {
        let (saved, header) = (&self.saved, &seen.header);
        if !seen.left.is_empty() {
            return Err(codes::PART_UNREACHABLE.error(
                "a saved plan is applied as a whole, and part of it is unreachable; nothing was done",
                "run the same command again when it can be reached",
            ));
        }
        if header.account != saved.account {
            return Err(stale(shown!(
                "it is for account {}, these credentials are of {}",
                saved.account,
                header.account
            )));
        }
        if header.endpoint != saved.endpoint {
            let why = shown!("it is for the endpoint {}, this run would use {}", saved.endpoint, header.endpoint);
            return Err(stale(why));
        }
        Ok(())
    }

    fn differs(&mut self, changes: &mut Changes, _wanted: &RunTarget, _context: &Context) -> Result<(), Failure> {
        match first_other(&self.saved.changes, changes) {
            Some(address) => Err(stale(shown!("{} has changed since", address))),
            None => Ok(()),
        }
    }
}

/// Refuses a journal that went on.
fn need_sequence(then: u64, now: u64) -> Result<(), Failure> {
    if then == now {
        return Ok(());
    }
    Err(stale(shown!("the journal has grown from entry {} to {}", then, now)))
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
