//! S3 bucket policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kind::{Facts, plain};

/// The policy of one bucket; a bucket has at most one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketPolicySpec {
    /// Bucket name.
    pub bucket: String,
    /// Region of the bucket.
    pub region: String,
    /// The policy document.
    pub policy: Value,
}

pub(super) const FACTS: Facts = Facts {
    replace_on: &["bucket"],
    identity: &["bucket"],
    exact: &["policy"],
    disruptive: &["policy"],
    mark: Some("Id"),
    ..plain("bucket-policy", "S3 bucket policy")
};
