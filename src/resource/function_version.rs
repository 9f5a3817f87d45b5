//! Published version of a Lambda function.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Facts, plain};

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

pub(super) const FACTS: Facts = Facts {
    replace_on: &["function", "region", "code_sha256", "settings"],
    identity: &["function"],
    usual_seconds: (2, 2),
    mark: None,
    ..plain("function-version", "Lambda version")
};
