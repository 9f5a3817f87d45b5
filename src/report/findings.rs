//! What the checks found, with its place in the plan.

use serde::Serialize;

use crate::resource::{Address, untrusted};

/// A finding and where the plan says it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Located {
    /// Stable name of the rule.
    pub rule: String,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The address.
    pub address: Option<Address>,
    /// File, line and column.
    pub at: String,
    /// File, line and column of a second place, with its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub also: Option<String>,
    /// The setting, as a path below the resource.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What AWS would answer.
    pub aws_says: String,
    /// What to write instead.
    pub instead: String,
}

impl Located {
    /// Whether it stops a run.
    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }

    /// In one line.
    pub fn line(&self) -> String {
        let also = self.also.as_ref().map_or(String::new(), |also| format!("; the other: {also}"));
        format!("{}: {} ({}{also})", self.at, untrusted::line(&self.problem), self.rule)
    }
}

/// All findings, errors first.
pub fn findings_text(findings: &[Located]) -> String {
    let mut text = String::new();
    let ordered = findings.iter().filter(|one| one.is_error()).chain(findings.iter().filter(|one| !one.is_error()));
    for finding in ordered {
        let address = finding.address.as_ref().map_or(String::new(), |address| format!(" {address}"));
        let path = if finding.path.is_empty() { String::new() } else { format!(" {}", finding.path) };
        let also = finding.also.as_ref().map_or(String::new(), |also| format!("\n  {also}"));
        text.push_str(&format!(
            "{} {}\n  {}{address}{path}{also}\n  {}\n  AWS:     {}\n  instead: {}\n\n",
            finding.severity,
            finding.rule,
            finding.at,
            untrusted::line(&finding.problem),
            finding.aws_says,
            untrusted::line(&finding.instead)
        ));
    }
    text
}
