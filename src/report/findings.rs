//! What the checks found, with its place in the plan.

use serde::Serialize;

use crate::resource::{Address, Kind, SafeText, shown};

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

    /// Whether it is about an object of a cluster.
    fn is_of_cluster(&self) -> bool {
        self.address.as_ref().is_some_and(|address| address.kind_name() == Kind::Manifest.name())
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
        let who = if finding.is_of_cluster() { "cluster:" } else { "AWS:    " };
        text.push(head);
        text.push(shown!("  {}\n  {} {}\n  instead: {}\n\n", problem, who, aws_says, instead));
    }
    text
}

/// Who would refuse what was found: AWS, a cluster, or each its own.
pub fn who_refuses(findings: &[LocatedFinding]) -> &'static str {
    let errors = || findings.iter().filter(|finding| finding.is_error());
    match (errors().all(LocatedFinding::is_of_cluster), errors().any(LocatedFinding::is_of_cluster)) {
        (true, true) => "the cluster",
        (false, true) => "AWS or the cluster",
        _ => "AWS",
    }
}
