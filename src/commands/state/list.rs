//! `state list`: lists addresses with kind, ID and origin.

use serde_json::json;

use super::{Which, open};
use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::report;
use crate::resource::{Address, ResourceRecord, SafeText, shown};

/// Which of them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An address, the beginning of one, or a pattern with *
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,
    #[command(flatten)]
    which: Which,
}

/// Lists.
///
/// # Errors
/// When the journal cannot be read.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let state = open(&args.which, context).await?.recorded();
    let matches = |address: &Address| args.pattern.as_ref().is_none_or(|pattern| address.matches(pattern));
    let all: Vec<(&Address, &ResourceRecord)> =
        state.resources.iter().filter(|(address, _)| matches(address)).collect();
    if context.printer.json {
        let rows: Vec<_> = all
            .iter()
            .map(|(address, record)| {
                json!({"address": address, "kind": record.kind, "id": record.id, "origin": record.origin})
            })
            .collect();
        let body = json!({"stack": state.stack, "revision": state.revision(), "exit": exit::DONE, "resources": rows});
        context.printer.json("list", &body);
        return Ok(exit::DONE);
    }
    if all.is_empty() {
        let what = args.pattern.as_ref().map_or_else(SafeText::default, |pattern| shown!(" that {} matches", pattern));
        context.printer.talk(shown!("the state of {} has no resource{}", state.stack, what));
        return Ok(exit::DONE);
    }
    let row = |(address, record): &(&Address, &ResourceRecord)| {
        let id = record.id.clone().unwrap_or_default();
        vec![address.to_string(), record.kind.name().to_owned(), id, record.origin.word().to_owned()]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    let header = ["address", "kind", "id", "origin"];
    context.printer.data(report::rows_table(&header, &rows, &["kind", "origin"], context.screen()));
    Ok(exit::DONE)
}
