//! Published version of a Lambda function.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Kind;
use super::id_form::IdForm;
use super::kind_facts::{ApiRow, KindFacts, NO_MEMBER, on_aws};
use super::naming::Naming;

/// A numbered version: a frozen copy of code and settings. Another code or setting is another version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionVersionSpec {
    /// Function name.
    pub function: String,
    /// Region of the function.
    pub region: String,
    /// SHA-256 of the zip that is frozen, 64 hex digits.
    pub code_sha256: String,
    /// Digest of the settings that are frozen with it; kept in the version's description.
    pub settings: String,
}

fn read_id(given: &str) -> Option<&str> {
    let number = given.rsplit(':').next().unwrap_or_default();
    let parts = given.split(':').count();
    (given.starts_with("arn:aws:lambda:") && parts == 8 && number.parse::<u64>().is_ok()).then_some(given)
}

const SETTINGS: &[ApiRow] = &[
    ("function", "lambda.PublishVersionRequest.FunctionName"),
    ("region", NO_MEMBER),
    ("code_sha256", NO_MEMBER),
    ("settings", "lambda.PublishVersionRequest.Description"),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS)],
    replace_on: &["function", "region", "code_sha256", "settings"],
    identity: &["function"],
    usual_seconds: (2, 2),
    mark: None,
    attributes: &["arn", "version", "function_name"],
    id: IdForm {
        words: "the ARN of a numbered version",
        example: "arn:aws:lambda:us-east-1:123456789012:function:akidb-edge-gateway:3",
        read: read_id,
        made_of: &[],
    },
    naming: Naming { others: Some(Kind::Function), ..Naming::BY_ID_AND_ARN },
    label: &["function"],
    same_by: Some(&["function", "region", "code_sha256", "settings"]),
    identity_rank: 1,
    ..on_aws::<FunctionVersionSpec>("function-version", "Lambda version")
};
