//! Route 53 hosted zone.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Attributes;
use super::id_form::{self, IdForm};
use super::kind_facts::{ApiRow, KindFacts, on_aws};
use super::naming::Naming;

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

/// What the user must do for a new zone: names in it are resolved only after the registrar has its name servers. `known`: the
/// attributes of the zone.
pub fn delegation(known: &Attributes) -> Option<String> {
    let servers: Vec<&str> = known.get("name_servers")?.as_array()?.iter().filter_map(Value::as_str).collect();
    let zone = known.get("name").and_then(Value::as_str)?;
    Some(format!("{zone} is a new zone: set its name servers at your registrar: {}", servers.join(", ")))
}

fn read_id(given: &str) -> Option<&str> {
    let id = given.strip_prefix("/hostedzone/").unwrap_or(given);
    id_form::is_zone(id).then_some(id)
}

const SETTINGS: &[ApiRow] = &[
    ("name", "route53.CreateHostedZoneRequest.Name"),
    ("comment", "route53.HostedZoneConfig.Comment"),
    ("tags.~", "route53.Tag.Key"),
    ("tags.*", "route53.Tag.Value"),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS)],
    replace_on: &["name"],
    identity: &["name"],
    disruptive: &["name"],
    when_replaced: Some(
        "an outage: the new zone has other name servers, and the names in it are answered only once the registrar names them",
    ),
    usual_seconds: (1, 60),
    attributes: &["zone_id", "name", "name_servers"],
    id: IdForm { words: "the ID of the hosted zone", example: "Z1D633PJN98FT9", read: read_id, made_of: &[] },
    naming: Naming::BY_ID,
    label: &["name", "comment"],
    domain_names: &["name"],
    ..on_aws::<ZoneSpec>("zone", "Route 53 hosted zone")
};
