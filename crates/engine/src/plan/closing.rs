//! Steps that end a week: the devices are shut down, the report is written. They make no resources.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// Devices that are drained and shut down: agents first, the server last.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JetsonShutdownStep {
    /// Seconds to wait for the pods of a node to leave.
    #[serde(default = "drain_seconds")]
    pub drain_seconds: u32,
}

impl Default for JetsonShutdownStep {
    fn default() -> Self {
        Self { drain_seconds: drain_seconds() }
    }
}

/// What the report compares its figures with.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportStep {
    /// The figures of an earlier week: the report shows them beside the criteria `cost.month` and `load.throughput`.
    #[serde(default)]
    pub compare_with: Option<EarlierWeek>,
    /// What is expected to be paid for a month, by item in US dollars: the report shows the sum beside the criterion `cost.month`.
    #[serde(default)]
    pub cost_usd: BTreeMap<String, f64>,
}

/// Figures of an earlier week.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EarlierWeek {
    /// Its number.
    pub week: u32,
    /// What a month cost, in US dollars.
    #[serde(default)]
    pub cost_usd: Option<f64>,
    /// Requests a second over all regions.
    #[serde(default)]
    pub throughput_rps: Option<f64>,
}

const fn drain_seconds() -> u32 {
    120
}
