//! CloudFront origin request policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cache_policy::{COOKIES, Choice, QUERIES};
use super::id_form::POLICY;
use super::kind_facts::{ApiRow, KindFacts, NO_MEMBER, on_aws};
use super::naming::Naming;

/// What is sent on to the origin besides the cache key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OriginRequestPolicySpec {
    /// Name, unique in the account.
    pub name: String,
    /// Its purpose.
    pub comment: String,
    /// Headers that are sent on.
    pub headers: HeaderChoice,
    /// Query strings that are sent on.
    pub query_strings: Choice,
    /// Cookies that are sent on.
    pub cookies: Choice,
}

/// Which headers are sent on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum HeaderChoice {
    /// None.
    None,
    /// All that the viewer sent.
    AllViewer,
    /// All headers of the viewer except these.
    AllExcept(Vec<String>),
    /// Only these.
    Only(Vec<String>),
    /// All headers of the viewer and these `CloudFront-*` ones.
    AllViewerAnd(Vec<String>),
}

const SETTINGS: &[ApiRow] = &[
    ("name", "cloudfront.OriginRequestPolicyConfig.Name"),
    ("comment", "cloudfront.OriginRequestPolicyConfig.Comment"),
];

/// A choice of words, or an object with one list.
const HEADERS: &[ApiRow] = &[
    ("", NO_MEMBER),
    ("only", "cloudfront.Headers.Items"),
    ("only.*", "cloudfront.Headers.Items[]"),
    ("all-except", "cloudfront.Headers.Items"),
    ("all-except.*", "cloudfront.Headers.Items[]"),
    ("all-viewer-and", "cloudfront.Headers.Items"),
    ("all-viewer-and.*", "cloudfront.Headers.Items[]"),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS), ("headers", HEADERS), ("query_strings", QUERIES), ("cookies", COOKIES)],
    replace_on: &["name"],
    identity: &["name"],
    exact: &["headers", "query_strings", "cookies"],
    mark: Some("comment mark"),
    attributes: &["id"],
    id: POLICY,
    naming: Naming::BY_ID,
    label: &["name", "comment"],
    ..on_aws::<OriginRequestPolicySpec>("origin-request-policy", "CloudFront origin request policy")
};
