//! A rule as a row of a table, and the loop that applies a table to all resources of a kind.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::scope::CheckScope;
use super::{Finding, RelatedPlace, Severity};
use crate::resource::{Address, Kind};

/// One resource under a rule.
pub(super) struct CheckedResource<'a, S> {
    /// The graph around it.
    pub scope: &'a CheckScope<'a>,
    /// Its address.
    pub address: &'a Address,
    /// Its settings.
    pub spec: S,
}

/// Where a rule writes what it found.
pub(super) struct RuleFindings<'a> {
    id: &'static str,
    severity: Severity,
    aws: &'static str,
    instead: &'static str,
    address: &'a Address,
    out: &'a mut Vec<Finding>,
}

impl RuleFindings<'_> {
    /// A finding with the rule's own words.
    pub fn add(&mut self, path: impl Into<String>, problem: impl Into<String>) {
        let instead = self.instead;
        self.add_with(path, problem, instead);
    }

    /// A finding that says in its own words what to write instead.
    pub fn add_with(&mut self, path: impl Into<String>, problem: impl Into<String>, instead: impl Into<String>) {
        let aws = self.aws;
        self.add_full(path, problem, aws, instead);
    }

    /// A finding all in its own words.
    pub fn add_full(
        &mut self,
        path: impl Into<String>,
        problem: impl Into<String>,
        aws_says: impl Into<String>,
        instead: impl Into<String>,
    ) {
        self.out.push(Finding {
            rule: self.id,
            severity: self.severity,
            address: self.address.clone(),
            path: path.into(),
            problem: problem.into(),
            aws_says: aws_says.into(),
            instead: instead.into(),
            also: None,
        });
    }

    /// A finding with the rule's own words that names a second place.
    pub fn add_beside(&mut self, path: impl Into<String>, problem: impl Into<String>, also: RelatedPlace) {
        self.add(path, problem);
        if let Some(last) = self.out.last_mut() {
            last.also = Some(also);
        }
    }

    /// A finding when `wrong` holds.
    pub fn add_if(&mut self, wrong: bool, path: impl Into<String>, problem: impl FnOnce() -> String) {
        if wrong {
            self.add(path, problem());
        }
    }
}

/// What a rule does with one resource.
pub(super) type CheckFunction<S> = for<'a, 'b, 'c> fn(&'a CheckedResource<'b, S>, &'a mut RuleFindings<'c>);

/// One rule over specs of one type.
pub(super) struct CheckRule<S: 'static> {
    id: &'static str,
    severity: Severity,
    what: &'static str,
    aws: &'static str,
    instead: &'static str,
    check: CheckFunction<S>,
}

/// A rule whose breach AWS refuses, or that can never work.
pub(super) const fn error<S>(
    id: &'static str,
    what: &'static str,
    aws: &'static str,
    instead: &'static str,
    check: CheckFunction<S>,
) -> CheckRule<S> {
    CheckRule { id, severity: Severity::Error, what, aws, instead, check }
}

/// A rule whose breach AWS takes, with an effect that one would not expect.
pub(super) const fn warning<S>(
    id: &'static str,
    what: &'static str,
    aws: &'static str,
    instead: &'static str,
    check: CheckFunction<S>,
) -> CheckRule<S> {
    CheckRule { id, severity: Severity::Warning, what, aws, instead, check }
}

/// Ids and descriptions of a table.
pub(super) fn ids<S>(rules: &[CheckRule<S>]) -> Vec<(&'static str, &'static str)> {
    rules.iter().map(|rule| (rule.id, rule.what)).collect()
}

/// Applies a table to one resource.
pub(super) fn apply<S>(seen: &CheckedResource<'_, S>, rules: &[CheckRule<S>], out: &mut Vec<Finding>) {
    for rule in rules {
        let CheckRule { id, severity, aws, instead, check, .. } = *rule;
        check(seen, &mut RuleFindings { id, severity, aws, instead, address: seen.address, out });
    }
}

/// Applies a table to every resource of a kind. One whose spec does not fit its type is the graph rules' business.
pub(super) fn run<S: DeserializeOwned>(
    scope: &CheckScope<'_>,
    kind: Kind,
    rules: &[CheckRule<S>],
    out: &mut Vec<Finding>,
) {
    for (address, spec) in scope.each::<S>(kind) {
        apply(&CheckedResource { scope, address, spec }, rules, out);
    }
}

/// Applies a table to every resource, its spec as plain data.
pub(super) fn run_any(scope: &CheckScope<'_>, rules: &[CheckRule<Value>], out: &mut Vec<Finding>) {
    for (address, resource) in &scope.desired.resources {
        apply(&CheckedResource { scope, address, spec: resource.spec.clone() }, rules, out);
    }
}
