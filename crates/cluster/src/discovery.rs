//! Which kinds an API server serves, and under which paths: asked once for each group and version, and once more when a
//! kind is unknown, since a CustomResourceDefinition may have been applied a moment ago.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::call::{ApiCall, bad_name, segment};
use super::connection::{ApiConnection, RequestFailure};
use super::status::SERVICE;
use crate::resource::{Fault, FaultClass};

/// Where the objects of a kind are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServedKind {
    /// `/api/v1` or `/apis/apps/v1`.
    prefix: String,
    /// `deployments`.
    plural: String,
    /// Whether they are in namespaces.
    pub namespaced: bool,
}

impl ServedKind {
    /// The objects of a resource (`deployments`) in a version of an API; none when these are not segments of a path.
    pub(crate) fn of(api_version: &str, plural: &str, namespaced: bool) -> Option<Self> {
        Some(Self { prefix: prefix(api_version)?, plural: segment(plural)?, namespaced })
    }

    /// The path of all of them, in one namespace or in all.
    pub(crate) fn all(&self, namespace: Option<&str>) -> Result<String, Fault> {
        match namespace.filter(|_| self.namespaced) {
            Some(name) => {
                let namespace = segment(name).ok_or_else(|| bad_name("list", name))?;
                Ok(format!("{}/namespaces/{namespace}/{}", self.prefix, self.plural))
            }
            None => Ok(format!("{}/{}", self.prefix, self.plural)),
        }
    }

    /// The path of one.
    pub(crate) fn one(&self, namespace: Option<&str>, name: &str) -> Result<String, Fault> {
        if self.namespaced && namespace.is_none() {
            return Err(bad_name("get", ""));
        }
        let name = segment(name).ok_or_else(|| bad_name("get", name))?;
        Ok(format!("{}/{name}", self.all(namespace)?))
    }
}

/// The kinds of one group and version; none when it was not asked yet.
type Kinds = Arc<tokio::sync::Mutex<Option<BTreeMap<String, ServedKind>>>>;

/// What is known of an API server's kinds.
#[derive(Default)]
pub(crate) struct Discovery {
    known: Mutex<BTreeMap<String, Kinds>>,
}

impl Discovery {
    fn kinds(&self, api_version: &str) -> Kinds {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(api_version.to_owned()).or_default())
    }
}

impl ApiConnection {
    /// Where the objects of a kind are; none when the server does not serve it.
    pub(crate) async fn served(&self, api_version: &str, kind: &str) -> Result<Option<ServedKind>, Fault> {
        let kinds = self.discovery.kinds(api_version);
        let mut kinds = kinds.lock().await;
        if let Some(served) = kinds.as_ref().and_then(|kinds| kinds.get(kind)) {
            return Ok(Some(served.clone()));
        }
        let asked = self.kinds_of(api_version).await?;
        let served = asked.get(kind).cloned();
        *kinds = Some(asked);
        Ok(served)
    }

    /// The same of the preferred version of a group.
    pub(crate) async fn served_by_group(&self, group: &str, kind: &str) -> Result<Option<ServedKind>, Fault> {
        if group.is_empty() {
            return self.served("v1", kind).await;
        }
        let path = format!("/apis/{}", segment(group).ok_or_else(|| bad_name("discovery", group))?);
        let said = match self.ask(&ApiCall::get("discovery", &path)).await {
            Err(refused) if refused.is_missing() => return Ok(None),
            said => said.map_err(|refused| refused.fault("discovery", group))?,
        };
        match said.pointer("/preferredVersion/groupVersion").and_then(Value::as_str) {
            Some(version) => self.served(version, kind).await,
            None => Ok(None),
        }
    }

    async fn kinds_of(&self, api_version: &str) -> Result<BTreeMap<String, ServedKind>, Fault> {
        let prefix = prefix(api_version).ok_or_else(|| bad_name("discovery", api_version))?;
        match self.ask(&ApiCall::get("discovery", &prefix)).await {
            Ok(list) => Ok(kinds_in(&prefix, &list)),
            Err(refused) if refused.is_missing() => Ok(BTreeMap::new()),
            Err(RequestFailure::Fault(fault)) => Err(fault),
            Err(refused) => Err(refused.fault("discovery", api_version)),
        }
    }
}

/// `/api/v1` of `v1`, `/apis/apps/v1` of `apps/v1`.
pub(crate) fn prefix(api_version: &str) -> Option<String> {
    match api_version.split_once('/') {
        Some((group, version)) => Some(format!("/apis/{}/{}", segment(group)?, segment(version)?)),
        None => Some(format!("/api/{}", segment(api_version)?)),
    }
}

/// The kinds in a `metav1.APIResourceList`, without subresources.
fn kinds_in(prefix: &str, list: &Value) -> BTreeMap<String, ServedKind> {
    let all = list.get("resources").and_then(Value::as_array).into_iter().flatten();
    let served = |one: &Value| {
        let plural = one.get("name")?.as_str().filter(|name| !name.contains('/'))?;
        let namespaced = one.get("namespaced").and_then(Value::as_bool).unwrap_or(false);
        let served = ServedKind { prefix: prefix.to_owned(), plural: segment(plural)?, namespaced };
        Some((one.get("kind")?.as_str()?.to_owned(), served))
    };
    all.filter_map(served).collect()
}

/// The fault of a kind that the server does not serve.
pub(crate) fn unknown_kind(operation: &str, about: &str, api_version: &str, kind: &str) -> Fault {
    let words = format!("{about}: the cluster does not serve {kind} of {api_version}");
    Fault::new(FaultClass::Refused, SERVICE, operation, "UnknownKind", words)
        .next("add its CustomResourceDefinition to the plan, or compare apiVersion and kind with kubectl api-resources")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kind_has_its_path() {
        let list = json!({"resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": true},
            {"name": "deployments/scale", "kind": "Scale", "namespaced": true},
            {"name": "nodes", "kind": "Node", "namespaced": false}]});
        let kinds = kinds_in("/apis/apps/v1", &list);
        assert_eq!(kinds.keys().collect::<Vec<_>>(), ["Deployment", "Node"]);
        let (deployment, node) = (&kinds["Deployment"], &kinds["Node"]);
        assert_eq!(deployment.one(Some("a"), "b").as_deref(), Ok("/apis/apps/v1/namespaces/a/deployments/b"));
        assert_eq!(deployment.all(None).as_deref(), Ok("/apis/apps/v1/deployments"));
        assert_eq!(node.one(Some("ignored"), "n").as_deref(), Ok("/apis/apps/v1/nodes/n"));
        assert!(deployment.one(None, "b").is_err() && deployment.one(Some("a"), "..").is_err());
        assert_eq!(prefix("v1").as_deref(), Some("/api/v1"));
        assert_eq!(prefix("a/../b"), Some("/apis/a/..%2Fb".to_owned()));
    }
}
