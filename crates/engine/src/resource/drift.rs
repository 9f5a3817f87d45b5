//! Drift: what differs from the recorded state, field by field.

use serde::Serialize;
use serde_json::Value;

use super::{Address, Kind, ResourceOrigin};

/// What the plan says of a field.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "says", content = "value", rename_all = "kebab-case")]
pub enum PlannedValue {
    /// This.
    Value(Value),
    /// Nothing.
    Silent,
    /// No plan is at hand; what the last run was asked for is what the journal records.
    NoPlan,
}

/// What a field belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldOrigin {
    /// Asked for by a plan.
    Setting,
    /// Whether the thing works: pods run, a service is active.
    Condition,
    /// Made known by the service: an ARN, a domain name.
    Output,
    /// The stack's mark of ownership.
    Mark,
    /// A tag that nobody asked for.
    Tag,
    /// Something else on the resource that nobody asked for: a setting that is not the service's default, a policy, a rule, a
    /// record set of others.
    Extra,
}

/// What can be done about a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// `deploy` puts the plan's value back.
    Deploy,
    /// The plan is silent: `--accept` takes the live value into the state.
    Accept,
    /// It is not business of the plan: left alone, and no drift.
    Leave,
}

/// One field, three ways.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DriftField {
    /// Dotted path in the settings, or name of the output.
    pub path: String,
    /// What it belongs to.
    pub sort: FieldOrigin,
    /// What the plan says.
    pub plan: PlannedValue,
    /// What the journal records.
    #[serde(rename = "remembered")]
    pub recorded: Option<Value>,
    /// What is there.
    pub real: Option<Value>,
    /// What can be done.
    pub remedy: Remedy,
}

/// What became of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftKind {
    /// Some of its fields are otherwise.
    Changed,
    /// It is gone.
    Gone,
    /// Somebody else's mark is on it, or somebody else's things are in it.
    Contested,
}

/// One resource that is not as it is recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DriftedResource {
    /// Its address.
    pub address: Address,
    /// Its kind.
    pub kind: Kind,
    /// What the service calls it now, or called it.
    pub id: Option<String>,
    /// What became of it.
    pub happened: DriftKind,
    /// Why, when it is not obvious.
    pub reason: Option<String>,
    /// Whether the plan wants it.
    pub wanted: bool,
    /// How it came into the state.
    pub origin: ResourceOrigin,
    /// Why `deploy` would be refused to put it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The fields.
    pub fields: Vec<DriftField>,
}

impl DriftedResource {
    /// Whether there is anything to do about it.
    pub fn counts(&self) -> bool {
        self.happened != DriftKind::Changed || self.fields.iter().any(|field| field.remedy != Remedy::Leave)
    }
}
