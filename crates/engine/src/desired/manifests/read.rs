//! One object of a cluster as a user writes it: what is refused, and what becomes its settings.

use serde_json::{Map, Value};

use super::super::Builder;
use super::{ManifestPlace, is_open};
use crate::resource::manifest::{ManifestSpec, Readiness, api_group};

/// Bytes that an object may have, written as JSON: etcd takes 1.5 MiB by default, and the API server adds to it.
const LARGEST: usize = 1024 * 1024;
/// The group of files that no API server takes.
const KUSTOMIZE: &str = "kustomize.config.k8s.io";
/// What only the API server sets: files that were read from a cluster have it.
const OF_SERVER: [&str; 6] = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];
/// What `kubectl apply` keeps on an object of what it was given, with all values of a Secret. It is nobody's setting.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object, and where it is written.
pub struct ManifestObject<'p> {
    /// Its settings.
    pub spec: ManifestSpec,
    /// Where it is written.
    pub place: ManifestPlace<'p>,
    /// The kind that it defines; of a CustomResourceDefinition.
    pub defines: Option<CustomKind>,
}

/// A kind that a CustomResourceDefinition defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CustomKind {
    /// Its group.
    pub group: String,
    /// Its name.
    pub kind: String,
    /// Whether its objects are in no namespace.
    pub in_cluster: bool,
}

impl ManifestObject<'_> {
    /// `Deployment web in namespace shop`.
    pub fn words(&self) -> String {
        let ManifestSpec { kind, name, namespace, .. } = &self.spec;
        let namespace = namespace.as_ref().map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
        format!("{kind} {name}{namespace}")
    }
}

/// The objects in a document: itself, or the items of a list.
pub fn expanded<'p>(
    builder: &mut Builder<'_>,
    value: &'p Value,
    place: ManifestPlace<'p>,
) -> Vec<(&'p Value, ManifestPlace<'p>)> {
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    let is_list = kind.ends_with("List") && value.pointer("/metadata/name").is_none();
    let Some(items) = value.get("items").filter(|_| is_list) else { return vec![(value, place)] };
    let Some(items) = items.as_array().filter(|items| !items.is_empty()) else {
        let problem = format!("the items of this {kind} are not a list of objects");
        place.complain(builder, "items", problem, "write the objects into items, or one document for each");
        return Vec::new();
    };
    items.iter().enumerate().map(|(at, item)| (item, place.item(at))).collect()
}

/// Reads an object; none when something is wrong with it, which is told.
pub fn read<'p>(
    builder: &mut Builder<'_>,
    cluster: &str,
    value: &Value,
    place: ManifestPlace<'p>,
) -> Option<ManifestObject<'p>> {
    let Some(fields) = value.as_object() else {
        let problem = "not a Kubernetes object: it is not a mapping".to_owned();
        place.complain(builder, "", problem, "write apiVersion, kind and metadata.name, as kubectl takes it");
        return None;
    };
    let mut object = fields.clone();
    let api_version = taken(builder, &place, &mut object, "apiVersion", "apiVersion")?;
    let kind = taken(builder, &place, &mut object, "kind", "kind")?;
    if api_group(&api_version) == KUSTOMIZE {
        let problem = format!("{kind} is a kustomize file, not a Kubernetes object");
        place.complain(
            builder,
            "kind",
            problem,
            "render it, and let the plan name the result: kubectl kustomize FOLDER",
        );
        return None;
    }
    let mut metadata = metadata(builder, &place, object.remove("metadata"))?;
    if metadata.contains_key("generateName") {
        let problem = "generateName makes another object with each run".to_owned();
        place.complain(builder, "metadata.generateName", problem, "write metadata.name");
        return None;
    }
    let name = taken(builder, &place, &mut metadata, "name", "metadata.name")?;
    let mut namespace = None;
    if metadata.contains_key("namespace") {
        namespace = Some(taken(builder, &place, &mut metadata, "namespace", "metadata.namespace")?);
    }
    metadata.retain(|key, _| !OF_SERVER.contains(&key.as_str()));
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.remove(LAST_APPLIED);
    }
    object.remove("status");
    if !metadata.is_empty() {
        object.insert("metadata".to_owned(), Value::Object(metadata));
    }
    let defines = defined(&kind, &object);
    let spec = ManifestSpec {
        cluster: cluster.to_owned(),
        api_version,
        kind,
        namespace,
        name,
        object: Value::Object(object),
        ready: Readiness::Taken,
        force_conflicts: false,
        recreate: false,
    };
    let object = ManifestObject { spec, place, defines };
    is_taken(builder, &object).then_some(object)
}

/// Takes a text out of a mapping; complains when none is there.
fn taken(
    builder: &mut Builder<'_>,
    place: &ManifestPlace<'_>,
    fields: &mut Map<String, Value>,
    key: &str,
    path: &str,
) -> Option<String> {
    match fields.remove(key) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        Some(other) => {
            place.complain(builder, path, format!("{path} is not a text: {other}"), "write it in quotes");
            None
        }
        None => {
            let problem = format!("{path} is missing from this object");
            place.complain(builder, "", problem, "write apiVersion, kind and metadata.name, as kubectl takes it");
            None
        }
    }
}

fn metadata(builder: &mut Builder<'_>, place: &ManifestPlace<'_>, value: Option<Value>) -> Option<Map<String, Value>> {
    match value {
        None => Some(Map::new()),
        Some(Value::Object(fields)) => Some(fields),
        Some(_) => {
            place.complain(builder, "metadata", "metadata is not a mapping".to_owned(), "write metadata: {name: NAME}");
            None
        }
    }
}

/// The kind that a CustomResourceDefinition defines.
fn defined(kind: &str, object: &Map<String, Value>) -> Option<CustomKind> {
    let spec = object.get("spec").filter(|_| kind == "CustomResourceDefinition")?;
    let text = |path: &str| spec.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let in_cluster = text("/scope").as_deref() == Some("Cluster");
    Some(CustomKind { group: text("/group")?, kind: text("/names/kind")?, in_cluster })
}

/// Whether a plan may have it; complains when not.
fn is_taken(builder: &mut Builder<'_>, object: &ManifestObject<'_>) -> bool {
    let ManifestSpec { kind, api_version, object: body, .. } = &object.spec;
    let holds = |field: &str| match body.get(field) {
        None | Some(Value::Null) => false,
        Some(Value::Object(fields)) => !fields.is_empty(),
        Some(_) => true,
    };
    if kind == "Secret"
        && api_version == "v1"
        && let Some(field) = ["data", "stringData"].into_iter().find(|field| holds(field))
    {
        let open = body.get(field).and_then(Value::as_object).is_some_and(is_open);
        let what = if open { "what it refers to" } else { "the values" };
        let problem = format!("{} holds {field}: the journal would keep {what} in the clear", object.words());
        object.place.complain(builder, field, problem, SECRET);
        return false;
    }
    let bytes = body.to_string().len();
    if bytes > LARGEST {
        let problem = format!(
            "{} has {bytes} bytes; a cluster stores at most 1.5 MiB of an object, with what it adds",
            object.words()
        );
        object.place.complain(builder, "", problem, "divide it, or let the program fetch the data (at most 1 MiB)");
        return false;
    }
    true
}

/// What helps against a secret in a plan.
const SECRET: &str =
    "make it in the cluster (kubectl create secret, External Secrets, Sealed Secrets), and let the plan name it alone";
