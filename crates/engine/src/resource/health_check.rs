//! Route 53 health check.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id_form::{self, IdForm};
use super::kind_facts::{ApiRow, KindFacts, on_aws};
use super::naming::Naming;

/// A health check over HTTP or HTTPS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheckSpec {
    /// Name shown in the console (a tag).
    pub name: String,
    /// `HTTPS` or `HTTP`; with `_STR_MATCH` when the answer must hold a text. It cannot be changed later.
    pub protocol: String,
    /// Host that is asked.
    pub host: String,
    /// Port.
    pub port: i32,
    /// Path.
    pub path: String,
    /// Seconds between requests: 10 or 30; cannot be changed later.
    pub interval_seconds: i32,
    /// Failures in a row until unhealthy, 1 to 10.
    pub failure_threshold: i32,
    /// Text that must be in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_string: Option<String>,
    /// Whether the result is inverted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inverted: Option<bool>,
    /// Whether the check is disabled; a disabled check counts as healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Regions that ask; all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions: Option<Vec<String>>,
    /// Tags besides the tool's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Where Route 53 asks from (Route 53 API reference, "HealthCheckConfig").
pub const CHECKER_REGIONS: [&str; 8] = [
    "ap-northeast-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "eu-west-1",
    "sa-east-1",
    "us-east-1",
    "us-west-1",
    "us-west-2",
];

const SETTINGS: &[ApiRow] = &[
    ("name", "route53.Tag.Value"),
    ("protocol", "route53.HealthCheckConfig.Type"),
    ("host", "route53.HealthCheckConfig.FullyQualifiedDomainName"),
    ("port", "route53.HealthCheckConfig.Port"),
    ("path", "route53.HealthCheckConfig.ResourcePath"),
    ("interval_seconds", "route53.HealthCheckConfig.RequestInterval"),
    ("failure_threshold", "route53.HealthCheckConfig.FailureThreshold"),
    ("inverted", "route53.HealthCheckConfig.Inverted"),
    ("disabled", "route53.HealthCheckConfig.Disabled"),
    ("regions", "route53.HealthCheckConfig.Regions"),
    ("regions.*", "route53.HealthCheckConfig.Regions[]"),
    ("search_string", "route53.HealthCheckConfig.SearchString"),
    ("tags.~", "route53.Tag.Key"),
    ("tags.*", "route53.Tag.Value"),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS)],
    replace_on: &["protocol", "interval_seconds"],
    exact: &["regions"],
    unordered: &["regions"],
    attributes: &["id"],
    id: IdForm {
        words: "the ID of the health check",
        example: "abcdef11-2222-3333-4444-555555fedcba",
        read: id_form::hex,
        made_of: &[],
    },
    naming: Naming::BY_ID,
    // Its caller reference is made by this tool; seen from outside, a check is what it asks and how often.
    same_by: Some(&["protocol", "host", "port", "path", "interval_seconds"]),
    ..on_aws::<HealthCheckSpec>("health-check", "Route 53 health check")
};
