//! Route 53 hosted zone.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Attributes;
use super::kind::{Facts, plain};

/// A public hosted zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneSpec {
    /// Domain name without the final dot.
    pub name: String,
    /// Comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Tags besides the tool's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// What a person must do for a new zone: it answers nobody until the registrar names its servers. `known`: what it made
/// known.
pub fn delegation(known: &Attributes) -> Option<String> {
    let servers: Vec<&str> = known.get("name_servers")?.as_array()?.iter().filter_map(Value::as_str).collect();
    let zone = known.get("name").and_then(Value::as_str)?;
    Some(format!("{zone} is new: name its servers at the registrar: {}", servers.join(", ")))
}

pub(super) const FACTS: Facts = Facts {
    replace_on: &["name"],
    identity: &["name"],
    disruptive: &["name"],
    when_replaced: Some(
        "an outage: the new zone has other name servers, and the names in it are answered only once the registrar names them",
    ),
    usual_seconds: (1, 60),
    ..plain("zone", "Route 53 hosted zone")
};
