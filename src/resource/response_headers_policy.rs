//! CloudFront response headers policy.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Facts, plain};

/// Headers that CloudFront adds to answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResponseHeadersPolicySpec {
    /// Name, unique in the account.
    pub name: String,
    /// What it is for.
    pub comment: String,
    /// Cross-origin answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<CorsHeaders>,
    /// `Strict-Transport-Security` with so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsts_seconds: Option<i32>,
    /// `X-Content-Type-Options: nosniff`.
    #[serde(default)]
    pub nosniff: bool,
    /// Other headers: name to value, each overriding the origin's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom: BTreeMap<String, String>,
}

/// The CORS part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CorsHeaders {
    /// Allowed origins.
    pub origins: Vec<String>,
    /// Allowed methods.
    pub methods: Vec<String>,
    /// Allowed request headers.
    pub headers: Vec<String>,
    /// Seconds a browser may keep the answer.
    pub max_age_seconds: i32,
}

pub(super) const FACTS: Facts = Facts {
    replace_on: &["name"],
    identity: &["name"],
    exact: &["cors", "custom"],
    mark: Some("comment mark"),
    ..plain("response-headers-policy", "CloudFront response headers policy")
};
