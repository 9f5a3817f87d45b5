//! Steps that create queues.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::resource::queue::QueueSpec;

/// Queues, and where their dead letters go.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueuesStep {
    /// The queues by name in the plan.
    pub queues: BTreeMap<String, QueueSpec>,
}
