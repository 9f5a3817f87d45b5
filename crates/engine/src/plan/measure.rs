//! The registry of measures for criteria. A plan with an unknown measure is rejected at that place.

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
    /// Counts the replicas of the embedding server on the devices whose model runs on a GPU, as each of them says.
    GpuReplicas,
    /// Counts the Grafana dashboards that were deployed.
    Dashboards,
    /// The use of the GPUs of the devices, in percent, as tegrastats shows it now.
    GpuUse,
    /// The size of the largest object of the state that fits, in MB.
    FileMegabytes,
    /// Whether the report was written: by the report itself.
    ReportWritten,
    /// A verb measures it (`validate latency`); its latest finding counts.
    Measured(&'static str),
}

/// One measure.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: &'static str,
    probe: Probe,
}

const fn now(name: &'static str, probe: Probe) -> Row {
    Row { name, probe }
}

const fn measured(name: &'static str, verb: &'static str) -> Row {
    Row { name, probe: Probe::Measured(verb) }
}

/// Every measure, by name.
static TABLE: &[Row] = &[
    measured("availability.ratio", "validate cdn"),
    measured("browser.engines_passed", "validate browser"),
    measured("browser.inference_cold_p95", "validate browser"),
    measured("browser.inference_warm_p95", "validate browser"),
    measured("browser.load", "validate browser"),
    measured("browser.memory", "validate browser"),
    measured("browser.webgpu_passed", "validate browser"),
    measured("cdn.cache_hit_rate", "validate cdn"),
    measured("cdn.deployed", "validate cdn"),
    measured("cdn.origin_regions", "validate cdn"),
    measured("cdn.viewer_hit_rate", "validate cdn"),
    measured("cost.month", "validate cost"),
    measured("dns.leads_to_distribution", "validate dns"),
    measured("edge.function.duration_p95", "validate edge"),
    measured("edge.requests_ok", "validate edge"),
    measured("failover.client", "validate failover"),
    measured("failover.detection", "validate failover"),
    now("jetson.devices_provisioned", Probe::DevicesProvisioned),
    now("jetson.gpu_replicas", Probe::GpuReplicas),
    now("jetson.gpu_use", Probe::GpuUse),
    measured("jetson.latency_p95", "validate load"),
    now("jetson.nodes_ready", Probe::NodesReady),
    measured("jetson.throughput", "validate load"),
    measured("latency.p95", "validate latency"),
    measured("latency.p99", "validate latency"),
    measured("latency.regions_measured", "validate latency"),
    measured("load.throughput", "validate latency --regions"),
    measured("metadata.lag", "validate metadata"),
    now("models.file_mb", Probe::FileMegabytes),
    now("observability.dashboards_present", Probe::Dashboards),
    measured("offline.models_verified", "validate offline"),
    measured("page.status", "validate browser"),
    measured("regions.healthy", "validate dns"),
    measured("replication.lag", "validate replication"),
    now("report.written", Probe::ReportWritten),
    now("resources.missing", Probe::Missing),
    now("resources.present", Probe::Present),
];

/// What a criterion measures: a row of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Measure(&'static Row);

/// A name that the registry does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown measure {name:?}; known: {known}")]
pub struct UnknownMeasure {
    /// The name.
    pub name: String,
    known: String,
}

impl Measure {
    /// Its name in a plan.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// How it is taken.
    pub const fn probe(self) -> Probe {
        self.0.probe
    }
}

fn names() -> String {
    TABLE.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}

impl TryFrom<String> for Measure {
    type Error = UnknownMeasure;

    fn try_from(name: String) -> Result<Self, UnknownMeasure> {
        match TABLE.iter().find(|row| row.name == name) {
            Some(row) => Ok(Self(row)),
            None => Err(UnknownMeasure { name, known: names() }),
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
        assert_eq!(read("resources.present").map(Measure::probe), Ok(Probe::Present));
        assert_eq!(read("latency.p95").map(Measure::probe), Ok(Probe::Measured("validate latency")));
        let unknown = read("latency.p96").expect_err("it is in no row").to_string();
        assert!(
            unknown.contains("resources.missing, resources.present") && unknown.contains("latency.p95"),
            "{unknown}"
        );
    }
}
