//! `models verify`: every hash again.

use serde_json::json;

use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::models::Store;
use crate::models::name::ModelName;
use crate::models::verify::{State, Verdict, verify};
use crate::report::counted;
use crate::resource::{Shown, shown};

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
        context.voice.data(words(&verdict));
        verdicts.push(verdict);
    }
    if context.voice.json {
        context.voice.json("models-verify", &json!({"store": store.root(), "models": verdicts}));
    }
    if verdicts.is_empty() {
        context.voice.talk(shown!("there is no model in {}", store.shown()));
    }
    let count = |state: State| verdicts.iter().filter(|verdict| verdict.state == state).count();
    let (damaged, unserved) = (count(State::Damaged), count(State::Unserved));
    if damaged + unserved == 0 {
        return Ok(exit::DONE);
    }
    if damaged == 0 {
        context.voice.failure(shown!(
            "{} cannot be served\n  next: change what is named above in the model's folder; docs/serve-models.md says what is \
             served",
            models(unserved)
        ));
        return Ok(exit::ERROR);
    }
    let are = if damaged == 1 { "is" } else { "are" };
    context.voice.failure(shown!(
        "{} {} damaged\n  next: akidb-edge models pull NAME fetches again what is wrong; one that was imported: models remove \
         it, then import it again; one that model sync brought: a server with --sync fetches it again",
        models(damaged),
        are
    ));
    Ok(exit::ERROR)
}

fn models(count: usize) -> String {
    counted(count, "model")
}

fn words(verdict: &Verdict) -> Shown {
    let files = counted(verdict.files, "file");
    let mut text = match verdict.state {
        State::Verified => shown!("{}: {}, every hash is right", verdict.name, files),
        State::Unhashed => shown!("{}: can be served; it has no manifest, so no hash was compared", verdict.name),
        State::Unserved => shown!("{}: its files are as they were, and it cannot be served", verdict.name),
        State::Damaged => shown!("{}: damaged", verdict.name),
    };
    if let Some(version) = &verdict.version {
        text.push(shown!("\n  version {}", &version[..12]));
    }
    if let Some(condition) = &verdict.condition {
        text.push(shown!("\n  {}", condition));
    }
    for bad in &verdict.bad {
        let place = if bad.file == "." { "the folder" } else { &bad.file };
        text.push(shown!("\n  {} {}", place, bad.why));
    }
    text
}
