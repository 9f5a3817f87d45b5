//! `models verify`: every hash again.

use serde_json::json;

use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::models::Store;
use crate::models::name::ModelName;
use crate::models::verify::{State, Verdict, verify};
use crate::report::counted;

/// Which model.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One model; all of them otherwise
    name: Option<String>,
}

/// Checks.
pub fn run(args: &Args, store: &Store, context: &Context) -> Result<u8, Failure> {
    let names = match &args.name {
        Some(name) => vec![ModelName::parse(name)?],
        None => store.names()?,
    };
    let mut verdicts = Vec::new();
    for name in &names {
        let verdict = verify(store, name)?;
        context.voice.data(&words(&verdict));
        verdicts.push(verdict);
    }
    if context.voice.json {
        context.voice.json("models-verify", &json!({"store": store.root(), "models": verdicts}));
    }
    if verdicts.is_empty() {
        context.voice.talk(&format!("there is no model in {}", store.shown()));
    }
    let damaged = verdicts.iter().filter(|verdict| verdict.state == State::Damaged).count();
    if damaged == 0 {
        return Ok(exit::DONE);
    }
    context.voice.failure(&format!(
        "{} damaged\n  next: akidb-edge models pull NAME fetches again what is wrong; one that was imported: models remove \
         it, then import it again",
        if damaged == 1 { "1 model is".to_owned() } else { format!("{damaged} models are") }
    ));
    Ok(exit::ERROR)
}

fn words(verdict: &Verdict) -> String {
    let files = counted(verdict.files, "file");
    let mut text = match verdict.state {
        State::Verified => format!("{}: {files}, every hash is right", verdict.name),
        State::Unhashed => format!("{}: can be served; it has no manifest, so no hash was compared", verdict.name),
        State::Damaged => format!("{}: damaged", verdict.name),
    };
    if let Some(version) = &verdict.version {
        text.push_str(&format!("\n  version {}", &version[..12]));
    }
    if let Some(condition) = &verdict.condition {
        text.push_str(&format!("\n  {condition}"));
    }
    for bad in &verdict.bad {
        text.push_str(&format!("\n  {} {}", if bad.file == "." { "the folder" } else { &bad.file }, bad.why));
    }
    text
}
