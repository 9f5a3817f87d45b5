//! Steps that measure the stack and compare it with the plan: what `validate` runs. They make no resources.

mod stored;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use stored::{CostCheck, MetadataCheck, OfflineCheck};

/// What one step of kind `validate` checks: exactly one of these.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Validation {
    /// Latency from regions.
    Latency(LatencyCheck),
    /// Load on devices or on a URL.
    Load(LoadCheck),
    /// What clients see while a region is down.
    Failover(FailoverCheck),
    /// How soon an object reaches the bucket that it is replicated to.
    Replication(ReplicationCheck),
    /// The distribution: deployed, its function active, its cache hit rate.
    Cdn(CdnCheck),
    /// Which target each continent is routed to.
    Dns(DnsCheck),
    /// Requests through the function at the edge.
    Edge(EdgeCheck),
    /// Embedding in real browsers.
    Browser(BrowserCheck),
    /// A server before it receives traffic: its health, an embedding, its models, its metrics, its GPU.
    Production(ProductionCheck),
    /// Models for browsers and for machines without a network: listed, and downloaded with a true hash.
    Offline(OfflineCheck),
    /// How far the metadata of each region is behind its primary.
    Metadata(MetadataCheck),
    /// What the account pays for a month.
    Cost(CostCheck),
    /// The checklist for the end of a week.
    Checklist(ChecklistCheck),
}

impl Validation {
    /// The word after `validate` that runs it.
    pub const fn check(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::Load(_) => "load",
            Self::Failover(_) => "failover",
            Self::Replication(_) => "replication",
            Self::Cdn(_) => "cdn",
            Self::Dns(_) => "dns",
            Self::Edge(_) => "edge",
            Self::Browser(_) => "browser",
            Self::Production(_) => "production",
            Self::Offline(_) => "offline",
            Self::Metadata(_) => "metadata",
            Self::Cost(_) => "cost",
            Self::Checklist(_) => "checklist",
        }
    }

    /// The settings, when it measures latency.
    pub const fn latency(&self) -> Option<&LatencyCheck> {
        if let Self::Latency(check) = self { Some(check) } else { None }
    }

    /// The settings, when it puts load on something.
    pub const fn load(&self) -> Option<&LoadCheck> {
        if let Self::Load(check) = self { Some(check) } else { None }
    }

    /// The settings, when it looks at a distribution.
    pub const fn cdn(&self) -> Option<&CdnCheck> {
        if let Self::Cdn(check) = self { Some(check) } else { None }
    }

    /// The settings, when it compares answers of DNS.
    pub const fn dns(&self) -> Option<&DnsCheck> {
        if let Self::Dns(check) = self { Some(check) } else { None }
    }

    /// The settings, when it watches regions fail.
    pub const fn failover(&self) -> Option<&FailoverCheck> {
        if let Self::Failover(check) = self { Some(check) } else { None }
    }

    /// The settings, when it writes objects to see them replicated.
    pub const fn replication(&self) -> Option<&ReplicationCheck> {
        if let Self::Replication(check) = self { Some(check) } else { None }
    }

    /// The settings, when it sends requests through the function at the edge.
    pub const fn edge(&self) -> Option<&EdgeCheck> {
        if let Self::Edge(check) = self { Some(check) } else { None }
    }

    /// The settings, when it embeds in browsers.
    pub const fn browser(&self) -> Option<&BrowserCheck> {
        if let Self::Browser(check) = self { Some(check) } else { None }
    }

    /// The settings, when it looks at a server before it takes traffic.
    pub const fn production(&self) -> Option<&ProductionCheck> {
        if let Self::Production(check) = self { Some(check) } else { None }
    }

    /// The settings, when it downloads models.
    pub const fn offline(&self) -> Option<&OfflineCheck> {
        if let Self::Offline(check) = self { Some(check) } else { None }
    }

    /// The settings, when it looks at the metadata of regions.
    pub const fn metadata(&self) -> Option<&MetadataCheck> {
        if let Self::Metadata(check) = self { Some(check) } else { None }
    }

    /// The settings, when it asks what the account pays.
    pub const fn cost(&self) -> Option<&CostCheck> {
        if let Self::Cost(check) = self { Some(check) } else { None }
    }

    /// The settings, when it goes through a list.
    pub const fn checklist(&self) -> Option<&ChecklistCheck> {
        if let Self::Checklist(check) = self { Some(check) } else { None }
    }
}

/// Latency of requests from regions, in time of a client.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencyCheck {
    /// The regions to measure from.
    pub regions: Vec<String>,
    /// The request.
    pub request: RequestPlan,
    /// Requests from each region.
    #[serde(default = "hundred")]
    pub requests: u64,
    /// Requests per second from each region.
    #[serde(default = "twenty")]
    pub rate: f64,
    /// The limits, for each region alone.
    #[serde(default)]
    pub limits: LimitsPlan,
    /// Minimum cache hit rate of GET and HEAD requests, in percent.
    pub cache_hit_percent: Option<f64>,
    /// Minimum throughput over all regions at once: answers a second. The requests are sent at `rate` from each region, so `rate` times
    /// the number of regions has to be more.
    #[serde(default)]
    pub requests_per_second: Option<f64>,
    /// The `subject` of the criteria that this measurement counts for, where a plan has several measurements.
    pub subject: Option<String>,
}

/// Which request is sent.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestPlan {
    /// The host, as clients call it.
    pub host: String,
    /// The path, beginning with a slash.
    pub path: String,
    /// Texts to embed, sent in turn; without any, the path is asked for as it is.
    #[serde(default)]
    pub texts: Vec<String>,
    /// The model that embeds them.
    pub model: Option<String>,
}

/// Limits of percentiles in milliseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsPlan {
    /// Limit of the median.
    pub p50_ms: Option<f64>,
    /// Limit of the 95th percentile.
    pub p95_ms: Option<f64>,
    /// Limit of the 99th percentile.
    pub p99_ms: Option<f64>,
}

/// Load by a number of connections for some time.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadCheck {
    /// The path, beginning with a slash.
    pub path: String,
    /// Texts to embed, sent in turn.
    pub texts: Vec<String>,
    /// The model that embeds them; the server's default when left out.
    pub model: Option<String>,
    /// Connections, over all devices.
    pub connections: u32,
    /// How long, after a tenth of it as a warm-up.
    pub seconds: u64,
    /// Limits of the latency.
    #[serde(default)]
    pub limits: LimitsPlan,
    /// Minimum throughput.
    pub requests_per_second: Option<f64>,
    /// Minimum and maximum utilization of a GPU, in percent.
    pub gpu_percent: Option<(f64, f64)>,
}

/// One region after another is down.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailoverCheck {
    /// The regions; each of them fails once.
    pub regions: Vec<String>,
    /// The name that clients request.
    pub host: String,
    /// Maximum time until a health check reports that a region is down.
    pub detection_seconds: u64,
    /// Time to live of the DNS records in seconds.
    pub record_ttl_seconds: u64,
}

/// An object that is written in one bucket and has to appear in another.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplicationCheck {
    /// The bucket that is written to, by its address in the plan or its name.
    pub from: String,
    /// The bucket in which the object must appear.
    pub to: String,
    /// The address of the replication in the plan: the `subject` of its criteria.
    pub rule: String,
    /// Prefix of the keys of test objects; the rule must cover it.
    #[serde(default)]
    pub prefix: String,
    /// The longest time.
    #[serde(default = "quarter_hour")]
    pub seconds: u64,
    /// Whether the other direction is tested as well.
    #[serde(default)]
    pub bidirectional: bool,
}

/// A distribution.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CdnCheck {
    /// The distribution, by its name in the plan.
    pub distribution: String,
    /// The request that is sent for the hit rate.
    pub request: RequestPlan,
    /// Requests for the hit rate, after one that fills the cache.
    #[serde(default = "thousand")]
    pub requests: u64,
    /// Minimum cache hit rate of GET and HEAD requests, in percent.
    pub cache_hit_percent: f64,
    /// Minimum availability, in percent: viewers' requests that CloudFront answered without status 5xx.
    #[serde(default)]
    pub availability_percent: Option<f64>,
    /// Over how many hours before now the availability is counted.
    #[serde(default = "week")]
    pub availability_hours: u32,
}

/// Where continents are sent.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsCheck {
    /// A name below the zone, or @ for the zone itself.
    pub name: String,
    /// The region that each continent (`EU`), country (`JP`) or state (`US-CA`) must be sent to while all are healthy.
    pub expect: BTreeMap<String, String>,
}

/// Requests through the function at the edge.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EdgeCheck {
    /// The regions to send from.
    pub regions: Vec<String>,
    /// The function, by its name in the plan: the `subject` of its criteria is `edge.function.` with it.
    pub function: Option<String>,
    /// The request. It is sent by POST, which is never cached.
    pub request: RequestPlan,
    /// Requests from each region.
    pub requests: u64,
    /// Maximum 95th percentile of the function's own time.
    pub duration_p95_ms: f64,
    /// Numbers of a vector.
    pub dimension: usize,
}

/// Embedding in browsers.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BrowserCheck {
    /// The page, as visitors open it.
    pub url: Option<String>,
    /// The browsers and their oldest versions.
    pub browsers: BTreeMap<String, u32>,
    /// Threads of the runtime.
    pub threads: u32,
    /// Maximum time until the model is loaded.
    pub load_ms: u64,
    /// Maximum time of the first embedding.
    pub cold_ms: u64,
    /// Maximum time of a further embedding.
    pub warm_ms: u64,
    /// Maximum memory.
    pub memory_mb: u64,
    /// Whether the page must work after a reload without network access.
    pub offline: bool,
}

/// A server before it takes traffic: the six checks of week 5.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductionCheck {
    /// The host (and port) of the server.
    pub host: String,
    /// The model that embeds; the server's default when left out.
    pub model: Option<String>,
    /// Numbers of a vector; as the server lists its model when left out.
    pub dimension: Option<usize>,
    /// Whether the model has to run on a GPU, and TensorRT to find its engines in the cache.
    #[serde(default = "yes")]
    pub gpu: bool,
}

/// The checklist for the end of a week.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChecklistCheck {
    /// Status of the distribution that CloudFront reports.
    pub distribution_status: String,
    /// State of the function that Lambda reports.
    pub function_state: String,
    /// Nodes that are ready.
    pub jetson_nodes: usize,
    /// Geolocation record sets.
    pub geolocation_sets: usize,
    /// Maximum 95th percentile of the latency.
    pub latency_ms: f64,
    /// Minimum cache hit rate, in percent.
    pub cache_hit_percent: f64,
}

const fn hundred() -> u64 {
    100
}

const fn thousand() -> u64 {
    1000
}

const fn yes() -> bool {
    true
}

const fn twenty() -> f64 {
    20.0
}

const fn quarter_hour() -> u64 {
    900
}

const fn week() -> u32 {
    7 * 24
}
