//! Route 53 record sets, changed in one transaction.

pub mod canonical;
pub mod previous;
pub mod text;
pub mod value;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Kind;
use super::id_form::{self, IdForm, IdPart};
use super::kind_facts::{ApiRow, KindFacts, NO_MEMBER, on_aws};

/// Some record sets of one zone. The group owns the sets that it wrote, each known by its name, type and set identifier:
/// other sets at the same names are left alone. A change of a group is one change batch, so it happens as a whole or not
/// at all; one that is larger than Route 53 takes at once is divided between names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordsSpec {
    /// Hosted zone id without prefix.
    pub zone_id: String,
    /// The record sets, sorted by name, type and set identifier.
    pub sets: Vec<RecordSet>,
}

/// One record set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordSet {
    /// Full name without the final dot.
    pub name: String,
    /// `A`, `AAAA`, `CNAME`, `TXT`, …
    #[serde(rename = "type")]
    pub record_type: String,
    /// Tells sets of one name apart; every routed set has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_identifier: Option<String>,
    /// Seconds to live; none for an alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// Values, sorted; none for an alias.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Alias target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Alias>,
    /// Geolocation routing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geolocation: Option<GeoLocation>,
    /// Latency routing: the AWS region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_region: Option<String>,
    /// Failover routing: `PRIMARY` or `SECONDARY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<String>,
    /// Weighted routing, 0 to 255.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    /// Multivalue answers: up to eight healthy sets of the name are answered at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multivalue: bool,
    /// Health check id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check_id: Option<String>,
}

/// Where an alias points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// Hosted zone id of the target.
    pub zone_id: String,
    /// DNS name of the target without the final dot.
    pub dns_name: String,
    /// Whether an unhealthy target makes this set unhealthy (must be false for CloudFront).
    pub evaluate_target_health: bool,
}

/// A place; the default place is country `*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeoLocation {
    /// `AF`, `AN`, `AS`, `EU`, `OC`, `NA` or `SA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continent: Option<String>,
    /// ISO country code, or `*` for every other place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// US state or similar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdivision: Option<String>,
}

impl RecordSet {
    /// What makes a set unique in a zone.
    pub fn key(&self) -> (String, String, String) {
        (self.name.clone(), self.record_type.clone(), self.set_identifier.clone().unwrap_or_default())
    }

    /// What makes a set unique in a zone, as one text in one spelling: `www.example.net A` or `api.example.net A eu`. A group
    /// of record sets owns such keys, never whole names.
    pub fn owned_key(&self) -> String {
        let (name, record_type) = (canonical::name(&self.name), self.record_type.to_ascii_uppercase());
        match self.set_identifier.as_deref() {
            Some(identifier) => format!("{name} {record_type} {identifier}"),
            None => format!("{name} {record_type}"),
        }
    }

    /// The set in one spelling: equal for all ways to write the same set.
    pub fn meaning(&self) -> Self {
        let mut set = self.spelled();
        let of_type = |value: &String| value::meaning(&set.record_type, value);
        set.values = set.values.iter().map(of_type).collect();
        set.values.sort_unstable();
        set.values.dedup();
        if let Some(alias) = &mut set.alias
            && let Some(plain) = alias.dns_name.strip_prefix("dualstack.")
            && plain.contains(".elb.")
        {
            // The console writes it in front of a load balancer's name; both lead to the same addresses.
            alias.dns_name = plain.to_owned();
        }
        set
    }

    /// The set in the spelling in which it is sent.
    pub fn spelled(&self) -> Self {
        let mut set = self.clone();
        set.name = canonical::name(&self.name);
        set.record_type = self.record_type.to_ascii_uppercase();
        set.values = self.values.iter().map(|value| value::value(&set.record_type, value)).collect();
        set.values.sort_unstable();
        set.values.dedup();
        if let Some(alias) = &mut set.alias {
            alias.dns_name = canonical::name(&alias.dns_name);
        }
        set
    }

    /// The routing policy's name.
    pub fn policy(&self) -> &'static str {
        match self {
            Self { geolocation: Some(_), .. } => "geolocation",
            Self { latency_region: Some(_), .. } => "latency",
            Self { failover: Some(_), .. } => "failover",
            Self { weight: Some(_), .. } => "weighted",
            Self { multivalue: true, .. } => "multivalue",
            _ => "simple",
        }
    }
}

/// The hosted zone id that every alias to CloudFront uses (a constant of AWS, from the Route 53 API reference).
pub const CLOUDFRONT_ZONE_ID: &str = "Z2FDTNDATAQYW2";

fn read_id(given: &str) -> Option<&str> {
    let (zone, name) = given.split_once('/')?;
    (id_form::is_zone(zone) && !name.is_empty()).then_some(given)
}

const SETTINGS: &[ApiRow] = &[("zone_id", "route53.ChangeResourceRecordSetsRequest.HostedZoneId"), ("sets", NO_MEMBER)];

const SET: &[ApiRow] = &[
    ("name", "route53.ResourceRecordSet.Name"),
    ("type", "route53.ResourceRecordSet.Type"),
    ("set_identifier", "route53.ResourceRecordSet.SetIdentifier"),
    ("ttl", "route53.ResourceRecordSet.TTL"),
    ("values", NO_MEMBER),
    ("values.*", "route53.ResourceRecord.Value"),
    ("multivalue", "route53.ResourceRecordSet.MultiValueAnswer"),
    ("alias.zone_id", "route53.AliasTarget.HostedZoneId"),
    ("alias.dns_name", "route53.AliasTarget.DNSName"),
    ("alias.evaluate_target_health", "route53.AliasTarget.EvaluateTargetHealth"),
    ("geolocation.continent", "route53.GeoLocation.ContinentCode"),
    ("geolocation.country", "route53.GeoLocation.CountryCode"),
    ("geolocation.subdivision", "route53.GeoLocation.SubdivisionCode"),
    ("latency_region", "route53.ResourceRecordSet.Region"),
    ("failover", "route53.ResourceRecordSet.Failover"),
    ("weight", "route53.ResourceRecordSet.Weight"),
    ("health_check_id", "route53.ResourceRecordSet.HealthCheckId"),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS), ("sets.*", SET)],
    replace_on: &["zone_id"],
    identity: &["zone_id"],
    exact: &["sets"],
    unordered: &["sets"],
    disruptive: &["sets"],
    usual_seconds: (1, 60),
    mark: None,
    attributes: &["names"],
    id: IdForm {
        words: "ZONE-ID/NAME, with the last part of the address as the name",
        example: "Z1D633PJN98FT9/api",
        read: read_id,
        made_of: &[IdPart::Setting("zone_id"), IdPart::LastOfAddress],
    },
    label: &[],
    // Sets have identities of their own: [`RecordSet::owned_key`].
    same_by: Some(&[]),
    identity_rank: 2,
    part_of: Some(Kind::Zone),
    ..on_aws::<RecordsSpec>("records", "Route 53 record sets")
};
