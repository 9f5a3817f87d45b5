//! The probes as a stack of their own: put into the regions, and removed again, each a run with its journal.

use std::collections::BTreeSet;

use crate::change;
use crate::commands::Context;
use crate::commands::workflow::{self, Journals, Operation, Platforms, RunArgs, RunRequest, RunTarget};
use crate::desired::{DesiredStack, probes};
use crate::exit::{Failure, codes};
use crate::resource::{Desired, Level, RunPurpose, shown};

/// How many steps at once: a role, and a function in each of ten regions.
const AT_ONCE: u16 = 24;

fn run_args(yes: bool) -> RunArgs {
    RunArgs { yes, dry_run: false, wait: Level::Usable, empty_buckets: false, parallelism: AT_ONCE }
}

/// Puts a probe into each region; the exit code says whether all of them are there.
///
/// # Errors
/// When nobody agreed, or the journal or the account refuses.
pub async fn put(stack: &str, regions: &BTreeSet<String>, yes: bool, context: &Context) -> Result<u8, Failure> {
    let built = probes::build(stack, regions)
        .map_err(|bad| Failure { internal: true, ..codes::MEASUREMENT.error(shown!("{}", bad), "") })?;
    let run = run_args(yes);
    let request = request(stack, "validate latency --regions", RunPurpose::Deploy, &run);
    let platforms = Platforms::of_account(context).await?;
    workflow::carry_out(&request, platforms, &mut PutOperation { built }, context).await
}

/// Removes all probes of a stack.
///
/// # Errors
/// When nobody agreed, or the journal or the account refuses.
pub async fn remove(stack: &str, yes: bool, context: &Context) -> Result<u8, Failure> {
    let run = run_args(yes);
    let request = request(stack, "validate clean", RunPurpose::Destroy, &run);
    let platforms = Platforms::of_account(context).await?;
    workflow::carry_out(&request, platforms, &mut RemoveOperation, context).await
}

fn request<'a>(stack: &str, command: &str, purpose: RunPurpose, run: &'a RunArgs) -> RunRequest<'a> {
    RunRequest {
        stack: stack.to_owned(),
        devices: None,
        command: command.to_owned(),
        purpose,
        run,
        plan: None,
        only_looks: false,
        emptying: "",
    }
}

struct PutOperation {
    built: DesiredStack,
}

impl Operation for PutOperation {
    async fn wants(&mut self, journals: &Journals, context: &Context) -> Result<RunTarget, Failure> {
        let built = std::mem::take(&mut self.built);
        let (_, recorded) = workflow::moved(&built.desired, journals.recorded());
        Ok(RunTarget { built, recorded, again: context.session.again.clone(), ..RunTarget::default() })
    }
}

struct RemoveOperation;

impl Operation for RemoveOperation {
    async fn wants(&mut self, journals: &Journals, context: &Context) -> Result<RunTarget, Failure> {
        let nothing = Desired::new(journals.own().stack());
        let built = DesiredStack { desired: nothing, ..DesiredStack::default() };
        let recorded = change::needs_by_name(journals.recorded());
        Ok(RunTarget { built, recorded, again: context.session.again.clone(), ..RunTarget::default() })
    }
}
