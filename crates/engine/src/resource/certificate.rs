//! ACM certificate.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id_form::IdForm;
use super::kind_facts::{ApiRow, KindFacts, NO_MEMBER, on_aws};
use super::naming::Naming;

/// A certificate with DNS validation. Usable means that its validation records are known, propagated that it is issued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateSpec {
    /// Region; CloudFront takes certificates from `us-east-1` only.
    pub region: String,
    /// Main domain name.
    pub domain: String,
    /// Further names, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternative_names: Vec<String>,
    /// Tags besides the tool's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

fn read_id(given: &str) -> Option<&str> {
    (given.starts_with("arn:aws:acm:") && given.contains(":certificate/")).then_some(given)
}

const SETTINGS: &[ApiRow] = &[
    ("region", NO_MEMBER),
    ("domain", "acm.RequestCertificateRequest.DomainName"),
    ("alternative_names", NO_MEMBER),
    ("alternative_names.*", "acm.RequestCertificateRequest.SubjectAlternativeNames[]"),
    ("tags.~", "acm.Tag.Key"),
    ("tags.*", "acm.Tag.Value"),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS)],
    replace_on: &["region", "domain", "alternative_names"],
    identity: &["domain"],
    exact: &["alternative_names"],
    waits_for_users: true,
    usual_seconds: (5, 180),
    attributes: &["arn", "validation", "validation_name_N", "validation_value_N"],
    id: IdForm {
        words: "the certificate's ARN",
        example: "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012",
        read: read_id,
        made_of: &[],
    },
    naming: Naming::BY_ID_AND_ARN,
    label: &["domain"],
    same_by: Some(&["region", "domain", "alternative_names"]),
    domain_names: &["domain", "alternative_names"],
    ..on_aws::<CertificateSpec>("certificate", "ACM certificate")
};
