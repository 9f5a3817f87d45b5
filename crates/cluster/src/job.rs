//! Jobs: they cannot be changed, only replaced; and their logs.

use serde_json::{Value, json};

use super::call::ApiCall;
use super::connection::{ApiConnection, RequestFailure};
use super::objects::{ClusterObject, text};
use super::readiness;
use super::status::fields;
use super::{call, failed_job};
use crate::resource::Fault;
use crate::resource::manifest::ManifestSpec;

/// Lines of a log that are looked at.
const LINES: &str = "40";
/// Bytes of a log that the kubelet is asked for.
const LOG: usize = 1 << 20;
/// Fields of a Job that stay as they were created (`ValidateJobSpecUpdate` of kubernetes). An error inside of a new template
/// has a longer path.
const IMMUTABLE: [&str; 9] = [
    "spec.template",
    "spec.selector",
    "spec.completions",
    "spec.completionMode",
    "spec.podFailurePolicy",
    "spec.backoffLimitPerIndex",
    "spec.managedBy",
    "spec.successPolicy",
    "spec.manualSelector",
];

/// Whether an apply was refused only because a Job cannot be changed.
pub(crate) fn needs_renewal(spec: &ManifestSpec, refused: &RequestFailure) -> bool {
    let RequestFailure::Status(status) = refused else { return false };
    let mut all = fields(status).peekable();
    spec.kind == "Job"
        && spec.api_version.starts_with("batch/")
        && status.is_invalid()
        && all.peek().is_some()
        && all.all(|field| IMMUTABLE.contains(&field))
}

/// The pods that an object's selector selects.
pub(crate) async fn pods(at: &ClusterObject, object: &Value) -> Result<Vec<Value>, Fault> {
    let labels = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let pairs = labels.into_iter().flatten().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
    let selector = pairs.collect::<Vec<_>>().join(",");
    if selector.is_empty() {
        // It has no pods, or selects them in another way: all pods of the namespace would be wrong.
        return Ok(Vec::new());
    }
    let path = pods_path(at, None)?;
    let listed = at.connection.list(&path, &[("labelSelector", &selector)]).await;
    listed.map_err(|refused| refused.fault("list", &format!("pods of {}", at.about)))
}

fn pods_path(at: &ClusterObject, name: Option<&str>) -> Result<String, Fault> {
    let namespace = at.namespace.as_deref().unwrap_or("default");
    let segment = |name: &str| call::segment(name).ok_or_else(|| call::bad_name("get", name));
    let all = format!("/api/v1/namespaces/{}/pods", segment(namespace)?);
    Ok(match name {
        Some(name) => format!("{all}/{}", segment(name)?),
        None => all,
    })
}

/// The end of the log of a job: of a pod that succeeded, else of the newest one. Empty without a pod.
pub(crate) async fn log(at: &ClusterObject, object: &Value) -> Result<String, Fault> {
    let pods = pods(at, object).await?;
    let Some(pod) = pods.iter().max_by_key(|pod| {
        (text(pod, "/status/phase") == "Succeeded", text(pod, "/metadata/creationTimestamp").to_owned())
    }) else {
        return Ok(String::new());
    };
    let path = format!("{}/log", pods_path(at, Some(text(pod, "/metadata/name")))?);
    let mut call = ApiCall::get("logs", &path).query("tailLines", LINES).query("limitBytes", LOG.to_string());
    // The kubelet keeps to its limit by and large ("may return slightly more"); one that does not is cut off.
    call = call.at_most(2 * LOG);
    // With several containers the API wants one of them named; kubectl takes the first.
    if let Some(container) = pod.pointer("/spec/containers/0/name").and_then(Value::as_str) {
        call = call.query("container", container);
    }
    let bytes = at.connection.text(&call).await.map_err(|refused| refused.fault("logs", &at.about))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The log of a complete job must say so; then the job itself records it.
pub(crate) async fn prove(at: &ClusterObject, spec: &ManifestSpec, text: &str, object: &Value) -> Result<(), Fault> {
    readiness::judge_log(spec, text, &log(at, object).await?)?;
    at.merge("annotate", &json!({"metadata": {"annotations": {readiness::PROVEN: text}}})).await
}

/// The fault of a job that failed, with how its pods ended. What the job itself says is told without them, too.
pub(crate) async fn failed(at: &ClusterObject, spec: &ManifestSpec, why: &str, object: &Value) -> Fault {
    let pods = pods(at, object).await.unwrap_or_default();
    let log = log(at, object).await.unwrap_or_else(|fault| format!("(no log: {})", fault.message.line()));
    failed_job::failed(spec, why, &pods, &log)
}

/// The nodes of a cluster that do not answer.
pub(crate) async fn silent_nodes(connection: &ApiConnection) -> Result<Vec<String>, Fault> {
    let nodes = connection.list("/api/v1/nodes", &[]).await.map_err(|refused| refused.fault("list", "nodes"))?;
    let silent = nodes.iter().filter(|node| !readiness::node_is_ready(node));
    Ok(silent.map(|node| text(node, "/metadata/name").to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::FaultClass;

    fn refused(code: u16, reason: &str, fields: &[&str]) -> RequestFailure {
        let causes: Vec<Value> =
            fields.iter().map(|field| json!({"reason": "FieldValueInvalid", "message": "m", "field": field})).collect();
        let status = json!({"code": code, "reason": reason, "details": {"causes": causes}});
        RequestFailure::Status(serde_json::from_value(status).expect("a status"))
    }

    #[test]
    fn only_a_job_whose_new_template_is_sound_is_renewed() {
        let spec = |kind: &str| -> ManifestSpec {
            serde_json::from_value(
                json!({"cluster": "c", "api_version": "batch/v1", "kind": kind, "name": "a", "object": {}}),
            )
            .expect("a spec")
        };
        let job = spec("Job");
        assert!(needs_renewal(&job, &refused(422, "Invalid", &["spec.template"])));
        assert!(needs_renewal(&job, &refused(422, "Invalid", &["spec.template", "spec.completions"])));
        let broken = refused(422, "Invalid", &["spec.template", "spec.template.spec.containers[0].image"]);
        assert!(!needs_renewal(&job, &broken), "it would be deleted, and the next one refused");
        assert!(!needs_renewal(&job, &refused(422, "Invalid", &[])));
        assert!(!needs_renewal(&job, &refused(409, "Conflict", &["spec.template"])));
        assert!(!needs_renewal(&spec("CronJob"), &refused(422, "Invalid", &["spec.template"])));
        let away = Fault::new(FaultClass::Away, "ssh", "connect", "Unreachable", "away");
        assert!(!needs_renewal(&job, &RequestFailure::Fault(away)));
    }
}
