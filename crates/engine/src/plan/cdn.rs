//! The distribution and its policies. Names of this plan stand where AWS wants ids.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::resource::cache_policy::Choice;
use crate::resource::distribution::{CustomErrorResponse, CustomOrigin, GeoRestriction};
use crate::resource::origin_request_policy::HeaderChoice;
use crate::resource::response_headers_policy::{CorsHeaders, XssProtection};

/// The distribution with all that belongs to it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CdnStep {
    /// Prefix of the names of policies.
    pub prefix: String,
    /// Comment of the distribution.
    pub comment: String,
    /// Whether the distribution is enabled.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// `PriceClass_100`, `PriceClass_200` or `PriceClass_All`.
    pub price_class: String,
    /// `http2`, `http2and3`.
    #[serde(default)]
    pub http_version: Option<String>,
    /// IPv6.
    #[serde(default)]
    pub ipv6: Option<bool>,
    /// Alternate domain names. An empty list removes all existing ones.
    #[serde(default)]
    pub aliases: Option<Vec<String>>,
    /// Certificate for them.
    #[serde(default)]
    pub certificate: Option<CertificateChoice>,
    /// Object for `/`.
    #[serde(default)]
    pub default_root_object: Option<String>,
    /// Origins by id.
    pub origins: BTreeMap<String, OriginPlan>,
    /// Origin groups by id.
    #[serde(default)]
    pub origin_groups: BTreeMap<String, OriginGroupPlan>,
    /// Cache policies by name in the plan.
    #[serde(default)]
    pub cache_policies: BTreeMap<String, CachePolicyPlan>,
    /// Origin request policies by name in the plan.
    #[serde(default)]
    pub origin_request_policies: BTreeMap<String, OriginRequestPolicyPlan>,
    /// Response headers policies by name in the plan.
    #[serde(default)]
    pub response_headers_policies: BTreeMap<String, ResponseHeadersPolicyPlan>,
    /// The default behavior.
    pub default_behavior: BehaviorPlan,
    /// Behaviors by path, first match wins.
    #[serde(default)]
    pub behaviors: Vec<BehaviorPlan>,
    /// Whether functions run at the edge; `false` removes all associations.
    #[serde(default = "yes")]
    pub edge_functions: bool,
    /// Pages that viewers get instead of an error from the origin.
    #[serde(default)]
    pub custom_error_responses: Option<Vec<CustomErrorResponse>>,
    /// Countries that are served: `allow: [DE, AT]`, `deny: [XX]` or `none` (no restriction).
    #[serde(default)]
    pub geo_restriction: Option<GeoRestriction>,
    /// ARN of a WAFv2 web ACL with scope CLOUDFRONT; empty for none.
    #[serde(default)]
    pub web_acl_id: Option<String>,
    /// Access logs.
    #[serde(default)]
    pub logging: Option<LoggingPlan>,
    /// Extra metrics (cache hit rate).
    #[serde(default)]
    pub monitoring: bool,
}

/// The certificate that viewers see.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateChoice {
    /// Name of a certificate in the plan.
    #[serde(default)]
    pub name: Option<String>,
    /// ARN of an existing one.
    #[serde(default)]
    pub arn: Option<String>,
    /// `sni-only`.
    #[serde(default)]
    pub ssl_support_method: Option<String>,
    /// e.g. `TLSv1.2_2021`.
    #[serde(default)]
    pub minimum_protocol: Option<String>,
}

/// One origin: a host, or a bucket of the plan.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OriginPlan {
    /// Host name.
    #[serde(default)]
    pub domain: Option<String>,
    /// Connection settings of the host.
    #[serde(default)]
    pub custom: Option<CustomOrigin>,
    /// `models.NAME` or `page`: a bucket of the plan, read through an origin access control.
    #[serde(default)]
    pub bucket: Option<String>,
    /// Path in front.
    #[serde(default)]
    pub path: Option<String>,
    /// Headers that CloudFront adds to its requests: name to value.
    #[serde(default)]
    pub headers: Option<BTreeMap<String, String>>,
    /// Region of Origin Shield; empty for none.
    #[serde(default)]
    pub origin_shield: Option<String>,
    /// Number of connection attempts, 1 to 3.
    #[serde(default)]
    pub connection_attempts: Option<i32>,
    /// Seconds to wait for a connection, 1 to 10.
    #[serde(default)]
    pub connection_timeout_seconds: Option<i32>,
}

/// Two origins with failover.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OriginGroupPlan {
    /// Origin ids, the primary first.
    pub members: Vec<String>,
    /// Status codes that cause failover.
    pub status_codes: Vec<i32>,
}

/// A cache policy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CachePolicyPlan {
    /// Its purpose.
    #[serde(default)]
    pub comment: String,
    /// Seconds.
    pub min_ttl: i64,
    /// Seconds.
    pub default_ttl: i64,
    /// Seconds.
    pub max_ttl: i64,
    /// gzip.
    #[serde(default = "yes")]
    pub gzip: bool,
    /// brotli.
    #[serde(default = "yes")]
    pub brotli: bool,
    /// Headers in the key.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Query strings in the key.
    #[serde(default = "none")]
    pub query_strings: Choice,
    /// Cookies in the key.
    #[serde(default = "none")]
    pub cookies: Choice,
}

/// An origin request policy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OriginRequestPolicyPlan {
    /// Its purpose.
    #[serde(default)]
    pub comment: String,
    /// Headers that are sent on.
    pub headers: HeaderChoice,
    /// Query strings that are sent on.
    #[serde(default = "none")]
    pub query_strings: Choice,
    /// Cookies that are sent on.
    #[serde(default = "none")]
    pub cookies: Choice,
}

/// A response headers policy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResponseHeadersPolicyPlan {
    /// Its purpose.
    #[serde(default)]
    pub comment: String,
    /// CORS.
    #[serde(default)]
    pub cors: Option<CorsHeaders>,
    /// HSTS in seconds.
    #[serde(default)]
    pub hsts_seconds: Option<i32>,
    /// `includeSubDomains` of HSTS.
    #[serde(default)]
    pub hsts_include_subdomains: Option<bool>,
    /// `preload` of HSTS.
    #[serde(default)]
    pub hsts_preload: Option<bool>,
    /// nosniff.
    #[serde(default)]
    pub nosniff: Option<bool>,
    /// `DENY` or `SAMEORIGIN`.
    #[serde(default)]
    pub frame_options: Option<String>,
    /// Referrer-Policy.
    #[serde(default)]
    pub referrer_policy: Option<String>,
    /// Content-Security-Policy.
    #[serde(default)]
    pub content_security_policy: Option<String>,
    /// X-XSS-Protection.
    #[serde(default)]
    pub xss_protection: Option<XssProtection>,
    /// Percentage of responses with a Server-Timing header; 0 for none.
    #[serde(default)]
    pub server_timing_percent: Option<f64>,
    /// Headers of the origin that are removed from responses.
    #[serde(default)]
    pub remove: Option<Vec<String>>,
    /// Other headers.
    #[serde(default)]
    pub custom: Option<BTreeMap<String, String>>,
}

/// A behavior. A policy is a name of this plan, a managed one (`CachingDisabled`) or an id.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BehaviorPlan {
    /// Path pattern.
    #[serde(default)]
    pub path: Option<String>,
    /// Origin or origin group.
    pub target: String,
    /// Protocol policy: what happens to requests over plain HTTP.
    #[serde(default = "redirect")]
    pub viewer_protocol: String,
    /// Allowed methods.
    #[serde(default = "read_methods")]
    pub methods: Vec<String>,
    /// Whether CloudFront compresses.
    #[serde(default = "yes")]
    pub compress: bool,
    /// Cache policy.
    #[serde(default)]
    pub cache_policy: Option<String>,
    /// Legacy minimum time to live.
    #[serde(default)]
    pub min_ttl: Option<i64>,
    /// Origin request policy.
    #[serde(default)]
    pub origin_request_policy: Option<String>,
    /// Response headers policy.
    #[serde(default)]
    pub response_headers_policy: Option<String>,
    /// IDs of key groups whose signatures are required. An empty list requires none.
    #[serde(default)]
    pub trusted_key_groups: Option<Vec<String>>,
    /// Functions at the edge.
    #[serde(default)]
    pub functions: Vec<AssociationPlan>,
}

/// A function at one event.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssociationPlan {
    /// The event.
    pub event: String,
    /// Name of a function in the plan, or an ARN.
    pub function: String,
    /// Whether the function gets the request body.
    #[serde(default)]
    pub include_body: bool,
}

/// Access logs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoggingPlan {
    /// Bucket `models.NAME` of the plan.
    pub bucket: String,
    /// Key prefix.
    #[serde(default)]
    pub prefix: String,
    /// Whether cookies are logged.
    #[serde(default)]
    pub cookies: bool,
}

const fn yes() -> bool {
    true
}

const fn none() -> Choice {
    Choice::None
}

fn redirect() -> String {
    "redirect-to-https".to_owned()
}

fn read_methods() -> Vec<String> {
    ["GET", "HEAD"].map(str::to_owned).to_vec()
}
