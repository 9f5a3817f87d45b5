//! The settings of a step: one variant for each area of the tool.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::cdn::CdnStep;
use super::edge::EdgeFunctionStep;
use super::jetson::{JetsonAppStep, JetsonStep};
use super::kubernetes::KubernetesStep;
use super::metadata::MetadataStep;
use super::models::{ModelsStep, PageStep};
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
    /// A placeholder for work that another verb does, or that is not available yet; it is only reported.
    Later(LaterStep),
}

/// A step of a verb that is run separately, or that comes later.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaterStep {
    /// The verb that does it, e.g. `jetson provision`.
    pub verb: String,
    /// Its settings, kept as they are.
    #[serde(default)]
    pub settings: Map<String, Value>,
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
    ("later", |with| Ok(StepConfig::Later(Deserialize::deserialize(with)?))),
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
            | Self::Cutover(_) => Some(false),
            Self::Jetson(_) | Self::JetsonApp(_) => Some(true),
            Self::Validate(_) | Self::Later(_) => None,
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
            Self::Later(_) => "later",
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
