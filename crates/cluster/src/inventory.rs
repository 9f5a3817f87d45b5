//! The inventory of a stack in a cluster, as an ApplySet (KEP-3659): a parent object names the kinds and namespaces, and a
//! label on each member names the parent. So `kubectl get -l applyset.kubernetes.io/part-of=ID` lists what is ours, and
//! `kubectl apply --prune` refuses to prune it, since the parent names us as its tool.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::call::{ApiCall, MANAGER};
use super::connection::{ApiConnection, RequestFailure};
use super::discovery::ServedKind;
use super::members::InventoryMembers;
use super::objects::{ClusterObject, text};
use super::status::SERVICE;
use crate::resource::manifest::ManifestSpec;
use crate::resource::{Fault, FaultClass};

/// Label of a member.
pub(crate) const PART_OF: &str = "applyset.kubernetes.io/part-of";
const ID: &str = "applyset.kubernetes.io/id";
const TOOLING: &str = "applyset.kubernetes.io/tooling";
const KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
const NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";
/// Who prunes this set.
const OUR_TOOLING: &str = "akidb-edge/v1";
/// Where parents lie: a namespace that every cluster has.
const HOME: &str = "default";

/// Kinds (`Deployment.apps`) and namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Scope {
    kinds: BTreeSet<String>,
    namespaces: BTreeSet<String>,
}

impl Scope {
    fn add(&mut self, other: &Self) {
        self.kinds.extend(other.kinds.iter().cloned());
        self.namespaces.extend(other.namespaces.iter().cloned());
    }

    fn covers(&self, other: &Self) -> bool {
        self.kinds.is_superset(&other.kinds) && self.namespaces.is_superset(&other.namespaces)
    }

    /// What a parent says.
    fn of_parent(parent: &Value) -> Self {
        let annotation = |key: &str| -> BTreeSet<String> {
            let all = parent.pointer("/metadata/annotations").and_then(|all| all.get(key)).and_then(Value::as_str);
            let parts = all.unwrap_or_default().split(',').filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        };
        Self { kinds: annotation(KINDS), namespaces: annotation(NAMESPACES) }
    }
}

/// The inventory of one stack in one cluster.
#[derive(Default)]
pub(crate) struct StackInventory {
    /// What the parent will have to name: that of all objects that were asked for in this run, so that it is written once.
    expected: Mutex<Scope>,
    /// What the parent names; none when it was not checked yet.
    written: tokio::sync::Mutex<Option<Scope>>,
    /// Which members are there.
    pub(crate) members: InventoryMembers,
}

/// The inventories of all stacks in all clusters.
#[derive(Default)]
pub(crate) struct Inventories {
    sets: Mutex<BTreeMap<(String, String), Arc<StackInventory>>>,
}

impl Inventories {
    /// That of a stack in the cluster of this object, which is counted among its objects.
    pub(crate) fn of(&self, stack: &str, spec: &ManifestSpec) -> Arc<StackInventory> {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let set = sets.entry((spec.cluster.clone(), stack.to_owned())).or_default();
        let set = Arc::clone(set);
        set.will_hold(spec);
        set
    }
}

/// The name of a stack's parent.
fn parent_name(stack: &str) -> String {
    format!("akidb-edge-{stack}")
}

/// The ID of a stack's inventory, as KEP-3659 makes it from name, namespace, kind and group of the parent.
pub(crate) fn set_id(stack: &str) -> String {
    let parent = format!("{}.{HOME}.ConfigMap.", parent_name(stack));
    format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(Sha256::digest(parent)))
}

/// `Deployment.apps`; the core group has no name.
fn group_kind(spec: &ManifestSpec) -> String {
    match spec.api_version.split_once('/') {
        Some((group, _)) => format!("{}.{group}", spec.kind),
        None => spec.kind.clone(),
    }
}

impl StackInventory {
    fn will_hold(&self, spec: &ManifestSpec) {
        let mut expected = self.expected();
        expected.kinds.insert(group_kind(spec));
        expected.namespaces.extend(spec.namespace.clone().filter(|namespace| namespace != HOME));
    }

    fn expected(&self) -> MutexGuard<'_, Scope> {
        // Nothing can fail while it is held: what a poisoned value holds is whole.
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that the parent names what is about to be applied; sends nothing when it does.
    ///
    /// # Errors
    /// When the API server refuses, or somebody else's object has the parent's name.
    pub(crate) async fn cover(&self, connection: &Arc<ApiConnection>, stack: &str) -> Result<(), Fault> {
        let mut written = self.written.lock().await;
        let expected = self.expected().clone();
        if written.as_ref().is_some_and(|written| written.covers(&expected)) {
            return Ok(());
        }
        let parent = parent(connection, stack).await?;
        let mut scope = Scope::default();
        if written.is_none()
            && let Some(there) = parent.get().await?
        {
            ours(&there, stack)?;
            scope = Scope::of_parent(&there);
        } else if let Some(written) = written.take() {
            scope = written;
        }
        if scope.kinds.is_empty() || !scope.covers(&expected) {
            scope.add(&expected);
            let applied = parent.apply(&document(stack, &scope), MANAGER, true).await;
            applied.map_err(|refused| refused.fault("apply", &parent.about))?;
        }
        *written = Some(scope);
        Ok(())
    }

    /// Deletes the parent before the last member goes: killed in between, the same command finds the member again and goes
    /// on, while a parent without members would be found by nobody. `last` is the member that is about to go.
    ///
    /// # Errors
    /// When the API server cannot be reached or refuses.
    pub(crate) async fn end(
        &self,
        connection: &Arc<ApiConnection>,
        stack: &str,
        last: &ManifestSpec,
    ) -> Result<(), Fault> {
        let mut written = self.written.lock().await;
        let parent = parent(connection, stack).await?;
        let Some(there) = parent.get().await? else { return Ok(()) };
        if ours(&there, stack).is_err() || has_others(connection, stack, &Scope::of_parent(&there), last).await? {
            return Ok(());
        }
        *written = None;
        let gone = connection.ask(&ApiCall::delete(&parent.path, &json!({}))).await;
        match gone {
            Err(refused) if !refused.is_missing() => Err(refused.fault("delete", &parent.about)),
            _ => Ok(()),
        }
    }
}

async fn parent(connection: &Arc<ApiConnection>, stack: &str) -> Result<ClusterObject, Fault> {
    let Some(served) = connection.served("v1", "ConfigMap").await? else {
        return Err(super::discovery::unknown_kind("apply", "the stack's inventory", "v1", "ConfigMap"));
    };
    let name = parent_name(stack);
    let about = format!("ConfigMap/{HOME}/{name}, the stack's inventory");
    ClusterObject::new(connection, &served, Some(HOME), &name, about)
}

/// Refuses an object that has the parent's name and is not ours.
fn ours(parent: &Value, stack: &str) -> Result<(), Fault> {
    let says = |part: &str, key: &str| {
        let all = parent.pointer(part).and_then(|all| all.get(key)).and_then(Value::as_str);
        all.unwrap_or_default().to_owned()
    };
    let tool = says("/metadata/annotations", TOOLING);
    if tool.starts_with("akidb-edge/") || (tool.is_empty() && says("/metadata/labels", ID) == set_id(stack)) {
        return Ok(());
    }
    let words = format!("ConfigMap {} in namespace {HOME} is not this tool's inventory", parent_name(stack));
    Err(Fault::new(FaultClass::Exists, SERVICE, "apply", "Foreign", words)
        .next("rename or delete that ConfigMap, or give the stack another name"))
}

fn document(stack: &str, scope: &Scope) -> Value {
    let joined = |all: &BTreeSet<String>| all.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    let mut annotations = json!({TOOLING: OUR_TOOLING, KINDS: joined(&scope.kinds)});
    if !scope.namespaces.is_empty() {
        annotations[NAMESPACES] = joined(&scope.namespaces).into();
    }
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": parent_name(stack), "namespace": HOME, "annotations": annotations,
            "labels": {ID: set_id(stack), "app.kubernetes.io/managed-by": MANAGER},
        },
    })
}

/// Whether the set has members besides this one. Where that cannot be seen, there may be some.
async fn has_others(
    connection: &Arc<ApiConnection>,
    stack: &str,
    scope: &Scope,
    last: &ManifestSpec,
) -> Result<bool, Fault> {
    let selector = format!("{PART_OF}={}", set_id(stack));
    for group_kind in &scope.kinds {
        let (kind, group) = group_kind.split_once('.').unwrap_or((group_kind, ""));
        // A kind that is not served any more has no objects.
        let Some(served) = connection.served_by_group(group, kind).await? else { continue };
        let members = members_of(connection, &served, scope, &selector).await;
        let Some(members) = members.map_err(|refused| refused.fault("list", group_kind))? else { return Ok(true) };
        let namespace = last.namespace.as_deref().unwrap_or(HOME);
        let is_last = |member: &Value| {
            *group_kind == self::group_kind(last)
                && text(member, "/metadata/name") == last.name
                && (!served.namespaced || text(member, "/metadata/namespace") == namespace)
        };
        if !members.iter().all(is_last) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The members of a kind: of all namespaces or, for a caller who may not list those, of the namespaces that the parent names.
/// None for one who may not list these, either.
async fn members_of(
    connection: &ApiConnection,
    served: &ServedKind,
    scope: &Scope,
    selector: &str,
) -> Result<Option<Vec<Value>>, RequestFailure> {
    let selected = [("labelSelector", selector)];
    match connection.list(&served.all(None).map_err(RequestFailure::Fault)?, &selected).await {
        Err(refused) if refused.is_forbidden() && served.namespaced => {}
        Err(refused) if refused.is_forbidden() => return Ok(None),
        members => return members.map(Some),
    }
    let mut all = Vec::new();
    for namespace in scope.namespaces.iter().map(String::as_str).chain([HOME]) {
        match connection.list(&served.all(Some(namespace)).map_err(RequestFailure::Fault)?, &selected).await {
            Err(refused) if refused.is_forbidden() => return Ok(None),
            members => all.extend(members?),
        }
    }
    Ok(Some(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(api_version: &str, kind: &str, namespace: Option<&str>) -> ManifestSpec {
        serde_json::from_value(json!({"cluster": "c", "api_version": api_version, "kind": kind, "name": "a",
            "namespace": namespace, "object": {}}))
        .expect("a spec")
    }

    /// The value that `kubectl apply --prune --applyset=configmap/akidb-edge-lab -n default` computes.
    #[test]
    fn the_id_is_that_of_the_kep() {
        let id = set_id("lab");
        assert!(id.starts_with("applyset-") && id.ends_with("-v1") && id.len() == 55, "{id}");
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest("akidb-edge-lab.default.ConfigMap."));
        assert_eq!(id, format!("applyset-{hash}-v1"));
        assert_ne!(id, set_id("other"));
    }

    #[test]
    fn a_parent_names_kinds_and_other_namespaces() {
        let inventories = Inventories::default();
        let set = inventories.of("lab", &spec("apps/v1", "Deployment", Some("apps")));
        inventories.of("lab", &spec("v1", "ConfigMap", Some("default")));
        inventories.of("lab", &spec("v1", "Namespace", None));
        let scope = set.expected().clone();
        let parent = document("lab", &scope);
        let annotations = &parent["metadata"]["annotations"];
        assert_eq!(annotations[KINDS], "ConfigMap,Deployment.apps,Namespace");
        assert_eq!(annotations[NAMESPACES], "apps");
        assert_eq!(Scope::of_parent(&parent), scope);
        assert!(ours(&parent, "lab").is_ok());
        let foreign = json!({"metadata": {"annotations": {TOOLING: "kubectl/v1.36"}, "labels": {ID: set_id("lab")}}});
        assert_eq!(ours(&foreign, "lab").expect_err("another tool's").class, FaultClass::Exists);
        assert!(ours(&json!({"metadata": {}}), "lab").is_err());
    }
}
