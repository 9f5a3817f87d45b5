//! Problems of a device, each with its remedy: a table of rules over its facts.

mod rules;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::facts::DeviceFacts;

/// What the plan wants of a device, as far as a rule asks.
#[derive(Clone, Debug, Default)]
pub struct DeviceRequirements {
    /// Its name in the plan.
    pub host: String,
    /// JetPack.
    pub jetpack: Option<String>,
    /// Power mode.
    pub power_mode: Option<String>,
    /// The modes that `auto` goes through.
    pub adaptive_modes: Vec<String>,
    /// Version of k3s; none: no cluster is wanted.
    pub k3s: Option<String>,
    /// The container toolkit is wanted.
    pub toolkit: bool,
    /// Seconds since 1970 on this machine when the device was asked.
    pub now: i64,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingSeverity {
    /// Good to know.
    Note,
    /// It will hurt.
    Warning,
    /// Provisioning cannot succeed.
    Blocks,
}

/// A problem and what helps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceFinding {
    /// Stable name of the rule.
    pub rule: &'static str,
    /// How much it weighs.
    pub severity: FindingSeverity,
    /// What is wrong.
    pub problem: String,
    /// What helps, as commands where there are some.
    pub remedy: String,
}

/// Everything that the rules say of a device, the worst first.
pub fn diagnose(facts: &DeviceFacts, wanted: &DeviceRequirements) -> Vec<DeviceFinding> {
    let said = rules::RULES.iter().filter_map(|(rule, severity, says)| {
        let (problem, remedy) = says(facts, wanted)?;
        Some(DeviceFinding { rule, severity: *severity, problem, remedy })
    });
    let mut all: Vec<DeviceFinding> = said.collect();
    all.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    all
}
