//! The settings of a step: one variant for each area of the tool.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::cdn::CdnStep;
use super::closing::{JetsonShutdownStep, ReportStep};
use super::edge::EdgeFunctionStep;
use super::jetson::{JetsonAppStep, JetsonStep};
use super::kubernetes::KubernetesStep;
use super::metadata::MetadataStep;
use super::models::{ModelsStep, PageStep};
use super::observability::ObservabilityStep;
use super::queues::QueuesStep;
use super::routing::{CertificatesStep, CutoverStep, RoutingStep};
use super::shape::{Misfit, Node};
use super::validation::Validation;

/// What a step wants.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "with", rename_all = "kebab-case")]
pub enum StepConfig {
    /// Buckets, models in them, replication.
    Models(ModelsStep),
    /// A page in a bucket.
    Page(PageStep),
    /// The function at the edge.
    EdgeFunction(EdgeFunctionStep),
    /// Zone, load balancers, health checks, record sets.
    Routing(RoutingStep),
    /// Certificates with DNS validation.
    Certificates(CertificatesStep),
    /// The distribution and its policies.
    Cdn(Box<CdnStep>),
    /// Points a DNS name at the distribution, in one change batch.
    Cutover(CutoverStep),
    /// Queues.
    Queues(QueuesStep),
    /// Buckets of the metadata database, and its model registry.
    Metadata(MetadataStep),
    /// Objects of a Kubernetes cluster.
    Kubernetes(Box<KubernetesStep>),
    /// Devices over SSH and the cluster that they form: `jetson provision`.
    Jetson(Box<JetsonStep>),
    /// What runs on the devices: `jetson deploy`.
    JetsonApp(Box<JetsonAppStep>),
    /// A measurement of the stack, compared with the plan: `validate`.
    Validate(Box<Validation>),
    /// Grafana dashboards and Prometheus rules in a Kubernetes cluster: `deploy observability`.
    Observability(Box<ObservabilityStep>),
    /// Devices drained and shut down: `jetson shutdown`, which records what it did.
    JetsonShutdown(JetsonShutdownStep),
    /// The report of the plan: `report`.
    Report(ReportStep),
}

/// How the settings of a step become its work; the error is the first thing that does not fit.
pub type ParseStep = fn(Node<'_>) -> Result<StepConfig, Misfit>;

/// The kinds of steps, each with how it is read.
const KINDS: &[(&str, ParseStep)] = &[
    ("models", |with| Ok(StepConfig::Models(Deserialize::deserialize(with)?))),
    ("page", |with| Ok(StepConfig::Page(Deserialize::deserialize(with)?))),
    ("edge-function", |with| Ok(StepConfig::EdgeFunction(Deserialize::deserialize(with)?))),
    ("routing", |with| Ok(StepConfig::Routing(Deserialize::deserialize(with)?))),
    ("certificates", |with| Ok(StepConfig::Certificates(Deserialize::deserialize(with)?))),
    ("cdn", |with| Ok(StepConfig::Cdn(Box::new(Deserialize::deserialize(with)?)))),
    ("cutover", |with| Ok(StepConfig::Cutover(Deserialize::deserialize(with)?))),
    ("queues", |with| Ok(StepConfig::Queues(Deserialize::deserialize(with)?))),
    ("metadata", |with| Ok(StepConfig::Metadata(Deserialize::deserialize(with)?))),
    ("kubernetes", |with| Ok(StepConfig::Kubernetes(Box::new(Deserialize::deserialize(with)?)))),
    ("jetson", |with| Ok(StepConfig::Jetson(Box::new(Deserialize::deserialize(with)?)))),
    ("jetson-app", |with| Ok(StepConfig::JetsonApp(Box::new(Deserialize::deserialize(with)?)))),
    ("validate", |with| Ok(StepConfig::Validate(Box::new(Deserialize::deserialize(with)?)))),
    ("observability", |with| Ok(StepConfig::Observability(Box::new(Deserialize::deserialize(with)?)))),
    ("jetson-shutdown", |with| Ok(StepConfig::JetsonShutdown(Deserialize::deserialize(with)?))),
    ("report", |with| Ok(StepConfig::Report(Deserialize::deserialize(with)?))),
];

impl StepConfig {
    /// The kinds of steps that a plan may have.
    pub fn kinds() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|(kind, _)| *kind)
    }

    /// How the settings of a kind of step are read; nothing when there is no such kind.
    pub fn reader(kind: &str) -> Option<ParseStep> {
        KINDS.iter().find(|(known, _)| *known == kind).map(|(_, read)| *read)
    }

    /// Whether its resources belong to the graph of devices, which has a journal of its own; none for a step that wants none
    /// itself.
    pub const fn is_of_devices(&self) -> Option<bool> {
        match self {
            Self::Models(_)
            | Self::Page(_)
            | Self::EdgeFunction(_)
            | Self::Routing(_)
            | Self::Certificates(_)
            | Self::Cdn(_)
            | Self::Queues(_)
            | Self::Metadata(_)
            | Self::Kubernetes(_)
            | Self::Observability(_)
            | Self::Cutover(_) => Some(false),
            Self::Jetson(_) | Self::JetsonApp(_) => Some(true),
            Self::Validate(_) | Self::JetsonShutdown(_) | Self::Report(_) => None,
        }
    }

    /// The area that its resources live in: what `deploy AREA` selects.
    pub const fn area(&self) -> &'static str {
        match self {
            Self::Models(_) => "models",
            Self::Page(_) => "page",
            Self::EdgeFunction(_) => "edge",
            Self::Routing(_) | Self::Certificates(_) | Self::Cutover(_) => "routing",
            Self::Cdn(_) => "cdn",
            Self::Queues(_) => "queues",
            Self::Metadata(_) => "metadata",
            Self::Kubernetes(_) => "kubernetes",
            Self::Jetson(_) | Self::JetsonApp(_) => "jetson",
            Self::Validate(_) => "validate",
            Self::Observability(_) => "observability",
            Self::JetsonShutdown(_) => "jetson",
            Self::Report(_) => "report",
        }
    }

    /// The verb that does it, where that is not `deploy`: `validate latency`, `jetson provision`.
    pub fn own_verb(&self) -> Option<String> {
        match self {
            Self::Validate(validation) => Some(format!("validate {}", validation.check())),
            Self::Jetson(_) => Some("jetson provision".to_owned()),
            Self::JetsonApp(_) => Some("jetson deploy".to_owned()),
            Self::JetsonShutdown(_) => Some("jetson shutdown".to_owned()),
            Self::Report(_) => Some("report".to_owned()),
            _ => None,
        }
    }
}

/// Deserializes plain data, with the path of what does not fit.
///
/// # Errors
/// The path and what is wrong there.
pub fn typed<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, (String, String)> {
    serde_path_to_error::deserialize(value).map_err(|bad| {
        let path = bad.path().to_string();
        let path = if path == "." { String::new() } else { path };
        // serde_path_to_error writes list members as [0].
        let path = path.replace('[', ".").replace(']', "").trim_start_matches('.').to_owned();
        (path, bad.into_inner().to_string())
    })
}
