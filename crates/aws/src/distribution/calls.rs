//! What the calls for distributions need, and what the errors of CloudFront mean.

use super::super::rules::{Rule, rule};
use crate::permissions::{Grant, LOOK, on};
use crate::resource::Class;

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: LOOK, on: on::everything, actions: &["cloudfront:ListDistributions"] },
    Grant {
        sid: "Distributions",
        on: on::distributions,
        actions: &["cloudfront:GetDistribution", "cloudfront:GetDistributionConfig", "cloudfront:ListTagsForResource"],
    },
    // CloudFront lets its log delivery write into the bucket, with the caller's permissions.
    Grant { sid: "AccessLogs", on: on::log_bucket, actions: &["s3:GetBucketAcl", "s3:PutBucketAcl"] },
    Grant {
        sid: "WebAcl",
        on: on::web_acl,
        // CloudFront reads the ACL with the caller's permissions before it takes it.
        actions: &["wafv2:GetWebACL"],
    },
];

/// What the errors of CloudFront mean.
pub const CODES: &[Rule] = &[
    // Changed since it was read.
    rule("cloudfront", "PreconditionFailed", Class::Stale),
    rule("cloudfront", "InvalidIfMatchVersion", Class::Stale),
    // Not there.
    rule("cloudfront", "NoSuchDistribution", Class::Missing),
    rule("cloudfront", "NoSuchResource", Class::Missing),
    rule("cloudfront", "NoSuchOriginAccessControl", Class::Missing),
    rule("cloudfront", "NoSuchCachePolicy", Class::Missing),
    rule("cloudfront", "NoSuchOriginRequestPolicy", Class::Missing),
    rule("cloudfront", "NoSuchResponseHeadersPolicy", Class::Missing),
    rule("cloudfront", "NoSuchMonitoringSubscription", Class::Missing),
    // There already.
    rule("cloudfront", "DistributionAlreadyExists", Class::Exists),
    rule("cloudfront", "CNAMEAlreadyExists", Class::Exists),
    rule("cloudfront", "OriginAccessControlAlreadyExists", Class::Exists),
    rule("cloudfront", "CachePolicyAlreadyExists", Class::Exists),
    rule("cloudfront", "OriginRequestPolicyAlreadyExists", Class::Exists),
    rule("cloudfront", "ResponseHeadersPolicyAlreadyExists", Class::Exists),
    rule("cloudfront", "MonitoringSubscriptionAlreadyExists", Class::Exists),
];
