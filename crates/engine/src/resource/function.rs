//! Lambda function.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id_form::{self, IdForm, IdPart};
use super::kind_facts::{ApiRow, KindFacts, NO_MEMBER, on_aws};
use super::naming::Naming;

/// A Lambda function. The code's bytes come from the run's artifacts by their hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionSpec {
    /// Function name, up to 64 characters.
    pub name: String,
    /// Region; a Lambda@Edge function lives in `us-east-1`.
    pub region: String,
    /// What it does.
    pub description: String,
    /// Runtime identifier, e.g. `nodejs24.x`.
    pub runtime: String,
    /// Handler, e.g. `index.handler`.
    pub handler: String,
    /// Memory in MB.
    pub memory_mb: i32,
    /// Time limit in seconds.
    pub timeout_seconds: i32,
    /// ARN of the execution role.
    pub role_arn: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// SHA-256 of the zip, 64 hex digits.
    pub code_sha256: String,
    /// Size of the zip in bytes.
    pub code_bytes: u64,
    /// Environment variables (Lambda@Edge allows none).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Layer ARNs (Lambda@Edge allows none).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
    /// Size of the unpacked code in bytes.
    #[serde(default)]
    pub code_unpacked_bytes: u64,
    /// Warm instances kept ready (not at the edge).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned_concurrency: Option<i32>,
    /// Subnets (not at the edge).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<String>,
    /// Container image instead of a zip (not at the edge).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Tags besides the tool's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

fn read_id(given: &str) -> Option<&str> {
    id_form::plain(id_form::tail(given, "arn:aws:lambda:", ":function:"))
}

const SETTINGS: &[ApiRow] = &[
    ("name", "lambda.CreateFunctionRequest.FunctionName"),
    ("region", NO_MEMBER),
    ("description", "lambda.CreateFunctionRequest.Description"),
    ("runtime", "lambda.CreateFunctionRequest.Runtime"),
    ("handler", "lambda.CreateFunctionRequest.Handler"),
    ("memory_mb", "lambda.CreateFunctionRequest.MemorySize"),
    ("timeout_seconds", "lambda.CreateFunctionRequest.Timeout"),
    ("role_arn", "lambda.CreateFunctionRequest.Role"),
    ("architecture", "lambda.CreateFunctionRequest.Architectures[]"),
    ("code_sha256", NO_MEMBER),
    ("code_bytes", NO_MEMBER),
    ("environment.~", "lambda.Environment.Variables{key}"),
    ("environment.*", "lambda.Environment.Variables{value}"),
    ("layers", "lambda.CreateFunctionRequest.Layers"),
    ("layers.*", "lambda.CreateFunctionRequest.Layers[]"),
    ("code_unpacked_bytes", NO_MEMBER),
    ("provisioned_concurrency", NO_MEMBER),
    ("subnets", "lambda.VpcConfig.SubnetIds"),
    ("subnets.*", "lambda.VpcConfig.SubnetIds[]"),
    ("image", "lambda.FunctionCode.ImageUri"),
    ("tags.~", "lambda.CreateFunctionRequest.Tags{key}"),
    ("tags.*", "lambda.CreateFunctionRequest.Tags{value}"),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS)],
    replace_on: &["name", "region"],
    identity: &["name"],
    usual_seconds: (5, 5),
    attributes: &["arn", "name"],
    id: IdForm {
        words: "the function's name or ARN",
        example: "akidb-edge-gateway",
        read: read_id,
        made_of: &[IdPart::Setting("name")],
    },
    naming: Naming { attributes: &["arn"], plain: true, ..Naming::NONE },
    same_by: Some(&["name", "region"]),
    ..on_aws::<FunctionSpec>("function", "Lambda function")
};
