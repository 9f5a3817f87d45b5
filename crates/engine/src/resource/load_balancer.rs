//! An existing application load balancer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id_form::IdForm;
use super::kind_facts::{ApiRow, KindFacts, NO_MEMBER, on_aws};

/// How a load balancer is found: by name, or by tags that just one carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancerSpec {
    /// Region.
    pub region: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Tags of the resource.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

const SETTINGS: &[ApiRow] = &[
    ("region", NO_MEMBER),
    ("name", "elbv2.DescribeLoadBalancersInput.Names[]"),
    ("tags.~", NO_MEMBER),
    ("tags.*", NO_MEMBER),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS)],
    lookup: true,
    mark: None,
    attributes: &["arn", "dns_name", "zone_id", "name"],
    id: IdForm { words: "nothing: a load balancer is only looked up", ..IdForm::NONE },
    ..on_aws::<LoadBalancerSpec>("load-balancer", "load balancer")
};
