//! What is known of a plan: the journals of its cloud and of its devices, and what the cluster says when it is asked.

use std::collections::BTreeMap;

use crate::commands::Context;
use crate::commands::jetson::{NodeSeen, ReplicaSeen};
use crate::commands::validate::{self, Measurement};
use crate::commands::workflow;
use crate::desired::jetson;
use crate::exit::Failure;
use crate::ledger::{Entry, Fact, Ledger};
use crate::plan::{Plan, StepConfig};
use crate::report::ReportRun;
use crate::resource::{Address, ResourceRecord, ResourceStatus, RunSummary, StackState, Untrusted};

/// What a report is written from.
#[derive(Debug, Default)]
pub struct ReportInput {
    /// The cloud's journal, then that of the devices when the plan has any: `jetson provision`, `jetson deploy` and `deploy --devices`
    /// write that one.
    pub(super) journals: Vec<StackJournal>,
    /// The devices as `jetson status` shows them; none when they were not asked.
    pub nodes: Option<Vec<NodeSeen>>,
    /// The replicas on the devices, as each says what runs its model; or why nothing is known of them. None when they were not asked.
    pub replicas: Option<Result<Vec<ReplicaSeen>, String>>,
    /// What `validate` measured, the latest last.
    pub measurements: Vec<Measurement>,
    /// Whether a report is written of it.
    pub is_report: bool,
}

/// The journal of a stack.
#[derive(Debug)]
pub(super) struct StackJournal {
    state: StackState,
    entries: Vec<Entry>,
}

impl ReportInput {
    /// Reads the journals of a plan.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub async fn read(plan: &Plan, context: &Context) -> Result<Self, Failure> {
        let mut known = Self::default();
        let has_devices =
            plan.steps.iter().any(|step| matches!(step.work, StepConfig::Jetson(_) | StepConfig::JetsonApp(_)));
        for stack in [Some(plan.stack.clone()), has_devices.then(|| jetson::stack(plan))].into_iter().flatten() {
            let store = workflow::store(&context.global, &context.session, &stack, None).await?;
            let ledger = Ledger::read(store, &stack).await?;
            let mut state = ledger.recorded();
            state.stack = stack;
            known.journals.push(StackJournal { state, entries: ledger.entries().await? });
        }
        known.measurements = validate::kept(&plan.stack, context).await?;
        Ok(known)
    }

    /// Whether nothing was ever done: then nothing can be claimed.
    pub fn is_empty(&self) -> bool {
        self.journals.iter().all(|journal| journal.state.runs.is_empty() && journal.state.resources.is_empty())
    }

    /// The state of the plan's cloud.
    pub fn cloud(&self) -> Option<&StackState> {
        self.journals.first().map(|journal| &journal.state)
    }

    fn records(&self) -> impl Iterator<Item = (&Address, &ResourceRecord)> {
        self.journals.iter().flat_map(|journal| &journal.state.resources)
    }

    /// What is recorded at an address and is there.
    pub fn present(&self, address: &Address) -> Option<&ResourceRecord> {
        let record = self.journals.iter().find_map(|journal| journal.state.resources.get(address));
        record.filter(|record| record.standing == ResourceStatus::Present)
    }

    /// How many resources of a pattern are there.
    pub fn count(&self, pattern: &str) -> usize {
        let there = |(address, record): &(&Address, &ResourceRecord)| {
            record.standing == ResourceStatus::Present && address.matches(pattern)
        };
        self.records().filter(there).count()
    }

    /// The settings of what is there of a pattern.
    pub fn specs<'a>(&'a self, pattern: &'a str) -> impl Iterator<Item = &'a serde_json::Value> {
        let there = move |(address, record): &(&Address, &ResourceRecord)| {
            record.standing == ResourceStatus::Present && address.matches(pattern)
        };
        self.records().filter(there).map(|(_, record)| &record.spec)
    }

    /// Whether a step made something, whatever it is called.
    pub fn made_something(&self, step: &str) -> bool {
        self.records().any(|(_, record)| record.step == step)
    }

    /// Milliseconds of the last answered call at each address.
    pub fn took(&self) -> BTreeMap<Address, u64> {
        let mut all = BTreeMap::new();
        for entry in self.journals.iter().flat_map(|journal| &journal.entries) {
            if let Fact::Succeeded { subject, took_ms, .. } = &entry.fact {
                all.insert(subject.address.clone(), *took_ms);
            }
        }
        all
    }

    /// The runs over both stacks, the first one first.
    pub fn runs(&self) -> Vec<ReportRun> {
        let of = |state: &StackState| {
            let run = |run: &RunSummary| ReportRun { stack: state.stack.clone(), run: run.clone() };
            state.runs.iter().map(run).collect::<Vec<_>>()
        };
        let mut all: Vec<ReportRun> = self.journals.iter().flat_map(|journal| of(&journal.state)).collect();
        // RFC 3339 in UTC sorts as a text; the sort keeps the order of each journal.
        all.sort_by(|one, other| one.run.at.cmp(&other.run.at));
        all
    }

    /// What is left for a later run: address and reason.
    pub fn pending_deletions(&self) -> Vec<(String, Untrusted)> {
        let all = self.journals.iter().flat_map(|journal| &journal.state.pending_deletions);
        all.map(|left| (left.address.to_string(), left.reason.clone())).collect()
    }
}
