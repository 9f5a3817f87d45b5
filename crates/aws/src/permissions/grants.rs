//! Which calls each kind needs: the table. What is held to more than names is in `conditions`.

use super::resources::{self as on, Facts};
use crate::resource::Kind;

/// What the calls for one kind need: actions, and on which resources.
pub struct Grant {
    pub kind: Kind,
    pub sid: &'static str,
    pub actions: &'static [&'static str],
    pub on: fn(&Facts<'_>) -> Vec<String>,
}

/// Statement of what only shows what there is; AWS knows no resource for these actions.
pub const LOOK: &str = "Look";
/// Statement of what makes something whose ID is not known before; AWS knows neither resources nor tags for these actions.
pub const MAKE: &str = "Make";

/// What gives a role something, or says who may take it on. AWS knows the role's boundary in each of these calls.
pub const GIVE_ROLES: &[&str] =
    &["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"];
/// What is done with managed policies.
pub const ATTACH_POLICIES: &[&str] = &["iam:AttachRolePolicy", "iam:DetachRolePolicy"];
/// What is done with a distribution that carries the stack's tag.
pub const OWN_DISTRIBUTIONS: &[&str] =
    &["cloudfront:DeleteDistribution", "cloudfront:TagResource", "cloudfront:UpdateDistribution"];
/// What makes a distribution, on no resource that AWS knows.
pub const MAKE_DISTRIBUTIONS: &[&str] = &["cloudfront:CreateDistribution"];
/// What gives a distribution its tags, a new one, too.
pub const TAG_DISTRIBUTIONS: &[&str] = &["cloudfront:TagResource"];
/// What is done with a certificate that carries the stack's tag.
pub const OWN_CERTIFICATES: &[&str] =
    &["acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:RemoveTagsFromCertificate"];
/// What asks for a certificate, on no resource that AWS knows.
pub const REQUEST_CERTIFICATES: &[&str] = &["acm:RequestCertificate"];
/// What gives a certificate its tags, a new one, too.
pub const TAG_CERTIFICATES: &[&str] = &["acm:AddTagsToCertificate"];
/// What changes record sets.
pub const CHANGE_RECORDS: &[&str] = &["route53:ChangeResourceRecordSets"];

/// One row or more for each kind.
pub const GRANTS: &[Grant] = &[
    Grant {
        kind: Kind::LoadBalancer,
        sid: LOOK,
        on: on::everything,
        actions: &["elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeTags"],
    },
    Grant { kind: Kind::Role, sid: LOOK, on: on::everything, actions: &["iam:ListRoles"] },
    Grant { kind: Kind::Role, sid: "WhoseRoles", on: on::every_role, actions: &["iam:ListRoleTags"] },
    Grant {
        kind: Kind::Role,
        sid: "Roles",
        on: on::role,
        actions: &[
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:TagRole",
            "iam:UpdateRole",
        ],
    },
    Grant { kind: Kind::Bucket, sid: LOOK, on: on::everything, actions: &["s3:ListAllMyBuckets"] },
    Grant { kind: Kind::Bucket, sid: "WhoseBuckets", on: on::every_bucket, actions: &["s3:GetBucketTagging"] },
    Grant {
        kind: Kind::Bucket,
        sid: "Buckets",
        on: on::bucket,
        actions: &[
            "s3:CreateBucket",
            "s3:DeleteBucket",
            "s3:GetAccelerateConfiguration",
            "s3:GetBucketCORS",
            "s3:GetBucketLogging",
            "s3:GetBucketNotification",
            "s3:GetBucketOwnershipControls",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketRequestPayment",
            "s3:GetBucketTagging",
            "s3:GetBucketVersioning",
            "s3:GetBucketWebsite",
            "s3:GetEncryptionConfiguration",
            "s3:GetLifecycleConfiguration",
            "s3:ListBucket",
            "s3:ListBucketVersions",
            "s3:PutBucketCORS",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
        ],
    },
    Grant {
        kind: Kind::Bucket,
        sid: "EmptyBuckets",
        on: on::bucket_objects,
        actions: &["s3:DeleteObject", "s3:DeleteObjectVersion"],
    },
    Grant {
        kind: Kind::BucketPolicy,
        sid: "BucketPolicies",
        on: on::bucket_of,
        actions: &["s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"],
    },
    Grant {
        kind: Kind::Replication,
        sid: "Replication",
        on: on::source_bucket,
        actions: &["s3:GetReplicationConfiguration", "s3:PutReplicationConfiguration"],
    },
    Grant {
        kind: Kind::Object,
        sid: "Objects",
        on: on::objects_of,
        actions: &[
            "s3:AbortMultipartUpload",
            "s3:DeleteObject",
            "s3:GetObject",
            "s3:GetObjectTagging",
            "s3:GetObjectVersion",
            "s3:GetObjectVersionTagging",
            "s3:PutObject",
            "s3:PutObjectTagging",
        ],
    },
    // Objects under a key of the user's own are written and copied with it.
    Grant {
        kind: Kind::Object,
        sid: "BucketKeys",
        on: on::object_key,
        actions: &["kms:Decrypt", "kms:GenerateDataKey"],
    },
    Grant { kind: Kind::Function, sid: LOOK, on: on::everything, actions: &["lambda:ListFunctions"] },
    Grant { kind: Kind::Function, sid: "WhoseFunctions", on: on::every_function, actions: &["lambda:ListTags"] },
    Grant {
        kind: Kind::Function,
        sid: "Functions",
        on: on::function,
        actions: &[
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:GetFunction",
            "lambda:GetFunctionConfiguration",
            "lambda:ListVersionsByFunction",
            "lambda:PublishVersion",
            "lambda:TagResource",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ],
    },
    // CloudFront copies a version to its edge locations, and takes the copies away, with the caller's permissions; the stars are
    // letters of these names (CloudFront Developer Guide, "Set up IAM permissions and roles for Lambda@Edge").
    Grant {
        kind: Kind::FunctionVersion,
        sid: "EdgeCopies",
        on: on::versions,
        actions: &["lambda:DisableReplication*", "lambda:EnableReplication*"],
    },
    // What CloudFront makes gets its ID from CloudFront, and its policies carry no tags: AWS knows no resource for making one.
    Grant {
        kind: Kind::OriginAccess,
        sid: MAKE,
        on: on::everything,
        actions: &["cloudfront:CreateOriginAccessControl"],
    },
    Grant {
        kind: Kind::OriginAccess,
        sid: LOOK,
        on: on::everything,
        actions: &["cloudfront:ListOriginAccessControls"],
    },
    Grant {
        kind: Kind::OriginAccess,
        sid: "OriginAccess",
        on: |facts| on::cloudfront(facts, "origin-access-control"),
        actions: &[
            "cloudfront:DeleteOriginAccessControl",
            "cloudfront:GetOriginAccessControl",
            "cloudfront:UpdateOriginAccessControl",
        ],
    },
    Grant { kind: Kind::CachePolicy, sid: MAKE, on: on::everything, actions: &["cloudfront:CreateCachePolicy"] },
    Grant { kind: Kind::CachePolicy, sid: LOOK, on: on::everything, actions: &["cloudfront:ListCachePolicies"] },
    Grant {
        kind: Kind::CachePolicy,
        sid: "CachePolicies",
        on: |facts| on::cloudfront(facts, "cache-policy"),
        actions: &["cloudfront:DeleteCachePolicy", "cloudfront:GetCachePolicy", "cloudfront:UpdateCachePolicy"],
    },
    Grant {
        kind: Kind::OriginRequestPolicy,
        sid: MAKE,
        on: on::everything,
        actions: &["cloudfront:CreateOriginRequestPolicy"],
    },
    Grant {
        kind: Kind::OriginRequestPolicy,
        sid: LOOK,
        on: on::everything,
        actions: &["cloudfront:ListOriginRequestPolicies"],
    },
    Grant {
        kind: Kind::OriginRequestPolicy,
        sid: "OriginRequestPolicies",
        on: |facts| on::cloudfront(facts, "origin-request-policy"),
        actions: &[
            "cloudfront:DeleteOriginRequestPolicy",
            "cloudfront:GetOriginRequestPolicy",
            "cloudfront:UpdateOriginRequestPolicy",
        ],
    },
    Grant {
        kind: Kind::ResponseHeadersPolicy,
        sid: MAKE,
        on: on::everything,
        actions: &["cloudfront:CreateResponseHeadersPolicy"],
    },
    Grant {
        kind: Kind::ResponseHeadersPolicy,
        sid: LOOK,
        on: on::everything,
        actions: &["cloudfront:ListResponseHeadersPolicies"],
    },
    Grant {
        kind: Kind::ResponseHeadersPolicy,
        sid: "ResponseHeadersPolicies",
        on: |facts| on::cloudfront(facts, "response-headers-policy"),
        actions: &[
            "cloudfront:DeleteResponseHeadersPolicy",
            "cloudfront:GetResponseHeadersPolicy",
            "cloudfront:UpdateResponseHeadersPolicy",
        ],
    },
    Grant { kind: Kind::Distribution, sid: LOOK, on: on::everything, actions: &["cloudfront:ListDistributions"] },
    Grant {
        kind: Kind::Distribution,
        sid: "Distributions",
        on: on::distributions,
        actions: &["cloudfront:GetDistribution", "cloudfront:GetDistributionConfig", "cloudfront:ListTagsForResource"],
    },
    // CloudFront lets its log delivery write into the bucket, with the caller's permissions.
    Grant {
        kind: Kind::Distribution,
        sid: "AccessLogs",
        on: on::log_bucket,
        actions: &["s3:GetBucketAcl", "s3:PutBucketAcl"],
    },
    Grant {
        kind: Kind::Distribution,
        sid: "WebAcl",
        on: on::web_acl,
        // CloudFront reads the ACL with the caller's permissions before it takes it.
        actions: &["wafv2:GetWebACL"],
    },
    Grant {
        kind: Kind::Monitoring,
        sid: MAKE,
        on: on::everything,
        actions: &["cloudfront:CreateMonitoringSubscription", "cloudfront:DeleteMonitoringSubscription"],
    },
    Grant { kind: Kind::Monitoring, sid: LOOK, on: on::everything, actions: &["cloudfront:GetMonitoringSubscription"] },
    Grant { kind: Kind::Certificate, sid: LOOK, on: on::everything, actions: &["acm:ListCertificates"] },
    Grant {
        kind: Kind::Certificate,
        sid: "Certificates",
        on: on::certificates,
        actions: &["acm:DescribeCertificate", "acm:ListTagsForCertificate"],
    },
    Grant { kind: Kind::Zone, sid: MAKE, on: on::everything, actions: &["route53:CreateHostedZone"] },
    Grant {
        kind: Kind::Zone,
        sid: LOOK,
        on: on::everything,
        actions: &["route53:ListHostedZones", "route53:ListHostedZonesByName"],
    },
    Grant {
        kind: Kind::Zone,
        sid: "Zones",
        on: |_| vec!["arn:aws:route53:::hostedzone/*".to_owned()],
        actions: &[
            "route53:DeleteHostedZone",
            "route53:GetHostedZone",
            "route53:ListTagsForResource",
            "route53:UpdateHostedZoneComment",
        ],
    },
    Grant { kind: Kind::HealthCheck, sid: MAKE, on: on::everything, actions: &["route53:CreateHealthCheck"] },
    Grant { kind: Kind::HealthCheck, sid: LOOK, on: on::everything, actions: &["route53:ListHealthChecks"] },
    Grant {
        kind: Kind::HealthCheck,
        sid: "HealthChecks",
        on: |_| vec!["arn:aws:route53:::healthcheck/*".to_owned()],
        actions: &[
            "route53:DeleteHealthCheck",
            "route53:GetHealthCheck",
            "route53:ListTagsForResource",
            "route53:UpdateHealthCheck",
        ],
    },
    Grant {
        kind: Kind::Zone,
        sid: "Tags",
        on: |_| vec!["arn:aws:route53:::hostedzone/*".to_owned()],
        actions: &["route53:ChangeTagsForResource"],
    },
    Grant {
        kind: Kind::HealthCheck,
        sid: "Tags",
        on: |_| vec!["arn:aws:route53:::healthcheck/*".to_owned()],
        actions: &["route53:ChangeTagsForResource"],
    },
    Grant {
        kind: Kind::Records,
        sid: "Records",
        on: |_| vec!["arn:aws:route53:::hostedzone/*".to_owned()],
        actions: &["route53:ListResourceRecordSets"],
    },
    Grant {
        kind: Kind::Records,
        sid: "Changes",
        on: |_| vec!["arn:aws:route53:::change/*".to_owned()],
        actions: &["route53:GetChange"],
    },
];
