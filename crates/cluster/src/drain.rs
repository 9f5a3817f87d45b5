//! Moving the pods of a node elsewhere, by the eviction API: disruption budgets hold.

use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::call::{ApiCall, bad_name, segment};
use super::connection::RequestFailure;
use super::objects::{ClusterObject, is_terminating, text};
use super::status::has_cause;
use crate::provider::cluster::{DrainOptions, DrainOutcome};
use crate::resource::{Fault, FaultClass, Untrusted};

/// The first pause between two looks; each one after is longer by half, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(2);
/// Pods that are asked to go at a time.
const AT_ONCE: usize = 4;

/// What became of a pod that was asked to go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EvictionResult {
    /// It goes, or is gone; or the next look tells.
    Goes,
    /// A disruption budget holds it.
    Held,
}

/// Cordons a node and moves its pods away; looks until the node is empty or the time is up.
///
/// # Errors
/// When the API server cannot be reached or refuses.
pub(crate) async fn drain(at: &ClusterObject, node: &str, how: DrainOptions) -> Result<DrainOutcome, Fault> {
    match at.merge("cordon", &json!({"spec": {"unschedulable": true}})).await {
        Err(fault) if fault.class == FaultClass::Missing => return Ok(DrainOutcome::Empty),
        cordoned => cordoned?,
    }
    let begun = Instant::now();
    let mut pause = FIRST;
    loop {
        let pods = pods_on(at, node).await?;
        if pods.is_empty() {
            return Ok(DrainOutcome::Empty);
        }
        let held = ask_to_go(at, &pods, how.evict).await?;
        let left = how.within.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Ok(DrainOutcome::Left { pods: pods.iter().map(name).collect(), held });
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause + pause / 2).min(LONGEST);
    }
}

/// The pods that have to go, by name.
async fn pods_on(at: &ClusterObject, node: &str) -> Result<Vec<Value>, Fault> {
    let selector = format!("spec.nodeName={node}");
    let listed = at.connection.list("/api/v1/pods", &[("fieldSelector", &selector)]).await;
    let mut pods = listed.map_err(|refused| refused.fault("list", &format!("pods on {}", at.about)))?;
    pods.retain(has_to_go);
    pods.sort_by_key(|pod| name(pod).line());
    Ok(pods)
}

/// Not a pod of a daemon set, which would come back, nor a static one, which only the node's own files name.
fn has_to_go(pod: &Value) -> bool {
    let owners = pod.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
    let mut controllers = owners.filter(|owner| owner.get("controller") == Some(&Value::Bool(true)));
    let annotations = pod.pointer("/metadata/annotations");
    let is_static = annotations.is_some_and(|all| all.get("kubernetes.io/config.mirror").is_some());
    !is_static && !controllers.any(|owner| text(owner, "/kind") == "DaemonSet")
}

fn name(pod: &Value) -> Untrusted {
    format!("{}/{}", text(pod, "/metadata/namespace"), text(pod, "/metadata/name")).into()
}

/// Asks those that are not going yet; which of them a budget holds.
async fn ask_to_go(at: &ClusterObject, pods: &[Value], evict: bool) -> Result<Vec<Untrusted>, Fault> {
    let open: Vec<Value> = pods.iter().filter(|pod| !is_terminating(pod)).cloned().collect();
    let one = |pod: Value| async move { Ok::<_, Fault>((name(&pod), ask(at, &pod, evict).await?)) };
    // In order where none is evicted: the next one goes once the one before was told to.
    let asked: Vec<_> = stream::iter(open).map(one).buffered(if evict { AT_ONCE } else { 1 }).collect().await;
    let asked: Vec<(Untrusted, EvictionResult)> = asked.into_iter().collect::<Result<_, _>>()?;
    Ok(asked.into_iter().filter(|(_, asked)| *asked == EvictionResult::Held).map(|(name, _)| name).collect())
}

async fn ask(at: &ClusterObject, pod: &Value, evict: bool) -> Result<EvictionResult, Fault> {
    let (namespace, pod_name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    let part = |name: &str| segment(name).ok_or_else(|| bad_name("drain", name));
    let path = format!("/api/v1/namespaces/{}/pods/{}", part(namespace)?, part(pod_name)?);
    // Another pod of the same name is not meant.
    let options = json!({"preconditions": {"uid": text(pod, "/metadata/uid")}});
    let call = if evict {
        let eviction = json!({
            "apiVersion": "policy/v1", "kind": "Eviction", "deleteOptions": options,
            "metadata": {"name": pod_name, "namespace": namespace},
        });
        ApiCall::post("evict", &format!("{path}/eviction"), &eviction)
    } else {
        ApiCall::delete(&path, &options)
    };
    match at.connection.text(&call).await {
        Ok(_) => Ok(EvictionResult::Goes),
        Err(RequestFailure::Status(said)) if said.code == 429 && has_cause(&said, "DisruptionBudget") => {
            Ok(EvictionResult::Held)
        }
        // Busy; gone or replaced meanwhile; going with its namespace: the next look tells.
        Err(RequestFailure::Status(said)) if matches!(said.code, 404 | 409 | 429) => Ok(EvictionResult::Goes),
        Err(RequestFailure::Status(said)) if has_cause(&said, "NamespaceTerminating") => Ok(EvictionResult::Goes),
        Err(refused) => Err(refused.fault(call.operation, &name(pod).line())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_of_daemon_sets_and_static_ones_stay() {
        let owned = |kind: &str, controller: bool| json!({"metadata": {"ownerReferences": [{"kind": kind, "controller": controller}]}});
        assert!(has_to_go(&owned("ReplicaSet", true)) && has_to_go(&json!({"metadata": {}})));
        assert!(!has_to_go(&owned("DaemonSet", true)) && has_to_go(&owned("DaemonSet", false)));
        assert!(!has_to_go(&json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}})));
    }
}
