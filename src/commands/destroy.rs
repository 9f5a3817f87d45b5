//! `destroy`: deletes the resources of a stack.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use super::hints;
use super::holding_data;
use super::imported;
use super::jetson::refuse_shared;
use super::selection::{SelectedPart, Selection};
use super::workflow::{
    self, BothStacksArgs, EmptyBucketsArgs, Journals, Operation, PlanArgs, Platforms, RunArgs, RunRequest, RunTarget,
};
use crate::change::{self, DiffScope};
use crate::desired::{self, DesiredStack};
use crate::exit::{Failure, codes};
use crate::plan::Plan;
use crate::report;
use crate::resource::{Address, Changes, Desired, RunPurpose, StackState, shown};

/// Delete the stack's resources: in order, resumable; what will not go yet is left for a later run (exit code 2).
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// Stack name, instead of a plan; --plan and AKIDB_EDGE_PLAN are then ignored
    #[arg(long)]
    stack: Option<String>,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    empty: EmptyBucketsArgs,
    /// Limit to these addresses and everything that depends on them
    #[arg(long, value_name = "ADDRESS")]
    target: Vec<String>,
    /// Also delete this imported resource, which the stack did not create; needs the full address
    #[arg(long, value_name = "ADDRESS")]
    delete_imported: Vec<Address>,
    #[command(flatten)]
    both: BothStacksArgs,
}

/// Destroys.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(mut args: Args, context: &Context) -> Result<u8, Failure> {
    args.run = args.run.emptying(args.empty);
    let plan = if args.stack.is_none() { Some(args.plan.load(context)?) } else { None };
    let stack = args.stack.clone().or(plan.as_ref().map(|plan| plan.stack.clone())).unwrap_or_default();
    let (stack, devices) = args.both.stacks(stack);
    let goes_by = match &devices {
        Some(devices) => format!(
            "the plan only names the stack; what is deleted is recorded in the journals of {stack} and \
                                  {devices}"
        ),
        None => format!("the plan only names the stack; what is deleted is recorded in the journal of {stack}"),
    };
    args.plan.say_what_variables_do(&context.printer, &goes_by);
    if devices.is_none() {
        workflow::no_devices(context, &stack, "uninstall").await?;
    }
    let platforms = args.both.platforms(Platforms::of_stack(context, &stack, None).await?);
    need_known(&stack, devices.as_deref(), plan.as_ref(), &platforms, context).await?;
    let request = RunRequest {
        command: args.command(&stack),
        stack,
        devices,
        purpose: RunPurpose::Destroy,
        run: &args.run,
        plan: None,
        only_looks: args.run.dry_run,
        emptying: holding_data::ADD,
    };
    workflow::carry_out(&request, platforms, &mut DestroyOperation { args: &args, along: BTreeMap::new() }, context)
        .await
}

impl Args {
    /// The verb with its main arguments, as the journal has it.
    fn command(&self, stack: &str) -> String {
        let devices = if self.both.devices { " --devices" } else { "" };
        let empty = if self.run.empty_buckets { " --empty-buckets" } else { "" };
        let mut command = format!("destroy{devices} --stack {stack}{empty}");
        for address in &self.delete_imported {
            command.push_str(&format!(" --delete-imported {address}"));
        }
        command
    }
}

/// Refuses stacks of which the place of the state knows nothing; of two, one may be missing, which is said.
async fn need_known(
    stack: &str,
    devices: Option<&str>,
    plan: Option<&Plan>,
    platforms: &Platforms<'_>,
    context: &Context,
) -> Result<(), Failure> {
    let Some(connection) = platforms.account() else { return Ok(()) };
    let mut missing = Vec::new();
    for stack in std::iter::once(stack).chain(devices) {
        if hints::known(stack, context, connection).await?.sequence == 0 {
            missing.push(stack);
        }
    }
    if missing.len() <= usize::from(devices.is_some()) {
        for stack in missing {
            context.printer.remark(hints::words(stack, context));
        }
        return Ok(());
    }
    let wanted = plan.and_then(|plan| desired::build(plan, &BTreeSet::new()).ok());
    let marked = hints::marked(stack, wanted.as_ref().map(|built| &built.desired), connection).await?;
    Err(hints::refusal(stack, Some(&marked), context))
}

/// A stack, or a part of it, on its way out.
struct DestroyOperation<'a> {
    args: &'a Args,
    /// What was not named and goes all the same, each with what it needs.
    along: BTreeMap<Address, Address>,
}

impl Operation for DestroyOperation<'_> {
    async fn wants(&mut self, journals: &Journals, context: &Context) -> Result<RunTarget, Failure> {
        let mut nothing = Desired::new(journals.own().stack());
        nothing.devices = journals.devices().map(|devices| devices.stack().to_owned());
        let built = DesiredStack { desired: nothing, ..DesiredStack::default() };
        let choice = Selection { targets: self.args.target.clone(), exactly: true, ..Selection::default() };
        let recorded = change::needs_by_name(journals.recorded());
        let SelectedPart { only: named, recorded, .. } = choice.part(&built, recorded)?;
        self.along = named.as_ref().map(|named| change::dependents(&recorded, named)).unwrap_or_default();
        let only = named.map(|named| named.into_iter().chain(self.along.keys().cloned()).collect());
        let delete_imported = imported::named(&self.args.delete_imported, &recorded)?;
        let scope = DiffScope { only, delete_imported, ..DiffScope::default() };
        need_in_scope(&scope)?;
        if let Some(devices) = journals.devices() {
            let leaving = recorded.resources.keys().filter(|address| scope.covers(address));
            refuse_shared(&leaving.cloned().collect(), &built.desired, &recorded, devices.stack())?;
        }
        Ok(RunTarget { built, recorded, scope, again: context.session.again.clone(), ..RunTarget::default() })
    }

    fn differs(&mut self, changes: &mut Changes, _wanted: &RunTarget, context: &Context) -> Result<(), Failure> {
        say_why(changes, &self.along);
        if self.args.run.empty_buckets && !changes.is_empty() {
            context.printer.remark(
                "the data of deleted resources is lost permanently: objects, old versions, \
                                    messages, namespace contents, volumes",
            );
        }
        imported::say_what_stays(changes, context);
        Ok(())
    }

    fn ended(&mut self, journals: &Journals, context: &Context) {
        say_what_is_left(&journals.recorded(), context);
    }
}

/// What was not named and goes all the same: with the reason in its line.
fn say_why(changes: &mut Changes, along: &BTreeMap<Address, Address>) {
    for (address, need) in along {
        if let Some(change) = changes.items.get_mut(address) {
            let more = change.reason.take().map_or_else(String::new, |reason| format!("; {reason}"));
            change.reason = Some(format!("it depends on {need}, which is deleted{more}"));
        }
    }
}

/// Refuses the name of an imported resource that this run does not reach.
fn need_in_scope(scope: &DiffScope) -> Result<(), Failure> {
    match scope.delete_imported.iter().find(|address| !scope.covers(address)) {
        None => Ok(()),
        Some(outside) => Err(codes::OUT_OF_SCOPE.refused(
            shown!("--delete-imported {} is outside the scope of this run", outside),
            shown!("add --target {}", outside),
        )),
    }
}

/// A destroy that leaves something is partial, and its last line says so.
fn say_what_is_left(left: &StackState, context: &Context) {
    let all: Vec<String> = left
        .resources
        .keys()
        .chain(left.pending_deletions.iter().map(|left| &left.address))
        .map(ToString::to_string)
        .collect();
    if all.is_empty() {
        return;
    }
    let more = if all.len() > 5 { format!(" and {} more", all.len() - 5) } else { String::new() };
    let first: Vec<&str> = all.iter().take(5).map(String::as_str).collect();
    let things = report::counted(all.len(), "resource");
    context.printer.data(shown!("partial: {} of the stack left: {}{}", things, first.join(", "), more));
}
