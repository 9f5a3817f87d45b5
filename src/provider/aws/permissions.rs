//! The least that the tool itself must be allowed to do for a plan: an IAM policy made from its graph. Pure.
//!
//! Source of the actions: the operations that the providers of this room call, by the Service Authorization Reference
//! (S3 names several actions otherwise than its operations). `sts:GetCallerIdentity` needs no permission.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::resource::{Desired, Kind, Resource, resolve};

/// What the calls for one kind need: actions, and on which resources.
struct Grant {
    kind: Kind,
    sid: &'static str,
    actions: &'static [&'static str],
    on: fn(&Facts<'_>) -> Vec<String>,
}

/// One resource with its settings as far as they are literal.
struct Facts<'a> {
    spec: Value,
    account: &'a str,
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

fn cloudfront(facts: &Facts<'_>, what: &str) -> Vec<String> {
    vec![format!("arn:aws:cloudfront::{}:{what}/*", facts.account)]
}

fn tagged_routing(_: &Facts<'_>) -> Vec<String> {
    ["hostedzone", "healthcheck"].map(|what| format!("arn:aws:route53:::{what}/*")).to_vec()
}

fn certificate(facts: &Facts<'_>) -> Vec<String> {
    vec![format!("arn:aws:acm:{}:{}:certificate/*", facts.text("region"), facts.account)]
}

const GRANTS: &[Grant] = &[
    Grant {
        kind: Kind::LoadBalancer,
        sid: "FindLoadBalancers",
        on: everything,
        actions: &["elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeTags"],
    },
    Grant {
        kind: Kind::Role,
        sid: "Roles",
        on: role,
        actions: &[
            "iam:AttachRolePolicy",
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
        ],
    },
    Grant {
        kind: Kind::Bucket,
        sid: "Buckets",
        on: bucket,
        actions: &[
            "s3:CreateBucket",
            "s3:DeleteBucket",
            "s3:GetBucketCORS",
            "s3:GetBucketOwnershipControls",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketTagging",
            "s3:GetBucketVersioning",
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
        actions: &["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
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
        actions: &["route53:CreateHostedZone", "route53:ListHostedZonesByName"],
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
        actions: &["route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets"],
    },
    Grant {
        kind: Kind::Records,
        sid: "Changes",
        on: |_| vec!["arn:aws:route53:::change/*".to_owned()],
        actions: &["route53:GetChange"],
    },
];

/// The policy document for everything in `desired`. `account` is twelve digits, or `*` when it is not known.
pub fn policy(desired: &Desired, account: &str) -> Value {
    let mut statements: BTreeMap<&str, (&[&str], BTreeSet<String>)> = BTreeMap::new();
    for resource in desired.resources.values() {
        let facts = Facts { spec: literal(desired, resource), account };
        for grant in GRANTS.iter().filter(|grant| grant.kind == resource.kind) {
            statements.entry(grant.sid).or_insert((grant.actions, BTreeSet::new())).1.extend((grant.on)(&facts));
        }
    }
    let mut all: Vec<Value> = statements
        .into_iter()
        .map(|(sid, (actions, on))| json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": on}))
        .collect();
    all.extend(handed_over(desired, account));
    all.extend(service_linked_roles(desired, account));
    json!({"Version": "2012-10-17", "Statement": all})
}

/// A spec with the names of other resources of the graph filled in.
fn literal(desired: &Desired, resource: &Resource) -> Value {
    resolve(&resource.spec, &|address, attribute| {
        let target = desired.resources.get(&address.parse().ok()?)?;
        target.spec.get(attribute).filter(|value| value.is_string()).cloned()
    })
}

/// Roles that are handed to a service: each one to its own services, and to no other.
fn handed_over(desired: &Desired, account: &str) -> Vec<Value> {
    let roles = desired.resources.values().filter(|resource| resource.kind == Kind::Role);
    let mut by_services: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
    for role in roles {
        let services = role.spec.pointer("/trust/Statement/0/Principal/Service").and_then(Value::as_array);
        let services: Vec<String> =
            services.into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
        let name = role.spec.get("name").and_then(Value::as_str).unwrap_or("*");
        by_services.entry(services).or_default().insert(format!("arn:aws:iam::{account}:role/{name}"));
    }
    let statement = |(at, (services, roles)): (usize, (Vec<String>, BTreeSet<String>))| {
        json!({"Sid": format!("HandOver{}", at + 1), "Effect": "Allow", "Action": "iam:PassRole", "Resource": roles,
               "Condition": {"StringEquals": {"iam:PassedToService": services}}})
    };
    by_services.into_iter().enumerate().map(statement).collect()
}

/// CloudFront makes these the first time a function runs at its edge (CloudFront Developer Guide, "Set up IAM permissions
/// and roles for Lambda@Edge").
fn service_linked_roles(desired: &Desired, account: &str) -> Option<Value> {
    let at_edge = desired.resources.values().any(|resource| resource.kind == Kind::FunctionVersion);
    at_edge.then(|| {
        json!({"Sid": "EdgeServiceRoles", "Effect": "Allow", "Action": "iam:CreateServiceLinkedRole",
               "Resource": [
                   format!("arn:aws:iam::{account}:role/aws-service-role/replicator.lambda.amazonaws.com/AWSServiceRoleForLambdaReplicator"),
                   format!("arn:aws:iam::{account}:role/aws-service-role/logger.cloudfront.amazonaws.com/AWSServiceRoleForCloudFrontLogger"),
               ]})
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_is_called_for_is_granted() {
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::FunctionVersion) {
            assert!(GRANTS.iter().any(|grant| grant.kind == kind), "{}", kind.name());
        }
        for grant in GRANTS {
            assert!(grant.actions.is_sorted(), "{}: the actions are in order", grant.sid);
        }
    }
}
