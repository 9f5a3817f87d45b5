//! What the calls for distributions need, and what the errors of CloudFront mean.

use super::super::error_rules::{ErrorRule, rule};
use crate::permissions::{Grant, LOOK, context};
use crate::resource::FaultClass;

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: LOOK, on: context::everything, actions: &["cloudfront:ListDistributions"] },
    Grant {
        sid: "Distributions",
        on: context::distributions,
        actions: &["cloudfront:GetDistribution", "cloudfront:GetDistributionConfig", "cloudfront:ListTagsForResource"],
    },
    // CloudFront lets its log delivery write into the bucket, with the caller's permissions.
    Grant { sid: "AccessLogs", on: context::log_bucket, actions: &["s3:GetBucketAcl", "s3:PutBucketAcl"] },
    Grant {
        sid: "WebAcl",
        on: context::web_acl,
        // CloudFront reads the ACL with the caller's permissions before it takes it.
        actions: &["wafv2:GetWebACL"],
    },
];

/// What the errors of CloudFront mean.
pub const CODES: &[ErrorRule] = &[
    // Changed since it was read.
    rule("cloudfront", "PreconditionFailed", FaultClass::Stale),
    rule("cloudfront", "InvalidIfMatchVersion", FaultClass::Stale),
    // Not there.
    rule("cloudfront", "NoSuchDistribution", FaultClass::Missing),
    rule("cloudfront", "NoSuchResource", FaultClass::Missing),
    rule("cloudfront", "NoSuchOriginAccessControl", FaultClass::Missing),
    rule("cloudfront", "NoSuchCachePolicy", FaultClass::Missing),
    rule("cloudfront", "NoSuchOriginRequestPolicy", FaultClass::Missing),
    rule("cloudfront", "NoSuchResponseHeadersPolicy", FaultClass::Missing),
    rule("cloudfront", "NoSuchMonitoringSubscription", FaultClass::Missing),
    // There already.
    rule("cloudfront", "DistributionAlreadyExists", FaultClass::Exists),
    rule("cloudfront", "CNAMEAlreadyExists", FaultClass::Exists),
    rule("cloudfront", "OriginAccessControlAlreadyExists", FaultClass::Exists),
    rule("cloudfront", "CachePolicyAlreadyExists", FaultClass::Exists),
    rule("cloudfront", "OriginRequestPolicyAlreadyExists", FaultClass::Exists),
    rule("cloudfront", "ResponseHeadersPolicyAlreadyExists", FaultClass::Exists),
    rule("cloudfront", "MonitoringSubscriptionAlreadyExists", FaultClass::Exists),
];
