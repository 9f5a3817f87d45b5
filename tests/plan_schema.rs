//! `plans/schema.json` is what the types say. To write it anew:
//! `AKIDB_EDGE_UPDATE_SCHEMA=1 cargo test --test plan_schema`.

use std::{env, fs};

const FILE: &str = "plans/schema.json";

#[test]
fn the_schema_file_is_up_to_date() {
    let wanted = serde_json::to_string_pretty(&akidb_edge::plan::json_schema()).expect("JSON") + "\n";
    if env::var_os("AKIDB_EDGE_UPDATE_SCHEMA").is_some() {
        fs::write(FILE, &wanted).expect("the schema is written");
    }
    let there = fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        there == wanted,
        "{FILE} is not what the types say: run AKIDB_EDGE_UPDATE_SCHEMA=1 cargo test --test plan_schema"
    );
}
