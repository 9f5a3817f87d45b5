//! Values from the plan and the journal that a command line names.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::typed::Typed;
use crate::commands::{hints, workflow};
use crate::desired::{self, jetson};
use crate::ledger::{FileStore, Ledger};
use crate::plan::{self, BUILT_IN, Plan, PlanSettings, StepConfig};
use crate::resource::untrusted::line;
use crate::resource::{StackState, dns_answer, is_name, places};

/// Where journals are when nothing says otherwise.
const STATE: &str = "file:.akidb-edge";

/// What is said about a value where nothing is.
const NOTHING: String = String::new();

/// The plan and the journal that the words on a command line name; each is read when it is asked for.
pub struct Known {
    typed: Typed,
    plan: OnceCell<Option<Plan>>,
}

impl Known {
    /// By the words that a shell hands over.
    pub fn now() -> Self {
        Self { typed: Typed::now(), plan: OnceCell::new() }
    }

    fn plan(&self) -> Option<&Plan> {
        self.plan.get_or_init(|| self.read_plan()).as_ref()
    }

    /// A plan with mistakes has names, too.
    fn read_plan(&self) -> Option<Plan> {
        let named = self.typed.value("--plan").or_else(|| self.typed.behind(&["validate", "plan"])).map(str::to_owned);
        let name = named.or_else(|| std::env::var("AKIDB_EDGE_PLAN").ok())?;
        let pairs = self.typed.values("--var").filter_map(|pair| pair.split_once('='));
        let variables = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let settings = PlanSettings { variables, ..PlanSettings::default() };
        let mut plan = plan::read(&name, &settings).plan?;
        // One that cannot be read names no devices.
        let _ = self.typed.value("--inventory").map(|file| plan.bring_devices(Some(file), None));
        Some(plan)
    }

    fn state(&self) -> String {
        let typed = self.typed.value("--state").map(str::to_owned);
        typed.or_else(|| std::env::var("AKIDB_EDGE_STATE").ok()).unwrap_or_else(|| STATE.to_owned())
    }

    /// The stacks that the command line is about: its own, and that of the plan's devices.
    fn own_stacks(&self) -> Vec<String> {
        match (self.typed.value("--stack"), self.plan()) {
            (Some(stack), _) => vec![stack.to_owned()],
            (None, Some(plan)) => vec![plan.stack.clone(), jetson::stack(plan)],
            (None, None) => Vec::new(),
        }
    }

    /// What the journal of a stack knows, when it is in a directory.
    fn recorded(&self, stack: &str) -> Option<StackState> {
        let root = workflow::root(&self.state()).filter(|_| is_name(stack))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let store = Arc::new(FileStore::new(&root, stack, ""));
        Some(runtime.block_on(Ledger::read(store, stack)).ok()?.recorded())
    }

    /// Addresses of the plan and of the journals.
    pub fn addresses(&self) -> Vec<(String, String)> {
        let stacks = self.own_stacks();
        let journals = stacks.iter().filter_map(|stack| self.recorded(stack));
        let held =
            journals.flat_map(|state| state.resources.into_iter().map(|(address, record)| (address, record.kind)));
        let mut all: BTreeMap<String, String> =
            held.map(|(address, kind)| (address.to_string(), kind.facts().title.to_owned())).collect();
        if let Some(plan) = self.plan() {
            let every: BTreeSet<String> = plan.steps.iter().map(|step| step.id.clone()).collect();
            for built in [desired::draft(plan, &every).built, jetson::draft(plan).built] {
                let resources = built.desired.resources.into_iter();
                all.extend(resources.map(|(address, one)| (address.to_string(), one.kind.facts().title.to_owned())));
            }
        }
        all.into_iter().collect()
    }

    /// Areas of the plan; all that there are without one.
    pub fn areas(&self) -> Vec<(String, String)> {
        const ALL: [&str; 8] = ["cdn", "edge", "kubernetes", "models", "observability", "page", "queues", "routing"];
        let own = |plan: &Plan| -> BTreeSet<&'static str> {
            let steps = plan.steps.iter().filter(|step| step.work.is_of_devices() == Some(false));
            steps.map(|step| step.work.area()).collect()
        };
        let areas = self.plan().map_or_else(|| ALL.into(), own);
        areas.into_iter().map(|area| (area.to_owned(), NOTHING)).collect()
    }

    /// Steps that are on request only.
    pub fn requests(&self) -> Vec<(String, String)> {
        let steps = self.plan().into_iter().flat_map(|plan| &plan.steps).filter(|step| step.on_request);
        steps.map(|step| (step.id.clone(), step.title.line())).collect()
    }

    /// Fallbacks of the plan.
    pub fn fallbacks(&self) -> Vec<(String, String)> {
        let all = self.plan().into_iter().flat_map(|plan| &plan.fallbacks);
        all.map(|(name, fallback)| (name.clone(), fallback.title.line())).collect()
    }

    /// Variables of the plan, each with the sign behind which its value comes.
    pub fn variables(&self) -> Vec<(String, String)> {
        let names = self.plan().into_iter().flat_map(|plan| plan.values.keys());
        names.map(|name| (format!("{name}="), NOTHING)).collect()
    }

    /// Devices of the plan, or of its inventory.
    pub fn devices(&self) -> Vec<(String, String)> {
        let steps = self.plan().into_iter().flat_map(|plan| &plan.steps);
        let hosts = steps
            .filter_map(|step| if let StepConfig::Jetson(jetson) = &step.work { Some(&jetson.hosts) } else { None });
        hosts.flatten().map(|(name, host)| (name.clone(), line(&host.address).into_owned())).collect()
    }

    /// Stacks that have a journal at the place of the state.
    pub fn stacks(&self) -> Vec<(String, String)> {
        hints::stacks_at(&self.state()).into_iter().map(|stack| (stack, NOTHING)).collect()
    }

    /// Revisions, the latest first, each with its command.
    pub fn revisions(&self) -> Vec<(String, String)> {
        let state = self.own_stacks().first().and_then(|stack| self.recorded(stack));
        let runs = state
            .into_iter()
            .flat_map(|state| state.runs)
            .map(|run| (run.revision.to_string(), line(&run.command).into_owned()));
        let mut all: Vec<(String, String)> = runs.collect();
        all.reverse();
        all
    }

    /// Continents, from which a name may be asked.
    pub fn places(&self) -> Vec<(String, String)> {
        places::continents().map(|place| (place.to_owned(), NOTHING)).collect()
    }

    /// Load balancers of the plan, by name, each with its region.
    pub fn targets(&self) -> Vec<(String, String)> {
        let Some(plan) = self.plan() else { return Vec::new() };
        dns_answer::targets(&desired::draft(plan, &BTreeSet::new()).built.desired)
    }
}

/// The plans that the program carries, and those in `plans` below the working directory.
pub fn plans() -> Vec<(String, String)> {
    let carried = BUILT_IN.iter().map(|(name, _)| ((*name).to_owned(), "built in".to_owned()));
    let near = std::fs::read_dir("plans").into_iter().flatten().flatten().map(|entry| entry.path());
    let near = near.filter(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    let names = near.filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), NOTHING)));
    let all: BTreeMap<String, String> = names.chain(carried).collect();
    all.into_iter().collect()
}
