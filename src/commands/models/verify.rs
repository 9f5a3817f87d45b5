//! `models verify`: computes every hash again.

use serde_json::json;

use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::models::ModelStore;
use crate::models::name::ModelName;
use crate::models::verify::{Verification, VerifyState, verify};
use crate::report::counted;
use crate::resource::{SafeText, shown};

/// Which model.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Model to verify [default: all models]
    name: Option<String>,
}

/// Checks.
pub fn run(args: &Args, store: &ModelStore, context: &Context) -> Result<u8, Failure> {
    let names = match &args.name {
        Some(name) => vec![ModelName::parse(name)?],
        None => store.names()?,
    };
    let mut verdicts = Vec::new();
    for name in &names {
        let verdict = verify(store, name)?;
        context.printer.data(words(&verdict));
        verdicts.push(verdict);
    }
    if context.printer.json {
        context.printer.json("models-verify", &json!({"store": store.root(), "models": verdicts}));
    }
    if verdicts.is_empty() {
        context.printer.talk(shown!("no models in {}", store.shown()));
    }
    let count = |state: VerifyState| verdicts.iter().filter(|verdict| verdict.state == state).count();
    let (damaged, unserved) = (count(VerifyState::Damaged), count(VerifyState::Unserved));
    if damaged + unserved == 0 {
        return Ok(exit::DONE);
    }
    if damaged == 0 {
        context.printer.failure(shown!(
            "{} cannot be served\n  next: change what is named above in the model's folder; docs/serve-models.md says what is \
             served",
            models(unserved)
        ));
        return Ok(exit::ERROR);
    }
    let are = if damaged == 1 { "is" } else { "are" };
    context.printer.failure(shown!(
        "{} {} damaged\n  next: akidb-edge models pull NAME downloads the damaged files again; for an imported model: \
         remove it, then import it again; for a synced model: a server with --sync downloads it again",
        models(damaged),
        are
    ));
    Ok(exit::ERROR)
}

fn models(count: usize) -> String {
    counted(count, "model")
}

fn words(verdict: &Verification) -> SafeText {
    let files = counted(verdict.files, "file");
    let mut text = match verdict.state {
        VerifyState::Verified => shown!("{}: {}, all hashes match", verdict.name, files),
        VerifyState::Unhashed => shown!("{}: can be served; it has no manifest, so no hash was compared", verdict.name),
        VerifyState::Unserved => shown!("{}: its files are intact, but it cannot be served", verdict.name),
        VerifyState::Damaged => shown!("{}: damaged", verdict.name),
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
