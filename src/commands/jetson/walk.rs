//! The walk for devices: the same rooms as for the cloud, without an account.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::AccessArgs;
use super::failures::{LeftOut, left_out, machine};
use super::unnamed::Unnamed;
use crate::change::Scope;
use crate::commands::Context;
use crate::commands::asking::{self, Asked};
use crate::commands::walk::{self, Purpose, Run, RunArgs};
use crate::desired::Built;
use crate::desired::jetson::is_power;
use crate::exit::{self, Failure};
use crate::ledger::Ledger;
use crate::observe;
use crate::plan::Plan;
use crate::provider::aws::Identity;
use crate::provider::device::{Fleet, providers};
use crate::report::{Header, Omitted, Terminal};
use crate::resource::{Address, Fault, Outcome, Remembered, RunPurpose};

/// What the devices are to become.
pub struct Aim {
    /// Name of the stack.
    pub stack: String,
    /// The verb with its main arguments.
    pub command: String,
    /// What the run is for.
    pub purpose: RunPurpose,
    /// What is wanted.
    pub built: Built,
    /// The plan, when there is one.
    pub plan: Option<Plan>,
    /// Only these machines; all when empty.
    pub hosts: Vec<String>,
    /// What of them.
    pub part: Part,
    /// The journal's last entry when the aim was made from it; none: it was not.
    pub sequence: Option<u64>,
    /// The way to the devices, when there is one already.
    pub fleet: Option<Arc<Fleet>>,
}

/// Which part of a stack of devices a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    All,
    /// What the plan says; a power mode that was set by hand stays where the plan names none. Without `app`, what an
    /// earlier run put into the cluster stays, too.
    Plan {
        /// What runs in the cluster is part of it.
        app: bool,
    },
    /// Power modes alone.
    Power,
}

/// Makes the devices so.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn carry_out(aim: Aim, access: &AccessArgs, run: &RunArgs, context: &Context) -> Result<u8, Failure> {
    walk::need_files(&aim.built)?;
    let store = walk::store(&context.global, &context.session, &aim.stack, None).await?;
    let ledger = if run.dry_run {
        Ledger::read(store, &aim.stack).await?
    } else {
        walk::write(context, store, &aim.stack, &aim.command, aim.purpose).await?
    };
    let answer = with_ledger(aim, access, run, context, &ledger).await;
    walk::close(ledger, answer).await
}

async fn with_ledger(
    mut aim: Aim,
    access: &AccessArgs,
    run: &RunArgs,
    context: &Context,
    ledger: &Ledger,
) -> Result<u8, Failure> {
    let begun = Instant::now();
    let remembered = ledger.remembered();
    if aim.sequence.is_some_and(|sequence| sequence != remembered.sequence) {
        return Err(Failure::refused("the journal went on meanwhile: nothing was done", "run the same command again"));
    }
    let (moves, remembered) = walk::moved(&aim.built.desired, remembered);
    let artefacts = Arc::new(std::mem::take(&mut aim.built.artefacts));
    let fleet = match aim.fleet.take() {
        Some(fleet) => fleet,
        None => access.fleet(&aim.built.desired, &remembered, context)?,
    };
    let providers = providers(&fleet, &artefacts);
    let unnamed = unnamed(&aim, &remembered)?;
    let mut chosen = chosen(&aim, &remembered)?;
    chosen.retain(|address| !unnamed.addresses.contains(address));
    let observed = observe::read(&aim.built.desired, &remembered, &providers, |address| chosen.contains(address)).await;
    let left = left_out(&aim.built.desired, &remembered, &observed);
    let header = header(&aim, context);
    context.voice.header(&header);
    unnamed.say(&aim.stack, context);
    say_who_is_away(&left, context);
    let only: BTreeSet<Address> = chosen.difference(&left.addresses).cloned().collect();
    let scope = Scope { only: Some(only), moves, ..Scope::default() };
    let changes = walk::difference(&aim.built.desired, &remembered, &observed, &scope)?;
    let away: Vec<String> = left.machines.keys().cloned().collect();
    let unnamed_names: Vec<String> = unnamed.machines.iter().cloned().collect();
    let asked = Asked {
        changes: &changes,
        built: &aim.built,
        header: &header,
        only_looks: run.dry_run,
        whole: aim.hosts.is_empty(),
        omitted: Omitted { away: &away, unnamed: &unnamed_names, ..Omitted::default() },
    };
    if let Some(code) = asking::confirm(&asked, run, context)? {
        return Ok(if left.machines.is_empty() { code } else { exit::ERROR });
    }
    let terminal = Terminal::new(context.session.terminal, context.global.quiet, context.session.colour);
    let identity = Identity { account: String::new(), arn: String::new() };
    let work = Run {
        ledger,
        providers: &providers,
        listener: &terminal,
        identity: &identity,
        session: &context.session,
        options: run.options(),
    };
    let begun = if run.yes { begun } else { Instant::now() };
    let purpose = Purpose { command: aim.command.clone(), kind: aim.purpose, ..Purpose::default() };
    let outcome = work.go(&changes, &purpose).await?;
    let code = asking::tell(&outcome, begun, &asked, context, &context.session.again);
    say_how_each_went(&aim, &remembered, &outcome, (&left, &unnamed), context);
    Ok(if left.machines.is_empty() { code } else { exit::ERROR })
}

/// The devices that a run by the plan leaves as they are. A rollback and an uninstall are about all of the journal.
fn unnamed(aim: &Aim, remembered: &Remembered) -> Result<Unnamed, Failure> {
    if aim.part == Part::All {
        return Ok(Unnamed::default());
    }
    let unnamed = Unnamed::of(&aim.built.desired, remembered);
    unnamed.refuse(&aim.hosts, &aim.stack)?;
    if aim.part != Part::Power {
        unnamed.refuse_other_server(&aim.built.desired, remembered, &aim.stack)?;
    }
    Ok(unnamed)
}

/// The addresses that the run is about.
fn chosen(aim: &Aim, remembered: &Remembered) -> Result<BTreeSet<Address>, Failure> {
    let desired = &aim.built.desired;
    let every = desired.resources.keys().chain(remembered.resources.keys());
    let on = |address: &Address| machine(desired, remembered, address).unwrap_or_default();
    let names: BTreeSet<String> = every.clone().map(on).collect();
    if let Some(unknown) = aim.hosts.iter().find(|host| !names.contains(*host)) {
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        return Err(Failure::refused(
            format!("no device is called {unknown:?}"),
            format!("use one of: {}", known.join(", ")),
        ));
    }
    let wanted = |address: &Address| aim.hosts.is_empty() || aim.hosts.contains(&on(address));
    let mut chosen: BTreeSet<Address> = every.filter(|address| wanted(address)).cloned().collect();
    match aim.part {
        Part::All => {}
        Part::Power => chosen.retain(is_power),
        Part::Plan { app } => {
            let set: BTreeSet<String> = desired.resources.keys().filter(|one| is_power(one)).map(on).collect();
            let by_hand = |address: &Address| is_power(address) && !set.contains(&on(address));
            let of_app = |address: &Address| !app && address.as_str().contains(".manifest.");
            chosen.retain(|one| desired.resources.contains_key(one) || !by_hand(one) && !of_app(one));
        }
    }
    let needed = desired.with_needs(|address| chosen.contains(address));
    chosen.extend(needed);
    Ok(chosen)
}

fn header(aim: &Aim, context: &Context) -> Header {
    Header {
        stack: aim.stack.clone(),
        plan: aim.plan.as_ref().map(|plan| plan.file.clone()),
        account: String::new(),
        caller: format!("{}@{}", context.session.user, context.session.host),
        region: String::new(),
        endpoint: "devices over SSH".to_owned(),
        state: context.global.state.clone(),
    }
}

fn say_who_is_away(left: &LeftOut, context: &Context) {
    for fault in left.machines.values() {
        let next = fault.next_step.as_ref().map_or_else(String::new, |next| format!("\n  next: {next}"));
        context.voice.remark(&format!("left out: {}{next}", fault.message.text()));
    }
}

/// How a run went on one device.
#[derive(Default)]
struct Went<'o> {
    failed: Option<(&'o Address, &'o Fault)>,
    done: usize,
    skipped: usize,
}

/// One line for each device that the run was about.
fn say_how_each_went(
    aim: &Aim,
    remembered: &Remembered,
    outcome: &Outcome,
    (left, unnamed): (&LeftOut, &Unnamed),
    context: &Context,
) {
    let on = |address: &Address| machine(&aim.built.desired, remembered, address).unwrap_or_default();
    let every = aim.built.desired.resources.keys().chain(remembered.resources.keys());
    let mut names: BTreeSet<String> = every.map(on).collect();
    names.retain(|name| !unnamed.machines.contains(name) && (aim.hosts.is_empty() || aim.hosts.contains(name)));
    let mut went: BTreeMap<String, Went<'_>> = BTreeMap::new();
    for (address, fault) in &outcome.failed {
        went.entry(on(address)).or_default().failed.get_or_insert((address, fault));
    }
    outcome.done.iter().for_each(|done| went.entry(on(&done.address)).or_default().done += 1);
    outcome.skipped.iter().for_each(|(address, _)| went.entry(on(address)).or_default().skipped += 1);
    for name in names {
        let Went { failed, done, skipped } = went.remove(&name).unwrap_or_default();
        let line = match (left.machines.get(&name), failed) {
            (Some(fault), _) => format!("away: {}", fault.message.line()),
            (_, Some((address, fault))) => format!("failed at {address}: {}", fault.message.line()),
            _ if skipped > 0 => format!("{done} done, {skipped} left for a later run"),
            _ if done == 0 => "as it was".to_owned(),
            _ => format!("{done} done"),
        };
        context.voice.talk(&format!("{name}: {line}"));
    }
}
