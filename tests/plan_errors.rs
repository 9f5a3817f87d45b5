//! What the tool says about plans that are wrong: the file, the place, the reason, what to do.

use std::collections::{BTreeMap, BTreeSet};

use akidb_edge::desired::build;
use akidb_edge::plan::{Settings, load};

/// All that is said about `tests/fixtures/plans/NAME.yaml`.
fn said(name: &str, settings: &Settings) -> String {
    let file = format!("tests/fixtures/plans/{name}.yaml");
    let problems = load(&file, settings).and_then(|plan| build(&plan, &BTreeSet::new()).map(drop));
    let problems = problems.expect_err("the plan is wrong");
    for problem in &problems.0 {
        assert_eq!(problem.file, file);
        assert!(problem.place.line > 0 && problem.place.column > 0, "{problem}");
        assert!(!problem.problem.is_empty() && !problem.next_step.is_empty(), "{problem}");
    }
    problems.to_string()
}

macro_rules! wrong {
    ($($test:ident: $name:literal;)*) => {$(
        #[test]
        fn $test() {
            insta::assert_snapshot!(said($name, &Settings::default()));
        }
    )*};
}

wrong! {
    not_yaml: "not-yaml";
    duplicate_key: "duplicate-key";
    same_address: "same-address";
    two_documents: "two-documents";
    version_2: "version-2";
    unknown_field: "unknown-field";
    missing_field: "missing-field";
    wrong_type: "wrong-type";
    unknown_kind: "unknown-kind";
    unknown_variable: "unknown-variable";
    variable_type: "variable-type";
    variable_without_value: "variable-without-value";
    unknown_bucket: "unknown-bucket";
    unknown_policy: "unknown-policy";
    unknown_function: "unknown-function";
    unknown_load_balancer: "unknown-load-balancer";
    unknown_health_check: "unknown-health-check";
    duplicate_step: "duplicate-step";
    unknown_need: "unknown-need";
    fallback_sets_nothing: "fallback-sets-nothing";
    fallback_misfit: "fallback-misfit";
    cutover_of_nothing: "cutover-of-nothing";
}

#[test]
fn variables_from_outside() {
    let variables = [("memory", "many"), ("ipv6", "perhaps"), ("colour", "blue")];
    let variables: BTreeMap<String, String> =
        variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    insta::assert_snapshot!(said("variable-type", &Settings { variables, ..Settings::default() }));
}

#[test]
fn a_file_that_is_not_there() {
    insta::assert_snapshot!(said("nowhere", &Settings::default()));
}
