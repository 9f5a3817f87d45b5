//! Route 53 health check.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Facts, plain};

/// A health check over HTTP or HTTPS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheckSpec {
    /// Name shown in the console (a tag).
    pub name: String,
    /// `HTTPS` or `HTTP`.
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
    /// Tags besides the tool's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

pub(super) const FACTS: Facts =
    Facts { replace_on: &["protocol", "interval_seconds"], ..plain("health-check", "Route 53 health check") };
