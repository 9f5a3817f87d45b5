//! What the checks found, with its place in the plan.

use serde::Serialize;

use crate::resource::{Address, SafeText, shown};

/// A finding and where the plan says it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LocatedFinding {
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

impl LocatedFinding {
    /// Whether it stops a run.
    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }

    /// In one line.
    pub fn line(&self) -> SafeText {
        let also = self.also.as_ref().map_or_else(SafeText::default, |also| shown!("; the other: {}", also));
        shown!("{}: {} ({}{})", self.at, self.problem, self.rule, also)
    }
}

/// All findings, errors first.
pub fn findings_text(findings: &[LocatedFinding]) -> SafeText {
    let mut text = SafeText::default();
    let ordered = findings.iter().filter(|one| one.is_error()).chain(findings.iter().filter(|one| !one.is_error()));
    for finding in ordered {
        let address = finding.address.as_ref().map_or_else(SafeText::default, |address| shown!(" {}", address));
        let path = if finding.path.is_empty() { SafeText::default() } else { shown!(" {}", finding.path) };
        let also = finding.also.as_ref().map_or_else(SafeText::default, |also| shown!("\n  {}", also));
        let head = shown!("{} {}\n  {}{}{}{}\n", finding.severity, finding.rule, finding.at, address, path, also);
        let (problem, aws_says, instead) = (&finding.problem, &finding.aws_says, &finding.instead);
        text.push(head);
        text.push(shown!("  {}\n  AWS:     {}\n  instead: {}\n\n", problem, aws_says, instead));
    }
    text
}
