//! `state forget`: removes resources from the journal without changing them.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Which, revision};
use crate::commands::{Context, workflow};
use crate::exit::{self, Failure, codes};
use crate::ledger::{Fact, Ledger};
use crate::report;
use crate::resource::{Address, ResourceRecord, RunPurpose, SafeText, StackState, shown};

/// Which resources, and how.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whole addresses
    #[arg(value_name = "ADDRESS", required = true)]
    addresses: Vec<Address>,
    #[command(flatten)]
    which: Which,
    /// Skip the confirmation prompt
    #[arg(short, long)]
    yes: bool,
    /// Show what would be forgotten, do nothing; exit code 2
    #[arg(long)]
    dry_run: bool,
}

/// How the command of such a revision begins.
const COMMAND: &str = "state forget ";

/// Forgets.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let stack = args.which.stack(context)?;
    let named: BTreeSet<Address> = args.addresses.iter().cloned().collect();
    let words: Vec<&str> = named.iter().map(Address::as_str).collect();
    let command = format!("{COMMAND}{}", words.join(" "));
    let ledger = revision::open(context, &stack, &command, RunPurpose::Forget, args.dry_run).await?;
    let answer = forget(args, &named, &command, context, &ledger).await;
    workflow::close(ledger, answer).await
}

async fn forget(
    args: &Args,
    named: &BTreeSet<Address>,
    command: &str,
    context: &Context,
    ledger: &Ledger,
) -> Result<u8, Failure> {
    let state = ledger.recorded();
    let held = held(named, &state)?;
    refuse_needed(named, &state)?;
    let printer = &context.printer;
    for (address, record) in &held {
        printer.data(shown!(
            "{}: {} {} ({}) leaves the state and stays as it is",
            address,
            record.kind.facts().title,
            record.id.as_deref().unwrap_or("without an ID: its creation was never answered"),
            record.origin.word()
        ));
    }
    printer.data(
        "no call is made, and its tag (or comment) stays: a deploy of a plan that wants it adopts it again by that \
         tag; a destroy or a rollback does not touch it",
    );
    let code = if args.dry_run { exit::PENDING } else { exit::DONE };
    if !args.dry_run {
        revision::confirm("Forget this?", args.yes, context)?;
        let facts = held.iter().map(|(address, _)| Fact::Forgotten { address: (*address).clone() }).collect();
        revision::record(ledger, &state, (command, RunPurpose::Forget), context, facts).await?;
        let revision = ledger.recorded().revision();
        printer.data(shown!("{} forgotten, as revision {}", report::counted(held.len(), "resource"), revision));
    }
    if printer.json {
        let forgotten = held.iter().map(|(address, record)| {
            json!({"address": address, "kind": record.kind, "id": record.id, "origin": record.origin})
        });
        let forgotten: Vec<_> = forgotten.collect();
        let body = json!({"stack": state.stack, "exit": code, "dry_run": args.dry_run, "forgotten": forgotten,
                          "revision": ledger.recorded().revision()});
        printer.json("forget", &body);
    }
    Ok(code)
}

fn held<'s>(
    named: &'s BTreeSet<Address>,
    state: &'s StackState,
) -> Result<Vec<(&'s Address, &'s ResourceRecord)>, Failure> {
    let mut held = Vec::new();
    for address in named {
        let Some(record) = state.resources.get(address) else {
            let problem = shown!("the state of {} has no {}; nothing was done", state.stack, address);
            return Err(codes::UNKNOWN_NAME.refused(problem, "akidb-edge state list shows the addresses"));
        };
        held.push((address, record));
    }
    Ok(held)
}

/// What stays in the state would refer to something that it does not know.
fn refuse_needed(named: &BTreeSet<Address>, state: &StackState) -> Result<(), Failure> {
    let mut needing: Vec<SafeText> = Vec::new();
    let mut all = named.clone();
    loop {
        let staying = state.resources.iter().filter(|(address, _)| !all.contains(*address));
        let more = staying.filter_map(|(address, record)| {
            let need = record.needs.keys().find(|need| all.contains(*need))?;
            Some((address.clone(), shown!("{} needs {}", address, need)))
        });
        let more: Vec<(Address, SafeText)> = more.collect();
        if more.is_empty() {
            break;
        }
        for (address, words) in more {
            all.insert(address);
            needing.push(words);
        }
    }
    if needing.is_empty() {
        return Ok(());
    }
    let words: Vec<&str> = all.iter().map(Address::as_str).collect();
    Err(codes::NEEDED.refused(
        shown!("others in the state need it; nothing was done\n  {}", SafeText::join(&needing, "\n  ")),
        shown!("forget them, too: akidb-edge {}{}", COMMAND, words.join(" ")),
    ))
}
