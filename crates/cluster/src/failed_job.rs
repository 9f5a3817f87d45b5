//! Why a job of the cluster failed, from the cluster's messages, and the next step.

use serde_json::Value;

use super::readiness::shown;
use crate::resource::manifest::ManifestSpec;
use crate::resource::{Fault, FaultClass};

/// More pods than this end in the same way.
const MOST_PODS: usize = 3;
/// The label that the template of the CUDA proof gives its job, as a JSON pointer, and its value.
const PROOF: (&str, &str) = ("/metadata/labels/app.kubernetes.io~1name", "cuda-proof");
/// What helps when the proof does not find a GPU.
const GPU: &str = "check how its pods ended, and its log. If no GPU was found: was nvidia-container-toolkit installed \
                   before k3s was started (systemctl restart k3s or k3s-agent)? Is there a runtime class nvidia, and \
                   does the device plugin run there (kubectl -n kube-system get pods -o wide)?";

/// The fault of a job that failed: what the job says, how its pods ended, and the end of its log.
pub fn failed(spec: &ManifestSpec, why: &str, pods: &[Value], log: &str) -> Fault {
    let own = pods.iter().filter(|pod| is_of(pod, &spec.name));
    let mut ends: Vec<String> = own.filter_map(ended).collect();
    ends.sort();
    ends.dedup();
    let ends: String = ends.iter().take(MOST_PODS).map(|end| format!("; {end}")).collect();
    let told: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = last_words(&told.join("\n"), 3);
    let said = if tail.is_empty() { String::new() } else { format!("; log: {tail}") };
    let words = format!("{} failed: {why}{ends}{said}", spec.name);
    Fault::new(FaultClass::Refused, "kubernetes", "job", "JobFailed", words).next(next_step(spec))
}

/// The proof of a GPU has advice of its own; any other job is looked at.
fn next_step(spec: &ManifestSpec) -> String {
    if spec.object.pointer(PROOF.0).and_then(Value::as_str) == Some(PROOF.1) {
        return GPU.to_owned();
    }
    let namespace = spec.namespace.as_deref().unwrap_or("default");
    format!(
        "correct what is named above, then run the same command again; kubectl -n {namespace} describe job {} \
         shows its events",
        spec.name
    )
}

/// The last lines of a log in one: enough to say why, never all that a pod wrote.
fn last_words(log: &str, most: usize) -> String {
    const LONGEST: usize = 400;
    let short = |line: &str| match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    };
    let mut last: Vec<String> = log.trim().lines().rev().take(most).map(short).collect();
    last.reverse();
    last.join(" / ")
}

/// Whether a pod was made for this job.
fn is_of(pod: &Value, job: &str) -> bool {
    let mut owners = pod.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
    let text = |owner: &Value, field: &str| owner.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    owners.any(|owner| text(owner, "kind") == "Job" && text(owner, "name") == job)
}

/// How a pod ended, when it ended badly: its own reason (it was evicted), else that of the container that failed.
fn ended(pod: &Value) -> Option<String> {
    let text = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    if text(pod, "/status/phase") != "Failed" {
        return None;
    }
    let reason = text(pod, "/status/reason");
    if !reason.is_empty() {
        return Some(shown(&format!("its pod: {reason}{}", after_colon(&text(pod, "/status/message")))));
    }
    let lists = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let containers = lists.iter().filter_map(|path| pod.pointer(path)?.as_array()).flatten();
    let mut ends = containers.filter_map(|one| Some((text(one, "/name"), one.pointer("/state/terminated")?)));
    let (name, end) = ends.find(|(_, end)| exit_code(end) != 0)?;
    let (reason, message) = (text(end, "/reason"), text(end, "/message"));
    let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    let words = format!("container {name} ended with exit code {}{reason}{}", exit_code(end), after_colon(&message));
    Some(shown(&words))
}

fn exit_code(terminated: &Value) -> i64 {
    terminated.get("exitCode").and_then(Value::as_i64).unwrap_or(0)
}

fn after_colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::manifest::Readiness;

    fn job(name: &str, object: Value) -> ManifestSpec {
        ManifestSpec {
            cluster: "a".into(),
            api_version: "batch/v1".into(),
            kind: "Job".into(),
            namespace: Some("apps".into()),
            name: name.into(),
            object,
            ready: Readiness::Logged("PASSED".into()),
            force_conflicts: false,
            recreate: false,
        }
    }

    fn pod(of: &str, status: Value) -> Value {
        json!({"metadata": {"ownerReferences": [{"kind": "Job", "name": of}]}, "status": status})
    }

    fn killed() -> Value {
        let end = json!({"exitCode": 137, "reason": "OOMKilled", "message": "no memory"});
        json!({"phase": "Failed", "containerStatuses": [{"name": "load", "state": {"terminated": end}}]})
    }

    #[test]
    fn a_job_that_failed_says_its_own_cause() {
        let pods = [pod("import", killed()), pod("import", killed()), pod("other", json!({"phase": "Failed"}))];
        let why = "BackoffLimitExceeded: Job has reached the specified backoff limit";
        let fault = failed(&job("import", json!({})), why, &pods, "loading\n\nkilled\n");
        let said = fault.message.text();
        let end = "container load ended with exit code 137 (OOMKilled): no memory";
        assert_eq!(said, format!("import failed: {why}; {end}; log: loading / killed"));
        let next = fault.next_step.unwrap_or_default();
        assert!(next.contains("kubectl -n apps describe job import shows") && !next.contains("GPU"), "{next:?}");
    }

    #[test]
    fn a_pod_that_was_evicted_says_so() {
        let evicted = pod("import", json!({"phase": "Failed", "reason": "Evicted", "message": "the disk is full"}));
        let running = pod("import", json!({"phase": "Running"}));
        let fault = failed(&job("import", json!({})), "it failed", &[evicted, running], "");
        assert_eq!(fault.message.text(), "import failed: it failed; its pod: Evicted: the disk is full");
    }

    #[test]
    fn only_the_proof_has_advice_about_the_gpu() {
        let template = include_str!("../../../templates/kubernetes/proof.yaml");
        assert!(template.contains("metadata:\n  name: \"cuda-proof-{{ host }}\""), "{template}");
        assert!(template.contains("\n  labels:\n    app.kubernetes.io/name: cuda-proof\n"), "{template}");
        let proof = json!({"metadata": {"labels": {"app.kubernetes.io/name": "cuda-proof"}}});
        let advice = |object: Value| failed(&job("cuda-proof-a", object), "it failed", &[], "").next_step;
        assert!(advice(proof).is_some_and(|next| next.contains("nvidia-container-toolkit")));
        assert!(advice(json!({})).is_some_and(|next| !next.contains("nvidia-container-toolkit")));
    }
}
