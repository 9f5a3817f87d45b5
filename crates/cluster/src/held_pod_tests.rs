use serde_json::json;

use super::*;

fn waiting(reason: &str, message: &str) -> Value {
    let state = json!({"waiting": {"reason": reason, "message": message}});
    json!({"status": {"phase": "Pending", "containerStatuses": [{"name": "app", "state": state}]}})
}

fn event(uid: &str, kind: &str, reason: &str, message: &str, second: u32) -> Value {
    json!({"involvedObject": {"uid": uid}, "type": kind, "reason": reason, "message": message,
        "lastTimestamp": format!("2026-12-01T10:00:{second:02}Z"), "metadata": {"resourceVersion": second.to_string()}})
}

/// A pod of this uid whose containers are being created.
fn creating() -> Value {
    let mut pod = waiting("ContainerCreating", "");
    pod["metadata"] = json!({"uid": "u"});
    pod
}

#[test]
fn what_a_registry_or_containerd_says_is_told_with_what_helps() {
    let pull = "failed to pull and unpack image \"10.77.1.11:5000/akidb/rest:v1\": failed to resolve reference \
                \"10.77.1.11:5000/akidb/rest:v1\": failed to do request: Head \"https://10.77.1.11:5000/v2/akidb/rest/manifests/v1\": ";
    for (said, helps) in [
        ("http: server gave HTTP response to HTTPS client", "plain HTTP"),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "does not accept the certificate",
        ),
        ("x509: certificate has expired or is not yet valid: current time 1970", "wrong clock"),
        ("unexpected status from HEAD request to https://r/v2/a: 401 Unauthorized", "login"),
        (
            "pull access denied, repository does not exist or may require authorization: no basic auth credentials",
            "login",
        ),
        ("no match for platform in manifest: not found", "linux/arm64"),
        ("429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit", "anonymous"),
        ("dial tcp: lookup registry.local: no such host", "cannot reach the registry"),
        ("dial tcp 10.77.1.11:5000: connect: connection refused", "cannot reach the registry"),
        ("10.77.1.11:5000/akidb/rest:v1: not found", "jetson image push"),
        ("failed to extract layer: write /usr/lib/x: no space left on device", "disk of the node is full"),
    ] {
        let (words, lack) = held_back(&waiting("ImagePullBackOff", &format!("{pull}{said}")), &[]).expect("a reason");
        assert!(words.starts_with("ImagePullBackOff: ") && words.ends_with(said), "{words}");
        let next = lack.expect("an image").next(&words);
        assert!(next.contains(helps), "{said}: {next}");
    }
    assert!(PodProblem::Image.next("ErrImagePull").contains("cannot be pulled"));
}

#[test]
fn an_init_container_and_a_missing_secret_are_named() {
    let state = json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}});
    let mut pod = waiting("PodInitializing", "");
    pod["status"]["initContainerStatuses"] = json!([{"name": "models", "state": state}]);
    assert_eq!(held_back(&pod, &[]), Some(("ErrImagePull: not found".to_owned(), Some(PodProblem::Image))));
    let missing = waiting("CreateContainerConfigError", "secret \"akidb-models-reader\" not found");
    let (words, lack) = held_back(&missing, &[]).expect("a reason");
    assert!(words.contains("akidb-models-reader") && lack == Some(PodProblem::Settings), "{words}");
    let next = PodProblem::Settings.next(&words);
    assert!(next.contains("create what is named") && !next.contains("journalctl"), "{next}");
}

#[test]
fn a_program_that_ends_again_and_again_says_why() {
    let mut pod = waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container");
    pod["status"]["containerStatuses"][0]["lastState"] =
        json!({"terminated": {"exitCode": 3, "reason": "Error", "message": "error: no model\n"}});
    let said = "CrashLoopBackOff: container app ended with exit code 3: error: no model";
    assert_eq!(held_back(&pod, &[]), Some((said.to_owned(), Some(PodProblem::Program))));
    pod["status"]["containerStatuses"][0]["lastState"] =
        json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    assert!(held_back(&pod, &[]).is_some_and(|(words, _)| words.ends_with("exit code 137 (OOMKilled)")));
    let other = PodProblem::Program.next("container app ended with exit code 255: exec /akidb-edge: exec format error");
    assert!(other.contains("linux/arm64"), "{other}");
}

#[test]
fn events_say_what_a_pod_does_not() {
    let (pod, ready) = (
        creating(),
        json!({"metadata": {"uid": "u"}, "status": {"phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}]}}),
    );
    assert!(is_silent(&pod) && !is_silent(&ready) && !is_silent(&waiting("ErrImagePull", "")));
    let no_runtime = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for \"nvidia\" is configured";
    let sandbox = event("u", "Warning", "FailedCreatePodSandBox", no_runtime, 2);
    let (words, lack) = held_back(&pod, std::slice::from_ref(&sandbox)).expect("a reason");
    assert!(lack == Some(PodProblem::Runtime) && PodProblem::Runtime.next(&words).contains("restart k3s"), "{words}");
    assert_eq!(held_back(&ready, std::slice::from_ref(&sandbox)), None, "it runs");
    // Another pod's events, and what a later one overtook.
    let quiet = Some(("Pending: its containers are being created".to_owned(), None));
    assert_eq!(held_back(&pod, &[event("other", "Warning", "FailedMount", "x", 3)]), quiet);
    assert_eq!(held_back(&pod, &[event("u", "Normal", "Pulling", "Pulling image", 3), sandbox]), quiet);
    let mount = event(
        "u",
        "Warning",
        "FailedMount",
        "MountVolume.SetUp failed for volume \"keys\" : secret \"akidb-api-keys\" not found",
        4,
    );
    let (words, lack) = held_back(&pod, &[mount]).expect("a reason");
    assert!(words.contains("akidb-api-keys") && lack == Some(PodProblem::Settings), "{words}");
    let probe = event("u", "Warning", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", 5);
    let running = json!({"metadata": {"uid": "u"}, "status": {"phase": "Running"}});
    assert!(held_back(&running, &[probe]).is_some_and(|(words, lack)| words.ends_with("503") && lack.is_none()));
}

#[test]
fn pods_that_are_not_admitted_say_why() {
    let forbidden =
        "pods \"a-1\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false";
    let failure = json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": forbidden});
    let deployment = json!({"status": {"conditions": [failure]}});
    let (words, lack) = refused(&deployment, &[]).expect("a reason");
    assert!(
        lack == Some(PodProblem::Settings) && PodProblem::Settings.next(&words).contains("Pod Security"),
        "{words}"
    );
    let set = json!({"metadata": {"uid": "s"}});
    let quota = event("s", "Warning", "FailedCreate", "exceeded quota: compute, requested: pods=1", 1);
    assert!(refused(&set, &[quota]).is_some_and(|(words, _)| PodProblem::Settings.next(&words).contains("quota")));
    assert_eq!(refused(&set, &[]), None);
}
