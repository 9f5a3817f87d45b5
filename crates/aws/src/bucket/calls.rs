//! What the calls for buckets need, and what the errors of S3 mean.

use super::super::error_rules::{ErrorRule, rule, saying};
use crate::permissions::{Grant, LOOK, context};
use crate::resource::FaultClass;

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: LOOK, on: context::everything, actions: &["s3:ListAllMyBuckets"] },
    Grant { sid: "WhoseBuckets", on: context::every_bucket, actions: &["s3:GetBucketTagging"] },
    Grant {
        sid: "Buckets",
        on: context::bucket,
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
    Grant { sid: "EmptyBuckets", on: context::bucket_objects, actions: &["s3:DeleteObject", "s3:DeleteObjectVersion"] },
];

/// What the errors of S3 mean.
pub const CODES: &[ErrorRule] = &[
    // Busy with something else, or not known everywhere yet.
    rule("s3", "ConditionalRequestConflict", FaultClass::Retry),
    rule("s3", "OperationAborted", FaultClass::Retry),
    // The rules go in the same run.
    saying("s3", "InvalidBucketState", "replication configuration", FaultClass::Retry),
    // Changed since it was read.
    rule("s3", "PreconditionFailed", FaultClass::Stale),
    // Not there.
    rule("s3", "NoSuchBucket", FaultClass::Missing),
    rule("s3", "NoSuchKey", FaultClass::Missing),
    rule("s3", "NoSuchUpload", FaultClass::Missing),
    rule("s3", "NotFound", FaultClass::Missing),
    rule("s3", "NoSuchBucketPolicy", FaultClass::Missing),
    rule("s3", "NoSuchTagSet", FaultClass::Missing),
    rule("s3", "NoSuchCORSConfiguration", FaultClass::Missing),
    rule("s3", "NoSuchLifecycleConfiguration", FaultClass::Missing),
    rule("s3", "NoSuchPublicAccessBlockConfiguration", FaultClass::Missing),
    rule("s3", "OwnershipControlsNotFoundError", FaultClass::Missing),
    rule("s3", "ServerSideEncryptionConfigurationNotFoundError", FaultClass::Missing),
    rule("s3", "ReplicationConfigurationNotFoundError", FaultClass::Missing),
    // There already.
    rule("s3", "BucketAlreadyOwnedByYou", FaultClass::Exists),
    rule("s3", "BucketAlreadyExists", FaultClass::Exists),
];
