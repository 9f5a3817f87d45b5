//! `status --drift --accept`: records the live value of fields that the plan does not set.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::workflow::{self, RunLabel};
use super::Context;
use super::drift::{self, DriftView};
use crate::change::without;
use crate::exit::{self, Failure, codes};
use crate::ledger::{Fact, Ledger, ResourceSnapshot};
use crate::plan::Plan;
use crate::report;
use crate::resource::{
    ACCEPTED_EXTRAS, Address, DriftKind, DriftedResource, FieldOrigin, Remedy, RunPurpose, RunStatus, SafeText, shown,
};

/// What is to be accepted, and how.
pub struct AcceptRequest {
    /// Addresses or beginnings of them; none for all that can be.
    pub chosen: Vec<String>,
    /// Only show it.
    pub dry_run: bool,
    /// Skip the confirmation prompt.
    pub yes: bool,
}

/// Accepts.
///
/// # Errors
/// What failed, why, and the next step; where the plan speaks, that it wins.
pub async fn run(plan: Option<&Plan>, stack: &str, order: &AcceptRequest, context: &Context) -> Result<u8, Failure> {
    workflow::no_devices(context, stack, "provision --dry-run").await?;
    let connection = drift::account(plan, stack, context).await?;
    let mut command = "status --drift --accept".to_owned();
    for one in &order.chosen {
        command.push_str(&format!(" {one}"));
    }
    let ledger =
        workflow::open(context, connection.as_ref(), stack, &command, RunPurpose::Accept, order.dry_run).await?;
    let answer = with_ledger(plan, order, &command, context, connection.as_ref(), &ledger).await;
    workflow::close(ledger, answer).await
}

async fn with_ledger(
    plan: Option<&Plan>,
    order: &AcceptRequest,
    command: &str,
    context: &Context,
    connection: Option<&workflow::AccountConnection>,
    ledger: &Ledger,
) -> Result<u8, Failure> {
    let seen = drift::look(plan, ledger, connection, context).await?;
    context.printer.header(&seen.header);
    let drifting: Vec<&DriftedResource> = seen.drift.iter().filter(|one| one.counts()).collect();
    let taken = choose(&seen, &drifting, &order.chosen)?;
    let text = report::drift_text(
        &taken.iter().map(|one| (*one).clone()).collect::<Vec<_>>(),
        false,
        context.session.color,
        context.session.width.into(),
    );
    context.printer.data(shown!("these live values are to be recorded:\n\n{}", text));
    let code = if taken.is_empty() || !order.dry_run { exit::DONE } else { exit::PENDING };
    if !taken.is_empty() && !order.dry_run {
        confirm(order, context)?;
        write(&seen, &taken, command, context, ledger).await?;
        let things = report::counted(taken.len(), "resource");
        context.printer.data(shown!("accepted: {}, as revision {}", things, ledger.recorded().revision()));
    }
    if context.global.json {
        let addresses: Vec<&Address> = taken.iter().map(|one| &one.address).collect();
        let body = json!({"header": seen.header, "exit": code, "dry_run": order.dry_run, "accepted": addresses,
                          "drift": taken, "revision": ledger.recorded().revision()});
        context.printer.json("accept", &body);
    }
    Ok(code)
}

/// What of the drift is to be accepted: what is named, else all that can be.
fn choose<'d>(
    seen: &DriftView,
    drifting: &[&'d DriftedResource],
    chosen: &[String],
) -> Result<Vec<&'d DriftedResource>, Failure> {
    let named = |one: &DriftedResource| chosen.is_empty() || chosen.iter().any(|pattern| one.address.matches(pattern));
    if let Some(nothing) = chosen.iter().find(|pattern| !drifting.iter().any(|one| one.address.matches(pattern))) {
        return Err(codes::ACCEPT.refused(
            shown!("nothing at {} differs from the recorded state; nothing was done", nothing),
            shown!("akidb-edge status --stack {} --drift lists what is", seen.recorded.stack),
        ));
    }
    let mut taken: Vec<&DriftedResource> = drifting.iter().copied().filter(|one| named(one)).collect();
    let mut refused = Vec::new();
    // Forgetting one thing may depend on forgetting another: look again until no more falls out.
    loop {
        let leaving: BTreeSet<&Address> =
            taken.iter().filter(|one| one.happened == DriftKind::Gone).map(|one| &one.address).collect();
        let (stay, out): (Vec<&DriftedResource>, Vec<&DriftedResource>) =
            taken.iter().copied().partition(|one| refusal(seen, one, &leaving).is_none());
        refused.extend(out.iter().filter_map(|one| Some((one.address.clone(), refusal(seen, one, &leaving)?))));
        taken = stay;
        if out.is_empty() {
            break;
        }
    }
    if refused.is_empty() || (chosen.is_empty() && !taken.is_empty()) {
        return Ok(taken);
    }
    let lines: Vec<SafeText> = refused.iter().map(|(address, why)| shown!("{}: {}", address, why)).collect();
    Err(codes::ACCEPT.refused(
        shown!("this cannot be accepted; nothing was done\n{}", SafeText::join(&lines, "\n")),
        "the plan sets this value: change the plan, or let deploy restore it",
    ))
}

/// Why something cannot be accepted.
fn refusal(seen: &DriftView, one: &DriftedResource, leaving: &BTreeSet<&Address>) -> Option<SafeText> {
    match one.happened {
        DriftKind::Contested => {
            let why = one.reason.as_deref().unwrap_or("it is tagged as another stack's");
            Some(shown!("{}: ownership cannot be changed here; deploy --adopt {} takes it back", why, one.address))
        }
        DriftKind::Gone => {
            let others = seen.recorded.resources.iter().filter(|(address, _)| !leaving.contains(address));
            let mut needing = others.filter(|(_, record)| record.needs.contains_key(&one.address));
            needing.next().map(|(other, _)| shown!("it no longer exists, and {}, which exists, needs it", other))
        }
        DriftKind::Changed => {
            let said: Vec<SafeText> =
                one.fields.iter().filter(|field| field.remedy == Remedy::Deploy).map(spoken).collect();
            (!said.is_empty()).then(|| SafeText::join(&said, "; "))
        }
    }
}

fn spoken(field: &crate::resource::DriftField) -> SafeText {
    match field.sort {
        FieldOrigin::Mark => shown!("{}: this is the ownership tag; deploy restores it", field.path),
        FieldOrigin::Condition => shown!("{}: a condition is not a setting", field.path),
        _ => {
            let value = field.recorded.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
            shown!("the plan sets {} (last deployed: {})", field.path, value)
        }
    }
}

fn confirm(order: &AcceptRequest, context: &Context) -> Result<(), Failure> {
    if order.yes {
        return Ok(());
    }
    if !context.session.can_ask {
        return Err(codes::NO_TERMINAL.refused(
            "nothing was done: cannot ask for confirmation without a terminal",
            "review the values above, then add --yes",
        ));
    }
    if context.printer.ask("Record these values?") { Ok(()) } else { Err(Failure::cancelled()) }
}

/// A revision of its own: who accepted what is to be found again, and a rollback can go behind it.
async fn write(
    seen: &DriftView,
    taken: &[&DriftedResource],
    command: &str,
    context: &Context,
    ledger: &Ledger,
) -> Result<(), Failure> {
    let purpose = RunLabel {
        command: command.to_owned(),
        kind: RunPurpose::Accept,
        requested: seen.recorded.requested.clone(),
        fallback: seen.recorded.fallback.clone(),
    };
    let header = &seen.header;
    let began = workflow::began(&seen.recorded, &purpose, &context.session, &header.account, &header.platforms);
    ledger.record(began).await?;
    if !seen.moves.is_empty() {
        ledger.record(Fact::Moved(seen.moves.clone())).await?;
    }
    for fact in taken.iter().filter_map(|one| fact(seen, one)) {
        ledger.record(fact).await?;
    }
    ledger.record(Fact::RunEnded { ending: RunStatus::Done, changes: 0 }).await?;
    Ok(())
}

fn fact(seen: &DriftView, one: &DriftedResource) -> Option<Fact> {
    if one.happened == DriftKind::Gone {
        return Some(Fact::Forgotten { address: one.address.clone() });
    }
    let record = seen.recorded.resources.get(&one.address)?;
    let found = seen.observed.found(&one.address)?;
    let accepted = one.fields.iter().filter(|field| field.remedy == Remedy::Accept);
    let mut spec = record.spec.clone();
    // A setting that the plan gave up: the state forgets that it was ever asked for, and it stays as it is.
    for field in accepted.clone().filter(|field| field.sort == FieldOrigin::Setting) {
        without(&mut spec, &field.path);
    }
    let mut attributes = record.attributes.clone();
    attributes.extend(found.attributes.clone());
    // A setting that the plan gave up is from now on something that nobody asked for.
    let extras = accepted.clone().filter(|field| matches!(field.sort, FieldOrigin::Extra | FieldOrigin::Setting));
    let extras = extras.filter_map(|field| Some((field.path.clone(), field.real.clone()?)));
    let mut all: BTreeMap<String, Value> =
        attributes.get(ACCEPTED_EXTRAS).and_then(|held| serde::Deserialize::deserialize(held).ok()).unwrap_or_default();
    all.extend(extras);
    if !all.is_empty() {
        attributes.insert(ACCEPTED_EXTRAS.to_owned(), json!(all));
    }
    let subject = ResourceSnapshot {
        address: one.address.clone(),
        kind: record.kind,
        generation: record.generation,
        spec,
        needs: record.needs.clone(),
        step: record.step.clone(),
        after: record.after.clone(),
        origin: None,
        seen: BTreeMap::new(),
    };
    let paths = accepted.map(|field| field.path.clone()).collect();
    Some(Fact::Accepted { subject, id: found.id.clone(), attributes, paths })
}
