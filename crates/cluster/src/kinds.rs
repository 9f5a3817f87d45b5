//! Every kind of object that a namespace may hold: those that are in namespaces and can be listed and deleted. So the namespace
//! controller finds what it deletes; virtual objects (PodMetrics) cannot be deleted and are none.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use futures::try_join;
use serde_json::Value;

use super::call::ApiCall;
use super::connection::{ApiConnection, RequestFailure};
use super::discovery::{ServedKind, prefix};
use super::objects::text;
use crate::resource::Fault;
use crate::resource::manifest::api_group;

/// Whether a group of APIs has measurements alone: a metrics server that does not answer keeps nothing of anybody.
fn has_measurements(group: &str) -> bool {
    group == "metrics.k8s.io" || group.ends_with(".metrics.k8s.io")
}

/// All groups, versions and kinds in one answer: aggregated discovery (KEP-3352; `v2beta1` has the same shape). A server older than
/// Kubernetes 1.27 answers with the list of groups and versions alone.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
     application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// A kind and where its objects are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedKind {
    /// Empty for the core group.
    pub group: String,
    pub kind: String,
    pub served: ServedKind,
}

/// The kinds that a namespace may hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct NamespacedKinds {
    pub all: Vec<ListedKind>,
    /// Versions of APIs (`packages.operators.coreos.com/v1`) whose kinds are not known: the server behind them does not answer.
    pub unknown: BTreeSet<String>,
}

impl NamespacedKinds {
    fn add(&mut self, other: Self) {
        self.all.extend(other.all);
        self.unknown.extend(other.unknown);
    }
}

impl ApiConnection {
    /// The kinds that a namespace may hold.
    ///
    /// # Errors
    /// When the API server cannot be reached or refuses the caller. A single API that does not answer is not an error.
    pub(crate) async fn namespaced_kinds(&self) -> Result<NamespacedKinds, Fault> {
        let (mut kinds, groups) = try_join!(self.kinds_below("/api"), self.kinds_below("/apis"))?;
        kinds.add(groups);
        Ok(kinds)
    }

    async fn kinds_below(&self, root: &'static str) -> Result<NamespacedKinds, Fault> {
        let call = ApiCall::get("discovery", root).accepting(AGGREGATED);
        let said = self.ask(&call).await.map_err(|refused| refused.fault("discovery", root))?;
        if text(&said, "/kind") == "APIGroupDiscoveryList" {
            return Ok(aggregated(&said));
        }
        let lists = try_join_all(versions(&said).into_iter().map(|version| self.kinds_of_version(version))).await?;
        let mut kinds = NamespacedKinds::default();
        lists.into_iter().for_each(|list| kinds.add(list));
        Ok(kinds)
    }

    async fn kinds_of_version(&self, version: String) -> Result<NamespacedKinds, Fault> {
        let path = prefix(&version).filter(|_| !has_measurements(api_group(&version)));
        let Some(path) = path else { return Ok(NamespacedKinds::default()) };
        match self.ask(&ApiCall::get("discovery", &path)).await {
            Ok(list) => Ok(NamespacedKinds { all: listed(&version, &list), ..NamespacedKinds::default() }),
            Err(refused) if refused.is_missing() => Ok(NamespacedKinds::default()),
            Err(RequestFailure::Status(_) | RequestFailure::TooLong(_)) => {
                Ok(NamespacedKinds { unknown: BTreeSet::from([version]), ..NamespacedKinds::default() })
            }
            Err(RequestFailure::Fault(fault)) => Err(fault),
        }
    }
}

fn items<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn can_be_found_and_deleted(resource: &Value) -> bool {
    let can = |verb: &str| items(resource, "verbs").any(|one| one.as_str() == Some(verb));
    can("list") && can("delete")
}

/// Whether objects of an `APIResourceDiscovery` go with their namespace.
fn goes_with_a_namespace(resource: &Value) -> bool {
    text(resource, "/scope") == "Namespaced" && can_be_found_and_deleted(resource)
}

/// The kinds of an `APIGroupDiscoveryList`; each in the first version that has it, which is the preferred one.
fn aggregated(said: &Value) -> NamespacedKinds {
    let mut kinds = NamespacedKinds::default();
    for group in items(said, "items").filter(|group| !has_measurements(text(group, "/metadata/name"))) {
        let name = text(group, "/metadata/name");
        let mut known = BTreeSet::new();
        for version in items(group, "versions") {
            let of_group = text(version, "/version");
            let version_name = if name.is_empty() { of_group.to_owned() } else { format!("{name}/{of_group}") };
            let of_namespaces = || items(version, "resources").filter(|one| goes_with_a_namespace(one));
            if text(version, "/freshness") == "Stale" {
                // What it served when it last answered may say that nothing of it is in namespaces.
                let may_hold = of_namespaces().next().is_some() || items(version, "resources").next().is_none();
                kinds.unknown.extend(may_hold.then_some(version_name));
                continue;
            }
            for resource in of_namespaces() {
                let plural = text(resource, "/resource");
                let Some(served) = ServedKind::of(&version_name, plural, true).filter(|_| known.insert(plural)) else {
                    continue;
                };
                let kind = text(resource, "/responseKind/kind").to_owned();
                kinds.all.push(ListedKind { group: name.to_owned(), kind, served });
            }
        }
    }
    kinds
}

/// The versions in an `APIVersions` (`/api`) or an `APIGroupList` (`/apis`).
fn versions(said: &Value) -> Vec<String> {
    let core = items(said, "versions").filter_map(Value::as_str);
    let of_groups = items(said, "groups").flat_map(|group| items(group, "versions"));
    let of_groups = of_groups.map(|version| text(version, "/groupVersion"));
    core.chain(of_groups).filter(|version| !version.is_empty()).map(str::to_owned).collect()
}

/// The kinds in an `APIResourceList`.
fn listed(version: &str, list: &Value) -> Vec<ListedKind> {
    let namespaced = items(list, "resources").filter(|one| one.get("namespaced") == Some(&Value::Bool(true)));
    let whole = namespaced.filter(|one| !text(one, "/name").contains('/') && can_be_found_and_deleted(one));
    let listed = |one: &Value| {
        let served = ServedKind::of(version, text(one, "/name"), true)?;
        Some(ListedKind { group: api_group(version).to_owned(), kind: text(one, "/kind").to_owned(), served })
    };
    whole.filter_map(listed).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(all: &[ListedKind]) -> Vec<String> {
        let path = |one: &ListedKind| one.served.all(Some("n")).expect("a path");
        all.iter().map(|one| format!("{}.{} {}", one.kind, one.group, path(one))).collect()
    }

    fn resource(name: &str, kind: &str, scope: &str, verbs: &[&str]) -> Value {
        json!({"resource": name, "responseKind": {"group": "", "version": "", "kind": kind}, "scope": scope, "verbs": verbs})
    }

    #[test]
    fn what_a_namespace_may_hold() {
        let all = ["create", "delete", "get", "list"];
        let said = json!({"kind": "APIGroupDiscoveryList", "items": [
            {"versions": [{"version": "v1", "freshness": "Current", "resources": [
                resource("configmaps", "ConfigMap", "Namespaced", &all), resource("nodes", "Node", "Cluster", &all),
                resource("bindings", "Binding", "Namespaced", &["create"])]}]},
            {"metadata": {"name": "autoscaling"}, "versions": [
                {"version": "v2", "resources": [resource("scalers", "Scaler", "Namespaced", &all)]},
                {"version": "v1", "resources": [resource("scalers", "Scaler", "Namespaced", &all),
                    resource("olds", "Old", "Namespaced", &all)]}]},
            {"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1beta1", "freshness": "Stale"}]},
            {"metadata": {"name": "packages.example.com"}, "versions": [{"version": "v1", "freshness": "Stale",
                "resources": [resource("packages", "Package", "Namespaced", &["list"])]}]},
            {"metadata": {"name": "custom.example.com"}, "versions": [{"version": "v1", "freshness": "Stale",
                "resources": [resource("things", "Thing", "Namespaced", &all)]}]},
            {"metadata": {"name": "unheard.example.com"}, "versions": [{"version": "v1", "freshness": "Stale"}]}]});
        let kinds = aggregated(&said);
        let wanted = [
            "ConfigMap. /api/v1/namespaces/n/configmaps",
            "Scaler.autoscaling /apis/autoscaling/v2/namespaces/n/scalers",
            "Old.autoscaling /apis/autoscaling/v1/namespaces/n/olds",
        ];
        assert_eq!(names(&kinds.all), wanted);
        assert_eq!(
            kinds.unknown,
            BTreeSet::from(["custom.example.com/v1", "unheard.example.com/v1"].map(str::to_owned))
        );
    }

    #[test]
    fn the_lists_of_an_older_server() {
        assert_eq!(versions(&json!({"kind": "APIVersions", "versions": ["v1"]})), ["v1"]);
        let groups = json!({"kind": "APIGroupList", "groups": [{"name": "apps", "versions": [
            {"groupVersion": "apps/v1", "version": "v1"}, {"groupVersion": "apps/v1beta1", "version": "v1beta1"}]}]});
        assert_eq!(versions(&groups), ["apps/v1", "apps/v1beta1"]);
        let list = json!({"resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": true, "verbs": ["delete", "list"]},
            {"name": "deployments/scale", "kind": "Scale", "namespaced": true, "verbs": ["get"]},
            {"name": "nodes", "kind": "Node", "namespaced": false, "verbs": ["delete", "list"]}]});
        assert_eq!(names(&listed("apps/v1", &list)), ["Deployment.apps /apis/apps/v1/namespaces/n/deployments"]);
    }
}
