//! HorizontalPodAutoscalers: if one targets a workload, the autoscaler sets the number of replicas.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::call::MANAGER;
use super::connection::ApiConnection;
use super::objects::{ClusterObject, text};
use super::status::FieldConflict;
use crate::resource::Fault;
use crate::resource::manifest::ManifestSpec;

/// The field manager that holds `spec.replicas` after we gave it up: a field that nobody holds goes back to its default.
const REPLICAS_MANAGER: &str = "akidb-edge-replicas";
/// A list of autoscalers is good for so long: one run asks for many workloads at a time.
const FRESH: Duration = Duration::from_secs(2);
/// The path of the field in the causes of a conflict.
const REPLICAS: &str = ".spec.replicas";
/// Controllers that scale a workload for an autoscaler, through its subresource `scale`.
const CONTROLLERS: [&str; 2] = ["kube-controller-manager", "k3s"];

/// The autoscalers of a namespace, and when they were listed.
type Listed = (Instant, Arc<Vec<Value>>);

/// The autoscalers of each namespace.
#[derive(Default)]
pub(crate) struct Autoscalers {
    lists: Mutex<BTreeMap<String, Listed>>,
}

impl Autoscalers {
    /// They are listed again when somebody asks next.
    pub(crate) async fn forget(&self) {
        self.lists.lock().await.clear();
    }
}

impl ApiConnection {
    async fn autoscalers_in(&self, namespace: &str) -> Result<Arc<Vec<Value>>, Fault> {
        let mut lists = self.autoscalers.lists.lock().await;
        if let Some((_, list)) = lists.get(namespace).filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(Arc::clone(list));
        }
        let Some(served) = self.served("autoscaling/v2", "HorizontalPodAutoscaler").await? else {
            return Ok(Arc::default());
        };
        let list = match self.list(&served.all(Some(namespace))?, &[]).await {
            Ok(list) => Arc::new(list),
            // Who may not see them works as if there were none.
            Err(refused) if refused.is_forbidden() => Arc::default(),
            Err(refused) => return Err(refused.fault("list", namespace)),
        };
        lists.insert(namespace.to_owned(), (Instant::now(), Arc::clone(&list)));
        Ok(list)
    }
}

/// Whether an autoscaler sets the replicas that this object asks for.
pub(crate) async fn is_scaled(at: &ClusterObject, spec: &ManifestSpec) -> Result<bool, Fault> {
    let scalable = matches!(spec.kind.as_str(), "Deployment" | "StatefulSet" | "ReplicaSet");
    let Some(namespace) = at.namespace.as_deref().filter(|_| scalable && asks(&spec.object)) else {
        return Ok(false);
    };
    let list = at.connection.autoscalers_in(namespace).await?;
    Ok(list.iter().any(|autoscaler| targets(autoscaler, spec)))
}

fn asks(object: &Value) -> bool {
    object.pointer("/spec/replicas").is_some()
}

fn targets(autoscaler: &Value, spec: &ManifestSpec) -> bool {
    let group = |api_version: &str| api_version.split_once('/').map(|(group, _)| group.to_owned());
    text(autoscaler, "/spec/scaleTargetRef/kind") == spec.kind
        && text(autoscaler, "/spec/scaleTargetRef/name") == spec.name
        && group(text(autoscaler, "/spec/scaleTargetRef/apiVersion")) == group(&spec.api_version)
}

/// The same object with the replicas that are there, so that a dry run finds no difference in them.
pub(crate) fn with_live_replicas(mut object: Value, live: &Value) -> Value {
    if let (Some(asked), Some(there)) = (object.pointer_mut("/spec/replicas"), live.pointer("/spec/replicas")) {
        *asked = there.clone();
    }
    object
}

/// The same object without replicas.
pub(crate) fn without_replicas(mut object: Value) -> Value {
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("replicas");
    }
    object
}

/// Hands the replicas that we hold to a manager of their own, at their live value: dropped without that, they would go
/// back to 1.
pub(crate) async fn hand_over(at: &ClusterObject, live: &Value) -> Result<(), Fault> {
    let Some(there) = live.pointer("/spec/replicas").filter(|_| holds_replicas(live, MANAGER)) else { return Ok(()) };
    let mut metadata = json!({"name": text(live, "/metadata/name")});
    if let Some(namespace) = &at.namespace {
        metadata["namespace"] = namespace.clone().into();
    }
    let object = json!({
        "apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata, "spec": {"replicas": there},
    });
    let applied = at.apply(&object, REPLICAS_MANAGER, true).await;
    applied.map(drop).map_err(|refused| refused.fault("apply", &at.about))
}

/// Whether a manager holds `spec.replicas` by server-side apply.
fn holds_replicas(object: &Value, manager: &str) -> bool {
    let all = object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten();
    let mut own = all.filter(|one| text(one, "/manager") == manager && text(one, "/operation") == "Apply");
    own.any(|one| one.pointer("/fieldsV1/f:spec/f:replicas").is_some())
}

/// Whether these are only replicas that an autoscaler left behind, which nobody sets any longer: ours again.
pub(crate) fn are_left_behind(conflicts: &[FieldConflict]) -> bool {
    let scale =
        |one: &FieldConflict| CONTROLLERS.contains(&one.name.as_str()) && one.manager.contains("subresource \"scale\"");
    !conflicts.is_empty()
        && conflicts
            .iter()
            .all(|one| (one.name == REPLICAS_MANAGER || scale(one)) && one.fields.iter().all(|field| field == REPLICAS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ManifestSpec {
        serde_json::from_value(json!({"cluster": "a", "api_version": "apps/v1", "kind": "Deployment", "namespace": "n",
            "name": "web", "object": {"spec": {"replicas": 3}}}))
        .expect("a spec")
    }

    fn conflict(manager: &str, name: &str, field: &str) -> FieldConflict {
        FieldConflict { manager: manager.into(), name: name.into(), fields: vec![field.into()] }
    }

    #[test]
    fn an_autoscaler_targets_by_group_kind_and_name() {
        let to = |api_version: &str, kind: &str, name: &str| json!({"spec": {"scaleTargetRef": {"apiVersion": api_version, "kind": kind, "name": name}}});
        assert!(targets(&to("apps/v1", "Deployment", "web"), &spec()));
        assert!(targets(&to("apps/v1beta2", "Deployment", "web"), &spec()));
        assert!(!targets(&to("apps/v1", "Deployment", "other"), &spec()));
        assert!(!targets(&to("example.com/v1", "Deployment", "web"), &spec()));
        assert!(!targets(&to("apps/v1", "StatefulSet", "web"), &spec()));
    }

    #[test]
    fn only_replicas_left_by_an_autoscaler_are_taken_back() {
        let ours = conflict("\"akidb-edge-replicas\"", "akidb-edge-replicas", ".spec.replicas");
        let scaled = conflict(
            "\"kube-controller-manager\" with subresource \"scale\"",
            "kube-controller-manager",
            ".spec.replicas",
        );
        let person = conflict("\"kubectl\" with subresource \"scale\"", "kubectl", ".spec.replicas");
        let image = conflict("\"akidb-edge-replicas\"", "akidb-edge-replicas", ".spec.template");
        assert!(are_left_behind(&[ours.clone(), scaled]));
        assert!(!are_left_behind(&[ours.clone(), person]) && !are_left_behind(&[ours, image]) && !are_left_behind(&[]));
    }

    #[test]
    fn replicas_are_dropped_or_as_they_are() {
        let object = json!({"kind": "Deployment", "spec": {"replicas": 3, "paused": true}});
        let live = json!({"spec": {"replicas": 7}});
        assert_eq!(with_live_replicas(object.clone(), &live)["spec"]["replicas"], 7);
        assert_eq!(without_replicas(object)["spec"], json!({"paused": true}));
    }
}
