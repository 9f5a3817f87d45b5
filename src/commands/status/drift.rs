//! `status --drift`: compares the real resources with the journal and the plan.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::{hints, workflow};
use super::Context;
use crate::change::{self, DiffScope, PlanningRefusal};
use crate::desired;
use crate::exit::{self, Failure};
use crate::ledger::Ledger;
use crate::observe;
use crate::plan::Plan;
use crate::provider::Providers;
use crate::report;
use crate::resource::{
    Artifacts, Changes, Desired, DriftKind, DriftedResource, Fault, Kind, Level, Moves, Observed, OwnedResource,
    StackState, shown,
};

/// One look at the real resources with what it is compared with.
pub struct DriftView {
    /// Whom we talk to.
    pub header: report::RunHeader,
    /// What is recorded.
    pub recorded: StackState,
    /// What the plan calls otherwise than the journal; `recorded` does so, too.
    pub moves: Moves,
    /// What is wanted: by the plan, else by what was asked for last.
    pub wanted: Desired,
    /// What is there.
    pub observed: Observed,
    /// What carries our mark and is in nobody's journal.
    pub unmanaged: Vec<OwnedResource>,
    /// What could not be listed.
    pub unlisted: Vec<(Kind, Fault)>,
    /// What differs from the recorded state.
    pub drift: Vec<DriftedResource>,
    /// Whom was asked.
    providers: Providers,
}

/// The account of a stack; none for one in clusters alone.
///
/// # Errors
/// When it needs an account and none can be used.
pub async fn account(
    plan: Option<&Plan>,
    stack: &str,
    context: &Context,
) -> Result<Option<workflow::AccountConnection>, Failure> {
    let needed = workflow::needs_account(context, stack, plan).await?;
    Ok(if needed { Some(workflow::connect(&context.session).await?) } else { None })
}

/// Looks.
///
/// # Errors
/// When the plan cannot be built, or nobody answers.
pub async fn look(
    plan: Option<&Plan>,
    ledger: &Ledger,
    connection: Option<&workflow::AccountConnection>,
    context: &Context,
) -> Result<DriftView, Failure> {
    let recorded = ledger.recorded();
    let wanted = match plan {
        Some(plan) => desired::build(plan, &recorded.requested)?.desired,
        None => recorded.as_desired(),
    };
    let (moves, recorded) = workflow::moved(&wanted, recorded);
    let of_account = connection.map(|connection| workflow::with_artifacts(connection, Artifacts::default()));
    let in_clusters = workflow::in_clusters(&wanted, &recorded, connection, &context.session.retry_policy)?;
    let providers = of_account.unwrap_or_default().and(in_clusters);
    let regions = regions(&wanted, &recorded, connection.map(|connection| connection.region.as_str()));
    let looking = async {
        match connection {
            Some(connection) => {
                let (identity, observed) = connection.look_thoroughly(&wanted, &recorded, &providers).await?;
                let header = workflow::header(connection, &identity, &recorded.stack, plan, &context.global);
                Ok::<_, Failure>((header, observed))
            }
            None => {
                let header = workflow::header_of_clusters(&wanted, &recorded.stack, plan, &context.global);
                Ok((header, observe::read_thoroughly(&wanted, &recorded, &providers).await))
            }
        }
    };
    let (looked, (mut unmanaged, unlisted)) =
        tokio::join!(looking, observe::unmanaged(&recorded, &regions, &providers));
    let (header, observed) = looked?;
    // What is recorded of one cluster says nothing about another: nothing of it is missing there, nothing would be made.
    workflow::need_same_clusters(&recorded, &observed)?;
    // What the plan wants under this very address is adopted by the next deploy: it is shown as such.
    let taken_up = |one: &OwnedResource| {
        let at = one.address.as_ref().filter(|address| wanted.resources.contains_key(*address));
        at.and_then(|address| observed.found(address)).is_some_and(|found| found.id == one.id)
    };
    unmanaged.retain(|one| !taken_up(one));
    let drift = change::drift(&wanted, &recorded, &observed, plan.is_some());
    Ok(DriftView { header, recorded, moves, wanted, observed, unmanaged, unlisted, drift, providers })
}

/// The regions that the stack lives in.
fn regions(wanted: &Desired, recorded: &StackState, own: Option<&str>) -> BTreeSet<String> {
    let wanted = wanted.resources.values().map(|resource| &resource.spec);
    let specs = wanted.chain(recorded.resources.values().map(|record| &record.spec));
    let named = specs.filter_map(|spec| spec.get("region")?.as_str()).filter(|region| !region.contains("${"));
    named.chain(own).map(str::to_owned).collect()
}

/// What deploy would do, and what it would refuse.
struct ComparedPlan {
    changes: Changes,
    /// What is in the way of the plan: something foreign, for example.
    in_the_way: Vec<PlanningRefusal>,
    /// What could not be read.
    unread: Vec<PlanningRefusal>,
}

impl DriftView {
    /// What is contested is shown as that, and does not prevent the rest.
    async fn compared(&mut self) -> ComparedPlan {
        let contested = self.drift.iter().filter(|one| one.happened == DriftKind::Contested);
        let adopt = contested.map(|one| one.address.clone()).collect();
        let scope = DiffScope { adopt, moves: self.moves.clone(), ..DiffScope::default() };
        let (mut changes, mut refused) = change::diff_around(&self.wanted, &self.recorded, &self.observed, &scope);
        let previewed = workflow::previewed(&mut changes, &self.recorded, &self.observed, &self.providers).await;
        for refusal in &previewed {
            let drifted = self.drift.iter_mut().filter(|one| one.address == refusal.address);
            drifted.for_each(|one| one.refused = Some(refusal.problem.clone()));
        }
        refused.extend(previewed);
        let (unread, in_the_way) = refused.into_iter().partition(|one| one.unread);
        ComparedPlan { changes, in_the_way, unread }
    }
}

/// Shows the drift.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(plan: Option<&Plan>, stack: &str, context: &Context) -> Result<u8, Failure> {
    workflow::no_devices(context, stack, "provision --dry-run").await?;
    let connection = account(plan, stack, context).await?;
    let store = workflow::store(&context.global, &context.session, stack, connection.as_ref()).await?;
    let ledger = Ledger::read(store, stack).await?;
    let mut seen = look(plan, &ledger, connection.as_ref(), context).await?;
    if plan.is_none() && seen.recorded.sequence == 0 && seen.unmanaged.is_empty() {
        return Err(hints::refusal(stack, Some(&[]), context));
    }
    let printer = &context.printer;
    printer.header(&seen.header);
    for (kind, fault) in &seen.unlisted {
        printer.remark(shown!(
            "cannot list the other resources of kind {} that this stack owns: {}",
            kind.name(),
            fault.shown()
        ));
    }
    let compared = seen.compared().await;
    let code = code(&seen, &compared);
    if context.global.json {
        printer.json("drift", &document(&seen, &compared, code));
    } else {
        tell(&seen, &compared, context);
    }
    // What is there is told all the same.
    if compared.unread.is_empty() { Ok(code) } else { Err(workflow::refused(&compared.unread)) }
}

fn code(seen: &DriftView, compared: &ComparedPlan) -> u8 {
    let as_planned = compared.changes.is_empty() && compared.in_the_way.is_empty();
    let none = as_planned && !seen.drift.iter().any(DriftedResource::counts) && seen.unmanaged.is_empty();
    if none { exit::DONE } else { exit::PENDING }
}

fn tell(seen: &DriftView, compared: &ComparedPlan, context: &Context) {
    let (printer, color) = (&context.printer, context.session.color);
    let text = report::drift_text(&seen.drift, printer.verbose > 0, color, context.session.width.into());
    if !text.is_empty() {
        printer.data(text);
    }
    if !seen.unmanaged.is_empty() {
        printer.data(report::unmanaged_text(&seen.unmanaged));
    }
    for PlanningRefusal { address, problem, next_step, .. } in &compared.in_the_way {
        printer.data(shown!("blocks the plan: {}: {}\n  next  {}", address, problem, next_step));
    }
    let ComparedPlan { changes, in_the_way, unread } = compared;
    let drifting = seen.drift.iter().any(DriftedResource::counts);
    if !in_the_way.is_empty() && !changes.is_empty() {
        printer.data("\ndeploy is refused until then; after that it would do this:");
    } else if drifting && !changes.is_empty() {
        let contested = seen.drift.iter().any(|one| one.happened == DriftKind::Contested);
        let adopting = if contested { ", with --adopt of what is contested" } else { "" };
        printer.data(shown!("\ndeploy{} would do this:", adopting));
    }
    // Without a comparison of everything nothing is said to match the plan.
    if !changes.is_empty() || in_the_way.is_empty() && unread.is_empty() {
        let omitted = report::OmittedResources::default();
        printer.data(report::changes_text(changes, printer.verbose > 0, context.screen(), Level::Usable, &omitted));
    }
}

fn document(seen: &DriftView, compared: &ComparedPlan, code: u8) -> serde_json::Value {
    let refused = |all: &[PlanningRefusal]| {
        let one =
            |one: &PlanningRefusal| json!({"address": one.address, "problem": one.problem, "next_step": one.next_step});
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
