//! What a criterion may measure: one registry. A plan that names anything else is refused where it names it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// How a measure is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Counts the resources of the state that are there.
    Present,
    /// Counts the resources of the plan that are not there.
    Missing,
    /// Counts the nodes that the cluster calls ready.
    NodesReady,
    /// Counts the devices that run the plan's JetPack and are nodes of the cluster.
    DevicesProvisioned,
    /// A verb measures it (`validate latency`); its latest finding counts.
    Measured(&'static str),
}

/// One measure.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: &'static str,
    /// How it is taken; none: it is planned, and no version can measure it yet.
    probe: Option<Probe>,
}

const fn now(name: &'static str, probe: Probe) -> Row {
    Row { name, probe: Some(probe) }
}

const fn measured(name: &'static str, verb: &'static str) -> Row {
    Row { name, probe: Some(Probe::Measured(verb)) }
}

const fn later(name: &'static str) -> Row {
    Row { name, probe: None }
}

/// Every measure, by name.
static TABLE: &[Row] = &[
    later("availability.ratio"),
    later("browser.engines_passed"),
    later("browser.inference_cold_p95"),
    later("browser.inference_warm_p95"),
    later("browser.load"),
    later("browser.memory"),
    later("browser.webgpu_passed"),
    measured("cdn.cache_hit_rate", "validate cdn"),
    measured("cdn.deployed", "validate cdn"),
    later("cdn.origin_regions"),
    later("cost.month"),
    measured("dns.leads_to_distribution", "validate dns"),
    later("edge.function.duration_p95"),
    later("edge.requests_ok"),
    measured("failover.client", "validate failover"),
    measured("failover.detection", "validate failover"),
    now("jetson.devices_provisioned", Probe::DevicesProvisioned),
    later("jetson.gpu_replicas"),
    later("jetson.gpu_use"),
    measured("jetson.latency_p95", "validate load"),
    now("jetson.nodes_ready", Probe::NodesReady),
    measured("jetson.throughput", "validate load"),
    measured("latency.p95", "validate latency"),
    measured("latency.p99", "validate latency"),
    measured("latency.regions_measured", "validate latency"),
    later("load.throughput"),
    later("metadata.lag"),
    later("models.file_mb"),
    later("observability.dashboards_present"),
    later("offline.models_verified"),
    later("page.status"),
    later("regions.healthy"),
    measured("replication.lag", "validate replication"),
    later("report.written"),
    now("resources.missing", Probe::Missing),
    now("resources.present", Probe::Present),
];

/// What a criterion measures: a row of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Measure(&'static Row);

/// A name that the registry does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown measure {name:?}; this version measures {measured}; planned and not measured yet: {planned}")]
pub struct UnknownMeasure {
    /// The name.
    pub name: String,
    measured: String,
    planned: String,
}

impl Measure {
    /// Its name in a plan.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// How it is taken; none: no version can measure it yet.
    pub const fn probe(self) -> Option<Probe> {
        self.0.probe
    }
}

/// The names of the measures that this version takes, or of those that it does not.
fn names(measured: bool) -> String {
    let rows = TABLE.iter().filter(|row| row.probe.is_some() == measured);
    rows.map(|row| row.name).collect::<Vec<_>>().join(", ")
}

impl TryFrom<String> for Measure {
    type Error = UnknownMeasure;

    fn try_from(name: String) -> Result<Self, UnknownMeasure> {
        match TABLE.iter().find(|row| row.name == name) {
            Some(row) => Ok(Self(row)),
            None => Err(UnknownMeasure { name, measured: names(true), planned: names(false) }),
        }
    }
}

impl From<Measure> for String {
    fn from(measure: Measure) -> Self {
        measure.name().to_owned()
    }
}

impl JsonSchema for Measure {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Measure".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
        json_schema!({"type": "string", "enum": names})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_in_order() {
        assert!(TABLE.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn a_measure_is_known_by_its_name() {
        let read = |name: &str| Measure::try_from(name.to_owned());
        assert_eq!(read("resources.present").map(Measure::probe), Ok(Some(Probe::Present)));
        assert_eq!(read("latency.p95").map(Measure::probe), Ok(Some(Probe::Measured("validate latency"))));
        assert_eq!(read("cost.month").map(Measure::probe), Ok(None));
        let unknown = read("latency.p96").expect_err("it is in no row").to_string();
        assert!(
            unknown.contains("resources.missing, resources.present") && unknown.contains("latency.p95"),
            "{unknown}"
        );
    }
}
