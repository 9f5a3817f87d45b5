//! The power mode of a Jetson.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind_facts::{KindFacts, on_device};
use super::syntax_check::{self, CheckedSettings, InvalidSetting, SettingsCheck};

/// The mode that is not a mode of the device: a service follows the load.
pub const AUTO: &str = "auto";
/// The unit of that service.
pub const ADAPTIVE_SERVICE: &str = "akidb-adaptive-power.service";

/// A power mode by its name: ids differ from board to board and from release to release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PowerModeSpec {
    /// The machine's name in the plan.
    pub host: String,
    /// Name as in `/etc/nvpmodel.conf`: `7W`, `15W`, `25W`, `MAXN_SUPER`; or `auto`.
    pub mode: String,
    /// Of `auto`: the modes that the service goes through. The device must have one of them, under this name or, as AGX boards call
    /// it, `MODE_` and this name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modes: Vec<String>,
}

impl CheckedSettings for PowerModeSpec {
    fn wrong(&self) -> Vec<InvalidSetting> {
        let mut look = SettingsCheck::default();
        look.must("power_mode", &self.mode, syntax_check::power_mode(&self.mode), syntax_check::POWER_MODE);
        look.done()
    }
}

pub(super) const FACTS: KindFacts = KindFacts {
    replace_on: &["host"],
    identity: &["host"],
    disruptive: &["mode"],
    label: &[],
    ..on_device::<PowerModeSpec>("power-mode", "power mode")
};
