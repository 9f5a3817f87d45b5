//! Names: the zone, load balancers, health checks, record sets, certificates, the cutover.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::resource::load_balancer::LoadBalancerSpec;
use crate::resource::records::{Alias, GeoLocation};

/// Everything about names. A plan may have several of these; what one of them names, the others may use.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingStep {
    /// The hosted zone.
    #[serde(default)]
    pub zone: Option<ZonePlan>,
    /// Load balancers that are looked up, by name in the plan.
    #[serde(default)]
    pub load_balancers: BTreeMap<String, LoadBalancerSpec>,
    /// Health checks by name in the plan.
    #[serde(default)]
    pub health_checks: BTreeMap<String, HealthCheckPlan>,
    /// Latency routing, by name in the plan.
    #[serde(default)]
    pub latency: BTreeMap<String, LatencyPlan>,
    /// Geolocation routing, by name in the plan.
    #[serde(default)]
    pub geo: BTreeMap<String, GeoPlan>,
    /// Other record sets, in named groups; each group is one transaction.
    #[serde(default)]
    pub records: BTreeMap<String, Vec<RecordPlan>>,
}

/// The hosted zone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ZonePlan {
    /// Domain name.
    pub name: String,
    /// Comment.
    #[serde(default)]
    pub comment: Option<String>,
    /// Tags besides the tool's own.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// A health check.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheckPlan {
    /// Host to check; a relative name is below the zone.
    pub host: String,
    /// `HTTPS` or `HTTP`.
    #[serde(default = "https")]
    pub protocol: String,
    /// Port.
    #[serde(default = "port_443")]
    pub port: i32,
    /// Path.
    #[serde(default = "ready")]
    pub path: String,
    /// 10 or 30 seconds; cannot be changed later.
    #[serde(default = "thirty")]
    pub interval_seconds: i32,
    /// Failures in a row until unhealthy.
    #[serde(default = "three")]
    pub failure_threshold: i32,
    /// Text that must be in the first 5,120 bytes of the answer.
    #[serde(default)]
    pub search_string: Option<String>,
    /// Whether the result is inverted.
    #[serde(default)]
    pub inverted: Option<bool>,
    /// Whether the check is disabled; a disabled check counts as healthy.
    #[serde(default)]
    pub disabled: Option<bool>,
    /// Regions that check, at least three; default: all of Route 53's regions.
    #[serde(default)]
    pub regions: Option<Vec<String>>,
    /// Tags besides the tool's own.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// Latency routing: the answer is the region that is nearest by network time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencyPlan {
    /// Name below the zone.
    pub name: String,
    /// Load balancers, by name in the plan.
    pub targets: Vec<String>,
    /// Health checks of the targets: load balancer to health check. Without one, the load balancer's own target health is used.
    #[serde(default)]
    pub health_checks: BTreeMap<String, String>,
    /// Also makes `<prefix><target>` for each target, e.g. `origin-us-east-1`.
    #[serde(default)]
    pub regional_prefix: Option<String>,
}

/// Geolocation routing over failover pairs: each place has a first region and one that takes over, since Route 53 itself
/// never moves a place to its neighbor.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeoPlan {
    /// Name below the zone.
    pub name: String,
    /// Continent code to load balancers, the first one first.
    pub continents: BTreeMap<String, Vec<String>>,
    /// Load balancers for all other locations, selected by latency.
    pub default: Vec<String>,
    /// Health checks of the targets: load balancer to health check.
    #[serde(default)]
    pub health_checks: BTreeMap<String, String>,
}

/// A record set, written out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordPlan {
    /// Name below the zone; `@` for the zone itself. One that ends with a dot is a full name.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// Set identifier.
    #[serde(default)]
    pub set_identifier: Option<String>,
    /// Seconds to live.
    #[serde(default)]
    pub ttl: Option<i64>,
    /// Values. Texts (TXT) need no quotation marks: they are quoted and split as Route 53 requires.
    #[serde(default)]
    pub values: Vec<String>,
    /// Alias to a load balancer of the plan.
    #[serde(default)]
    pub load_balancer: Option<String>,
    /// Alias to another name of the zone.
    #[serde(default)]
    pub same_zone: Option<String>,
    /// Alias to the distribution of the plan.
    #[serde(default)]
    pub distribution: bool,
    /// Alias, written out.
    #[serde(default)]
    pub alias: Option<Alias>,
    /// Whether an alias follows its target's health.
    #[serde(default)]
    pub evaluate_target_health: Option<bool>,
    /// Geolocation.
    #[serde(default)]
    pub geolocation: Option<GeoLocation>,
    /// Latency region.
    #[serde(default)]
    pub latency_region: Option<String>,
    /// `PRIMARY` or `SECONDARY`.
    #[serde(default)]
    pub failover: Option<String>,
    /// Weight.
    #[serde(default)]
    pub weight: Option<i64>,
    /// One of several sets of the name that are answered together while they are healthy (multivalue answers).
    #[serde(default)]
    pub multivalue: bool,
    /// Health check of the plan, or an id.
    #[serde(default)]
    pub health_check: Option<String>,
}

/// Certificates.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificatesStep {
    /// The certificates by name in the plan.
    pub certificates: BTreeMap<String, CertificatePlan>,
}

/// One certificate.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificatePlan {
    /// Region.
    pub region: String,
    /// Main domain.
    pub domain: String,
    /// Further names.
    #[serde(default)]
    pub alternative_names: Vec<String>,
    /// Tags besides the tool's own.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// Sends a name to the distribution.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CutoverStep {
    /// The geolocation routing whose record sets are replaced, by name in the plan.
    pub replaces: String,
    /// Where the name points afterwards.
    pub to: CutoverTarget,
}

/// Target of a cutover.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum CutoverTarget {
    /// To the distribution.
    Distribution,
    /// To a latency routing of the plan, straight to the origins.
    Latency(String),
    /// Back to the geolocation records.
    Geo,
    /// This share of the answers, in percent, to the distribution, and the others where they led before: what `route cutover --gate`
    /// goes through.
    Split(u8),
}

fn https() -> String {
    "HTTPS".to_owned()
}

const fn port_443() -> i32 {
    443
}

fn ready() -> String {
    "/ready".to_owned()
}

const fn thirty() -> i32 {
    30
}

const fn three() -> i32 {
    3
}
