//! Extra metrics of a distribution.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Kind;
use super::id_form::{self, IdForm, IdPart};
use super::kind_facts::{KindFacts, NO_MEMBER, on_aws};

/// Without it CloudWatch has no `CacheHitRate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitoringSpec {
    /// Distribution id.
    pub distribution_id: String,
}

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", &[("distribution_id", NO_MEMBER)])],
    replace_on: &["distribution_id"],
    identity: &["distribution_id"],
    mark: None,
    id: IdForm {
        words: "the distribution's ID",
        example: "EDFDVBD6EXAMPLE",
        read: id_form::cloudfront,
        made_of: &[IdPart::Setting("distribution_id")],
    },
    label: &[],
    identity_rank: 1,
    part_of: Some(Kind::Distribution),
    ..on_aws::<MonitoringSpec>("monitoring", "CloudFront metrics subscription")
};
