//! Steps of kind `validate`: what they say, what is taken when it is left out, and what is refused at its line.

use std::collections::BTreeSet;

use akidb_edge_engine::desired::build;
use akidb_edge_engine::plan::validation::Validation;
use akidb_edge_engine::plan::{Plan, PlanSettings, StepConfig, load, parse};

/// A plan of one such step, or what is said against it.
fn plan(with: &str) -> Result<Plan, String> {
    let head =
        "version: 1\nstack: small\nmetadata: {name: small, title: Small}\ndays:\n- day: 1\n  title: d\n  steps:\n";
    let text = format!("{head}  - {{id: check, title: c, kind: validate, with: {with}}}\n");
    parse("small.yaml", &text, &PlanSettings::default()).map_err(|bad| bad.to_string())
}

fn validation(plan: &Plan) -> &Validation {
    match &plan.steps[0].work {
        StepConfig::Validate(validation) => validation,
        other => panic!("{other:?}"),
    }
}

const REQUEST: &str = "request: {host: h, path: /x}";

#[test]
fn what_is_left_out_has_a_default() {
    let plan = plan(&format!("{{latency: {{regions: [us-east-1], {REQUEST}, subject: near}}}}")).expect("a plan");
    let check = validation(&plan).latency().expect("a check of latency");
    assert_eq!((check.requests, check.rate, check.subject.as_deref()), (100, 20.0, Some("near")));
    assert!(check.limits.p95_ms.is_none() && check.cache_hit_percent.is_none() && check.request.texts.is_empty());
    assert_eq!(validation(&plan).check(), "latency");
    assert!(validation(&plan).load().is_none() && validation(&plan).failover().is_none());
}

#[test]
fn a_check_makes_no_resources_and_is_run_by_its_own_verb() {
    let plan = plan(&format!("{{cdn: {{distribution: main, {REQUEST}, cache_hit_percent: 99}}}}")).expect("a plan");
    let built = build(&plan, &BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"));
    assert!(built.desired.resources.is_empty());
    assert_eq!(built.later, [("check".to_owned(), "validate cdn".to_owned())]);
}

#[test]
fn a_check_that_does_not_exist_and_settings_of_another_one_are_refused() {
    for (with, named) in [
        ("{lattency: {}}".to_owned(), "lattency"),
        (format!("{{latency: {{regions: [], {REQUEST}, connections: 4}}}}"), "connections"),
        ("{latency: {regions: []}}".to_owned(), "request"),
        ("{load: {path: /x, texts: [a], connections: many, seconds: 1}}".to_owned(), "many"),
    ] {
        let said = plan(&with).expect_err(named);
        assert!(said.contains(named) && said.contains("small.yaml:"), "{said}");
    }
}

#[test]
fn the_plan_of_week_13_checks_what_its_criteria_are_judged_by() {
    let variables = [("model_dir".to_owned(), "nowhere".to_owned())].into();
    let settings = PlanSettings { variables, ..PlanSettings::default() };
    let plan = load("../../plans/week13.yaml", &settings).unwrap_or_else(|bad| panic!("{bad}"));
    let checks: BTreeSet<&str> = plan
        .steps
        .iter()
        .filter_map(
            |step| if let StepConfig::Validate(validation) = &step.work { Some(validation.check()) } else { None },
        )
        .collect();
    for check in ["latency", "load", "failover", "replication", "cdn", "dns", "edge", "browser", "checklist"] {
        assert!(checks.contains(check), "{check}: {checks:?}");
    }
    // The 99th percentile is bounded from 368 requests on.
    let bounded = plan.steps.iter().filter_map(|step| match &step.work {
        StepConfig::Validate(validation) => validation.latency(),
        _ => None,
    });
    for check in bounded.filter(|check| check.limits.p99_ms.is_some()) {
        assert!(check.requests >= 368, "{} requests", check.requests);
    }
}
