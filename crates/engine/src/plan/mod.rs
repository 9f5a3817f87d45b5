//! [1] The plan file: what a user can declare. Reads files; independent of the cloud and the clock.

mod archive;
mod bounds;
pub mod cdn;
pub mod closing;
pub mod content;
mod cycle;
mod depth;
pub mod edge;
mod error;
mod extends;
mod fallbacks;
mod files;
mod find;
mod former_keys;
mod hidden;
mod inventory;
pub mod jetson;
mod jetson_app;
pub mod kubernetes;
mod load;
mod measure;
pub mod metadata;
pub mod models;
mod objects;
pub mod observability;
mod octal;
mod placeholders;
pub mod queues;
mod read_scope;
pub mod routing;
pub mod rules;
mod schema;
mod shape;
mod source;
mod step_config;
mod steps;
pub mod suggest;
pub mod validation;
mod values;
mod variables;
mod yaml_hint;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::resource::Untrusted;

pub use crate::files::hash;
pub use archive::ArchiveFacts;
pub use bounds::{LARGEST, read_text};
pub use error::{PlanError, PlanErrors};
pub use extends::{LayeredChange, Lineage};
pub use former_keys::{FormerKey, RENAMED, RenamedKey, key_of};
pub use inventory::{ONE_NAME, ReplacedDevices};
pub use load::{Reading, load, parse, read};
pub use measure::{Measure, Probe, UnknownMeasure};
pub use objects::Document;
pub use schema::{
    Comparison, Criteria, Criterion, Fallback, GatePlan, Metadata, Moved, PlanFile, Variable, VariableType,
};
pub use source::SourcePlace;
pub use step_config::StepConfig;

/// The plans that the tool carries.
pub const BUILT_IN: &[(&str, &str)] = &[("week13", include_str!("../../../../plans/week13.yaml"))];

/// What a user sets from outside.
#[derive(Clone, Debug, Default)]
pub struct PlanSettings {
    /// `--var` and `--var-file`.
    pub variables: BTreeMap<String, String>,
    /// `AKIDB_EDGE_VAR_*`, without the beginning.
    pub environment: BTreeMap<String, String>,
    /// Files outside of the plan's own folder may be read, too.
    pub outside: bool,
}

/// One step of a plan.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name.
    pub id: String,
    /// Its day.
    pub day: u32,
    /// What it does, for people.
    pub title: Untrusted,
    /// Steps before it.
    pub needs: BTreeSet<String>,
    /// Done only when asked for by name.
    pub on_request: bool,
    /// The word for its kind.
    pub kind: String,
    /// Its settings as data.
    pub with: Value,
    /// Its settings.
    pub work: StepConfig,
    /// Where it stands: `days.0.steps.1`.
    pub path: String,
}

/// A file that a plan names.
#[derive(Clone, Debug)]
pub struct FileDigest {
    /// SHA-256 in hex and size, or why it cannot be read.
    pub content: Result<(String, u64), String>,
    /// What is in it, or why it is not a zip, where the plan asks for a zip.
    pub archive: Option<Result<ArchiveFacts, String>>,
    /// Where the plan names it.
    pub origin: String,
}

/// A plan that was read and has the right shape.
#[derive(Clone, Debug)]
pub struct Plan {
    /// File as the user named it.
    pub file: String,
    /// What it is about.
    pub metadata: Metadata,
    /// Name of the stack.
    pub stack: String,
    /// Titles of the days.
    pub days: BTreeMap<u32, Untrusted>,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// What has another address now.
    pub moved: Vec<Moved>,
    /// Fallbacks: prepared changes for an emergency, by name.
    pub fallbacks: BTreeMap<String, Fallback>,
    /// What counts as success.
    pub criteria: Criteria,
    /// The variables' values.
    pub values: BTreeMap<String, Value>,
    /// The files it names, by path.
    pub files: BTreeMap<String, FileDigest>,
    /// The objects of clusters in each file that a step names for them (a file, or one below a folder), by the path as the step
    /// names it; or why they cannot be read.
    pub objects: BTreeMap<String, Result<Vec<Document>, String>>,
    /// The folders it names, by path: the files below each, or why it cannot be read.
    pub folders: BTreeMap<String, Result<Vec<String>, String>>,
    text: source::SourceText,
    reach: read_scope::ReadScope,
    lineage: Lineage,
    /// Where something is wrong.
    places: placeholders::Placeholders,
    /// The inventory that gave a step its devices, by the path of the step.
    inventories: BTreeMap<String, inventory::Inventory>,
}

impl Plan {
    fn new(
        file: &str,
        text: source::SourceText,
        head: PlanFile<Value>,
        steps: Vec<Step>,
        values: BTreeMap<String, Value>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            metadata: head.metadata,
            stack: head.stack,
            days: head.days.into_iter().map(|day| (day.day, day.title)).collect(),
            steps,
            moved: head.moved,
            fallbacks: head.fallbacks,
            criteria: head.criteria,
            values,
            files: BTreeMap::new(),
            objects: BTreeMap::new(),
            folders: BTreeMap::new(),
            text,
            reach: read_scope::ReadScope::default(),
            lineage: Lineage::default(),
            places: placeholders::Placeholders::default(),
            inventories: BTreeMap::new(),
        }
    }

    /// Where the value at a dotted path is in the file.
    pub fn place(&self, path: &str) -> SourcePlace {
        self.in_inventory(path).map_or_else(|| self.text.place(path), |(inventory, path)| inventory.place(&path))
    }

    /// The inventory in which the value at a dotted path stands, and its path below the devices there.
    fn in_inventory(&self, path: &str) -> Option<(&inventory::Inventory, String)> {
        self.inventories.iter().find_map(|(step, inventory)| {
            let below = path.strip_prefix(step.as_str())?.strip_prefix(".with.hosts.")?;
            Some((inventory, below.to_owned()))
        })
    }

    /// The file in which the value at a dotted path stands: the plan's own, or one that it extends.
    pub fn file_of(&self, path: &str) -> &str {
        match self.in_inventory(path) {
            Some((inventory, _)) => inventory.file(),
            None => self.lineage.file(path).unwrap_or(&self.file),
        }
    }

    /// Whether nothing is known to be wrong at a dotted path, above it or below it. Of a plan that was loaded without problems,
    /// everything is sound.
    pub fn is_sound(&self, path: &str) -> bool {
        self.places.is_empty() || !self.places.touches(path.trim_end_matches('.'))
    }

    /// Whether all names that the plan declares are known: else a step of an unknown kind may declare more.
    pub const fn knows_its_names(&self) -> bool {
        !self.places.names_are_unknown()
    }

    /// The former keys that its files use.
    pub fn former_keys(&self) -> &[FormerKey] {
        &self.text.former
    }

    /// Where its values come from, when it extends other plans.
    pub const fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// Refuses a file that may not be read by the plan file that names it at the dotted path `origin`.
    fn may_read(&self, file: &str, origin: &str) -> Result<(), String> {
        self.lineage.check(file, origin).unwrap_or_else(|| self.reach.check(file))
    }

    /// Refuses a kubeconfig that a plan names by itself: it can start programs.
    fn may_log_in_with(&self, file: &str, origin: &str) -> Result<(), String> {
        self.lineage.check_named(file, origin).unwrap_or_else(|| self.reach.check_named(file))
    }

    /// Whether the user named the place of a file, by a variable that was set from outside.
    pub fn is_named_by_the_user(&self, file: &Path) -> bool {
        self.reach.is_named(file)
    }

    /// A step by its name.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// The steps that are in force: all that are not on request, and those that were asked for.
    pub fn in_force<'a>(&'a self, requested: &'a BTreeSet<String>) -> impl Iterator<Item = &'a Step> {
        self.steps.iter().filter(|step| !step.on_request || requested.contains(&step.id))
    }

    /// The plan with the settings of a fallback.
    ///
    /// # Errors
    /// When there is no such fallback, or its settings do not fit.
    pub fn with_fallback(&self, name: &str) -> Result<Self, PlanErrors> {
        let base = format!("fallbacks.{name}");
        let problem = |rule: &'static str, problem: String, next_step: String| {
            let file = self.file_of(&base).to_owned();
            PlanError { rule, file, place: self.place(&base), problem, next_step }
        };
        let Some(fallback) = self.fallbacks.get(name) else {
            let known: Vec<&str> = self.fallbacks.keys().map(String::as_str).collect();
            let next = suggest::instead(name, &known, "leave --fallback out: the plan has no fallbacks");
            let unknown = problem(rules::FALLBACK, format!("the plan has no fallback {name:?}"), next);
            return Err(PlanErrors(vec![unknown]));
        };
        let mut changed = self.clone();
        let mut touched = BTreeSet::new();
        for (key, value) in &fallback.set {
            let (id, path) = key.split_once('.').unwrap_or((key, ""));
            if let Some(step) = changed.steps.iter_mut().find(|step| step.id == id && self.is_sound(&step.path)) {
                put(&mut step.with, path, value);
                touched.insert(id);
            }
        }
        let mut problems = Vec::new();
        for step in changed.steps.iter_mut().filter(|step| touched.contains(step.id.as_str())) {
            let Some(read) = StepConfig::reader(&step.kind) else { continue };
            let (work, misfits) = shape::read(&step.with, "", &mut placeholders::Placeholders::default(), read);
            problems.extend(misfits.iter().map(|mismatch| {
                let words = format!("fallback {name} does not fit step {}: {}: {mismatch}", step.id, mismatch.path());
                problem(rules::FALLBACK, words, "correct its settings".to_owned())
            }));
            if let Some(work) = work {
                step.work = work;
            }
        }
        if problems.is_empty() { Ok(changed) } else { Err(PlanErrors(problems)) }
    }
}

/// Puts a value at a dotted path; what is missing on the way is made.
fn put(value: &mut Value, path: &str, new: &Value) {
    let (part, rest) = path.split_once('.').map_or((path, None), |(part, rest)| (part, Some(rest)));
    let slot = match value {
        Value::Array(items) => match part.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
            Some(slot) => slot,
            None => return,
        },
        Value::Object(fields) => fields.entry(part.to_owned()).or_insert(Value::Null),
        other => {
            *other = Value::Object(Default::default());
            return put(other, path, new);
        }
    };
    match rest {
        Some(rest) => put(slot, rest, new),
        None => *slot = new.clone(),
    }
}

/// Plain data from one YAML document, without anything hidden in it.
///
/// # Errors
/// What is invalid YAML or cannot be seen, with its line.
pub fn yaml(text: &str) -> Result<Value, String> {
    let read = source::SourceText::parse(text).map_err(|bad| format!("line {}: {}", bad.place.line, bad.problem))?;
    match hidden::found(&read.value).first() {
        Some((path, problem)) => Err(format!("line {}: {problem}", read.place(path).line)),
        None => Ok(read.value),
    }
}

/// The JSON Schema of plan files.
pub fn json_schema() -> Value {
    extends::with_later_plans(schemars::schema_for!(PlanFile).to_value())
}
