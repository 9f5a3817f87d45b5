//! Between planning and acting: what AWS would refuse, or take and answer wrongly, said before the first call.
//!
//! Pure and synchronous. Every rule is one row of a table (id, what it looks for, what AWS says, what to write instead)
//! and one small function. All rules run; nothing stops at the first finding.

mod acm;
mod cloudfront;
mod cloudfront_behaviours;
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
mod lambda;
mod marks;
mod pins;
mod policy;
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

use jiff::civil::Date;
use serde::Serialize;

use crate::resource::{Address, Desired, Kind};
use rule::{ids, run, run_any};
use scope::Scope;

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
    pub also: Option<Also>,
}

/// A second place of a finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Also {
    /// The resource.
    pub address: Address,
    /// Dotted path inside its spec.
    pub path: String,
}

/// All findings at once, sorted by severity, address, path, rule.
pub fn all(desired: &Desired, today: Date) -> Vec<Finding> {
    let scope = Scope::new(desired, today);
    let mut out = Vec::new();
    for rules in [graph::RULES, identity::RULES, tags::RULES, marks::RULES] {
        run_any(&scope, rules, &mut out);
    }
    let distribution = [
        cloudfront::RULES,
        cloudfront_origins::RULES,
        cloudfront_hosts::RULES,
        cloudfront_behaviours::RULES,
        edge::RULES,
    ];
    for rules in distribution {
        run(&scope, Kind::Distribution, rules, &mut out);
    }
    run(&scope, Kind::Distribution, cloudfront_settings::RULES, &mut out);
    run(&scope, Kind::CachePolicy, cloudfront_policies::CACHE, &mut out);
    run(&scope, Kind::OriginRequestPolicy, cloudfront_policies::REQUEST, &mut out);
    run(&scope, Kind::ResponseHeadersPolicy, cloudfront_policies::RESPONSE, &mut out);
    run(&scope, Kind::ResponseHeadersPolicy, cloudfront_headers::RULES, &mut out);
    run(&scope, Kind::OriginAccess, cloudfront_policies::ACCESS, &mut out);
    run(&scope, Kind::OriginRequestPolicy, headers::REQUEST, &mut out);
    for kind in [Kind::CachePolicy, Kind::OriginRequestPolicy] {
        run(&scope, kind, headers::LISTED, &mut out);
    }
    for rules in [headers::RESPONSE, cors::RESPONSE] {
        run(&scope, Kind::ResponseHeadersPolicy, rules, &mut out);
    }
    run(&scope, Kind::Bucket, cors::BUCKET, &mut out);
    run(&scope, Kind::Function, edge_function::RULES, &mut out);
    run(&scope, Kind::Function, lambda::RULES, &mut out);
    run(&scope, Kind::FunctionVersion, lambda::VERSION, &mut out);
    for rules in [
        route53::RULES,
        route53_places::RULES,
        route53_values::RULES,
        route53_syntax::RULES,
        route53_names::RULES,
        route53_alias::RULES,
    ] {
        run(&scope, Kind::Records, rules, &mut out);
    }
    route53::name_the_records(desired, &mut out);
    run(&scope, Kind::HealthCheck, route53_health::RULES, &mut out);
    run(&scope, Kind::Zone, route53_health::ZONE, &mut out);
    run(&scope, Kind::Bucket, s3::RULES, &mut out);
    run(&scope, Kind::Object, s3_objects::OBJECT, &mut out);
    run(&scope, Kind::BucketPolicy, s3_objects::POLICY, &mut out);
    run(&scope, Kind::Replication, replication::RULES, &mut out);
    run(&scope, Kind::Role, iam::RULES, &mut out);
    run(&scope, Kind::Certificate, acm::RULES, &mut out);
    run(&scope, Kind::Manifest, pins::MANIFEST, &mut out);
    run(&scope, Kind::Node, pins::NODE, &mut out);
    run_any(&scope, shapes::RULES, &mut out);
    shapes::beside(&mut out);
    identity::second_places(&scope, &mut out);
    out.sort_by(|a, b| {
        (a.severity, &a.address, &a.path, a.rule, &a.problem)
            .cmp(&(b.severity, &b.address, &b.path, b.rule, &b.problem))
    });
    out
}

/// Every rule: its id and what it looks for, in the order of the areas.
pub fn catalogue() -> Vec<(&'static str, &'static str)> {
    [
        ids(graph::RULES),
        ids(identity::RULES),
        ids(cloudfront::RULES),
        ids(cloudfront_origins::RULES),
        ids(cloudfront_behaviours::RULES),
        ids(cloudfront_settings::RULES),
        ids(cloudfront_policies::CACHE),
        ids(cloudfront_policies::REQUEST),
        ids(cloudfront_policies::RESPONSE),
        ids(cloudfront_headers::RULES),
        ids(cloudfront_policies::ACCESS),
        ids(edge::RULES),
        ids(edge_function::RULES),
        ids(lambda::RULES),
        ids(lambda::VERSION),
        ids(route53::RULES),
        ids(route53_places::RULES),
        ids(route53_values::RULES),
        ids(route53_syntax::RULES),
        ids(route53_names::RULES),
        ids(route53_alias::RULES),
        ids(route53_health::RULES),
        ids(route53_health::ZONE),
        ids(s3::RULES),
        ids(s3_objects::OBJECT),
        ids(s3_objects::POLICY),
        ids(replication::RULES),
        ids(iam::RULES),
        ids(acm::RULES),
        ids(tags::RULES),
        ids(marks::RULES),
        ids(cloudfront_hosts::RULES),
        ids(headers::RESPONSE),
        ids(headers::REQUEST),
        ids(headers::LISTED),
        ids(cors::BUCKET),
        ids(cors::RESPONSE),
        ids(pins::MANIFEST),
        ids(pins::NODE),
        ids(shapes::RULES),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::testing::{Case, TODAY, good};
    use super::*;

    fn cases() -> Vec<Case> {
        [
            graph::tests::cases(),
            cloudfront::tests::cases(),
            cloudfront_origins::tests::cases(),
            cloudfront_behaviours::tests::cases(),
            cloudfront_settings::tests::cases(),
            cloudfront_headers::tests::cases(),
            cloudfront_policies::tests::cases(),
            edge::tests::cases(),
            edge_function::tests::cases(),
            lambda::tests::cases(),
            route53::tests::cases(),
            route53_places::tests::cases(),
            route53_values::tests::cases(),
            route53_syntax::tests::cases(),
            route53_names::tests::cases(),
            route53_alias::tests::cases(),
            route53_health::tests::cases(),
            s3::tests::cases(),
            s3_objects::tests::cases(),
            replication::tests::cases(),
            iam::tests::cases(),
            acm::tests::cases(),
            identity::tests::cases(),
            tags::tests::cases(),
            marks::tests::cases(),
            cloudfront_hosts::tests::cases(),
            headers::tests::cases(),
            cors::tests::cases(),
            pins::tests::cases(),
            shapes::cases(),
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
        let listed: Vec<&str> = catalogue().iter().map(|(id, _)| *id).collect();
        let unique: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(unique.len(), listed.len(), "an id stands twice");
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
