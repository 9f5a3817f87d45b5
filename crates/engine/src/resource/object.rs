//! S3 object with known content.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id_form::{self, IdForm, IdPart};
use super::kind_facts::{ApiRow, KindFacts, NO_MEMBER, on_aws};
use super::naming::Naming;

/// An object whose content is known by its hash. The bytes come from the run's artifacts, never from the state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectSpec {
    /// Bucket name.
    pub bucket: String,
    /// Region of the bucket.
    pub region: String,
    /// Key; content-addressed keys carry the hash in them.
    pub key: String,
    /// SHA-256 of the content, 64 hex digits.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Media type.
    pub content_type: String,
    /// `Cache-Control` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// User metadata besides the tool's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

fn read_id(given: &str) -> Option<&str> {
    let (bucket, key) = given.split_once('/')?;
    (id_form::bucket(bucket).is_some() && !key.is_empty()).then_some(given)
}

const SETTINGS: &[ApiRow] = &[
    ("bucket", "s3.PutObjectRequest.Bucket"),
    ("region", NO_MEMBER),
    ("key", "s3.PutObjectRequest.Key"),
    ("sha256", NO_MEMBER),
    ("bytes", NO_MEMBER),
    ("content_type", "s3.PutObjectRequest.ContentType"),
    ("cache_control", "s3.PutObjectRequest.CacheControl"),
    ("metadata.~", "s3.PutObjectRequest.Metadata{key}"),
    ("metadata.*", "s3.PutObjectRequest.Metadata{value}"),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS)],
    replace_on: &["bucket", "key"],
    identity: &["bucket", "key"],
    mark: Some("metadata.akidb-stack"),
    attributes: &["bucket", "key", "sha256"],
    id: IdForm {
        words: "BUCKET/KEY",
        example: "akidb-page/index.html",
        read: read_id,
        made_of: &[IdPart::Setting("bucket"), IdPart::Setting("key")],
    },
    // The key of an object may read like the name of a bucket.
    naming: Naming { only_in: Some("bucket"), ..Naming::OF_A_BUCKET },
    label: &["key"],
    identity_rank: 1,
    ..on_aws::<ObjectSpec>("object", "S3 object")
};
