//! CloudFront origin access control.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id_form::{self, IdForm};
use super::kind_facts::{ApiRow, KindFacts, on_aws};
use super::naming::Naming;

/// Lets a distribution sign its requests to an S3 origin (SigV4, always).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OriginAccessSpec {
    /// Name, unique in the account, up to 64 characters.
    pub name: String,
    /// Its purpose.
    pub description: String,
    /// When requests are signed: `always`.
    #[serde(default = "always")]
    pub signing_behavior: String,
    /// How they are signed: `sigv4`.
    #[serde(default = "sigv4")]
    pub signing_protocol: String,
    /// For which sort of origin: `s3`.
    #[serde(default = "s3")]
    pub origin_type: String,
}

impl OriginAccessSpec {
    /// One that always signs requests to a bucket.
    pub fn new(name: String, description: String) -> Self {
        Self { name, description, signing_behavior: always(), signing_protocol: sigv4(), origin_type: s3() }
    }
}

fn always() -> String {
    "always".to_owned()
}

fn sigv4() -> String {
    "sigv4".to_owned()
}

fn s3() -> String {
    "s3".to_owned()
}

const SETTINGS: &[ApiRow] = &[
    ("name", "cloudfront.OriginAccessControlConfig.Name"),
    ("description", "cloudfront.OriginAccessControlConfig.Description"),
    ("signing_behavior", "cloudfront.OriginAccessControlConfig.SigningBehavior"),
    ("signing_protocol", "cloudfront.OriginAccessControlConfig.SigningProtocol"),
    ("origin_type", "cloudfront.OriginAccessControlConfig.OriginAccessControlOriginType"),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS)],
    replace_on: &["name"],
    identity: &["name"],
    mark: Some("comment mark"),
    attributes: &["id"],
    id: IdForm {
        words: "the ID of the origin access control",
        example: "E327GJI25M56DG",
        read: id_form::cloudfront,
        made_of: &[],
    },
    naming: Naming::BY_ID,
    ..on_aws::<OriginAccessSpec>("origin-access", "CloudFront origin access control")
};
