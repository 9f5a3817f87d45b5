//! `validate offline`: the list of models for browsers and machines without a network, and each file of them against its hash.

use std::time::Duration;

use serde::Deserialize;

use super::latency::HERE;
use super::measurements::{self, Found, Measurement};
use super::request::ConnectionArgs;
use super::steps::StepArgs;
use crate::commands::Context;
use crate::exit::Failure;
use crate::measure::load::{Exchange, once_up_to};
use crate::measure::verdict::{self, Compare, MeasuredFinding, Unit, Wanted};
use crate::measure::{Target, TrustedRoots};
use crate::plan::validation::{OfflineCheck, RequestPlan};
use crate::resource::sha256_hex;

/// A file that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(300);
/// A list has no more bytes.
const LARGEST_LIST: usize = 4 << 20;
/// A file with more bytes is not downloaded: it is held in memory.
const LARGEST_FILE: u64 = 1 << 30;
/// The measure.
const VERIFIED: &str = "offline.models_verified";

/// Download the models that a server offers for use without a network, and compare each file with its hash.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    steps: StepArgs,
    #[command(flatten)]
    reach: ConnectionArgs,
}

/// Downloads and compares.
///
/// # Errors
/// When no request can be made at all.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.steps.load(context)?;
    let mut all = Vec::new();
    for (step, check) in args.steps.of(&plan, "offline", |validation| validation.offline())? {
        let found = measure(check, &args.reach).await?;
        all.push(Measurement::now("offline", Some(&step.id), vec![HERE.to_owned()], found));
    }
    measurements::finish(&all, args.steps.output(Some(&plan.stack)), context).await
}

/// The list, as `akidb-edge serve` answers it.
#[derive(Debug, Deserialize)]
struct Listed {
    models: Vec<ListedModel>,
}

#[derive(Debug, Deserialize)]
struct ListedModel {
    name: String,
    files: Vec<ListedFile>,
}

#[derive(Debug, Deserialize)]
struct ListedFile {
    name: String,
    bytes: u64,
    sha256: String,
    url: String,
}

/// One server.
///
/// # Errors
/// When no request can be made at all.
pub async fn measure(check: &OfflineCheck, reach: &ConnectionArgs) -> Result<Vec<Found>, Failure> {
    let list = target(check, reach, &check.list_path)?;
    let trust = reach.trust(&list)?;
    let wanted = check.models.len().max(1);
    let wish =
        Wanted::new("models listed and downloaded with a true hash", Unit::Count, Compare::AtLeast, wanted as f64);
    let listed = match listed(&list, &trust).await {
        Ok(listed) => listed,
        Err(why) => return Ok(found(verdict::unmeasured(&wish, why))),
    };
    let chosen = |model: &&ListedModel| check.models.is_empty() || check.models.contains(&model.name);
    let (mut verified, mut notes) = (0, Vec::new());
    for model in listed.models.iter().filter(chosen) {
        match verify(model, check, reach).await? {
            Ok(bytes) => {
                verified += 1;
                notes.push(format!("{}: {} files, {bytes} bytes", model.name, model.files.len()));
            }
            Err(why) => notes.push(format!("{}: {why}", model.name)),
        }
    }
    let missing = check.models.iter().filter(|name| !listed.models.iter().any(|model| model.name == **name));
    notes.extend(missing.map(|name| format!("{name}: not in the list")));
    Ok(found(notes.into_iter().fold(verdict::known(&wish, f64::from(verified)), MeasuredFinding::with_note)))
}

fn found(finding: MeasuredFinding) -> Vec<Found> {
    vec![Found { measure: VERIFIED.to_owned(), of: None, finding }]
}

async fn listed(list: &Target, trust: &TrustedRoots) -> Result<Listed, String> {
    let answer = answered(list, trust, LARGEST_LIST).await?;
    serde_json::from_slice(&answer.body).map_err(|bad| format!("{} is not a list of models: {bad}", list.url))
}

/// An answer with status 200, all of it.
async fn answered(target: &Target, trust: &TrustedRoots, most: usize) -> Result<Exchange, String> {
    let answer = once_up_to(target, TIMEOUT, trust, most).await.map_err(|bad| format!("{}: {bad}", target.url))?;
    match answer.status {
        200 if answer.bytes > most as u64 => Err(format!("{} is larger than {most} bytes", target.url)),
        200 => Ok(answer),
        401 | 403 => Err(format!("the server wants an API key (status {}): add --key-file FILE", answer.status)),
        status => Err(format!("{}: status {status}", target.url)),
    }
}

/// The bytes of a model whose files all have their length and their hash; or what is wrong with one.
async fn verify(
    model: &ListedModel,
    check: &OfflineCheck,
    reach: &ConnectionArgs,
) -> Result<Result<u64, String>, Failure> {
    if model.files.is_empty() {
        return Ok(Err("the list names no file of it".to_owned()));
    }
    let mut sum = 0;
    for file in &model.files {
        let wrong = |why: String| Ok(Err(format!("{}: {why}", file.name)));
        if file.bytes > LARGEST_FILE {
            return wrong(format!("{} bytes are more than are downloaded here ({LARGEST_FILE})", file.bytes));
        }
        let from = if file.url.starts_with('/') {
            target(check, reach, &file.url)?
        } else {
            // Another host, such as a content network: the key is not for it.
            let elsewhere = Target::get(&file.url);
            if let Err(bad) = elsewhere.check() {
                return wrong(bad.to_string());
            }
            elsewhere
        };
        let trust = reach.trust(&from)?;
        let most = usize::try_from(file.bytes).unwrap_or(usize::MAX);
        let answer = match answered(&from, &trust, most).await {
            Ok(answer) => answer,
            Err(why) => return wrong(why),
        };
        if answer.bytes != file.bytes {
            return wrong(format!("{} bytes came, the list says {}", answer.bytes, file.bytes));
        }
        let hash = sha256_hex(&answer.body);
        if !hash.eq_ignore_ascii_case(&file.sha256) {
            return wrong(format!("its SHA-256 is {hash}, the list says {}", file.sha256));
        }
        sum += file.bytes;
    }
    Ok(Ok(sum))
}

fn target(check: &OfflineCheck, reach: &ConnectionArgs, path: &str) -> Result<Target, Failure> {
    let request = RequestPlan { host: check.host.clone(), path: path.to_owned(), texts: Vec::new(), model: None };
    // Without texts there is one target.
    Ok(reach.gets(&request)?.remove(0))
}
