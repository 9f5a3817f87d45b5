//! What a step wants: one variant for each area of the tool.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::cdn::CdnStep;
use super::edge::EdgeFunctionStep;
use super::jetson::{JetsonAppStep, JetsonStep};
use super::kubernetes::KubernetesStep;
use super::models::{ModelsStep, PageStep};
use super::queues::QueuesStep;
use super::routing::{CertificatesStep, CutoverStep, RoutingStep};

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
    /// Sends a name to the distribution, in one transaction.
    Cutover(CutoverStep),
    /// Queues.
    Queues(QueuesStep),
    /// Objects of a Kubernetes cluster.
    Kubernetes(Box<KubernetesStep>),
    /// Devices over SSH and the cluster that they form: `jetson provision`.
    Jetson(Box<JetsonStep>),
    /// What runs on the devices: `jetson deploy`.
    JetsonApp(Box<JetsonAppStep>),
    /// Something that another verb does; it is reported with that verb, or as not available yet.
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

/// How the settings of a step become its work; the error is the path below `with` and what is wrong there.
pub type ParseStep = fn(&Value) -> Result<StepConfig, (String, String)>;

/// The kinds of steps, each with how it is read.
const KINDS: &[(&str, ParseStep)] = &[
    ("models", |with| Ok(StepConfig::Models(typed(with)?))),
    ("page", |with| Ok(StepConfig::Page(typed(with)?))),
    ("edge-function", |with| Ok(StepConfig::EdgeFunction(typed(with)?))),
    ("routing", |with| Ok(StepConfig::Routing(typed(with)?))),
    ("certificates", |with| Ok(StepConfig::Certificates(typed(with)?))),
    ("cdn", |with| Ok(StepConfig::Cdn(Box::new(typed(with)?)))),
    ("cutover", |with| Ok(StepConfig::Cutover(typed(with)?))),
    ("queues", |with| Ok(StepConfig::Queues(typed(with)?))),
    ("kubernetes", |with| Ok(StepConfig::Kubernetes(Box::new(typed(with)?)))),
    ("jetson", |with| Ok(StepConfig::Jetson(Box::new(typed(with)?)))),
    ("jetson-app", |with| Ok(StepConfig::JetsonApp(Box::new(typed(with)?)))),
    ("later", |with| Ok(StepConfig::Later(typed(with)?))),
];

impl StepConfig {
    /// The kinds of steps that a plan may have.
    pub fn kinds() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|(kind, _)| *kind)
    }

    /// Deserialises `with` by `kind`, so that an error keeps its path.
    ///
    /// # Errors
    /// The path below `with` and what is wrong there.
    pub fn read(kind: &str, with: &Value) -> Result<Self, (String, String)> {
        let unknown = || Err((String::new(), format!("there is no kind of step {kind:?}")));
        Self::reader(kind).map_or_else(unknown, |read| read(with))
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
            | Self::Kubernetes(_)
            | Self::Cutover(_) => Some(false),
            Self::Jetson(_) | Self::JetsonApp(_) => Some(true),
            Self::Later(_) => None,
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
            Self::Kubernetes(_) => "kubernetes",
            Self::Jetson(_) | Self::JetsonApp(_) => "jetson",
            Self::Later(_) => "later",
        }
    }
}

/// Deserialises plain data, with the path of what does not fit.
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
