//! Which calls each kind needs: the table. What is held to more than names is in `conditions`.

use serde_json::Value;

use crate::resource::Kind;

/// What the calls for one kind need: actions, and on which resources.
pub struct Grant {
    pub kind: Kind,
    pub sid: &'static str,
    pub actions: &'static [&'static str],
    pub on: fn(&Facts<'_>) -> Vec<String>,
}

/// One resource with its settings as far as they are literal.
pub struct Facts<'a> {
    pub spec: Value,
    pub account: &'a str,
}

impl Facts<'_> {
    fn text(&self, field: &str) -> String {
        self.spec.get(field).and_then(Value::as_str).unwrap_or("*").to_owned()
    }
}

fn everything(_: &Facts<'_>) -> Vec<String> {
    vec!["*".to_owned()]
}

fn bucket(facts: &Facts<'_>) -> Vec<String> {
    vec![format!("arn:aws:s3:::{}", facts.text("name"))]
}

fn bucket_objects(facts: &Facts<'_>) -> Vec<String> {
    vec![format!("arn:aws:s3:::{}/*", facts.text("name"))]
}

/// Its KMS key; a policy takes no alias, so that stands for any key of the region.
fn bucket_key(facts: &Facts<'_>) -> Vec<String> {
    let Some(key) = facts.spec.get("kms_key").and_then(Value::as_str) else { return Vec::new() };
    let any = || format!("arn:aws:kms:{}:{}:key/*", facts.text("region"), facts.account);
    let own = |id: &str| format!("arn:aws:kms:{}:{}:key/{id}", facts.text("region"), facts.account);
    match key {
        arn if arn.starts_with("arn:") && arn.contains(":key/") => vec![arn.to_owned()],
        id if !id.contains([':', '/']) => vec![own(id)],
        _ => vec![any()],
    }
}

fn bucket_of(facts: &Facts<'_>) -> Vec<String> {
    vec![format!("arn:aws:s3:::{}", facts.text("bucket"))]
}

/// The bucket itself, too: a policy linter else thinks that whoever may write a bucket policy gains what is missing here.
fn objects_of(facts: &Facts<'_>) -> Vec<String> {
    vec![format!("arn:aws:s3:::{}", facts.text("bucket")), format!("arn:aws:s3:::{}/*", facts.text("bucket"))]
}

fn source_bucket(facts: &Facts<'_>) -> Vec<String> {
    vec![format!("arn:aws:s3:::{}", facts.text("source"))]
}

fn role(facts: &Facts<'_>) -> Vec<String> {
    vec![format!("arn:aws:iam::{}:role/{}", facts.account, facts.text("name"))]
}

fn function(facts: &Facts<'_>) -> Vec<String> {
    let (region, name) = (facts.text("region"), facts.text("name"));
    vec![
        format!("arn:aws:lambda:{region}:{}:function:{name}", facts.account),
        format!("arn:aws:lambda:{region}:{}:function:{name}:*", facts.account),
    ]
}

fn web_acl(facts: &Facts<'_>) -> Vec<String> {
    let arn = facts.spec.get("web_acl_id").and_then(Value::as_str).filter(|arn| !arn.is_empty());
    arn.map(str::to_owned).into_iter().collect()
}

fn cloudfront(facts: &Facts<'_>, what: &str) -> Vec<String> {
    vec![format!("arn:aws:cloudfront::{}:{what}/*", facts.account)]
}

fn tagged_routing(_: &Facts<'_>) -> Vec<String> {
    ["hostedzone", "healthcheck"].map(|what| format!("arn:aws:route53:::{what}/*")).to_vec()
}

fn certificate(facts: &Facts<'_>) -> Vec<String> {
    vec![format!("arn:aws:acm:{}:{}:certificate/*", facts.text("region"), facts.account)]
}

/// Whose a role is, is known by its tags alone.
fn every_role(facts: &Facts<'_>) -> Vec<String> {
    vec![format!("arn:aws:iam::{}:role/*", facts.account)]
}

fn every_bucket(_: &Facts<'_>) -> Vec<String> {
    vec!["arn:aws:s3:::*".to_owned()]
}

/// One row or more for each kind.
pub const GRANTS: &[Grant] = &[
    Grant {
        kind: Kind::LoadBalancer,
        sid: "FindLoadBalancers",
        on: everything,
        actions: &["elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeTags"],
    },
    Grant { kind: Kind::Role, sid: "FindRoles", on: everything, actions: &["iam:ListRoles"] },
    Grant { kind: Kind::Role, sid: "WhoseRoles", on: every_role, actions: &["iam:ListRoleTags"] },
    Grant {
        kind: Kind::Role,
        sid: "Roles",
        on: role,
        actions: &[
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
        ],
    },
    Grant { kind: Kind::Bucket, sid: "FindBuckets", on: everything, actions: &["s3:ListAllMyBuckets"] },
    Grant { kind: Kind::Bucket, sid: "WhoseBuckets", on: every_bucket, actions: &["s3:GetBucketTagging"] },
    Grant {
        kind: Kind::Bucket,
        sid: "Buckets",
        on: bucket,
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
        on: bucket_objects,
        actions: &["s3:DeleteObject", "s3:DeleteObjectVersion"],
    },
    // Objects under a key of the user's own are written and copied with it.
    Grant { kind: Kind::Bucket, sid: "BucketKeys", on: bucket_key, actions: &["kms:Decrypt", "kms:GenerateDataKey"] },
    Grant {
        kind: Kind::BucketPolicy,
        sid: "BucketPolicies",
        on: bucket_of,
        actions: &["s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"],
    },
    Grant {
        kind: Kind::Replication,
        sid: "Replication",
        on: source_bucket,
        actions: &["s3:GetReplicationConfiguration", "s3:PutReplicationConfiguration"],
    },
    Grant {
        kind: Kind::Object,
        sid: "Objects",
        on: objects_of,
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
    Grant {
        kind: Kind::Function,
        sid: "FindOwnFunctions",
        on: everything,
        actions: &["lambda:ListFunctions", "lambda:ListTags"],
    },
    Grant {
        kind: Kind::Function,
        sid: "Functions",
        on: function,
        actions: &[
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:EnableReplication*",
            "lambda:GetFunction",
            "lambda:GetFunctionConfiguration",
            "lambda:ListTags",
            "lambda:ListVersionsByFunction",
            "lambda:PublishVersion",
            "lambda:TagResource",
            "lambda:UntagResource",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ],
    },
    Grant {
        kind: Kind::OriginAccess,
        sid: "ListOriginAccess",
        on: everything,
        actions: &["cloudfront:CreateOriginAccessControl", "cloudfront:ListOriginAccessControls"],
    },
    Grant {
        kind: Kind::OriginAccess,
        sid: "OriginAccess",
        on: |facts| cloudfront(facts, "origin-access-control"),
        actions: &[
            "cloudfront:DeleteOriginAccessControl",
            "cloudfront:GetOriginAccessControl",
            "cloudfront:UpdateOriginAccessControl",
        ],
    },
    Grant {
        kind: Kind::CachePolicy,
        sid: "ListCachePolicies",
        on: everything,
        actions: &["cloudfront:ListCachePolicies"],
    },
    Grant {
        kind: Kind::CachePolicy,
        sid: "CachePolicies",
        on: |facts| cloudfront(facts, "cache-policy"),
        actions: &[
            "cloudfront:CreateCachePolicy",
            "cloudfront:DeleteCachePolicy",
            "cloudfront:GetCachePolicy",
            "cloudfront:UpdateCachePolicy",
        ],
    },
    Grant {
        kind: Kind::OriginRequestPolicy,
        sid: "ListOriginRequestPolicies",
        on: everything,
        actions: &["cloudfront:CreateOriginRequestPolicy", "cloudfront:ListOriginRequestPolicies"],
    },
    Grant {
        kind: Kind::OriginRequestPolicy,
        sid: "OriginRequestPolicies",
        on: |facts| cloudfront(facts, "origin-request-policy"),
        actions: &[
            "cloudfront:DeleteOriginRequestPolicy",
            "cloudfront:GetOriginRequestPolicy",
            "cloudfront:UpdateOriginRequestPolicy",
        ],
    },
    Grant {
        kind: Kind::ResponseHeadersPolicy,
        sid: "ListResponseHeadersPolicies",
        on: everything,
        actions: &["cloudfront:ListResponseHeadersPolicies"],
    },
    Grant {
        kind: Kind::ResponseHeadersPolicy,
        sid: "ResponseHeadersPolicies",
        on: |facts| cloudfront(facts, "response-headers-policy"),
        actions: &[
            "cloudfront:CreateResponseHeadersPolicy",
            "cloudfront:DeleteResponseHeadersPolicy",
            "cloudfront:GetResponseHeadersPolicy",
            "cloudfront:UpdateResponseHeadersPolicy",
        ],
    },
    Grant {
        kind: Kind::Distribution,
        sid: "ListDistributions",
        on: everything,
        actions: &["cloudfront:ListDistributions"],
    },
    Grant {
        kind: Kind::Distribution,
        sid: "Distributions",
        on: |facts| cloudfront(facts, "distribution"),
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
        kind: Kind::Distribution,
        sid: "WebAcl",
        on: web_acl,
        // CloudFront reads the ACL with the caller's permissions before it takes it.
        actions: &["wafv2:GetWebACL"],
    },
    Grant {
        kind: Kind::Monitoring,
        sid: "Metrics",
        on: everything,
        actions: &[
            "cloudfront:CreateMonitoringSubscription",
            "cloudfront:DeleteMonitoringSubscription",
            "cloudfront:GetMonitoringSubscription",
        ],
    },
    Grant {
        kind: Kind::Certificate,
        sid: "ListCertificates",
        on: everything,
        actions: &["acm:ListCertificates", "acm:RequestCertificate"],
    },
    Grant {
        kind: Kind::Certificate,
        sid: "Certificates",
        on: certificate,
        actions: &[
            "acm:AddTagsToCertificate",
            "acm:DeleteCertificate",
            "acm:DescribeCertificate",
            "acm:ListTagsForCertificate",
            "acm:RemoveTagsFromCertificate",
        ],
    },
    Grant {
        kind: Kind::Zone,
        sid: "ListZones",
        on: everything,
        actions: &["route53:CreateHostedZone", "route53:ListHostedZones", "route53:ListHostedZonesByName"],
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
    Grant {
        kind: Kind::HealthCheck,
        sid: "ListHealthChecks",
        on: everything,
        actions: &["route53:CreateHealthCheck", "route53:ListHealthChecks"],
    },
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
    Grant { kind: Kind::Zone, sid: "Tags", on: tagged_routing, actions: &["route53:ChangeTagsForResource"] },
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
