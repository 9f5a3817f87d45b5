//! An object of a Kubernetes cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::facts::{Facts, World, on_device};
use super::words::{self, Look, Sound, Wrong};

/// An object, applied by the server with our field manager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestSpec {
    /// The name of its cluster.
    pub cluster: String,
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Namespace; none for what lies in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// The rest of the object, without the fields above and without status.
    pub object: Value,
    /// When it counts as usable.
    #[serde(default)]
    pub ready: Readiness,
}

/// When an object counts as usable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Readiness {
    /// As soon as the API server has taken it.
    #[default]
    Taken,
    /// All its pods of the newest revision are available (Deployment, DaemonSet, StatefulSet).
    RolledOut,
    /// The job is complete and its log has this text.
    Logged(String),
}

impl Sound for ManifestSpec {
    fn wrong(&self) -> Vec<Wrong> {
        let mut look = Look::default();
        look.must("kind", &self.kind, words::api(&self.kind), words::API);
        look.must("api_version", &self.api_version, words::api(&self.api_version), words::API);
        look.must("name", &self.name, words::object_name(&self.name), words::OBJECT_NAME);
        if let Some(namespace) = &self.namespace {
            look.must("namespace", namespace, words::label(namespace), words::OBJECT_NAME);
        }
        if let Readiness::Logged(text) = &self.ready {
            look.must("proof_says", text, !text.is_empty() && words::line(text), words::LINE);
        }
        images(&self.object, &mut look);
        look.done()
    }
}

/// Every image that its containers run.
fn images(value: &Value, look: &mut Look) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| match (key.as_str(), value) {
            ("image", Value::String(image)) => look.must("image", image, words::image(image), words::IMAGE),
            (_, value) => images(value, look),
        }),
        Value::Array(items) => items.iter().for_each(|item| images(item, look)),
        _ => {}
    }
}

pub(super) const FACTS: Facts = Facts {
    replace_on: &["cluster", "api_version", "kind", "namespace", "name"],
    identity: &["cluster", "api_version", "kind", "namespace", "name"],
    usual_seconds: (5, 5),
    world: World::Cluster,
    ..on_device::<ManifestSpec>("manifest", "Kubernetes object")
};
