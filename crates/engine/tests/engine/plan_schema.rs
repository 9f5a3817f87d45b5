//! `plans/schema.json` is what the types say, and what `plans/README.md` shows is a plan. To write the schema anew:
//! `AKIDB_EDGE_UPDATE_SCHEMA=1 cargo test --test engine plan_schema`.

use std::collections::BTreeSet;
use std::{env, fs};

use akidb_edge_engine::desired::build;
use akidb_edge_engine::plan::{PlanSettings, parse};

const FILE: &str = "../../plans/schema.json";

#[test]
fn the_schema_file_is_up_to_date() {
    let wanted = serde_json::to_string_pretty(&akidb_edge_engine::plan::json_schema()).expect("JSON") + "\n";
    if env::var_os("AKIDB_EDGE_UPDATE_SCHEMA").is_some() {
        fs::write(FILE, &wanted).expect("the schema is written");
    }
    let there = fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        there == wanted,
        "{FILE} is not what the types say: run AKIDB_EDGE_UPDATE_SCHEMA=1 cargo test --test engine plan_schema"
    );
}

#[test]
fn the_example_of_the_readme_is_a_plan() {
    let readme = fs::read_to_string("../../plans/README.md").expect("the text");
    let example = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let plan = parse("../../plans/README.md", example, &PlanSettings::default()).unwrap_or_else(|bad| panic!("{bad}"));
    let built = build(&plan, &BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"));
    assert_eq!(built.desired.resources.len(), 1);
}

#[test]
fn the_example_of_a_plan_that_extends_another_is_a_plan() {
    let readme = fs::read_to_string("../../plans/README.md").expect("the text");
    let section = readme.split("## A plan that extends another\n").nth(1).expect("the section");
    let example = section.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let plan = parse("../../plans/README.md", example, &PlanSettings::default()).unwrap_or_else(|bad| panic!("{bad}"));
    let built = build(&plan, &BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"));
    assert!(built.desired.resources.keys().any(|address| address.as_str() == "models.bucket.archive"));
    assert!(plan.step("dashboard").is_none());
}
