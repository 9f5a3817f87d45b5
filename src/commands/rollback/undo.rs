//! Undoes runs: the state after an earlier revision becomes the desired state of the usual difference.

use std::collections::BTreeSet;

use super::{missing_files, target};
use crate::change::{self, DiffScope};
use crate::commands::forgotten::{self, ForgottenResources};
use crate::commands::jetson::refuse_shared;
use crate::commands::workflow::{self, Journals, Operation, Platforms, RunArgs, RunRequest, RunTarget, RunView};
use crate::commands::{Context, hints, holding_data, retained};
use crate::desired::DesiredStack;
use crate::exit::{Failure, codes};
use crate::ledger::{Lease, Ledger, purpose_of};
use crate::observe;
use crate::plan::Plan;
use crate::provider::Providers;
use crate::resource::{
    Action, Address, Artifacts, Changes, Kind, ResourceOrigin, RunPurpose, SafeText, StackState, shown,
};

/// Runs that are undone, over the cloud or over devices.
#[derive(Default)]
pub struct RollbackOperation<'a> {
    stack: &'a str,
    /// The stack of the devices, when both go back in one run.
    pub(super) devices: Option<String>,
    /// The verb, as it is typed.
    verb: &'static str,
    /// The revision to go back to; none: the last run is undone.
    to: Option<u64>,
    /// The same of the devices, when both go back.
    pub(super) devices_to: Option<u64>,
    /// The files of the plan, when one is at hand: their bytes may be needed.
    files: Artifacts,
    /// Foreign things to adopt.
    pub(super) adopt: BTreeSet<Address>,
    /// The data in buckets that go may be deleted.
    pub(in crate::commands) empty_buckets: bool,
    /// The state to go back to, of all stacks.
    aim: StackState,
    /// What is undone, in words.
    undone: Vec<SafeText>,
    /// What runs since then let go of.
    let_go: ForgottenResources,
    /// Hashes of the content that is at hand.
    at_hand: BTreeSet<String>,
}

/// The files of a plan, by their hashes.
fn files_of(plan: Option<&Plan>) -> Artifacts {
    let mut artifacts = Artifacts::default();
    for (path, facts) in plan.into_iter().flat_map(|plan| &plan.files) {
        if let Ok((sha256, bytes)) = &facts.content {
            artifacts.add_file(sha256, path.into(), *bytes);
        }
    }
    artifacts
}

impl<'a> RollbackOperation<'a> {
    /// Runs of a stack, to the state after a revision, or the last one alone. `verb` is what was typed; of the plan only the
    /// files are used.
    pub fn of(stack: &'a str, verb: &'static str, to: Option<u64>, plan: Option<&Plan>) -> Self {
        Self { stack, verb, to, files: files_of(plan), ..Self::default() }
    }

    /// Goes back.
    ///
    /// # Errors
    /// What failed, why, and the next step.
    pub async fn carry_out(
        mut self,
        run: &RunArgs,
        platforms: Platforms<'_>,
        context: &Context,
    ) -> Result<u8, Failure> {
        let mut known = false;
        for stack in std::iter::once(self.stack).chain(self.devices.as_deref()) {
            known |= self.is_known(stack, run, &platforms, context).await?;
        }
        if !known {
            return Err(hints::refusal(self.stack, None, context));
        }
        let request = RunRequest {
            stack: self.stack.to_owned(),
            devices: self.devices.clone(),
            command: self.command(self.to, self.devices_to),
            purpose: RunPurpose::Rollback { to: self.to },
            run,
            plan: None,
            only_looks: run.dry_run,
            emptying: holding_data::ADD,
        };
        workflow::carry_out(&request, platforms, &mut self, context).await
    }

    /// The states to go back to, of each stack; together they are what the run aims at.
    async fn aims(&mut self, journals: &Journals, now: &StackState) -> Result<Vec<StackState>, Failure> {
        let own = journals.own();
        let aims = match journals.devices() {
            None => vec![target::of_one(self.to, own, now).await?],
            Some(devices) => target::of_both(self.to, self.devices_to, [own, devices]).await?.into(),
        };
        let both = aims.len() > 1;
        for (ledger, aim) in journals.all().zip(&aims) {
            self.undone.extend(ledger.ask(|now| target::words(now, aim, both)));
        }
        self.aim = aims.iter().cloned().reduce(StackState::joined).unwrap_or_default();
        Ok(aims)
    }

    /// The verb with its main arguments.
    fn command(&self, to: Option<u64>, devices_to: Option<u64>) -> String {
        let devices = if self.devices.is_some() { " --devices" } else { "" };
        let to = to.map_or(String::new(), |to| format!(" --to {to}"));
        let devices_to = devices_to.map_or(String::new(), |to| format!(" --devices-to {to}"));
        format!("{}{devices}{to}{devices_to} --stack {}", self.verb, self.stack)
    }

    /// Whether the place of the state knows a stack. A command that was ended before its run began is told.
    async fn is_known(
        &self,
        stack: &str,
        run: &RunArgs,
        platforms: &Platforms<'_>,
        context: &Context,
    ) -> Result<bool, Failure> {
        let store = workflow::store(&context.global, &context.session, stack, platforms.account()).await?;
        let held = store.lease().await?;
        let ledger = Ledger::read(store, stack).await?;
        let now = ledger.recorded();
        if now.sequence == 0 {
            return Ok(false);
        }
        // A holder that may be at work was not ended: its lease is what refuses this run.
        let held = held.filter(|lease| lease.is_stale(&context.session.host));
        if let Some(lease) = held.filter(|lease| self.to.is_none() && !undoes(lease))
            && !lease.has_begun(&ledger.entries().await?)
        {
            self.cut_off_before_it_began(&lease, &now, run, context)?;
        }
        Ok(true)
    }

    /// A command that was ended before its run began left a lease and no revision: whoever wants to undo that one would undo
    /// the run before it.
    fn cut_off_before_it_began(
        &self,
        held: &Lease,
        now: &StackState,
        run: &RunArgs,
        context: &Context,
    ) -> Result<(), Failure> {
        let problem = shown!(
            "the last command, {} by {}@{}, was ended before it changed anything and has no revision; the last one that has is \
             revision {}",
            held.command,
            held.user,
            held.host,
            now.revision()
        );
        let to = target::before_the_last(&now.runs);
        if run.yes {
            let of_devices = self.devices.as_ref() == Some(&now.stack);
            let verb = if of_devices { "jetson rollback" } else { self.verb };
            return Err(codes::CHANGED_MEANWHILE.refused(
                shown!("{}: nothing was done", problem),
                shown!("to undo that revision: akidb-edge {} --to {} --stack {}", verb, to, now.stack),
            ));
        }
        context.printer.remark(problem);
        Ok(())
    }
}

/// Whether a lease is of the command that undoes the last run: the same command again is what was meant.
fn undoes(held: &Lease) -> bool {
    purpose_of(held.purpose, &held.command) == RunPurpose::Rollback { to: None }
}

impl Operation for RollbackOperation<'_> {
    async fn wants(&mut self, journals: &Journals, context: &Context) -> Result<RunTarget, Failure> {
        let now = journals.recorded();
        let aims = self.aims(journals, &now).await?;
        let mut desired = self.aim.as_desired();
        desired.devices = journals.devices().map(|devices| devices.stack().to_owned());
        let mut artifacts = Artifacts::default();
        for (ledger, aim) in journals.all().zip(&aims) {
            desired.moved.extend(ledger.moved_since(aim.revision()).await?);
            artifacts.extend(retained::kept_artifacts(&context.global, ledger.stack()));
            self.let_go.extend(forgotten::let_go_since(&ledger.entries().await?, aim.revision()));
        }
        artifacts.extend(std::mem::take(&mut self.files));
        self.at_hand = artifacts.iter().map(|(sha256, _, _)| sha256.to_owned()).collect();
        let (moves, recorded) = workflow::moved(&desired, self.let_go.supposed(&self.aim, now));
        let going = recorded.resources.keys().filter(|address| !desired.resources.contains_key(*address));
        let stack = self.devices.as_deref().unwrap_or(self.stack);
        refuse_shared(&going.cloned().collect(), &desired, &recorded, stack)?;
        let was = self.aim.resources.iter().map(|(address, record)| (address.clone(), record.origin));
        let was = was.filter(|(_, origin)| *origin != ResourceOrigin::Made).collect();
        let devices_to = aims.get(1).map(StackState::revision);
        Ok(RunTarget {
            built: DesiredStack { desired, artifacts, ..DesiredStack::default() },
            recorded,
            scope: DiffScope { moves, undo: true, was, adopt: self.adopt.clone(), ..DiffScope::default() },
            requested: self.aim.requested.clone(),
            fallback: self.aim.fallback.clone(),
            again: format!("akidb-edge {}", self.command(aims.first().map(StackState::revision), devices_to)),
            ..RunTarget::default()
        })
    }

    fn seen(&mut self, wanted: &mut RunTarget, seen: &RunView, context: &Context) -> Result<(), Failure> {
        for said in std::mem::take(&mut self.undone) {
            context.printer.talk(said);
        }
        if !seen.left.is_empty() {
            // The same command again would undo what this run does.
            context.printer.remark(shown!("what is left out is not undone: when it can be reached, {}", wanted.again));
        }
        for said in missing_files::leave_out(wanted)? {
            context.printer.remark(said);
        }
        let RunTarget { built, recorded, .. } = wanted;
        for address in self.let_go.leave_out(&seen.observed, &mut built.desired, recorded)? {
            context.printer.remark(shown!(
                "{}: it was removed with state forget and no longer exists: it is not created again",
                address
            ));
        }
        Ok(())
    }

    /// What is at an address now was looked at; what comes back there has another name and is looked for by that.
    async fn looks_again(
        &mut self,
        changes: &mut Changes,
        wanted: &RunTarget,
        providers: &Providers,
    ) -> Result<(), Failure> {
        let back = change::coming_back(changes);
        if back.is_empty() {
            return Ok(());
        }
        let mut others = wanted.recorded.clone();
        others.resources.retain(|address, _| !back.contains(address));
        let seen = observe::read(&wanted.built.desired, &others, providers, |address| back.contains(address)).await;
        let refused = change::take_up_again(changes, &seen);
        if refused.is_empty() { Ok(()) } else { Err(workflow::refused(&refused)) }
    }

    fn differs(&mut self, changes: &mut Changes, _wanted: &RunTarget, context: &Context) -> Result<(), Failure> {
        for remark in cannot_be_undone(changes, &self.at_hand, self.empty_buckets) {
            context.printer.remark(remark);
        }
        Ok(())
    }
}

/// What is said before it is done: data that does not come back, code that is not at hand, certificates that are new.
fn cannot_be_undone(changes: &Changes, at_hand: &BTreeSet<String>, empty_buckets: bool) -> Vec<SafeText> {
    let mut remarks = Vec::new();
    for change in changes.acting() {
        let spec = change.after.as_ref().map(|resource| &resource.spec);
        let sha256 = spec.and_then(|spec| spec.get("code_sha256")).and_then(serde_json::Value::as_str);
        let there = change.found.as_ref().map(|found| &found.spec);
        let there = there.or_else(|| change.before.as_ref().map(|record| &record.spec));
        if let (Some(data), Action::Delete) = (there.and_then(|spec| change.kind.data(spec)), change.action) {
            let address = &change.address;
            remarks.push(if empty_buckets {
                shown!("{}: the data in it ({}) is deleted permanently", address, data)
            } else {
                shown!("{}: it is not deleted while it holds {}, unless you add --empty-buckets", address, data)
            });
        }
        match (change.kind, change.action) {
            (Kind::Function, Action::Create | Action::Update | Action::Replace)
                if sha256.is_some_and(|sha| !at_hand.contains(sha)) =>
            {
                remarks.push(shown!(
                    "{}: its previous code is not stored on this machine: it is taken from a published version if \
                     Lambda still has one; otherwise the change is refused",
                    change.address
                ));
            }
            (Kind::Certificate | Kind::Zone, Action::Create) => {
                remarks.push(shown!(
                    "{}: a new one is created, not the previous one (different ARN or name servers)",
                    change.address
                ));
            }
            _ => {}
        }
    }
    remarks
}
