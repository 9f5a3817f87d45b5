//! Which setting of CloudFront's kinds becomes which member of its API.

use super::map::{Group, NONE, Row};

pub(super) const ORIGIN_ACCESS: &[Row] = &[
    ("name", "cloudfront.OriginAccessControlConfig.Name"),
    ("description", "cloudfront.OriginAccessControlConfig.Description"),
    ("signing_behavior", "cloudfront.OriginAccessControlConfig.SigningBehavior"),
    ("signing_protocol", "cloudfront.OriginAccessControlConfig.SigningProtocol"),
    ("origin_type", "cloudfront.OriginAccessControlConfig.OriginAccessControlOriginType"),
];

pub(super) const CACHE_POLICY: &[Row] = &[
    ("name", "cloudfront.CachePolicyConfig.Name"),
    ("comment", "cloudfront.CachePolicyConfig.Comment"),
    ("min_ttl", "cloudfront.CachePolicyConfig.MinTTL"),
    ("default_ttl", "cloudfront.CachePolicyConfig.DefaultTTL"),
    ("max_ttl", "cloudfront.CachePolicyConfig.MaxTTL"),
    ("gzip", "cloudfront.ParametersInCacheKeyAndForwardedToOrigin.EnableAcceptEncodingGzip"),
    ("brotli", "cloudfront.ParametersInCacheKeyAndForwardedToOrigin.EnableAcceptEncodingBrotli"),
    ("headers", "cloudfront.Headers.Items"),
    ("headers.*", "cloudfront.Headers.Items[]"),
];

pub(super) const ORIGIN_REQUEST_POLICY: &[Row] = &[
    ("name", "cloudfront.OriginRequestPolicyConfig.Name"),
    ("comment", "cloudfront.OriginRequestPolicyConfig.Comment"),
];

/// A choice of words, or an object with one list.
pub(super) const HEADERS: &[Row] = &[
    ("", NONE),
    ("only", "cloudfront.Headers.Items"),
    ("only.*", "cloudfront.Headers.Items[]"),
    ("all-except", "cloudfront.Headers.Items"),
    ("all-except.*", "cloudfront.Headers.Items[]"),
    ("all-viewer-and", "cloudfront.Headers.Items"),
    ("all-viewer-and.*", "cloudfront.Headers.Items[]"),
];

pub(super) const QUERIES: &[Row] = &[
    ("", NONE),
    ("only", "cloudfront.QueryStringNames.Items"),
    ("only.*", "cloudfront.QueryStringNames.Items[]"),
    ("all-except", "cloudfront.QueryStringNames.Items"),
    ("all-except.*", "cloudfront.QueryStringNames.Items[]"),
];

pub(super) const COOKIES: &[Row] = &[
    ("", NONE),
    ("only", "cloudfront.CookieNames.Items"),
    ("only.*", "cloudfront.CookieNames.Items[]"),
    ("all-except", "cloudfront.CookieNames.Items"),
    ("all-except.*", "cloudfront.CookieNames.Items[]"),
];

pub(super) const RESPONSE_POLICY: &[Row] = &[
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

pub(super) const XSS_PROTECTION: &[Row] = &[
    ("enabled", "cloudfront.ResponseHeadersPolicyXSSProtection.Protection"),
    ("block", "cloudfront.ResponseHeadersPolicyXSSProtection.ModeBlock"),
    ("report_uri", "cloudfront.ResponseHeadersPolicyXSSProtection.ReportUri"),
];

pub(super) const RESPONSE_CORS: &[Row] = &[
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

pub(super) const DISTRIBUTION: &[Group] = &[
    ("", CONFIG),
    ("certificate", CERTIFICATE),
    ("custom_error_responses.*", ERROR_RESPONSE),
    ("geo_restriction", GEO_RESTRICTION),
    ("origins.*", ORIGIN),
    ("origins.*.custom", CUSTOM_ORIGIN),
    ("origin_groups.*", ORIGIN_GROUP),
    ("default_behaviour", BEHAVIOUR),
    // The default behaviour has no pattern; a rule of its own says so.
    ("default_behaviour", &[("path", NONE)]),
    ("behaviours.*", BEHAVIOUR),
    ("behaviours.*", &[("path", "cloudfront.CacheBehavior.PathPattern!")]),
    ("logging", LOGGING),
];

const CONFIG: &[Row] = &[
    ("comment", "cloudfront.DistributionConfig.Comment"),
    ("enabled", "cloudfront.DistributionConfig.Enabled"),
    ("price_class", "cloudfront.DistributionConfig.PriceClass"),
    ("http_version", "cloudfront.DistributionConfig.HttpVersion"),
    ("ipv6", "cloudfront.DistributionConfig.IsIPV6Enabled"),
    ("aliases", "cloudfront.Aliases.Items"),
    ("aliases.*", "cloudfront.Aliases.Items[]"),
    ("default_root_object", "cloudfront.DistributionConfig.DefaultRootObject"),
    ("origins", "cloudfront.Origins.Items"),
    ("origin_groups", "cloudfront.OriginGroups.Items"),
    ("behaviours", "cloudfront.CacheBehaviors.Items"),
    ("custom_error_responses", "cloudfront.CustomErrorResponses.Items"),
    ("web_acl_id", "cloudfront.DistributionConfig.WebACLId"),
    ("tags.~", "cloudfront.Tag.Key"),
    ("tags.*", "cloudfront.Tag.Value"),
];

const CERTIFICATE: &[Row] = &[
    ("acm_arn", "cloudfront.ViewerCertificate.ACMCertificateArn"),
    ("ssl_support_method", "cloudfront.ViewerCertificate.SSLSupportMethod"),
    ("minimum_protocol", "cloudfront.ViewerCertificate.MinimumProtocolVersion"),
];

const ERROR_RESPONSE: &[Row] = &[
    ("code", "cloudfront.CustomErrorResponse.ErrorCode"),
    ("page", "cloudfront.CustomErrorResponse.ResponsePagePath"),
    ("response_code", "cloudfront.CustomErrorResponse.ResponseCode"),
    ("min_ttl_seconds", "cloudfront.CustomErrorResponse.ErrorCachingMinTTL"),
];

/// A word, or an object with one list.
const GEO_RESTRICTION: &[Row] = &[
    ("", NONE),
    ("allow", "cloudfront.GeoRestriction.Items"),
    ("allow.*", "cloudfront.GeoRestriction.Items[]"),
    ("deny", "cloudfront.GeoRestriction.Items"),
    ("deny.*", "cloudfront.GeoRestriction.Items[]"),
];

const ORIGIN: &[Row] = &[
    ("id", "cloudfront.Origin.Id"),
    ("domain_name", "cloudfront.Origin.DomainName"),
    ("path", "cloudfront.Origin.OriginPath"),
    ("origin_access_id", "cloudfront.Origin.OriginAccessControlId"),
    ("headers.~", "cloudfront.OriginCustomHeader.HeaderName"),
    ("headers.*", "cloudfront.OriginCustomHeader.HeaderValue"),
    ("shield", "cloudfront.OriginShield.OriginShieldRegion"),
    ("connection_attempts", "cloudfront.Origin.ConnectionAttempts"),
    ("connection_timeout_seconds", "cloudfront.Origin.ConnectionTimeout"),
];

const CUSTOM_ORIGIN: &[Row] = &[
    ("http_port", "cloudfront.CustomOriginConfig.HTTPPort"),
    ("https_port", "cloudfront.CustomOriginConfig.HTTPSPort"),
    ("protocol", "cloudfront.CustomOriginConfig.OriginProtocolPolicy"),
    ("read_timeout_seconds", "cloudfront.CustomOriginConfig.OriginReadTimeout"),
    ("keepalive_timeout_seconds", "cloudfront.CustomOriginConfig.OriginKeepaliveTimeout"),
];

const ORIGIN_GROUP: &[Row] = &[
    ("id", "cloudfront.OriginGroup.Id"),
    ("status_codes", "cloudfront.StatusCodes.Items"),
    ("status_codes.*", "cloudfront.StatusCodes.Items[]"),
    ("members", "cloudfront.OriginGroupMembers.Items"),
    ("members.*", "cloudfront.OriginGroupMember.OriginId"),
];

const BEHAVIOUR: &[Row] = &[
    ("target", "cloudfront.CacheBehavior.TargetOriginId"),
    ("viewer_protocol", "cloudfront.CacheBehavior.ViewerProtocolPolicy"),
    ("methods", "cloudfront.AllowedMethods.Items!"),
    ("methods.*", "cloudfront.AllowedMethods.Items[]"),
    ("compress", "cloudfront.CacheBehavior.Compress"),
    ("trusted_key_groups", "cloudfront.TrustedKeyGroups.Items"),
    ("trusted_key_groups.*", "cloudfront.TrustedKeyGroups.Items[]"),
    ("cache_policy_id", "cloudfront.CacheBehavior.CachePolicyId"),
    ("min_ttl", "cloudfront.CacheBehavior.MinTTL"),
    ("origin_request_policy_id", "cloudfront.CacheBehavior.OriginRequestPolicyId"),
    ("response_headers_policy_id", "cloudfront.CacheBehavior.ResponseHeadersPolicyId"),
    ("functions", "cloudfront.LambdaFunctionAssociations.Items"),
    ("functions.*.event", "cloudfront.LambdaFunctionAssociation.EventType"),
    ("functions.*.function_arn", "cloudfront.LambdaFunctionAssociation.LambdaFunctionARN"),
    ("functions.*.include_body", "cloudfront.LambdaFunctionAssociation.IncludeBody"),
];

const LOGGING: &[Row] = &[
    ("bucket", "cloudfront.LoggingConfig.Bucket"),
    ("prefix", "cloudfront.LoggingConfig.Prefix"),
    ("cookies", "cloudfront.LoggingConfig.IncludeCookies"),
];
