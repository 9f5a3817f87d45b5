//! `status --drift`: the world beside the journal and the plan.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::{unknown, walk};
use super::Context;
use crate::change::{self, Refusal, Scope};
use crate::desired;
use crate::exit::{self, Failure};
use crate::ledger::Ledger;
use crate::observe;
use crate::plan::Plan;
use crate::provider::Providers;
use crate::report;
use crate::resource::{
    Artefacts, Changes, Desired, Drifted, Fault, Happened, Kind, Level, Moves, Observed, Owned, Remembered, shown,
};

/// One look at the world with what it is compared with.
pub struct Seen {
    /// Whom we talk to.
    pub header: report::Header,
    /// What is remembered.
    pub remembered: Remembered,
    /// What the plan calls otherwise than the journal; `remembered` does so, too.
    pub moves: Moves,
    /// What is wanted: by the plan, else by what was asked for last.
    pub wanted: Desired,
    /// What is there.
    pub observed: Observed,
    /// What carries our mark and is in nobody's journal.
    pub unmanaged: Vec<Owned>,
    /// What could not be listed.
    pub unlisted: Vec<(Kind, Fault)>,
    /// What differs from the recorded state.
    pub drift: Vec<Drifted>,
    /// Whom was asked.
    providers: Providers,
}

/// The account of a stack; none for one in clusters alone.
///
/// # Errors
/// When it needs an account and none can be used.
pub async fn account(plan: Option<&Plan>, stack: &str, context: &Context) -> Result<Option<walk::Connection>, Failure> {
    let needed = walk::needs_account(context, stack, plan).await?;
    Ok(if needed { Some(walk::connect(&context.session).await?) } else { None })
}

/// Looks.
///
/// # Errors
/// When the plan cannot be built, or nobody answers.
pub async fn look(
    plan: Option<&Plan>,
    ledger: &Ledger,
    connection: Option<&walk::Connection>,
    context: &Context,
) -> Result<Seen, Failure> {
    let remembered = ledger.remembered();
    let wanted = match plan {
        Some(plan) => desired::build(plan, &remembered.requested)?.desired,
        None => remembered.as_desired(),
    };
    let (moves, remembered) = walk::moved(&wanted, remembered);
    let of_account = connection.map(|connection| walk::with_artefacts(connection, Artefacts::default()));
    let in_clusters = walk::in_clusters(&wanted, &remembered, connection, &context.session.patience)?;
    let providers = of_account.unwrap_or_default().and(in_clusters);
    let regions = regions(&wanted, &remembered, connection.map(|connection| connection.region.as_str()));
    let looking = async {
        match connection {
            Some(connection) => {
                let (identity, observed) = connection.look_thoroughly(&wanted, &remembered, &providers).await?;
                let header = walk::header(connection, &identity, &remembered.stack, plan, &context.global);
                Ok::<_, Failure>((header, observed))
            }
            None => {
                let header = walk::header_of_clusters(&wanted, &remembered.stack, plan, &context.global);
                Ok((header, observe::read_thoroughly(&wanted, &remembered, &providers).await))
            }
        }
    };
    let (looked, (mut unmanaged, unlisted)) =
        tokio::join!(looking, observe::unmanaged(&remembered, &regions, &providers));
    let (header, observed) = looked?;
    // What the plan wants under this very address is taken up by the next deploy: it is told as such.
    let taken_up = |one: &Owned| {
        let at = one.address.as_ref().filter(|address| wanted.resources.contains_key(*address));
        at.and_then(|address| observed.found(address)).is_some_and(|found| found.id == one.id)
    };
    unmanaged.retain(|one| !taken_up(one));
    let drift = change::drift(&wanted, &remembered, &observed, plan.is_some());
    Ok(Seen { header, remembered, moves, wanted, observed, unmanaged, unlisted, drift, providers })
}

/// The regions that the stack lives in.
fn regions(wanted: &Desired, remembered: &Remembered, own: Option<&str>) -> BTreeSet<String> {
    let wanted = wanted.resources.values().map(|resource| &resource.spec);
    let specs = wanted.chain(remembered.resources.values().map(|record| &record.spec));
    let named = specs.filter_map(|spec| spec.get("region")?.as_str()).filter(|region| !region.contains("${"));
    named.chain(own).map(str::to_owned).collect()
}

/// What deploy would do, and what it would refuse.
struct Compared {
    changes: Changes,
    /// What stands in the way of the plan: something foreign, for example.
    in_the_way: Vec<Refusal>,
    /// What could not be read.
    unread: Vec<Refusal>,
}

impl Seen {
    /// What is contested is shown as that, and does not stand in the way of the rest.
    async fn compared(&mut self) -> Compared {
        let contested = self.drift.iter().filter(|one| one.happened == Happened::Contested);
        let adopt = contested.map(|one| one.address.clone()).collect();
        let scope = Scope { adopt, moves: self.moves.clone(), ..Scope::default() };
        let (mut changes, mut refused) = change::diff_around(&self.wanted, &self.remembered, &self.observed, &scope);
        let previewed = walk::previewed(&mut changes, &self.remembered, &self.observed, &self.providers).await;
        for refusal in &previewed {
            let drifted = self.drift.iter_mut().filter(|one| one.address == refusal.address);
            drifted.for_each(|one| one.refused = Some(refusal.problem.clone()));
        }
        refused.extend(previewed);
        let (unread, in_the_way) = refused.into_iter().partition(|one| one.unread);
        Compared { changes, in_the_way, unread }
    }
}

/// Shows the drift.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(plan: Option<&Plan>, stack: &str, context: &Context) -> Result<u8, Failure> {
    walk::no_devices(context, stack, "provision --dry-run").await?;
    let connection = account(plan, stack, context).await?;
    let store = walk::store(&context.global, &context.session, stack, connection.as_ref()).await?;
    let ledger = Ledger::read(store, stack).await?;
    let mut seen = look(plan, &ledger, connection.as_ref(), context).await?;
    if plan.is_none() && seen.remembered.sequence == 0 && seen.unmanaged.is_empty() {
        return Err(unknown::refusal(stack, Some(&[]), context));
    }
    let voice = &context.voice;
    voice.header(&seen.header);
    for (kind, fault) in &seen.unlisted {
        voice.remark(shown!("what else this stack owns of kind {} is not known: {}", kind.name(), fault.shown()));
    }
    let compared = seen.compared().await;
    let code = code(&seen, &compared);
    if context.global.json {
        voice.json("drift", &document(&seen, &compared, code));
    } else {
        tell(&seen, &compared, context);
    }
    // What is there is told all the same.
    if compared.unread.is_empty() { Ok(code) } else { Err(walk::refused(&compared.unread)) }
}

fn code(seen: &Seen, compared: &Compared) -> u8 {
    let as_planned = compared.changes.is_empty() && compared.in_the_way.is_empty();
    let none = as_planned && !seen.drift.iter().any(Drifted::counts) && seen.unmanaged.is_empty();
    if none { exit::DONE } else { exit::PENDING }
}

fn tell(seen: &Seen, compared: &Compared, context: &Context) {
    let (voice, colour) = (&context.voice, context.session.colour);
    let text = report::drift_text(&seen.drift, voice.verbose > 0, colour, context.session.width.into());
    if !text.is_empty() {
        voice.data(text);
    }
    if !seen.unmanaged.is_empty() {
        voice.data(report::unmanaged_text(&seen.unmanaged));
    }
    for Refusal { address, problem, next_step, .. } in &compared.in_the_way {
        voice.data(shown!("in the way of the plan: {}: {}\n  next  {}", address, problem, next_step));
    }
    let Compared { changes, in_the_way, unread } = compared;
    let drifting = seen.drift.iter().any(Drifted::counts);
    if !in_the_way.is_empty() && !changes.is_empty() {
        voice.data("\ndeploy is refused until then; after that it would do this:");
    } else if drifting && !changes.is_empty() {
        let contested = seen.drift.iter().any(|one| one.happened == Happened::Contested);
        let adopting = if contested { ", with --adopt of what is contested" } else { "" };
        voice.data(shown!("\ndeploy{} would do this:", adopting));
    }
    // Without a comparison of everything nothing is said to match the plan.
    if !changes.is_empty() || in_the_way.is_empty() && unread.is_empty() {
        let omitted = report::Omitted::default();
        voice.data(report::changes_text(changes, voice.verbose > 0, colour, Level::Usable, &omitted));
    }
}

fn document(seen: &Seen, compared: &Compared, code: u8) -> serde_json::Value {
    let refused = |all: &[Refusal]| {
        let one = |one: &Refusal| json!({"address": one.address, "problem": one.problem, "next_step": one.next_step});
        all.iter().map(one).collect::<Vec<_>>()
    };
    let mut body = report::changes_json(&compared.changes);
    body["in_the_way"] = json!(refused(&compared.in_the_way));
    body["unread"] = json!(refused(&compared.unread));
    body["header"] = json!(seen.header);
    body["exit"] = json!(code);
    body["drift"] = json!(seen.drift);
    body["unmanaged"] = json!(seen.unmanaged);
    let unlisted = seen.unlisted.iter().map(|(kind, fault)| json!({"kind": kind, "fault": fault}));
    body["unlisted"] = unlisted.collect();
    body
}
