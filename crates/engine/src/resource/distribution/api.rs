//! Which setting of a distribution becomes which member of CloudFront's API.

use crate::resource::kind_facts::{ApiGroup, ApiRow, NO_MEMBER};

pub(super) const API: &[ApiGroup] = &[
    ("", CONFIG),
    ("certificate", CERTIFICATE),
    ("custom_error_responses.*", ERROR_RESPONSE),
    ("geo_restriction", GEO_RESTRICTION),
    ("origins.*", ORIGIN),
    ("origins.*.custom", CUSTOM_ORIGIN),
    ("origin_groups.*", ORIGIN_GROUP),
    ("default_behaviour", BEHAVIOR),
    // The default behavior has no pattern; a rule of its own says so.
    ("default_behaviour", &[("path", NO_MEMBER)]),
    ("behaviours.*", BEHAVIOR),
    ("behaviours.*", &[("path", "cloudfront.CacheBehavior.PathPattern!")]),
    ("logging", LOGGING),
];

const CONFIG: &[ApiRow] = &[
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

const CERTIFICATE: &[ApiRow] = &[
    ("acm_arn", "cloudfront.ViewerCertificate.ACMCertificateArn"),
    ("ssl_support_method", "cloudfront.ViewerCertificate.SSLSupportMethod"),
    ("minimum_protocol", "cloudfront.ViewerCertificate.MinimumProtocolVersion"),
];

const ERROR_RESPONSE: &[ApiRow] = &[
    ("code", "cloudfront.CustomErrorResponse.ErrorCode"),
    ("page", "cloudfront.CustomErrorResponse.ResponsePagePath"),
    ("response_code", "cloudfront.CustomErrorResponse.ResponseCode"),
    ("min_ttl_seconds", "cloudfront.CustomErrorResponse.ErrorCachingMinTTL"),
];

/// A word, or an object with one list.
const GEO_RESTRICTION: &[ApiRow] = &[
    ("", NO_MEMBER),
    ("allow", "cloudfront.GeoRestriction.Items"),
    ("allow.*", "cloudfront.GeoRestriction.Items[]"),
    ("deny", "cloudfront.GeoRestriction.Items"),
    ("deny.*", "cloudfront.GeoRestriction.Items[]"),
];

const ORIGIN: &[ApiRow] = &[
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

const CUSTOM_ORIGIN: &[ApiRow] = &[
    ("http_port", "cloudfront.CustomOriginConfig.HTTPPort"),
    ("https_port", "cloudfront.CustomOriginConfig.HTTPSPort"),
    ("protocol", "cloudfront.CustomOriginConfig.OriginProtocolPolicy"),
    ("read_timeout_seconds", "cloudfront.CustomOriginConfig.OriginReadTimeout"),
    ("keepalive_timeout_seconds", "cloudfront.CustomOriginConfig.OriginKeepaliveTimeout"),
];

const ORIGIN_GROUP: &[ApiRow] = &[
    ("id", "cloudfront.OriginGroup.Id"),
    ("status_codes", "cloudfront.StatusCodes.Items"),
    ("status_codes.*", "cloudfront.StatusCodes.Items[]"),
    ("members", "cloudfront.OriginGroupMembers.Items"),
    ("members.*", "cloudfront.OriginGroupMember.OriginId"),
];

const BEHAVIOR: &[ApiRow] = &[
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

const LOGGING: &[ApiRow] = &[
    ("bucket", "cloudfront.LoggingConfig.Bucket"),
    ("prefix", "cloudfront.LoggingConfig.Prefix"),
    ("cookies", "cloudfront.LoggingConfig.IncludeCookies"),
];
