//! An object of a Kubernetes cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::has_references;
use super::kind_facts::{KindFacts, in_cluster};
use super::syntax_check::{self, CheckedSettings, InvalidSetting, SettingsCheck};

/// An object, applied by the server with our field manager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestSpec {
    /// The cluster: the name of a resource of kind `cluster`; else the machine (kind `host`) that runs a k3s server.
    pub cluster: String,
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Namespace; none for what is in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// The rest of the object, without the fields above and without status.
    pub object: Value,
    /// When it counts as usable.
    #[serde(default)]
    pub ready: Readiness,
    /// Fields that other field managers hold are taken over, as `kubectl apply --server-side --force-conflicts` does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force_conflicts: bool,
    /// It may be deleted and made again, although it holds data, when what can never change does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recreate: bool,
}

/// When an object counts as usable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Readiness {
    /// As soon as the API server has taken it.
    #[default]
    Taken,
    /// All its pods of the newest revision are available (Deployment, DaemonSet, StatefulSet); a CustomResourceDefinition: it is
    /// established, so that objects of its kind can be applied.
    RolledOut,
    /// The job is complete and its log has this text.
    Logged(String),
}

/// The group of an API version: `apps` of `apps/v1`, nothing of `v1`.
pub fn api_group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// Which object it is, whatever the version of its API: `CLUSTER:Kind.group/NAMESPACE/NAME`; the core group and objects without a
/// namespace leave their part empty.
pub fn object_key(cluster: &str, group: &str, kind: &str, namespace: Option<&str>, name: &str) -> String {
    format!("{cluster}:{kind}.{group}/{}/{name}", namespace.unwrap_or_default())
}

/// [`object_key`] of the settings of an object; none when they are not those of one.
pub fn key_of(spec: &Value) -> Option<String> {
    let field = |name: &str| spec.get(name).and_then(Value::as_str);
    let group = api_group(field("api_version")?);
    Some(object_key(field("cluster")?, group, field("kind")?, field("namespace"), field("name")?))
}

/// The objects with which Kubernetes deletes others, or data, on its own.
fn holds(spec: &Value) -> Option<&'static str> {
    let field = |name: &str| spec.get(name).and_then(Value::as_str).unwrap_or_default();
    match (api_group(field("api_version")), field("kind")) {
        ("", "Namespace") => Some("objects"),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Some("objects of its kind"),
        ("", "PersistentVolumeClaim") => Some("the data of its volume"),
        _ => None,
    }
}

/// The group whose objects may have other names than DNS allows: `system:node`.
const RBAC: &str = "rbac.authorization.k8s.io";

impl ManifestSpec {
    /// Whether its name is one that the API server takes.
    fn is_named(&self) -> bool {
        syntax_check::object_name(&self.name)
            || api_group(&self.api_version) == RBAC && syntax_check::path_segment(&self.name)
    }
}

impl CheckedSettings for ManifestSpec {
    fn wrong(&self) -> Vec<InvalidSetting> {
        let mut look = SettingsCheck::default();
        look.must("cluster", &self.cluster, syntax_check::node(&self.cluster), syntax_check::OBJECT_NAME);
        look.must("kind", &self.kind, syntax_check::api(&self.kind), syntax_check::API);
        look.must("api_version", &self.api_version, syntax_check::api(&self.api_version), syntax_check::API);
        look.must("name", &self.name, self.is_named(), syntax_check::OBJECT_NAME);
        if let Some(namespace) = &self.namespace {
            look.must("namespace", namespace, syntax_check::label(namespace), syntax_check::OBJECT_NAME);
        }
        if let Readiness::Logged(text) = &self.ready {
            look.must("cuda_test_output", text, !text.is_empty() && syntax_check::line(text), syntax_check::LINE);
        }
        images(&self.object, &mut look);
        look.done()
    }
}

/// The lists of containers of a pod.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Every image that its containers run. Elsewhere, `image` may be anything.
fn images(value: &Value, look: &mut SettingsCheck) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let listed = value.as_array().filter(|_| CONTAINERS.contains(&key.as_str()));
                let of_containers = listed.into_iter().flatten().filter_map(|one| one.get("image"));
                for image in of_containers.filter(|image| !has_references(image)).filter_map(Value::as_str) {
                    look.must("image", image, syntax_check::image(image), syntax_check::IMAGE);
                }
                images(value, look);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| images(item, look)),
        _ => {}
    }
}

pub(super) const FACTS: KindFacts = KindFacts {
    // An object of others with equal settings is marked when it is adopted.
    mark: Some("object.metadata.annotations.akidb.dev/address"),
    replace_on: &["cluster", "kind", "namespace", "name"],
    identity: &["cluster", "api_version", "kind", "namespace", "name"],
    api_versions: &["api_version"],
    condition: Some("ready"),
    holds,
    usual_seconds: (5, 5),
    ..in_cluster::<ManifestSpec>("manifest", "Kubernetes object")
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(api_version: &str, kind: &str, name: &str) -> Vec<String> {
        let spec = json!({"cluster": "west", "api_version": api_version, "kind": kind, "name": name, "object": {}});
        let spec: ManifestSpec = serde_json::from_value(spec).expect("a manifest");
        spec.wrong().into_iter().map(|wrong| wrong.field).collect()
    }

    #[test]
    fn names_are_those_of_their_group() {
        assert_eq!(named("rbac.authorization.k8s.io/v1", "ClusterRole", "system:node"), Vec::<String>::new());
        assert_eq!(named("v1", "ConfigMap", "system:node"), ["name"]);
        assert_eq!(named("rbac.authorization.k8s.io/v1", "ClusterRole", "../x"), ["name"]);
    }

    #[test]
    fn an_image_is_that_of_a_container() {
        let wrong = |object: Value| {
            let spec = json!({"cluster": "west", "api_version": "v1", "kind": "Pod", "name": "a", "object": object});
            let spec: ManifestSpec = serde_json::from_value(spec).expect("a manifest");
            spec.wrong().len()
        };
        let pod =
            |image: &str| json!({"spec": {"initContainers": [{"image": image}], "containers": [{"image": image}]}});
        assert_eq!(wrong(pod("Not An Image")), 2);
        assert_eq!(wrong(pod("${images.queue.a#url}")), 0, "it is known later");
        assert_eq!(wrong(json!({"data": {"image": "Not An Image"}})), 0);
    }

    #[test]
    fn what_holds_others_or_data() {
        let of = |api_version: &str, kind: &str| holds(&json!({"api_version": api_version, "kind": kind}));
        assert_eq!(of("v1", "Namespace"), Some("objects"));
        assert_eq!(of("apiextensions.k8s.io/v1", "CustomResourceDefinition"), Some("objects of its kind"));
        assert_eq!(of("v1", "PersistentVolumeClaim"), Some("the data of its volume"));
        assert_eq!((of("v1", "ConfigMap"), of("lab.example.com/v1", "Namespace")), (None, None));
        assert_eq!(holds(&json!(null)), None);
    }

    #[test]
    fn a_key_says_the_group_and_no_version() {
        let spec =
            json!({"cluster": "west", "api_version": "apps/v1", "kind": "Deployment", "namespace": "n", "name": "a"});
        assert_eq!(key_of(&spec).as_deref(), Some("west:Deployment.apps/n/a"));
        let spec = json!({"cluster": "west", "api_version": "v1", "kind": "Namespace", "name": "n"});
        assert_eq!(key_of(&spec).as_deref(), Some("west:Namespace.//n"));
        assert_eq!(key_of(&json!({"cluster": "west"})), None);
    }

    #[test]
    fn the_group_of_an_api_version() {
        assert_eq!((api_group("v1"), api_group("apps/v1"), api_group("a.b/v1beta1")), ("", "apps", "a.b"));
    }
}
