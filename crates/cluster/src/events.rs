//! The events of a cluster about single objects.

use serde_json::Value;

use super::call;
use super::held_pod::is_silent;
use super::objects::{ClusterObject, text};

/// More silent pods say nothing new.
const MOST_PODS: usize = 3;

/// The events about an object without pods and about pods that do not say themselves why they do not run. Who may not read events, or
/// cannot right now, is told without them.
pub(crate) async fn about(at: &ClusterObject, object: &Value, pods: &[Value]) -> Vec<Value> {
    let silent = pods.iter().filter(|pod| is_silent(pod)).take(MOST_PODS);
    let own = pods.is_empty().then_some(object);
    let Some(namespace) = call::segment(at.namespace.as_deref().unwrap_or("default")) else { return Vec::new() };
    let path = format!("/api/v1/namespaces/{namespace}/events");
    let mut all = Vec::new();
    for uid in own.into_iter().chain(silent).map(|one| text(one, "/metadata/uid")).filter(|uid| !uid.is_empty()) {
        let wanted = format!("involvedObject.uid={uid}");
        match at.connection.list(&path, &[("fieldSelector", &wanted)]).await {
            Ok(events) => all.extend(events),
            Err(_) => return all,
        }
    }
    all
}
