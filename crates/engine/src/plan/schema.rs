//! The shape of a plan file. `plans/schema.json` is generated from these types.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::measure::Measure;
use super::step_config::StepConfig;
use crate::resource::{Address, Untrusted};

/// A plan: what a stack is to be, day by day.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanFile<S = StepFile> {
    /// Version of the format: 1.
    pub version: u32,
    /// Name, title and description of the plan.
    pub metadata: Metadata,
    /// Name of the stack: lower-case letters, digits and dashes.
    pub stack: String,
    /// Variables that a user can set.
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    /// The days, in order.
    pub days: Vec<Day<S>>,
    /// Resources that have another address now and that cannot be recognized by their name (a health check that asks
    /// otherwise, a bucket whose key and name change). Renamed keys, steps and groups need no entry.
    #[serde(default)]
    pub moved: Vec<Moved>,
    /// Fallbacks: prepared changes for an emergency, by name.
    #[serde(default)]
    pub fallbacks: BTreeMap<String, Fallback>,
    /// Criteria of success, by priority.
    #[serde(default)]
    pub criteria: Criteria,
    /// Plan that this one extends: a name, or a path from the folder of this file.
    #[serde(default)]
    pub extends: Option<String>,
    /// Parts of that plan that are removed: IDs of steps, or dotted paths (`steps.models.with.buckets.logs`).
    #[serde(default)]
    pub remove: Vec<String>,
}

/// A resource that has another address now.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// The address that it had: `area.kind.name`, as `status` lists it.
    pub from: Address,
    /// The address that this plan gives it.
    pub to: Address,
}

/// Name, title and description of the plan.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Short name.
    pub name: String,
    /// Title for people.
    pub title: Untrusted,
    /// Week of the roadmap.
    #[serde(default)]
    pub week: Option<u32>,
    /// Its purpose.
    #[serde(default)]
    pub description: Untrusted,
}

/// A variable: `${var.name}` stands for its value. Set by `--var name=value`, `--var-file`, `AKIDB_EDGE_VAR_name`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its type.
    #[serde(default, rename = "type")]
    pub kind: VariableType,
    /// Its purpose.
    #[serde(default)]
    pub description: Untrusted,
    /// Its value is not shown or written anywhere: not in the preview, the journal, a saved plan or a report. It is a text
    /// of at least 8 bytes.
    #[serde(default)]
    pub sensitive: bool,
    /// Default value; without one, the variable must be set.
    #[serde(default)]
    pub default: Option<Value>,
}

/// Type of a variable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VariableType {
    /// Text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// true or false.
    Boolean,
}

/// One day of the plan.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Day<S = StepFile> {
    /// Number of the day, from 1.
    pub day: u32,
    /// Its title.
    pub title: Untrusted,
    /// What is done on it.
    pub steps: Vec<S>,
}

/// One step as it is in the file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(extend("unevaluatedProperties" = false))]
pub struct StepFile {
    /// Name of the step, unique in the plan.
    pub id: String,
    /// What it does, for people.
    pub title: Untrusted,
    /// Steps whose resources must exist before those of this step.
    #[serde(default)]
    pub needs: BTreeSet<String>,
    /// Whether the step runs only when it is named (`deploy --request ID`, `route cutover`); it then stays active.
    #[serde(default)]
    pub on_request: bool,
    /// What it wants.
    #[serde(flatten)]
    pub work: StepConfig,
}

/// A named fallback: the plan with some settings changed. It changes only the addresses in `only`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// What it does, for people.
    pub title: Untrusted,
    /// When to use it.
    #[serde(default)]
    pub when: Untrusted,
    /// On-request steps that it activates.
    #[serde(default)]
    pub request: BTreeSet<String>,
    /// What it may change: addresses or address prefixes.
    pub only: Vec<String>,
    /// Settings that it changes: `step.path.to.setting` to value.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
}

/// Criteria of success, by priority.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "UPPERCASE")]
pub struct Criteria {
    /// Must have.
    #[serde(default)]
    pub p0: Vec<Criterion>,
    /// Should have.
    #[serde(default)]
    pub p1: Vec<Criterion>,
    /// Nice to have.
    #[serde(default)]
    pub p2: Vec<Criterion>,
    /// Which percentage of each priority must be met for the week to be done; without it, no gate is evaluated.
    #[serde(default, rename = "gate")]
    pub gate: Option<GatePlan>,
}

/// The percentage of the criteria of each priority that has to be met.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "UPPERCASE")]
pub struct GatePlan {
    /// Share of the criteria that must be met, in percent.
    #[serde(default = "all")]
    #[schemars(range(min = 0, max = 100))]
    pub p0: f64,
    /// Share of the criteria that should be met, in percent.
    #[schemars(range(min = 0, max = 100))]
    pub p1: f64,
    /// Share of the criteria that are nice to have, in percent.
    #[schemars(range(min = 0, max = 100))]
    pub p2: f64,
}

const fn all() -> f64 {
    100.0
}

impl GatePlan {
    /// The priorities whose percentage is none.
    pub fn wrong(&self) -> impl Iterator<Item = &'static str> {
        let shares = [("P0", self.p0), ("P1", self.p1), ("P2", self.p2)];
        shares.into_iter().filter(|(_, percent)| !(0.0..=100.0).contains(percent)).map(|(name, _)| name)
    }
}

/// One measurable aim.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Name, unique in the plan.
    pub id: String,
    /// For people.
    pub title: Untrusted,
    /// What is measured, e.g. `resources.present` or `latency.p95`.
    pub measure: Measure,
    /// Which of the measured items are used (an address pattern, a region).
    #[serde(default)]
    pub subject: Option<String>,
    /// How it is compared.
    pub compare: Comparison,
    /// The value that it is compared with.
    pub threshold: f64,
    /// Unit of value and threshold.
    pub unit: String,
    /// Note on the expected value, in one line.
    #[serde(default)]
    pub note: Option<Untrusted>,
}

/// How a value is compared with a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Comparison {
    /// At most.
    #[serde(rename = "<=")]
    AtMost,
    /// Less than.
    #[serde(rename = "<")]
    Below,
    /// At least.
    #[serde(rename = ">=")]
    AtLeast,
    /// More than.
    #[serde(rename = ">")]
    Above,
    /// Equal.
    #[serde(rename = "=")]
    Equal,
}

impl Comparison {
    /// Whether `value` meets `threshold`.
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::AtMost => value <= threshold,
            Self::Below => value < threshold,
            Self::AtLeast => value >= threshold,
            Self::Above => value > threshold,
            Self::Equal => (value - threshold).abs() < f64::EPSILON,
        }
    }

    /// Its sign.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::AtMost => "≤",
            Self::Below => "<",
            Self::AtLeast => "≥",
            Self::Above => ">",
            Self::Equal => "=",
        }
    }
}
