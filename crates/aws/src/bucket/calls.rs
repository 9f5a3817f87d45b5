//! What the calls for buckets need, and what the errors of S3 mean.

use serde_json::Value;

use super::super::permissions::{Facts, Grant, everything};
use super::super::rules::{Rule, rule, saying};
use crate::resource::Class;

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

fn every_bucket(_: &Facts<'_>) -> Vec<String> {
    vec!["arn:aws:s3:::*".to_owned()]
}

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: "FindBuckets", on: everything, actions: &["s3:ListAllMyBuckets"] },
    Grant { sid: "WhoseBuckets", on: every_bucket, actions: &["s3:GetBucketTagging"] },
    Grant {
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
    Grant { sid: "EmptyBuckets", on: bucket_objects, actions: &["s3:DeleteObject", "s3:DeleteObjectVersion"] },
    // Objects under a key of the user's own are written and copied with it.
    Grant { sid: "BucketKeys", on: bucket_key, actions: &["kms:Decrypt", "kms:GenerateDataKey"] },
];

/// What the errors of S3 mean.
pub const CODES: &[Rule] = &[
    // Busy with something else, or not known everywhere yet.
    rule("s3", "ConditionalRequestConflict", Class::Retry),
    rule("s3", "OperationAborted", Class::Retry),
    // The rules go in the same run.
    saying("s3", "InvalidBucketState", "replication configuration", Class::Retry),
    // Changed since it was read.
    rule("s3", "PreconditionFailed", Class::Stale),
    // Not there.
    rule("s3", "NoSuchBucket", Class::Missing),
    rule("s3", "NoSuchKey", Class::Missing),
    rule("s3", "NoSuchUpload", Class::Missing),
    rule("s3", "NotFound", Class::Missing),
    rule("s3", "NoSuchBucketPolicy", Class::Missing),
    rule("s3", "NoSuchTagSet", Class::Missing),
    rule("s3", "NoSuchCORSConfiguration", Class::Missing),
    rule("s3", "NoSuchLifecycleConfiguration", Class::Missing),
    rule("s3", "NoSuchPublicAccessBlockConfiguration", Class::Missing),
    rule("s3", "OwnershipControlsNotFoundError", Class::Missing),
    rule("s3", "ServerSideEncryptionConfigurationNotFoundError", Class::Missing),
    rule("s3", "ReplicationConfigurationNotFoundError", Class::Missing),
    // There already.
    rule("s3", "BucketAlreadyOwnedByYou", Class::Exists),
    rule("s3", "BucketAlreadyExists", Class::Exists),
];
