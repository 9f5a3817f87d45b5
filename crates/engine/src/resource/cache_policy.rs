//! CloudFront cache policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id_form::POLICY;
use super::kind_facts::{ApiRow, KindFacts, NO_MEMBER, on_aws};
use super::naming::Naming;

/// What is part of the cache key and how long an answer is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CachePolicySpec {
    /// Name, unique in the account.
    pub name: String,
    /// Its purpose.
    pub comment: String,
    /// Shortest time in seconds; above 0 it overrides the origin's `no-store`.
    pub min_ttl: i64,
    /// Time in seconds when the origin says nothing.
    pub default_ttl: i64,
    /// Longest time in seconds.
    pub max_ttl: i64,
    /// Cache gzip answers apart.
    pub gzip: bool,
    /// Cache brotli answers apart.
    pub brotli: bool,
    /// Headers in the key, sorted; at most ten.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Query strings in the key.
    pub query_strings: Choice,
    /// Cookies in the key.
    pub cookies: Choice,
}

/// Which members of a request take part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Choice {
    /// None of them.
    None,
    /// All of them.
    All,
    /// Only these, sorted.
    Only(Vec<String>),
    /// All except these, sorted.
    AllExcept(Vec<String>),
}

impl Choice {
    /// The names that it lists; none for `None` and `All`.
    pub fn names(&self) -> &[String] {
        match self {
            Self::None | Self::All => &[],
            Self::Only(names) | Self::AllExcept(names) => names,
        }
    }
}

const SETTINGS: &[ApiRow] = &[
    ("name", "cloudfront.CachePolicyConfig.Name"),
    ("comment", "cloudfront.CachePolicyConfig.Comment"),
    ("min_ttl", "cloudfront.CachePolicyConfig.MinTTL"),
    ("default_ttl", "cloudfront.CachePolicyConfig.DefaultTTL"),
    ("max_ttl", "cloudfront.CachePolicyConfig.MaxTTL"),
    ("gzip", "cloudfront.ParametersInCacheKeyAndForwardedToOrigin.EnableAcceptEncodingGzip"),
    ("brotli", "cloudfront.ParametersInCacheKeyAndForwardedToOrigin.EnableAcceptEncodingBrotli"),
    ("headers", "cloudfront.Headers.Items"),
    ("headers.*", "cloudfront.Headers.Items[]"),
];

pub(super) const QUERIES: &[ApiRow] = &[
    ("", NO_MEMBER),
    ("only", "cloudfront.QueryStringNames.Items"),
    ("only.*", "cloudfront.QueryStringNames.Items[]"),
    ("all-except", "cloudfront.QueryStringNames.Items"),
    ("all-except.*", "cloudfront.QueryStringNames.Items[]"),
];

pub(super) const COOKIES: &[ApiRow] = &[
    ("", NO_MEMBER),
    ("only", "cloudfront.CookieNames.Items"),
    ("only.*", "cloudfront.CookieNames.Items[]"),
    ("all-except", "cloudfront.CookieNames.Items"),
    ("all-except.*", "cloudfront.CookieNames.Items[]"),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS), ("query_strings", QUERIES), ("cookies", COOKIES)],
    replace_on: &["name"],
    identity: &["name"],
    exact: &["headers", "query_strings", "cookies"],
    disruptive: &["headers", "query_strings", "cookies"],
    mark: Some("comment mark"),
    attributes: &["id"],
    id: POLICY,
    naming: Naming::BY_ID,
    label: &["name", "comment"],
    ..on_aws::<CachePolicySpec>("cache-policy", "CloudFront cache policy")
};
