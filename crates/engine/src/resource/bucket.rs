//! S3 bucket.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id_form::{self, IdForm, IdPart};
use super::kind_facts::{ApiRow, KindFacts, NO_MEMBER, on_aws};
use super::naming::Naming;

/// An S3 bucket and the settings that the plan states; what it leaves out is left alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketSpec {
    /// Globally unique name, 3 to 63 characters.
    pub name: String,
    /// Region, e.g. `eu-central-1`.
    pub region: String,
    /// Keep old versions of objects (replication needs it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versioning: Option<bool>,
    /// Default encryption: `AES256`, `aws:kms` or `aws:kms:dsse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// KMS key of the encryption: ARN, id or `alias/NAME`. Without it `aws:kms` uses the key that AWS manages
    /// (`aws/s3`), which neither CloudFront nor another account can use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// One data key for many objects (S3 Bucket Key): fewer calls of KMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_key: Option<bool>,
    /// All four public access blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_public_access: Option<bool>,
    /// `BucketOwnerEnforced`, `BucketOwnerPreferred` or `ObjectWriter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ownership: Option<String>,
    /// CORS rules. Rules that were added by other means stay; an empty list removes all rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Vec<CorsRule>>,
    /// Lifecycle rules. Rules that were added by other means under other IDs stay; an empty list removes all rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Vec<LifecycleRule>>,
    /// Tags besides the tool's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// One CORS rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CorsRule {
    /// Origins such as `https://demo.example.com`.
    pub origins: Vec<String>,
    /// Methods such as `GET`.
    pub methods: Vec<String>,
    /// Request headers a browser may send.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// Response headers a page may read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expose: Vec<String>,
    /// Seconds that a browser may cache the preflight response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<i32>,
}

/// One lifecycle rule, in days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LifecycleRule {
    /// Name of the rule.
    pub id: String,
    /// Keys it applies to; empty for all.
    #[serde(default)]
    pub prefix: String,
    /// `false` pauses the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Delete current versions after this many days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_days: Option<i32>,
    /// Delete old versions after this many days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_old_versions_days: Option<i32>,
    /// Abort incomplete multipart uploads after this many days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_uploads_days: Option<i32>,
}

const SETTINGS: &[ApiRow] = &[
    ("name", "s3.CreateBucketRequest.Bucket"),
    ("region", NO_MEMBER),
    ("versioning", "s3.VersioningConfiguration.Status"),
    ("encryption", "s3.ServerSideEncryptionByDefault.SSEAlgorithm"),
    ("kms_key", "s3.ServerSideEncryptionByDefault.KMSMasterKeyID"),
    ("bucket_key", "s3.ServerSideEncryptionRule.BucketKeyEnabled"),
    ("block_public_access", "s3.PublicAccessBlockConfiguration.BlockPublicPolicy"),
    ("ownership", "s3.OwnershipControlsRule.ObjectOwnership"),
    ("cors", "s3.CORSConfiguration.CORSRules"),
    ("lifecycle", "s3.BucketLifecycleConfiguration.Rules"),
    ("tags.~", "s3.Tag.Key"),
    ("tags.*", "s3.Tag.Value"),
];

const CORS: &[ApiRow] = &[
    ("origins", "s3.CORSRule.AllowedOrigins!"),
    ("origins.*", "s3.CORSRule.AllowedOrigins[]"),
    ("methods", "s3.CORSRule.AllowedMethods!"),
    ("methods.*", "s3.CORSRule.AllowedMethods[]"),
    ("headers", "s3.CORSRule.AllowedHeaders"),
    ("headers.*", "s3.CORSRule.AllowedHeaders[]"),
    ("expose", "s3.CORSRule.ExposeHeaders"),
    ("expose.*", "s3.CORSRule.ExposeHeaders[]"),
    ("max_age_seconds", "s3.CORSRule.MaxAgeSeconds"),
];

const LIFECYCLE: &[ApiRow] = &[
    ("id", "s3.LifecycleRule.ID"),
    ("prefix", "s3.LifecycleRuleFilter.Prefix"),
    ("enabled", "s3.LifecycleRule.Status"),
    ("expire_days", "s3.LifecycleExpiration.Days"),
    ("expire_old_versions_days", "s3.NoncurrentVersionExpiration.NoncurrentDays"),
    ("abort_uploads_days", "s3.AbortIncompleteMultipartUpload.DaysAfterInitiation"),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS), ("cors.*", CORS), ("lifecycle.*", LIFECYCLE)],
    replace_on: &["name", "region"],
    identity: &["name"],
    data: Some("objects or old versions"),
    exact: &["cors", "lifecycle"],
    attributes: &["name", "arn", "region", "domain"],
    id: IdForm {
        words: "the bucket's name",
        example: "akidb-models-edge",
        read: id_form::bucket,
        made_of: &[IdPart::Setting("name")],
    },
    naming: Naming { attributes: &["arn"], plain: true, host_after: Some(".s3"), ..Naming::NONE },
    ..on_aws::<BucketSpec>("bucket", "S3 bucket")
};
