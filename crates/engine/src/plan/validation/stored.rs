//! Checks of what is stored and paid: models for offline use, the metadata database, the cost of a month.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Models that are downloaded to be used without a network.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfflineCheck {
    /// The host (and port) of the server, or of the distribution in front of it.
    pub host: String,
    /// Where the list of models is.
    #[serde(default = "offline_path")]
    pub list_path: String,
    /// The models that have to be in the list; without any, all that are listed are downloaded.
    #[serde(default)]
    pub models: Vec<String>,
}

/// The metadata database in a bucket of each region.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetadataCheck {
    /// The step of kind `metadata` whose buckets are looked at.
    pub step: String,
    /// What the database is below in each bucket, as `replicate metadata --to` has it.
    #[serde(default)]
    pub prefix: String,
    /// The longest time that a bucket may be behind the primary.
    #[serde(default = "five_minutes")]
    pub seconds: u64,
}

/// What a month may cost.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostCheck {
    /// The most, in US dollars.
    pub usd: f64,
    /// What is paid elsewhere for a month, by item in US dollars, such as power and depreciation of devices: it is added to the bill.
    #[serde(default)]
    pub outside_usd: BTreeMap<String, f64>,
}

fn offline_path() -> String {
    "/api/v1/models/offline".to_owned()
}
const fn five_minutes() -> u64 {
    300
}
