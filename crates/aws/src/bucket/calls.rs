//! What the calls for buckets need, and what the errors of S3 mean.

use super::super::rules::{Rule, rule, saying};
use crate::permissions::{Grant, LOOK, on};
use crate::resource::Class;

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: LOOK, on: on::everything, actions: &["s3:ListAllMyBuckets"] },
    Grant { sid: "WhoseBuckets", on: on::every_bucket, actions: &["s3:GetBucketTagging"] },
    Grant {
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
    Grant { sid: "EmptyBuckets", on: on::bucket_objects, actions: &["s3:DeleteObject", "s3:DeleteObjectVersion"] },
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
