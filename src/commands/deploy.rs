//! `deploy`: applies a plan.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Context;
use super::certified::{need_parity, seconds_since_1970};
use super::hints;
use super::holding_data;
use super::iam_policy;
use super::jetson::{UnnamedDevices, need_devices, say_who_is_replaced};
use super::plan_file::{self, SavedPlan};
use super::retained;
use super::selection::{RunSelection, SelectedPart, Selection};
use super::workflow::{
    self, AccessArgs, AllowedChanges, EmptyBucketsArgs, Journals, Operation, PlanArgs, Platforms, RunArgs, RunRequest,
    RunTarget, RunView,
};
use crate::change::{DiffScope, OutsideResources};
use crate::desired::{DesiredStack, jetson};
use crate::exit::{Failure, codes};
use crate::plan::Plan;
use crate::resource::{
    Action, Address, Change, Changes, Owner, ResourceOrigin, Risk, RunPurpose, SafeText, StackState, counted, shown,
};

/// Apply a plan: show the difference, ask, do it. A second run has nothing to do.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Deploy only this area (cdn, edge, kubernetes, models, page, queues, routing) and its dependencies; or apply a
    /// saved plan (FILE.plan.json)
    #[arg(value_name = "AREA|FILE.plan.json")]
    what: Option<String>,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    empty: EmptyBucketsArgs,
    /// Save the changes to a file for `deploy FILE.plan.json`; change nothing
    #[arg(long, value_name = "FILE.plan.json")]
    out: Option<PathBuf>,
    /// Overwrite the --out file even if it is not a saved plan
    #[arg(long, requires = "out")]
    force: bool,
    /// Limit to these addresses and their dependencies (prefix or glob pattern); repeatable, and adds to AREA
    #[arg(long, value_name = "ADDRESS")]
    target: Vec<String>,
    /// Skip these addresses and everything that depends on them
    #[arg(long, value_name = "ADDRESS")]
    exclude: Vec<String>,
    /// Print the minimal IAM policy for this plan; makes no call
    #[arg(long)]
    print_iam_policy: bool,
    /// With --print-iam-policy: limit it to the IDs of what is deployed, as recorded in the journal
    #[arg(long, requires = "print_iam_policy")]
    deployed: bool,
    /// Print what the plan's permissions boundary has to allow; makes no call
    #[arg(long)]
    print_iam_boundary: bool,
    /// Adopt an existing resource that this stack does not own
    #[arg(long, value_name = "ADDRESS")]
    adopt: Vec<Address>,
    /// Include a step that runs only on request
    #[arg(long, value_name = "STEP")]
    request: Vec<String>,
    #[command(flatten)]
    with: WithDevices,
}

/// The devices of the plan in the same run.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Devices, with --devices")]
pub struct WithDevices {
    /// Also deploy the plan's devices in the same run
    #[arg(long)]
    pub devices: bool,
    /// How they are reached.
    #[command(flatten)]
    pub access: AccessArgs,
    /// Install from this directory instead of the network: k3s, k3s-install.sh, SHA256SUMS, image archives
    #[arg(long, value_name = "DIRECTORY")]
    pub artifacts: Option<PathBuf>,
    /// Use the devices in this YAML file instead of the plan's
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<String>,
}

/// Deploys.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    if let Some(file) = args.what.as_ref().filter(|what| what.ends_with(".json")) {
        return plan_file::apply(file, &args.run, &args.with, context).await;
    }
    if let Some(file) = &args.out {
        plan_file::may_write(file, args.force)?;
    }
    let plan = args.with.plan(args.plan.load(context)?, context)?;
    if args.print_iam_policy {
        return iam_policy::print(&plan, args.deployed, context).await;
    }
    if args.print_iam_boundary {
        return iam_policy::print_boundary(&plan, context);
    }
    let command = args.command();
    need_requests(&plan, &args.request)?;
    need_parity(&plan, seconds_since_1970())?;
    let mut targets = args.target;
    targets.extend(args.what);
    let order = RunSelection {
        plan,
        chosen: Selection { targets, excluded: args.exclude, ..Selection::default() },
        request: args.request.into_iter().collect(),
        adopt: args.adopt.into_iter().collect(),
        command,
        purpose: RunPurpose::Deploy,
        fallback: None,
        out: args.out,
    };
    let access = args.with.devices.then_some(&args.with.access);
    carry_out(order, &args.run.emptying(args.empty), access, context).await
}

impl Args {
    /// The verb with its main arguments, as the journal has it.
    fn command(&self) -> String {
        let area = self.what.as_ref().map_or(String::new(), |area| format!(" {area}"));
        let devices = if self.with.devices { " --devices" } else { "" };
        let plan = self.plan.plan.as_deref().unwrap_or_default();
        let mut command = format!("deploy{area}{devices} --plan {plan}");
        for (flag, values) in [("target", &self.target), ("exclude", &self.exclude), ("request", &self.request)] {
            for value in values {
                command.push_str(&format!(" --{flag} {value}"));
            }
        }
        command
    }
}

impl WithDevices {
    /// The plan with what its devices bring, when they are part of the run.
    ///
    /// # Errors
    /// When a file of them cannot be read, or the plan has no devices.
    fn plan(&self, mut plan: Plan, context: &Context) -> Result<Plan, Failure> {
        if self.devices {
            let replaced = plan.bring_devices(self.inventory.as_deref(), self.artifacts.as_deref())?;
            say_who_is_replaced(&replaced, context);
            need_devices(&plan)?;
        }
        Ok(plan)
    }
}

/// Refuses steps that the plan does not have, and steps that are not on request only.
///
/// # Errors
/// Which one, and the steps that wait.
pub fn need_requests(plan: &Plan, requested: &[String]) -> Result<(), Failure> {
    let Some(unknown) = requested.iter().find(|id| plan.step(id).is_none_or(|step| !step.on_request)) else {
        return Ok(());
    };
    let waiting: Vec<&str> = plan.steps.iter().filter(|step| step.on_request).map(|step| step.id.as_str()).collect();
    let next = match waiting.as_slice() {
        [] => SafeText::from("remove --request: the plan has no on-request steps"),
        all => shown!("on-request steps: {}", all.join(", ")),
    };
    let problem = match plan.step(unknown) {
        None => shown!("the plan has no step {:?}", unknown),
        Some(_) => shown!("step {:?} is not an on-request step: every deploy runs it", unknown),
    };
    Err(codes::UNKNOWN_NAME.refused(problem, next))
}

/// Carries out an order: `deploy`, `route` and `rollback --fallback`. With `access`, the plan's devices are part of the run.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn carry_out(
    order: RunSelection,
    run: &RunArgs,
    access: Option<&AccessArgs>,
    context: &Context,
) -> Result<u8, Failure> {
    let platforms = match access {
        // What devices refer to may be in the account.
        Some(_) => Platforms::of_account(context).await?,
        None => Platforms::of_stack(context, &order.plan.stack, Some(&order.plan)).await?,
    };
    let platforms = match access {
        Some(access) => platforms.and_devices(access),
        None => platforms,
    };
    let request = RunRequest {
        stack: order.plan.stack.clone(),
        devices: access.map(|_| jetson::stack(&order.plan)),
        command: order.command.clone(),
        purpose: order.purpose,
        run,
        plan: Some(order.plan.file.clone()),
        only_looks: run.dry_run || order.out.is_some(),
        emptying: holding_data::ADD,
    };
    let mut deploying = DeployOperation { order: &order, run, at_hand: BTreeSet::new(), made: Vec::new() };
    workflow::carry_out(&request, platforms, &mut deploying, context).await
}

/// A plan on its way into the real resources.
struct DeployOperation<'a> {
    order: &'a RunSelection,
    run: &'a RunArgs,
    /// Hashes of the content that is at hand.
    at_hand: BTreeSet<String>,
    /// What was made in memory, for a plan that is saved.
    made: Vec<Vec<u8>>,
}

impl Operation for DeployOperation<'_> {
    async fn wants(&mut self, journals: &Journals, context: &Context) -> Result<RunTarget, Failure> {
        let order = self.order;
        let recorded = journals.recorded();
        // Steps of an older plan that this one does not know any more are forgotten with it.
        let known = |step: &&String| order.plan.step(step).is_some();
        let requested: BTreeSet<String> =
            recorded.requested.iter().filter(known).chain(&order.request).cloned().collect();
        let built = if journals.devices().is_some() {
            workflow::together(&order.plan, &requested, &context.printer)?
        } else {
            workflow::build(&order.plan, &requested, &context.printer)?
        };
        workflow::need_files(&built)?;
        let SelectedPart { only, moves, recorded, outside } = order.chosen.part(&built, recorded)?;
        // `route` and a fallback are about a part by themselves.
        let mut unselected = if order.purpose == RunPurpose::Deploy { outside } else { OutsideResources::default() };
        let mut scope = DiffScope { only, adopt: order.adopt.clone(), moves, ..DiffScope::default() };
        let unnamed = unnamed(journals, &built, &recorded)?;
        unnamed.leave_out(&mut scope, &mut unselected, &built.desired, &recorded);
        need_addresses(order, &built, &scope)?;
        workflow::need_changeable(&built.desired, &recorded, &scope)?;
        retained::keep_artifacts(&context.global, &built.desired, &built.artifacts, self.run.dry_run)?;
        self.at_hand = built.artifacts.iter().map(|(sha256, _, _)| sha256.to_owned()).collect();
        if order.out.is_some() {
            self.made = retained::made_in_memory(&built.artifacts);
        }
        Ok(RunTarget {
            built,
            recorded,
            scope,
            requested,
            fallback: order.fallback.clone(),
            whole: order.chosen.is_everything(),
            unselected,
            unnamed: unnamed.names(),
            remarks: journals.devices().and_then(|devices| unnamed.remark(devices.stack())).into_iter().collect(),
            again: context.session.again.clone(),
            ..RunTarget::default()
        })
    }

    fn seen(&mut self, _wanted: &mut RunTarget, seen: &RunView, _context: &Context) -> Result<(), Failure> {
        if self.order.out.is_none() || seen.left.is_empty() {
            return Ok(());
        }
        Err(codes::PART_UNREACHABLE.error(
            "a saved plan is applied as a whole, and part of it is unreachable; no plan was saved",
            "run the same command again when it can be reached; without --devices, the plan of the account alone is saved",
        ))
    }

    fn differs(&mut self, changes: &mut Changes, wanted: &RunTarget, context: &Context) -> Result<(), Failure> {
        say_what_another_state_may_know(changes, wanted, context);
        say_what_is_not_adopted(&self.order.adopt, changes, context);
        for remark in retained::not_to_be_undone(changes, &self.at_hand, &context.global, &self.order.plan.stack) {
            context.printer.remark(remark);
        }
        Ok(())
    }

    async fn allowed(&mut self, allowed: &AllowedChanges<'_>) -> Result<(), Failure> {
        let Some(file) = &self.order.out else { return Ok(()) };
        let saved = SavedPlan::new(allowed, &self.order.plan, &self.made, self.run.empty_buckets);
        saved.write(file, allowed.journals.own()).await
    }
}

/// The devices that a run over them leaves as they are.
fn unnamed(journals: &Journals, built: &DesiredStack, recorded: &StackState) -> Result<UnnamedDevices, Failure> {
    let Some(devices) = journals.devices() else { return Ok(UnnamedDevices::default()) };
    let unnamed = UnnamedDevices::of(&built.desired, recorded);
    unnamed.refuse_renamed(&built.desired, recorded, devices.stack())?;
    unnamed.refuse_other_server(&built.desired, recorded, devices.stack())?;
    Ok(unnamed)
}

/// Refuses what would silently be left out: a thing to adopt, or a step, outside of what this run works on.
fn need_addresses(order: &RunSelection, built: &DesiredStack, scope: &DiffScope) -> Result<(), Failure> {
    if let Some(unknown) = order.adopt.iter().find(|address| !built.desired.resources.contains_key(*address)) {
        let like = |known: &&Address| known.area() == unknown.area() || known.kind_name() == unknown.kind_name();
        let near: Vec<&str> = built.desired.resources.keys().filter(like).take(5).map(Address::as_str).collect();
        let next = match near.as_slice() {
            [] => SafeText::from("name an address that deploy --dry-run lists"),
            near => shown!("name an address of the plan, such as {}", near.join(", ")),
        };
        return Err(codes::UNKNOWN_NAME.refused(shown!("--adopt: the plan has no {}", unknown), next));
    }
    if let Some(outside) = order.adopt.iter().find(|address| !scope.covers(address)) {
        return Err(codes::OUT_OF_SCOPE.refused(
            shown!("--adopt {} is outside the scope of this run", outside),
            shown!("add --target {}, or leave it out of --exclude", outside),
        ));
    }
    for step in &order.request {
        let mut own = built.by_step.get(step).into_iter().flatten();
        if let Some(outside) = own.find(|address| !scope.covers(address)) {
            return Err(codes::OUT_OF_SCOPE.refused(
                shown!("step {} changes {}, which is outside the scope of this run", step, outside),
                shown!("add --target {}, or leave it out of --exclude", outside),
            ));
        }
    }
    Ok(())
}

/// A state that knows nothing of a stack whose resources exist: it was lost, or it is not the one that this stack is changed from.
/// Said, and counted as a risk.
fn say_what_another_state_may_know(changes: &mut Changes, wanted: &RunTarget, context: &Context) {
    if wanted.recorded.sequence > 0 {
        return;
    }
    let exists = |change: &&mut Change| change.action == Action::Adopt && change.origin == ResourceOrigin::Recovered;
    let mut count = 0;
    for change in changes.items.values_mut().filter(exists) {
        change.risk = change.risk.max(Risk::SharedStack);
        count += 1;
    }
    if count > 0 {
        context.printer.remark(shown!(
            "{}, and {} are tagged as the stack's: this run adopts them. If another state manages them, two states will \
             change the same resources\n  next: name the place of that state with --state; go on only if it is lost",
            hints::words(&changes.stack, context),
            counted(count, "resource")
        ));
    }
}

/// `--adopt` of what is not there, or is this stack's already, takes nothing up: said, so that nobody believes it did.
fn say_what_is_not_adopted(adopt: &BTreeSet<Address>, changes: &Changes, context: &Context) {
    for address in adopt {
        let found = changes.items.get(address).map(|change| change.found.as_ref());
        let why = match found {
            Some(Some(found)) if found.owner == Owner::Ours => "this stack already owns it",
            Some(None) => "it does not exist yet",
            _ => continue,
        };
        context.printer.remark(shown!("--adopt {} has no effect: {}", address, why));
    }
}
