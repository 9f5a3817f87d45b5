//! The scope of a verb on devices: which devices, and which of their resources.

use std::collections::BTreeSet;

use super::same_machine::refuse_shared;
use super::unnamed::UnnamedDevices;
use crate::change::DiffScope;
use crate::commands::workflow::{self, Journals, Operation, Platforms, RunArgs, RunRequest, RunTarget, machine};
use crate::commands::{Context, holding_data};
use crate::desired::DesiredStack;
use crate::desired::jetson::is_power;
use crate::exit::{Failure, codes};
use crate::resource::{Address, Desired, Kind, RunPurpose, StackState, shown};

/// What the devices are to become.
pub struct DeviceTarget {
    /// Name of the stack.
    pub stack: String,
    /// The verb with its main arguments.
    pub command: String,
    /// What the run is for.
    pub purpose: RunPurpose,
    /// What is wanted.
    pub built: DesiredStack,
    /// The file of the plan, when there is one.
    pub plan: Option<String>,
    /// Only these machines; all when empty.
    pub hosts: Vec<String>,
    /// What of them.
    pub part: DevicePart,
}

/// Which part of a stack of devices a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevicePart {
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

impl DeviceTarget {
    /// Makes the devices so.
    ///
    /// # Errors
    /// What failed, why, and the next step.
    pub async fn carry_out(
        mut self,
        platforms: Platforms<'_>,
        run: &RunArgs,
        context: &Context,
    ) -> Result<u8, Failure> {
        workflow::need_files(&self.built)?;
        let request = RunRequest {
            stack: self.stack.clone(),
            devices: None,
            command: self.command.clone(),
            purpose: self.purpose,
            run,
            plan: self.plan.clone(),
            only_looks: run.dry_run,
            emptying: holding_data::ADD,
        };
        workflow::carry_out(&request, platforms, &mut self, context).await
    }

    /// The devices that a run by the plan leaves as they are. An uninstall is about all of the journal.
    fn unnamed(&self, desired: &Desired, recorded: &StackState) -> Result<UnnamedDevices, Failure> {
        if self.part == DevicePart::All {
            return Ok(UnnamedDevices::default());
        }
        let unnamed = UnnamedDevices::of(desired, recorded);
        unnamed.refuse(&self.hosts, &self.stack)?;
        unnamed.refuse_renamed(desired, recorded, &self.stack)?;
        if self.part != DevicePart::Power {
            unnamed.refuse_other_server(desired, recorded, &self.stack)?;
        }
        Ok(unnamed)
    }

    /// The addresses that the run is about.
    fn chosen(&self, desired: &Desired, recorded: &StackState) -> Result<BTreeSet<Address>, Failure> {
        let every = desired.resources.keys().chain(recorded.resources.keys());
        let on = |address: &Address| machine(desired, recorded, address).unwrap_or_default();
        let names: BTreeSet<String> = every.clone().map(on).collect();
        if let Some(unknown) = self.hosts.iter().find(|host| !names.contains(*host)) {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            return Err(codes::UNKNOWN_NAME
                .refused(shown!("unknown device {:?}", unknown), shown!("use one of: {}", known.join(", "))));
        }
        let wanted = |address: &Address| self.hosts.is_empty() || self.hosts.contains(&on(address));
        let mut chosen: BTreeSet<Address> = every.filter(|address| wanted(address)).cloned().collect();
        match self.part {
            DevicePart::All => {}
            DevicePart::Power => chosen.retain(is_power),
            DevicePart::Plan { app } => {
                let set: BTreeSet<String> = desired.resources.keys().filter(|one| is_power(one)).map(on).collect();
                let by_hand = |address: &Address| is_power(address) && !set.contains(&on(address));
                let of_app = |address: &Address| !app && address.kind_name() == Kind::Manifest.name();
                chosen.retain(|one| desired.resources.contains_key(one) || !by_hand(one) && !of_app(one));
            }
        }
        let needed = desired.with_needs(|address| chosen.contains(address));
        chosen.extend(needed);
        Ok(chosen)
    }
}

impl Operation for DeviceTarget {
    async fn wants(&mut self, journals: &Journals, context: &Context) -> Result<RunTarget, Failure> {
        let built = std::mem::take(&mut self.built);
        let (moves, recorded) = workflow::moved(&built.desired, journals.recorded());
        let unnamed = self.unnamed(&built.desired, &recorded)?;
        let mut only = self.chosen(&built.desired, &recorded)?;
        if self.part == DevicePart::All {
            refuse_shared(&only, &built.desired, &recorded, &self.stack)?;
        }
        only.retain(|address| !unnamed.addresses.contains(address));
        Ok(RunTarget {
            built,
            recorded,
            scope: DiffScope { only: Some(only), moves, ..DiffScope::default() },
            whole: self.hosts.is_empty(),
            hosts: self.hosts.clone(),
            unnamed: unnamed.names(),
            remarks: unnamed.remark(&self.stack).into_iter().collect(),
            again: context.session.again.clone(),
            ..RunTarget::default()
        })
    }
}
