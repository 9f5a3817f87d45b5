//! Extra metrics of a distribution.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Facts, plain};

/// Without it CloudWatch has no `CacheHitRate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitoringSpec {
    /// Distribution id.
    pub distribution_id: String,
}

pub(super) const FACTS: Facts = Facts {
    replace_on: &["distribution_id"],
    identity: &["distribution_id"],
    mark: None,
    ..plain("monitoring", "CloudFront metrics subscription")
};
