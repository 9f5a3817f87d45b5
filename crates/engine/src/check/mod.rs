//! Checks between planning and the first call: what AWS or a cluster would reject, or accept and handle differently than expected.
//!
//! Pure and synchronous. Every rule is one row of a table (id, what it looks for, what AWS says, what to write instead)
//! and one small function. All rules run; nothing stops at the first finding.

mod acm;
mod cloudfront;
mod cloudfront_behaviors;
mod cloudfront_headers;
mod cloudfront_hosts;
mod cloudfront_origins;
mod cloudfront_policies;
mod cloudfront_settings;
mod cors;
mod edge;
mod edge_function;
mod graph;
mod headers;
mod iam;
mod identity;
mod kinds;
mod lambda;
mod manifest;
mod marks;
mod node;
mod pins;
mod policy;
mod queue;
mod regions;
mod replication;
mod route53;
mod route53_alias;
mod route53_health;
mod route53_names;
mod route53_places;
mod route53_syntax;
mod route53_values;
mod rule;
mod runtimes;
mod s3;
mod s3_objects;
mod scope;
mod shapes;
mod tags;
#[cfg(test)]
mod testing;

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::Serialize;

use crate::resource::{Address, Desired, Kind, each_kind};
use rule::{ids, run, run_any};
use scope::CheckScope;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// AWS refuses it, or it can never work.
    Error,
    /// AWS takes it, but it does not do what one would think.
    Warning,
}

/// One thing that is wrong in the desired graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Stable id, for example `CF201-origin-group-members`.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The resource.
    pub address: Address,
    /// Dotted path inside the spec, for example `origin_groups.0.members`; empty for the whole of it.
    pub path: String,
    /// What is wrong, with the offending value.
    pub problem: String,
    /// What AWS would answer, or the effect that one would see.
    pub aws_says: String,
    /// What to write instead.
    pub instead: String,
    /// The other place that is meant, where two settings of the plan contradict each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub also: Option<RelatedPlace>,
}

/// A second place of a finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RelatedPlace {
    /// The resource.
    pub address: Address,
    /// Dotted path inside its spec.
    pub path: String,
}

/// Makes of the rows of kinds what applies their rules and what lists them.
macro_rules! about {
    ($($(#[$words:meta])+ $kind:ident: $spec:ident, [$($module:ident::$rules:ident),*];)+) => {
        /// Applies the rules about single kinds.
        fn about_kinds(scope: &CheckScope<'_>, out: &mut Vec<Finding>) {
            $($(run(scope, Kind::$kind, $module::$rules, out);)*)+
        }

        /// Ids and descriptions of the rules about single kinds; a table that is about several stands there as often.
        fn ids_about_kinds() -> Vec<(&'static str, &'static str)> {
            let mut all = Vec::new();
            $($(all.extend(ids($module::$rules));)*)+
            all
        }

        /// The cases of the tests of each file with such rules.
        #[cfg(test)]
        fn cases_about_kinds() -> Vec<testing::Case> {
            let mut files = std::collections::BTreeMap::new();
            $($(files.entry(stringify!($module)).or_insert_with($module::tests::cases);)*)+
            files.into_values().flatten().collect()
        }
    };
}

each_kind!(about);

/// All findings at once, sorted by severity, address, path, rule.
pub fn all(desired: &Desired, today: Date) -> Vec<Finding> {
    let scope = CheckScope::new(desired, today);
    let mut out = Vec::new();
    for rules in [graph::RULES, identity::RULES, tags::RULES, marks::RULES] {
        run_any(&scope, rules, &mut out);
    }
    about_kinds(&scope, &mut out);
    route53::name_the_records(desired, &mut out);
    run_any(&scope, shapes::RULES, &mut out);
    shapes::beside(&mut out);
    identity::second_places(&scope, &mut out);
    out.sort_by(|a, b| {
        (a.severity, &a.address, &a.path, a.rule, &a.problem)
            .cmp(&(b.severity, &b.address, &b.path, b.rule, &b.problem))
    });
    out
}

/// Every rule: its id and what it looks for.
pub fn catalog() -> Vec<(&'static str, &'static str)> {
    let every_kind = [ids(graph::RULES), ids(identity::RULES), ids(tags::RULES), ids(marks::RULES), ids(shapes::RULES)];
    let mut met = BTreeSet::new();
    every_kind.into_iter().flatten().chain(ids_about_kinds()).filter(|row| met.insert(*row)).collect()
}

#[cfg(test)]
mod tests {
    use super::testing::{Case, TODAY, good};
    use super::*;

    fn cases() -> Vec<Case> {
        [
            graph::tests::cases(),
            identity::tests::cases(),
            tags::tests::cases(),
            marks::tests::cases(),
            shapes::cases(),
            cases_about_kinds(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    #[test]
    fn a_good_stack_has_no_finding() {
        assert_eq!(all(&good(), TODAY), []);
    }

    #[test]
    fn each_bad_spec_names_its_rule_and_no_other() {
        let mut wrong = Vec::new();
        for case in cases() {
            let found: BTreeSet<&str> = all(&case.desired, TODAY).iter().map(|finding| finding.rule).collect();
            if found != case.rules {
                wrong.push(format!("{}: wanted {:?}, found {found:?}", case.note, case.rules));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn every_rule_has_a_case_and_its_own_id() {
        let tried: BTreeSet<&str> = cases().into_iter().flat_map(|case| case.rules).collect();
        let listed: Vec<&str> = catalog().iter().map(|(id, _)| *id).collect();
        let unique: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(unique.len(), listed.len(), "an id appears twice");
        assert_eq!(tried, unique);
    }

    #[test]
    fn findings_are_complete_and_sorted() {
        for case in cases() {
            let found = all(&case.desired, TODAY);
            assert!(found.is_sorted_by_key(|finding| (
                finding.severity,
                finding.address.clone(),
                finding.path.clone()
            )));
            for finding in found {
                assert!(!finding.problem.is_empty() && !finding.aws_says.is_empty() && !finding.instead.is_empty());
            }
        }
    }
}
