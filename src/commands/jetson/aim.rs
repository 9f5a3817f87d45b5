//! What a verb wants of devices: of which of them, and of which part of what is on them.

use std::collections::BTreeSet;

use super::same_machine::refuse_shared;
use super::unnamed::Unnamed;
use crate::change::Scope;
use crate::commands::walk::{self, Journals, Request, RunArgs, Verb, Wanted, Worlds, machine};
use crate::commands::{Context, full};
use crate::desired::Built;
use crate::desired::jetson::is_power;
use crate::exit::{Failure, codes};
use crate::resource::{Address, Desired, Kind, Remembered, RunPurpose, shown};

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
    /// The file of the plan, when there is one.
    pub plan: Option<String>,
    /// Only these machines; all when empty.
    pub hosts: Vec<String>,
    /// What of them.
    pub part: Part,
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

impl Aim {
    /// Makes the devices so.
    ///
    /// # Errors
    /// What failed, why, and the next step.
    pub async fn carry_out(mut self, worlds: Worlds<'_>, run: &RunArgs, context: &Context) -> Result<u8, Failure> {
        walk::need_files(&self.built)?;
        let request = Request {
            stack: self.stack.clone(),
            devices: None,
            command: self.command.clone(),
            purpose: self.purpose,
            run,
            plan: self.plan.clone(),
            only_looks: run.dry_run,
            emptying: full::ADD,
        };
        walk::carry_out(&request, worlds, &mut self, context).await
    }

    /// The devices that a run by the plan leaves as they are. An uninstall is about all of the journal.
    fn unnamed(&self, desired: &Desired, remembered: &Remembered) -> Result<Unnamed, Failure> {
        if self.part == Part::All {
            return Ok(Unnamed::default());
        }
        let unnamed = Unnamed::of(desired, remembered);
        unnamed.refuse(&self.hosts, &self.stack)?;
        unnamed.refuse_renamed(desired, remembered, &self.stack)?;
        if self.part != Part::Power {
            unnamed.refuse_other_server(desired, remembered, &self.stack)?;
        }
        Ok(unnamed)
    }

    /// The addresses that the run is about.
    fn chosen(&self, desired: &Desired, remembered: &Remembered) -> Result<BTreeSet<Address>, Failure> {
        let every = desired.resources.keys().chain(remembered.resources.keys());
        let on = |address: &Address| machine(desired, remembered, address).unwrap_or_default();
        let names: BTreeSet<String> = every.clone().map(on).collect();
        if let Some(unknown) = self.hosts.iter().find(|host| !names.contains(*host)) {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            return Err(codes::UNKNOWN_NAME
                .refused(shown!("no device is called {:?}", unknown), shown!("use one of: {}", known.join(", "))));
        }
        let wanted = |address: &Address| self.hosts.is_empty() || self.hosts.contains(&on(address));
        let mut chosen: BTreeSet<Address> = every.filter(|address| wanted(address)).cloned().collect();
        match self.part {
            Part::All => {}
            Part::Power => chosen.retain(is_power),
            Part::Plan { app } => {
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

impl Verb for Aim {
    async fn wants(&mut self, journals: &Journals, context: &Context) -> Result<Wanted, Failure> {
        let built = std::mem::take(&mut self.built);
        let (moves, remembered) = walk::moved(&built.desired, journals.remembered());
        let unnamed = self.unnamed(&built.desired, &remembered)?;
        let mut only = self.chosen(&built.desired, &remembered)?;
        if self.part == Part::All {
            refuse_shared(&only, &built.desired, &remembered, &self.stack)?;
        }
        only.retain(|address| !unnamed.addresses.contains(address));
        Ok(Wanted {
            built,
            remembered,
            scope: Scope { only: Some(only), moves, ..Scope::default() },
            whole: self.hosts.is_empty(),
            hosts: self.hosts.clone(),
            unnamed: unnamed.names(),
            remarks: unnamed.remark(&self.stack).into_iter().collect(),
            again: context.session.again.clone(),
            ..Wanted::default()
        })
    }
}
