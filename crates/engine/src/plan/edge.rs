//! The function at the edge.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// A Lambda function that CloudFront runs at its edge.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EdgeFunctionStep {
    /// The functions by name in the plan.
    pub functions: BTreeMap<String, FunctionPlan>,
}

/// One function.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionPlan {
    /// Function name.
    pub name: String,
    /// What it does.
    #[serde(default)]
    pub description: String,
    /// Region; functions for CloudFront must be in us-east-1.
    #[serde(default = "us_east_1")]
    pub region: String,
    /// Runtime identifier.
    pub runtime: String,
    /// Handler.
    #[serde(default = "handler")]
    pub handler: String,
    /// Memory in MB.
    pub memory_mb: i32,
    /// Time limit in seconds.
    pub timeout_seconds: i32,
    /// `x86_64` or `arm64` (not at the edge).
    #[serde(default = "x86")]
    pub architecture: String,
    /// The source of its code.
    pub code: CodePlan,
    /// Environment variables (not at the edge).
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Layers (not at the edge).
    #[serde(default)]
    pub layers: Vec<String>,
    /// Subnets (not at the edge).
    #[serde(default)]
    pub subnets: Vec<String>,
    /// Container image (not at the edge).
    #[serde(default)]
    pub image: Option<String>,
    /// Warm instances (not at the edge).
    #[serde(default)]
    pub provisioned_concurrency: Option<i32>,
    /// Proof that what it embeds is what the server embeds; a package with a model is not deployed without.
    #[serde(default)]
    pub parity: Option<ParityPlan>,
}

/// The certificate of parity that a function with a model has to have.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParityPlan {
    /// The certificate, as `models certify` writes it.
    pub file: String,
    /// Public keys whose signatures are accepted, in hexadecimal.
    pub keys: Vec<String>,
    /// The tiers that take traffic.
    #[serde(default = "tiers")]
    pub tiers: Vec<String>,
    /// Maximum age of the certificate, in days.
    #[serde(default = "a_month")]
    pub max_age_days: u32,
}

/// The source of a function's code.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum CodePlan {
    /// A template that the tool carries: its files are zipped, always to the same bytes.
    Template(String),
    /// A zip on this machine.
    Zip(String),
}

fn us_east_1() -> String {
    "us-east-1".to_owned()
}

fn handler() -> String {
    "index.handler".to_owned()
}

fn tiers() -> Vec<String> {
    vec!["edge".to_owned(), "static".to_owned()]
}

const fn a_month() -> u32 {
    30
}

fn x86() -> String {
    "x86_64".to_owned()
}
