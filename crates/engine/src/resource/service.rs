//! A systemd unit of a machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::{Facts, on_device};
use super::words::{self, Look, Sound, Wrong};

/// A unit, enabled and running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    /// The machine's name in the plan.
    pub host: String,
    /// Unit, such as `akidb-power.service`.
    pub unit: String,
    /// Whether it starts with the machine.
    pub enabled: bool,
    /// Whether it runs now.
    pub active: bool,
    /// A text that changes when the unit must be started again (a hash of its files).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub restart_on: String,
}

impl Sound for ServiceSpec {
    fn wrong(&self) -> Vec<Wrong> {
        let mut look = Look::default();
        look.must("unit", &self.unit, words::unit(&self.unit), words::UNIT);
        look.must("restart_on", &self.restart_on, words::line(&self.restart_on), words::LINE);
        look.done()
    }
}

pub(super) const FACTS: Facts = Facts {
    replace_on: &["host", "unit"],
    identity: &["host", "unit"],
    label: &["unit"],
    condition: Some("active"),
    ..on_device::<ServiceSpec>("service", "service")
};
