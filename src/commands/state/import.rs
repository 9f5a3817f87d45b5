//! `state import`: adds existing resources to the journal. Nothing is changed; the next deploy updates them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::identity;
use super::import_item::{self, ImportItem};
use crate::change::{self, DiffScope};
use crate::commands::Context;
use crate::commands::workflow::{self, AccountConnection, PlanArgs};
use crate::exit::{self, Failure, codes};
use crate::ledger::{Fact, Ledger, ResourceSnapshot};
use crate::plan::Plan;
use crate::provider::aws::CallerIdentity;
use crate::report;
use crate::resource::records::previous::{PreviousSets, before_change, keep};
use crate::resource::{
    Action, Address, Attributes, Changes, Desired, Kind, Observed, ObservedResource, Owner, PlatformIdentity, Resource,
    ResourceOrigin, ResourceRecord, ResourceStatus, RunPurpose, RunStatus, SafeText, StackState, counterpart,
    has_references, references, resolve, shown,
};

/// What comes under which address.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An address of the plan and the ID of what exists
    #[arg(value_name = "ADDRESS=ID")]
    pairs: Vec<String>,
    /// Everything that a file names which state export wrote
    #[arg(long, value_name = "FILE", conflicts_with = "pairs")]
    from: Option<PathBuf>,
    #[command(flatten)]
    plan: PlanArgs,
    /// Skip the confirmation prompt
    #[arg(short, long)]
    yes: bool,
    /// Show what would be taken in and what the next deploy would change; exit code 2
    #[arg(long)]
    dry_run: bool,
    /// Also adopt resources that are tagged as another stack's or with another address
    #[arg(long)]
    adopt: bool,
}

/// Takes in.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.plan.load(context)?;
    let (pairs, what) = match &args.from {
        Some(file) => (import_item::from_file(file)?, format!("--from {}", file.display())),
        None if args.pairs.is_empty() => {
            let next = "write ADDRESS=ID, or name a file of state export with --from FILE";
            return Err(codes::ARGUMENT.refused("missing ADDRESS=ID or --from FILE", next));
        }
        None => (import_item::pairs(&args.pairs)?, args.pairs.join(" ")),
    };
    let connection = workflow::connect(&context.session).await?;
    let command = format!("state import {what}");
    let ledger =
        workflow::open(context, Some(&connection), &plan.stack, &command, RunPurpose::Import, args.dry_run).await?;
    let answer = with_ledger(&args, &plan, &pairs, context, &connection, &ledger, &command).await;
    workflow::close(ledger, answer).await
}

async fn with_ledger(
    args: &Args,
    plan: &Plan,
    pairs: &import_item::ImportItems,
    context: &Context,
    connection: &AccountConnection,
    ledger: &Ledger,
    command: &str,
) -> Result<u8, Failure> {
    let recorded = ledger.recorded();
    let mut built = workflow::build(plan, &recorded.requested, &context.printer)?;
    let pairs = &with_ids(pairs, &built.desired, connection).await?;
    let supposed = supposed(pairs, &built.desired, &recorded)?;
    let providers = workflow::with_artifacts(connection, std::mem::take(&mut built.artifacts));
    // What is looked up is not in the journal yet, and record sets point to it.
    let needed = built.desired.with_needs(|address| pairs.contains_key(address));
    let wanted = |address: &Address| {
        let lookup = built.desired.resources.get(address).is_some_and(|resource| resource.kind.facts().lookup);
        pairs.contains_key(address) || (lookup && needed.contains(address))
    };
    let (identity, observed) = connection.look(&built.desired, &supposed, &providers, wanted).await?;
    context.printer.header(&workflow::header(connection, &identity, &plan.stack, Some(plan), &context.global));
    let mut after = supposed.clone();
    for address in pairs.keys() {
        let found = check(address, &pairs[address].id, args, &built.desired, &supposed, &observed, &identity)?;
        let remark = match &found.owner {
            Owner::Ours => SafeText::default(),
            Owner::Foreign(why) | Owner::Contested(why) => shown!(" ({})", why),
        };
        context.printer.data(shown!("{} = {}{}", address, found.id, remark));
        let record = after.resources.entry(address.clone());
        let origin = change::found_origin(&built.desired, &recorded, &observed, address);
        record.and_modify(|record| fill(record, found, origin, &pairs[address]));
    }
    let adopt = if args.adopt { pairs.keys().cloned().collect() } else { BTreeSet::new() };
    let scope = DiffScope { only: Some(pairs.keys().cloned().collect()), adopt, ..DiffScope::default() };
    let changes = workflow::difference(&built.desired, &after, &observed, &scope)?;
    refuse_replacements(&changes)?;
    tell(args, &changes, context);
    if args.dry_run {
        return Ok(exit::PENDING);
    }
    confirm(args, context)?;
    record(ledger, &after, pairs, &identity, context, command).await?;
    let count = report::counted(pairs.len(), "resource");
    context.printer.data(shown!("{} imported; deploy changes what differs from the plan", count));
    Ok(exit::DONE)
}

/// The same with the ID of each resource whose kind can make one of what a person wrote: a queue is known by its name or its URL.
async fn with_ids(
    pairs: &import_item::ImportItems,
    desired: &Desired,
    connection: &AccountConnection,
) -> Result<import_item::ImportItems, Failure> {
    let mut pairs = pairs.clone();
    for (address, given) in &mut pairs {
        let Some(resource) = desired.resources.get(address) else { continue };
        let facts = resource.kind.facts();
        let Some(id_in_account) = facts.id_in_account.filter(|_| facts.id.normal(&given.id).is_none()) else {
            continue;
        };
        let account = connection.identity().await?.account;
        given.id = id_in_account(&given.id, &resource.spec, &account).unwrap_or_else(|| given.id.clone());
    }
    Ok(pairs)
}

/// The journal as it would be if these were in it: then they are looked for by their IDs.
fn supposed(pairs: &import_item::ImportItems, desired: &Desired, recorded: &StackState) -> Result<StackState, Failure> {
    let mut supposed = recorded.clone();
    for (address, given) in pairs {
        let given = &given.id;
        let Some(resource) = desired.resources.get(address) else { return Err(unknown(address, desired)) };
        let Some(id) = resource.kind.facts().id.normal(given) else { return Err(malformed(resource, given)) };
        let twice = recorded
            .resources
            .iter()
            .find(|(other, held)| held.kind == resource.kind && held.id.as_deref() == Some(&id) && *other != address);
        if let Some((other, _)) = twice {
            let problem = shown!("{} is in the state already, as {}", id, other);
            return Err(codes::IMPORT.refused(problem, shown!("akidb-edge state move {} {}", other, address)));
        }
        if let Some(held) = recorded.resources.get(address) {
            let id = held.id.as_deref().unwrap_or("an ID that is not known yet");
            let problem = shown!("{} is in the state already: {}", address, id);
            return Err(codes::IMPORT.refused(problem, "deploy works on it as it is; state show lists what is there"));
        }
        let held = ResourceRecord {
            kind: resource.kind,
            id: Some(id),
            generation: recorded.generation(address),
            spec: resource.spec.clone(),
            attributes: Attributes::new(),
            needs: resource.needs.clone(),
            step: resource.step.clone(),
            after: resource.after.clone(),
            standing: ResourceStatus::Present,
            pending: None,
            made_at: None,
            origin: ResourceOrigin::Made,
        };
        supposed.resources.insert(address.clone(), held);
    }
    Ok(supposed)
}

fn unknown(address: &Address, desired: &Desired) -> Failure {
    let like = |known: &&Address| {
        let same_kind = known.as_str().split('.').nth(1) == address.as_str().split('.').nth(1);
        known.name() == address.name() || (same_kind && known.area() == address.area())
    };
    let near: Vec<&str> = desired.resources.keys().filter(like).map(Address::as_str).collect();
    let next = if near.is_empty() {
        SafeText::from("the plan must contain it; deploy --dry-run lists the addresses")
    } else {
        shown!("did you mean {}?", near.join(" or "))
    };
    codes::UNKNOWN_NAME.refused(shown!("the plan has no {}", address), next)
}

fn malformed(resource: &Resource, given: &str) -> Failure {
    let form = &resource.kind.facts().id;
    let title = resource.kind.facts().title;
    if resource.kind == Kind::LoadBalancer {
        let problem = shown!("{} is a {}: it is looked up in every run, never imported", resource.address, title);
        return codes::IMPORT.refused(problem, "leave it out");
    }
    codes::IMPORT.refused(
        shown!("{:?} is not a valid ID for kind {}", given, title),
        shown!("expected {}: {}={}", form.words, resource.address, form.example),
    )
}

/// What was found under the ID, when it may be taken in.
fn check<'o>(
    address: &Address,
    given: &str,
    args: &Args,
    desired: &Desired,
    supposed: &StackState,
    observed: &'o Observed,
    identity: &CallerIdentity,
) -> Result<&'o ObservedResource, Failure> {
    let resource = &desired.resources[address];
    let title = resource.kind.facts().title;
    let id = supposed.resources[address].id.as_deref().unwrap_or_default();
    let known = |from: &str, name: &str| crate::resource::known(observed, supposed, from, name);
    let spec = resolve(&resource.spec, &known);
    elsewhere(given, &spec, identity)?;
    if let Some(Err(fault)) = observed.seen.get(address) {
        return Err(fault.clone().into());
    }
    let open = resource.kind.facts().identity.iter().any(|path| spec.get(path).is_some_and(has_references));
    if open {
        let needs: Vec<String> = references(&spec).iter().map(ToString::to_string).collect();
        let problem = shown!("{} is identified by {}, which is not in the state", address, needs.join(", "));
        return Err(codes::IMPORT.refused(problem, "import that first, or in the same command"));
    }
    if let Some(named) = resource.kind.facts().id.by_name(&spec, address.name()).filter(|named| named != id) {
        let problem = shown!("{} is known by its name, and the plan names {}, not {}", address, named, id);
        return Err(codes::IMPORT.refused(problem, "change the plan to name what you import, or use another address"));
    }
    let Some(found) = observed.found(address) else {
        let problem = shown!("there is no {} {} in account {}", title, id, identity.account);
        return Err(codes::IMPORT.refused(problem, "check the ID, the account and the region"));
    };
    match &found.owner {
        Owner::Foreign(why) | Owner::Contested(why) if found.owner.is_marked() && !args.adopt => Err(codes::IMPORT
            .refused(
                shown!("{} {} belongs to another stack or address: {}", title, id, why),
                "to take it over, add --adopt",
            )),
        _ => Ok(found),
    }
}

/// An ARN says where a thing is.
fn elsewhere(given: &str, spec: &Value, identity: &CallerIdentity) -> Result<(), Failure> {
    let Some((account, region)) = identity::place(given) else { return Ok(()) };
    if !account.is_empty() && account != identity.account {
        let problem = shown!("{} is of account {}, these credentials are of {}", given, account, identity.account);
        return Err(
            codes::OTHER_ACCOUNT.refused(problem, "use the credentials of that account, and a separate --state")
        );
    }
    let wanted = spec.get("region").and_then(Value::as_str);
    match wanted.filter(|wanted| !region.is_empty() && *wanted != region) {
        Some(wanted) => Err(codes::IMPORT.refused(
            shown!("{} is in {}, the plan wants it in {}", given, region, wanted),
            "name one in that region, or change the plan's region",
        )),
        None => Ok(()),
    }
}

/// What is recorded of it is what was there, as far as the plan speaks of it: a rollback to this revision brings it
/// back, and what the plan leaves out stays alone.
fn fill(record: &mut ResourceRecord, found: &ObservedResource, origin: ResourceOrigin, given: &ImportItem) {
    record.spec = spoken_of(record.kind, "", &record.spec, &found.spec);
    record.attributes.clone_from(&found.attributes);
    record.origin = given.origin.filter(|said| *said == ResourceOrigin::Imported).unwrap_or(origin);
    if record.kind == Kind::Records {
        let all = if origin == ResourceOrigin::Recovered {
            PreviousSets::new()
        } else {
            before_change(None, found, &Value::clone)
        };
        keep(&mut record.attributes, &all.into_iter().chain(given.earlier.clone()).collect());
    }
    record.id = Some(found.id.clone());
}

fn spoken_of(kind: Kind, path: &str, plan: &Value, there: &Value) -> Value {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (plan, there) {
        // A text that is compared to the letter stays as it is.
        _ if kind.facts().exact.contains(&path) => there.clone(),
        (Value::Object(plan), Value::Object(there)) => {
            let both = plan
                .iter()
                .filter_map(|(key, plan)| Some((key, plan, there.get(key)?)))
                .filter(|(key, plan, there)| !none_is_ours(kind, &below(key), plan, there))
                .map(|(key, plan, there)| (key.clone(), spoken_of(kind, &below(key), plan, there)));
            Value::Object(both.collect())
        }
        (Value::Array(plan), Value::Array(there)) => {
            let member = |(at, one): (usize, &Value)| {
                let same = counterpart(plan, one, at);
                same.map_or_else(|| one.clone(), |plan| spoken_of(kind, &below(&at.to_string()), plan, one))
            };
            Value::Array(there.iter().enumerate().map(member).collect())
        }
        (_, there) => there.clone(),
    }
}

/// Rules that a bucket has from others are not in its lists. An empty list would state that it has no rules at all: going
/// back to it would delete theirs.
fn none_is_ours(kind: Kind, path: &str, plan: &Value, there: &Value) -> bool {
    let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    kind == Kind::Bucket && ["lifecycle", "cors"].contains(&path) && empty(there) && !empty(plan)
}

fn refuse_replacements(changes: &Changes) -> Result<(), Failure> {
    let Some(change) = changes.items.values().find(|change| change.action == Action::Replace) else { return Ok(()) };
    let fields: Vec<&str> = change.fields.iter().map(|field| field.path.as_str()).collect();
    Err(codes::IMPORT.refused(
        shown!("{} would be replaced by the next deploy: {} cannot change in place", change.address, fields.join(", ")),
        "correct the ID, or change the plan to match what exists",
    ))
}

fn tell(args: &Args, changes: &Changes, context: &Context) {
    let differs = changes.acting().count() > 0;
    let words = if differs { "the next deploy would change:" } else { "the next deploy would not change it" };
    context.printer.data(words);
    if differs {
        let text = report::changes_text(
            changes,
            context.printer.verbose > 0,
            context.screen(),
            crate::resource::Level::Usable,
            &report::OmittedResources::default(),
        );
        context.printer.data(text);
    }
    if context.printer.json {
        let mut body = json!({"dry_run": args.dry_run});
        if let (Some(all), Some(more)) = (body.as_object_mut(), report::changes_json(changes).as_object()) {
            all.extend(more.clone());
        }
        context.printer.json("import", &body);
    }
}

fn confirm(args: &Args, context: &Context) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    let problem = "nothing was done: cannot ask for confirmation without a terminal";
    match context.session.can_ask {
        false => Err(codes::NO_TERMINAL.refused(problem, "review the list above, then add --yes")),
        true if context.printer.ask("Import this?") => Ok(()),
        true => Err(Failure::cancelled()),
    }
}

/// A revision in which nothing changed but what the journal knows.
async fn record(
    ledger: &Ledger,
    after: &StackState,
    pairs: &import_item::ImportItems,
    identity: &CallerIdentity,
    context: &Context,
    command: &str,
) -> Result<(), Failure> {
    let began = Fact::RunBegan {
        revision: after.revision() + 1,
        command: command.to_owned(),
        by: format!("{}@{}", context.session.user, context.session.host),
        account: identity.account.clone(),
        stack: after.stack.clone(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        requested: after.requested.clone(),
        fallback: after.fallback.clone(),
        purpose: Some(RunPurpose::Import),
        platforms: vec![PlatformIdentity::Aws { account: identity.account.clone(), caller: identity.arn.clone() }],
    };
    ledger.record(began).await?;
    for address in pairs.keys() {
        let held = &after.resources[address];
        let subject = ResourceSnapshot {
            address: address.clone(),
            kind: held.kind,
            generation: held.generation,
            spec: held.spec.clone(),
            needs: held.needs.clone(),
            step: held.step.clone(),
            after: held.after.clone(),
            origin: Some(held.origin),
            seen: Attributes::new(),
        };
        let id = held.id.clone().unwrap_or_default();
        ledger.record(Fact::Learned { subject, id, attributes: held.attributes.clone() }).await?;
    }
    ledger.record(Fact::RunEnded { ending: RunStatus::Done, changes: 0 }).await?;
    Ok(())
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
