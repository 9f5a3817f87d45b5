//! What a verb puts into a run: what the run is, what it is to bring about, and what is said on the way.

use std::collections::BTreeSet;

use super::{Journals, RunArgs, RunLabel, SkippedResources};
use crate::change::{DiffScope, OutsideResources};
use crate::commands::Context;
use crate::desired::DesiredStack;
use crate::exit::Failure;
use crate::provider::Providers;
use crate::report::RunHeader;
use crate::resource::{Changes, Observed, RunPurpose, SafeText, StackState};

/// What a run is, before its journal is open.
pub struct RunRequest<'a> {
    /// Name of the stack whose journal it writes.
    pub stack: String,
    /// The stack of the plan's devices, when the run spans both.
    pub devices: Option<String>,
    /// The verb with its main arguments.
    pub command: String,
    /// Its purpose.
    pub purpose: RunPurpose,
    /// How it is to go.
    pub run: &'a RunArgs,
    /// The file of the plan.
    pub plan: Option<String>,
    /// Nothing is done, whatever differs.
    pub only_looks: bool,
    /// What to do about a bucket that holds data and is to go.
    pub emptying: &'static str,
}

/// What a run is to bring about.
#[derive(Default)]
pub struct RunTarget {
    /// The graph and what is not in it.
    pub built: DesiredStack,
    /// The state as the graph addresses it.
    pub recorded: StackState,
    /// What the run works on.
    pub scope: DiffScope,
    /// What the journal calls the run, when that is not the command that was typed.
    pub command: Option<String>,
    /// Steps that are asked for by name, all of them.
    pub requested: BTreeSet<String>,
    /// The fallback in force.
    pub fallback: Option<String>,
    /// It is about the whole plan, not a part of it.
    pub whole: bool,
    /// What the user's selection leaves out.
    pub unselected: OutsideResources,
    /// The devices that were named; all of them when empty.
    pub hosts: Vec<String>,
    /// Devices that the journal knows and neither plan nor inventory names: what is on them stays.
    pub unnamed: Vec<String>,
    /// What is said right after the header.
    pub remarks: Vec<SafeText>,
    /// The command that goes on from where the run stops.
    pub again: String,
}

/// What the run sees of the real resources.
pub struct RunView {
    /// Whom it talks to.
    pub header: RunHeader,
    /// What is there.
    pub observed: Observed,
    /// What cannot be reached.
    pub left: SkippedResources,
    /// The number of the account, as far as it is known.
    pub account: String,
}

/// A difference that nothing is in the way of.
pub struct AllowedChanges<'a> {
    /// Whom the run talks to.
    pub header: &'a RunHeader,
    /// What it is called, and what it puts in force.
    pub purpose: &'a RunLabel,
    /// What is wanted.
    pub wanted: &'a RunTarget,
    /// The difference.
    pub changes: &'a Changes,
    /// The journals.
    pub journals: &'a Journals,
}

/// A verb in a run. The pipeline asks it in this order.
pub trait Operation {
    /// What the run is to bring about, now that the journals are open.
    async fn wants(&mut self, journals: &Journals, context: &Context) -> Result<RunTarget, Failure>;

    /// The real resources were read, and the header is printed.
    fn seen(&mut self, _wanted: &mut RunTarget, _seen: &RunView, _context: &Context) -> Result<(), Failure> {
        Ok(())
    }

    /// The difference is made. What it brings back may stand where nothing was looked at yet.
    async fn looks_again(
        &mut self,
        _changes: &mut Changes,
        _wanted: &RunTarget,
        _providers: &Providers,
    ) -> Result<(), Failure> {
        Ok(())
    }

    /// The difference is complete.
    fn differs(&mut self, _changes: &mut Changes, _wanted: &RunTarget, _context: &Context) -> Result<(), Failure> {
        Ok(())
    }

    /// Nothing is in its way; it is shown and asked about next.
    async fn allowed(&mut self, _allowed: &AllowedChanges<'_>) -> Result<(), Failure> {
        Ok(())
    }

    /// The run ended.
    fn ended(&mut self, _journals: &Journals, _context: &Context) {}
}
