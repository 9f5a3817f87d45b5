//! S3 bucket policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id_form::{IdPart, of_the_bucket};
use super::kind_facts::{ApiRow, KindFacts, NO_MEMBER, on_aws};
use super::naming::Naming;

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

const SETTINGS: &[ApiRow] =
    &[("bucket", "s3.PutBucketPolicyRequest.Bucket"), ("region", NO_MEMBER), ("policy", NO_MEMBER)];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS)],
    replace_on: &["bucket"],
    identity: &["bucket"],
    exact: &["policy"],
    disruptive: &["policy"],
    mark: Some("Id"),
    id: of_the_bucket(&[IdPart::Setting("bucket")]),
    naming: Naming::OF_A_BUCKET,
    label: &[],
    identity_rank: 1,
    ..on_aws::<BucketPolicySpec>("bucket-policy", "S3 bucket policy")
};
