//! CloudFront distribution.

mod api;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id_form::{self, IdForm};
use super::kind_facts::{KindFacts, on_aws};
use super::naming::Naming;

/// A distribution, as far as the plan manages it. An update changes these fields in the configuration that was read and
/// leaves the others as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DistributionSpec {
    /// Comment, up to 128 characters.
    pub comment: String,
    /// Whether the distribution is enabled.
    pub enabled: bool,
    /// `PriceClass_100`, `PriceClass_200` or `PriceClass_All`.
    pub price_class: String,
    /// `http2`, `http2and3`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_version: Option<String>,
    /// Whether it answers over IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<bool>,
    /// Alternate domain names, sorted. An empty list takes away those that stand there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aliases: Option<Vec<String>>,
    /// Certificate for the aliases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<ViewerCertificate>,
    /// Object for `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_root_object: Option<String>,
    /// Where answers come from, sorted by id.
    pub origins: Vec<Origin>,
    /// Pairs of origins with failover, sorted by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origin_groups: Vec<OriginGroup>,
    /// What happens to requests that no other behavior takes.
    #[serde(rename = "default_behaviour")]
    pub default_behavior: Behavior,
    /// Behaviors by path, first match wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "behaviours")]
    pub behaviors: Vec<Behavior>,
    /// What viewers get instead of an error of the origin, sorted by code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_error_responses: Option<Vec<CustomErrorResponse>>,
    /// Countries that get an answer, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo_restriction: Option<GeoRestriction>,
    /// ARN of a WAFv2 web ACL with scope CLOUDFRONT; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_acl_id: Option<String>,
    /// Access logs (legacy standard logging).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
    /// Tags besides the tool's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl DistributionSpec {
    /// The alternate domain names; none where the plan says nothing.
    pub fn names(&self) -> &[String] {
        self.aliases.as_deref().unwrap_or_default()
    }
}

/// What viewers get instead of one error of the origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomErrorResponse {
    /// Status of the origin: 400, 403, 404, 405, 414, 416, 500, 501, 502, 503 or 504.
    pub code: i32,
    /// Path of the page that is sent instead, e.g. `/404.html`; comes with `response_code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Status that viewers get with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_code: Option<i32>,
    /// Seconds until the origin is requested again; 10 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ttl_seconds: Option<i64>,
}

/// Countries by ISO 3166-1 code with two letters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum GeoRestriction {
    /// No country is restricted.
    None,
    /// Only these, sorted.
    Allow(Vec<String>),
    /// All except these, sorted.
    Deny(Vec<String>),
}

/// The certificate that viewers see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewerCertificate {
    /// ARN in us-east-1.
    pub acm_arn: String,
    /// `sni-only`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssl_support_method: Option<String>,
    /// e.g. `TLSv1.2_2021`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_protocol: Option<String>,
}

/// One origin: custom (ports and protocol) or S3 (origin access control).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Name inside the distribution.
    pub id: String,
    /// Host name.
    pub domain_name: String,
    /// Path that is put in front.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Headers that CloudFront adds to its requests: name to value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// Region of Origin Shield, an extra cache in front of the origin; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shield: Option<String>,
    /// How often a connection is tried, 1 to 3; 3 when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_attempts: Option<i32>,
    /// Seconds to wait for a connection, 1 to 10; 10 when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_timeout_seconds: Option<i32>,
    /// Settings of a custom origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<CustomOrigin>,
    /// Origin access control id: makes it an S3 origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin_access_id: Option<String>,
}

/// How a custom origin is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomOrigin {
    /// Port for HTTP.
    pub http_port: i32,
    /// Port for HTTPS.
    pub https_port: i32,
    /// `https-only`, `http-only` or `match-viewer`.
    pub protocol: String,
    /// Seconds to wait for a response, 1 to 120.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_timeout_seconds: Option<i32>,
    /// Seconds that an idle connection is kept, 1 to 120; 5 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keepalive_timeout_seconds: Option<i32>,
}

/// Two origins; the second is asked when the first answers with one of the codes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OriginGroup {
    /// Name inside the distribution.
    pub id: String,
    /// Status codes that cause failover, sorted.
    pub status_codes: Vec<i32>,
    /// Origin ids, the primary first.
    pub members: Vec<String>,
}

/// What happens to requests of one path pattern.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Behavior {
    /// Path pattern; none for the default behavior.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Origin or origin group.
    pub target: String,
    /// `redirect-to-https`, `https-only` or `allow-all`.
    pub viewer_protocol: String,
    /// Allowed methods, sorted.
    pub methods: Vec<String>,
    /// Whether CloudFront compresses.
    pub compress: bool,
    /// Cache policy id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_policy_id: Option<String>,
    /// Legacy time to live, instead of a cache policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ttl: Option<i64>,
    /// Origin request policy id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin_request_policy_id: Option<String>,
    /// Response headers policy id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_headers_policy_id: Option<String>,
    /// Key groups whose signatures are asked for, sorted. An empty list asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_key_groups: Option<Vec<String>>,
    /// Lambda@Edge functions, sorted by event. Stated even when empty: an association is never left behind.
    #[serde(default)]
    pub functions: Vec<EdgeAssociation>,
}

/// A Lambda@Edge function at one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EdgeAssociation {
    /// `viewer-request`, `viewer-response`, `origin-request` or `origin-response`.
    pub event: String,
    /// ARN of a numbered version in us-east-1.
    pub function_arn: String,
    /// Whether the function sees the body.
    #[serde(default)]
    pub include_body: bool,
}

/// Access logs into a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Logging {
    /// `<bucket>.s3.amazonaws.com`; the bucket must accept ACLs.
    pub bucket: String,
    /// Key prefix.
    pub prefix: String,
    /// Whether cookies are logged.
    #[serde(default)]
    pub cookies: bool,
}

pub(super) const FACTS: KindFacts = KindFacts {
    api: api::API,
    disruptive: &["enabled", "aliases", "certificate", "geo_restriction", "web_acl_id"],
    usual_seconds: (15, 240),
    attributes: &["id", "arn", "domain_name", "zone_id"],
    id: IdForm { words: "the distribution's ID", example: "EDFDVBD6EXAMPLE", read: id_form::cloudfront, made_of: &[] },
    naming: Naming { id: true, attributes: &["arn", "domain_name"], ..Naming::NONE },
    label: &["comment"],
    ..on_aws::<DistributionSpec>("distribution", "CloudFront distribution")
};
