//! CloudFront origin access control.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Facts, plain};

/// Lets a distribution sign its requests to an S3 origin (SigV4, always).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OriginAccessSpec {
    /// Name, unique in the account, up to 64 characters.
    pub name: String,
    /// What it is for.
    pub description: String,
}

pub(super) const FACTS: Facts = Facts {
    replace_on: &["name"],
    identity: &["name"],
    mark: Some("comment mark"),
    ..plain("origin-access", "CloudFront origin access control")
};
