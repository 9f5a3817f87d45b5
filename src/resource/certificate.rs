//! ACM certificate.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Facts, plain};

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

pub(super) const FACTS: Facts = Facts {
    replace_on: &["region", "domain", "alternative_names"],
    identity: &["domain"],
    exact: &["alternative_names"],
    waits_for_users: true,
    usual_seconds: (5, 180),
    ..plain("certificate", "ACM certificate")
};
