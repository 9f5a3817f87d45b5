//! What was found in a plan, by the loader and by the rules: one form for all of it, with its place in the plan.

use serde::Serialize;

use super::setting_path::setting_path;
use crate::resource::{Address, Kind, SafeText, shown};

/// A finding and where the plan says it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LocatedFinding {
    /// Stable ID of the rule.
    pub rule: String,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The file, as the user named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// File, line and column in one text.
    pub at: String,
    /// The address; none for what is not a resource yet.
    pub address: Option<Address>,
    /// File, line and column of a second place, with its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub also: Option<String>,
    /// The setting, as a path below the resource.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What AWS would answer; empty for what never reaches it.
    pub aws_says: String,
    /// What to do.
    pub next_step: String,
    /// The same as `next_step`, by its former name.
    pub instead: String,
}

/// A place in a file: the file, line and column.
pub type FindingPlace<'a> = (&'a str, usize, usize);

impl LocatedFinding {
    /// An error that is not a resource yet.
    pub fn error(rule: &str, at: FindingPlace<'_>, problem: String, next_step: String) -> Self {
        let (file, line, column) = at;
        Self {
            rule: rule.to_owned(),
            severity: "error",
            file: file.to_owned(),
            line,
            column,
            at: format!("{file}:{line}:{column}"),
            address: None,
            also: None,
            path: String::new(),
            problem,
            aws_says: String::new(),
            instead: next_step.clone(),
            next_step,
        }
    }

    /// Whether it stops a run.
    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }

    /// What findings are sorted by: errors first, then the place.
    pub fn order(&self) -> (bool, &str, usize, usize) {
        (!self.is_error(), &self.file, self.line, self.column)
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

    /// With everything that is known about it.
    fn text(&self) -> SafeText {
        let mut text = shown!("{}: {} {}: {}", self.at, self.severity, self.rule, self.problem);
        if let Some(address) = &self.address {
            let path = if self.path.is_empty() { SafeText::default() } else { shown!(" {}", setting_path(&self.path)) };
            text.push(shown!("\n  in:   {}{}", address, path));
        }
        if let Some(also) = &self.also {
            text.push(shown!("\n  and:  {}", also));
        }
        if !self.aws_says.is_empty() {
            let who = if self.is_of_cluster() { "cluster:" } else { "AWS: " };
            text.push(shown!("\n  {} {}", who, self.aws_says));
        }
        if !self.next_step.is_empty() {
            text.push(shown!("\n  next: {}", self.next_step));
        }
        text
    }
}

/// All findings: errors first, each sort in the order of the plan.
pub fn findings_text(findings: &[LocatedFinding]) -> SafeText {
    let mut ordered: Vec<&LocatedFinding> = findings.iter().collect();
    ordered.sort_by(|one, other| one.order().cmp(&other.order()));
    SafeText::join(ordered.into_iter().map(LocatedFinding::text), "\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_first_and_each_has_its_place_rule_and_next_step() {
        let error = |line: usize| {
            let at = ("p.yaml", line, 3);
            LocatedFinding::error("PL101-unknown-field", at, "unknown field `a`".to_owned(), "take it out".to_owned())
        };
        let warning = LocatedFinding {
            severity: "warning",
            rule: "S3001-x".to_owned(),
            address: "models.bucket.b".parse().ok(),
            path: "name".to_owned(),
            aws_says: "nothing".to_owned(),
            ..error(1)
        };
        assert_eq!(
            findings_text(&[warning, error(9), error(2)]),
            "p.yaml:2:3: error PL101-unknown-field: unknown field `a`\n  next: take it out\n\
             p.yaml:9:3: error PL101-unknown-field: unknown field `a`\n  next: take it out\n\
             p.yaml:1:3: warning S3001-x: unknown field `a`\n  in:   models.bucket.b name\n  AWS:  nothing\n  next: take it out"
        );
    }
}
