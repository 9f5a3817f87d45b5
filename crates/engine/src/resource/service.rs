//! A systemd unit of a machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind_facts::{KindFacts, on_device};
use super::syntax_check::{self, CheckedSettings, InvalidSetting, SettingsCheck};

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

impl CheckedSettings for ServiceSpec {
    fn wrong(&self) -> Vec<InvalidSetting> {
        let mut look = SettingsCheck::default();
        look.must("unit", &self.unit, syntax_check::unit(&self.unit), syntax_check::UNIT);
        look.must("restart_on", &self.restart_on, syntax_check::line(&self.restart_on), syntax_check::LINE);
        look.done()
    }
}

pub(super) const FACTS: KindFacts = KindFacts {
    replace_on: &["host", "unit"],
    identity: &["host", "unit"],
    label: &["unit"],
    condition: Some("active"),
    ..on_device::<ServiceSpec>("service", "service")
};
