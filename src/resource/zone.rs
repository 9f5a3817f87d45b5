//! Route 53 hosted zone.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Facts, plain};

/// A public hosted zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneSpec {
    /// Domain name without the final dot.
    pub name: String,
    /// Comment.
    pub comment: String,
    /// Tags besides the tool's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

pub(super) const FACTS: Facts = Facts {
    replace_on: &["name"],
    identity: &["name"],
    disruptive: &["name"],
    usual_seconds: (1, 60),
    ..plain("zone", "Route 53 hosted zone")
};
