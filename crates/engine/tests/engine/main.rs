//! The engine by what it shows to other crates: plans, rules, differences, and runs over a fake world. Needs files alone.

mod check_seeds;
mod defaults;
mod engine;
mod export;
mod fake_world;
mod journal_formats;
mod plan_errors;
mod plan_kubernetes;
mod plan_mistakes;
mod plan_reference;
mod plan_schema;
mod plan_validate;
mod plan_week13;
mod properties;
mod small_runs;
