//! What a step wants: one variant for each area of the tool.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::cdn::CdnStep;
use super::edge::EdgeFunctionStep;
use super::jetson::{JetsonAppStep, JetsonStep};
use super::models::{ModelsStep, PageStep};
use super::routing::{CertificatesStep, CutoverStep, RoutingStep};

/// What a step wants.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "with", rename_all = "kebab-case")]
pub enum Work {
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

impl Work {
    /// Deserialises `with` by `kind`, so that an error keeps its path.
    ///
    /// # Errors
    /// The path below `with` and what is wrong there.
    pub fn read(kind: &str, with: &Value) -> Result<Self, (String, String)> {
        Ok(match kind {
            "models" => Self::Models(typed(with)?),
            "page" => Self::Page(typed(with)?),
            "edge-function" => Self::EdgeFunction(typed(with)?),
            "routing" => Self::Routing(typed(with)?),
            "certificates" => Self::Certificates(typed(with)?),
            "cdn" => Self::Cdn(Box::new(typed(with)?)),
            "cutover" => Self::Cutover(typed(with)?),
            "jetson" => Self::Jetson(Box::new(typed(with)?)),
            "jetson-app" => Self::JetsonApp(Box::new(typed(with)?)),
            "later" => Self::Later(typed(with)?),
            other => return Err((String::new(), format!("there is no kind of step {other:?}"))),
        })
    }

    /// The area that its resources live in: what `deploy AREA` selects.
    pub const fn area(&self) -> &'static str {
        match self {
            Self::Models(_) => "models",
            Self::Page(_) => "page",
            Self::EdgeFunction(_) => "edge",
            Self::Routing(_) | Self::Certificates(_) | Self::Cutover(_) => "routing",
            Self::Cdn(_) => "cdn",
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
