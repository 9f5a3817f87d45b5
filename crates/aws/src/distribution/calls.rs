//! What the calls for distributions need, and what the errors of CloudFront mean.

use serde_json::Value;

use super::super::edit::arns;
use super::super::permissions::{Facts, Grant, everything};
use super::super::rules::{Rule, rule};
use crate::resource::Class;

fn web_acl(facts: &Facts<'_>) -> Vec<String> {
    let arn = facts.spec.get("web_acl_id").and_then(Value::as_str).filter(|arn| !arn.is_empty());
    arn.map(str::to_owned).into_iter().collect()
}

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: "ListDistributions", on: everything, actions: &["cloudfront:ListDistributions"] },
    Grant {
        sid: "Distributions",
        on: |facts| arns(facts, "distribution"),
        actions: &[
            "cloudfront:CreateDistribution",
            "cloudfront:DeleteDistribution",
            "cloudfront:GetDistribution",
            "cloudfront:GetDistributionConfig",
            "cloudfront:ListTagsForResource",
            "cloudfront:TagResource",
            "cloudfront:UntagResource",
            "cloudfront:UpdateDistribution",
        ],
    },
    Grant {
        sid: "WebAcl",
        on: web_acl,
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
