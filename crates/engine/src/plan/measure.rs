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
    /// How it is taken; or why no version measures it yet.
    probe: Result<Probe, &'static str>,
}

const fn now(name: &'static str, probe: Probe) -> Row {
    Row { name, probe: Ok(probe) }
}

const fn measured(name: &'static str, verb: &'static str) -> Row {
    Row { name, probe: Ok(Probe::Measured(verb)) }
}

const fn later(name: &'static str, why: &'static str) -> Row {
    Row { name, probe: Err(why) }
}

/// Every measure, by name.
static TABLE: &[Row] = &[
    later("availability.ratio", "no check watches for as long as a month"),
    measured("browser.engines_passed", "validate browser"),
    measured("browser.inference_cold_p95", "validate browser"),
    measured("browser.inference_warm_p95", "validate browser"),
    measured("browser.load", "validate browser"),
    measured("browser.memory", "validate browser"),
    measured("browser.webgpu_passed", "validate browser"),
    measured("cdn.cache_hit_rate", "validate cdn"),
    measured("cdn.deployed", "validate cdn"),
    later("cdn.origin_regions", "no check counts the regions behind the origins of a distribution"),
    measured("cdn.viewer_hit_rate", "validate cdn"),
    later("cost.month", "no check reads the bills of the account"),
    measured("dns.leads_to_distribution", "validate dns"),
    measured("edge.function.duration_p95", "validate edge"),
    measured("edge.requests_ok", "validate edge"),
    measured("failover.client", "validate failover"),
    measured("failover.detection", "validate failover"),
    now("jetson.devices_provisioned", Probe::DevicesProvisioned),
    later(
        "jetson.gpu_replicas",
        "no check asks each replica which device runs its model; its GET /models shows execution_provider",
    ),
    now("jetson.gpu_use", Probe::GpuUse),
    measured("jetson.latency_p95", "validate load"),
    now("jetson.nodes_ready", Probe::NodesReady),
    measured("jetson.throughput", "validate load"),
    measured("latency.p95", "validate latency"),
    measured("latency.p99", "validate latency"),
    measured("latency.regions_measured", "validate latency"),
    later("load.throughput", "validate load puts load on one host, not on all regions at once"),
    later("metadata.lag", "no check reads the lag of the replicas"),
    now("models.file_mb", Probe::FileMegabytes),
    later("observability.dashboards_present", "no check asks Grafana"),
    later("offline.models_verified", "no check downloads the models of GET /api/v1/models/offline"),
    measured("page.status", "validate browser"),
    later("regions.healthy", "Route 53's status of health checks is read by validate failover alone, while it watches"),
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

    /// How it is taken.
    ///
    /// # Errors
    /// Why no version can measure it yet.
    pub const fn probe(self) -> Result<Probe, &'static str> {
        self.0.probe
    }
}

/// The names of the measures that this version takes, or of those that it does not.
fn names(measured: bool) -> String {
    let rows = TABLE.iter().filter(|row| row.probe.is_ok() == measured);
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
        assert_eq!(read("resources.present").map(Measure::probe), Ok(Ok(Probe::Present)));
        assert_eq!(read("latency.p95").map(Measure::probe), Ok(Ok(Probe::Measured("validate latency"))));
        assert!(read("cost.month").is_ok_and(|measure| measure.probe().is_err_and(|why| why.contains("bills"))));
        let unknown = read("latency.p96").expect_err("it is in no row").to_string();
        assert!(
            unknown.contains("resources.missing, resources.present") && unknown.contains("latency.p95"),
            "{unknown}"
        );
    }
}
