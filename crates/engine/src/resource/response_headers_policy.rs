//! CloudFront response headers policy.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id_form::POLICY;
use super::kind_facts::{ApiRow, KindFacts, on_aws};
use super::naming::Naming;

/// Headers that CloudFront adds to answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResponseHeadersPolicySpec {
    /// Name, unique in the account.
    pub name: String,
    /// Its purpose.
    pub comment: String,
    /// Cross-origin answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<CorsHeaders>,
    /// `Strict-Transport-Security` with so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsts_seconds: Option<i32>,
    /// `includeSubDomains` of HSTS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsts_include_subdomains: Option<bool>,
    /// `preload` of HSTS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsts_preload: Option<bool>,
    /// `X-Content-Type-Options: nosniff`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nosniff: Option<bool>,
    /// `X-Frame-Options`: `DENY` or `SAMEORIGIN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_options: Option<String>,
    /// `Referrer-Policy`, e.g. `strict-origin-when-cross-origin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrer_policy: Option<String>,
    /// `Content-Security-Policy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_security_policy: Option<String>,
    /// `X-XSS-Protection`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xss_protection: Option<XssProtection>,
    /// `Server-Timing` in so many percent of the answers; 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_timing_percent: Option<f64>,
    /// Headers of the origin that viewers do not get, sorted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<Vec<String>>,
    /// Other headers: name to value, each overriding the origin's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<BTreeMap<String, String>>,
}

/// `X-XSS-Protection`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct XssProtection {
    /// `1`, else `0`.
    pub enabled: bool,
    /// `mode=block`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<bool>,
    /// `report=`; not beside `block`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_uri: Option<String>,
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
    /// Response headers that scripts may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expose_headers: Option<Vec<String>>,
    /// Whether requests may include credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<bool>,
    /// Seconds that a browser may cache the preflight response.
    pub max_age_seconds: i32,
}

const SETTINGS: &[ApiRow] = &[
    ("name", "cloudfront.ResponseHeadersPolicyConfig.Name"),
    ("comment", "cloudfront.ResponseHeadersPolicyConfig.Comment"),
    ("hsts_seconds", "cloudfront.ResponseHeadersPolicyStrictTransportSecurity.AccessControlMaxAgeSec"),
    ("hsts_include_subdomains", "cloudfront.ResponseHeadersPolicyStrictTransportSecurity.IncludeSubdomains"),
    ("hsts_preload", "cloudfront.ResponseHeadersPolicyStrictTransportSecurity.Preload"),
    ("frame_options", "cloudfront.ResponseHeadersPolicyFrameOptions.FrameOption"),
    ("referrer_policy", "cloudfront.ResponseHeadersPolicyReferrerPolicy.ReferrerPolicy"),
    ("content_security_policy", "cloudfront.ResponseHeadersPolicyContentSecurityPolicy.ContentSecurityPolicy"),
    ("server_timing_percent", "cloudfront.ResponseHeadersPolicyServerTimingHeadersConfig.SamplingRate"),
    ("remove", "cloudfront.ResponseHeadersPolicyRemoveHeadersConfig.Items"),
    ("remove.*", "cloudfront.ResponseHeadersPolicyRemoveHeader.Header"),
    ("nosniff", "cloudfront.ResponseHeadersPolicyContentTypeOptions.Override"),
    ("custom.~", "cloudfront.ResponseHeadersPolicyCustomHeader.Header"),
    ("custom.*", "cloudfront.ResponseHeadersPolicyCustomHeader.Value"),
];

const CORS: &[ApiRow] = &[
    ("origins", "cloudfront.ResponseHeadersPolicyAccessControlAllowOrigins.Items!"),
    ("origins.*", "cloudfront.ResponseHeadersPolicyAccessControlAllowOrigins.Items[]"),
    ("methods", "cloudfront.ResponseHeadersPolicyAccessControlAllowMethods.Items!"),
    ("methods.*", "cloudfront.ResponseHeadersPolicyAccessControlAllowMethods.Items[]"),
    ("headers", "cloudfront.ResponseHeadersPolicyAccessControlAllowHeaders.Items!"),
    ("headers.*", "cloudfront.ResponseHeadersPolicyAccessControlAllowHeaders.Items[]"),
    ("max_age_seconds", "cloudfront.ResponseHeadersPolicyCorsConfig.AccessControlMaxAgeSec"),
    ("expose_headers", "cloudfront.ResponseHeadersPolicyAccessControlExposeHeaders.Items"),
    ("expose_headers.*", "cloudfront.ResponseHeadersPolicyAccessControlExposeHeaders.Items[]"),
    ("credentials", "cloudfront.ResponseHeadersPolicyCorsConfig.AccessControlAllowCredentials"),
];

const XSS_PROTECTION: &[ApiRow] = &[
    ("enabled", "cloudfront.ResponseHeadersPolicyXSSProtection.Protection"),
    ("block", "cloudfront.ResponseHeadersPolicyXSSProtection.ModeBlock"),
    ("report_uri", "cloudfront.ResponseHeadersPolicyXSSProtection.ReportUri"),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS), ("cors", CORS), ("xss_protection", XSS_PROTECTION)],
    replace_on: &["name"],
    identity: &["name"],
    mark: Some("comment mark"),
    attributes: &["id"],
    id: POLICY,
    naming: Naming::BY_ID,
    label: &["name", "comment"],
    ..on_aws::<ResponseHeadersPolicySpec>("response-headers-policy", "CloudFront response headers policy")
};
