use serde_json::json;

use super::*;

fn deployment(wanted: i64, newest: i64, usable: i64, all: i64) -> Value {
    json!({"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": wanted},
        "status": {"observedGeneration": 2, "updatedReplicas": newest, "availableReplicas": usable, "replicas": all}})
}

#[test]
fn a_rollout_needs_every_new_pod_and_no_old_one() {
    assert_eq!(rollout(&deployment(3, 3, 3, 3)), ReadinessState::Ready);
    assert_eq!(rollout(&deployment(3, 1, 3, 4)), ReadinessState::NotYet("1 of 3 available".to_owned()));
    assert_eq!(rollout(&deployment(3, 3, 3, 4)), ReadinessState::NotYet("3 of 3 available".to_owned()));
    let mut unseen = deployment(3, 3, 3, 3);
    unseen["status"]["observedGeneration"] = 1.into();
    assert!(matches!(rollout(&unseen), ReadinessState::NotYet(_)));
}

#[test]
fn pods_that_stay_old_on_purpose_are_not_awaited() {
    let set = |strategy: Value, newest: i64| {
        json!({"kind": "StatefulSet", "metadata": {"generation": 1}, "spec": {"replicas": 3, "updateStrategy": strategy},
            "status": {"observedGeneration": 1, "replicas": 3, "updatedReplicas": newest, "availableReplicas": 3}})
    };
    assert_eq!(rollout(&set(json!({"type": "OnDelete"}), 0)), ReadinessState::Ready);
    let canary = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    assert_eq!(rollout(&set(canary.clone(), 1)), ReadinessState::Ready);
    assert!(matches!(rollout(&set(canary, 0)), ReadinessState::NotYet(_)));
    assert!(matches!(rollout(&set(json!({"type": "RollingUpdate"}), 2)), ReadinessState::NotYet(_)));
}

#[test]
fn what_a_cluster_says_is_shown_in_few_letters() {
    let reason = format!("\u{1b}]52;c;x\u{7}{}", "x".repeat(1 << 20));
    let pod = json!({"status": {"containerStatuses": [{"state": {"waiting": {"reason": reason}}}]}});
    let said = told("1 of 2 available", &Value::Null, &[pod], &[]).words;
    assert!(said.len() < 1000 && !said.contains(['\u{1b}', '\u{7}']), "{} bytes", said.len());
    let failed = json!({"status": {"conditions": [{"type": "Failed", "status": "True", "message": reason}]}});
    let ReadinessState::Failed(why) = job(&failed) else { panic!("it failed") };
    assert!(why.len() < 1000 && !why.contains('\u{1b}'), "{} bytes", why.len());
}

#[test]
fn pending_pods_say_why() {
    let message = "0/5 nodes are available: 5 Insufficient nvidia.com/gpu. preemption: none";
    let pod = json!({"status": {"phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "message": message}]}});
    let said = told("3 of 5 available", &Value::Null, &[pod.clone(), pod.clone()], &[]);
    assert_eq!(said.words, "3 of 5 available; 2 pods: Pending: 0/5 nodes are available: 5 Insufficient nvidia.com/gpu");
    assert_eq!(said.lack, Some(PodProblem::Gpu));
    let waiting = |reason: &str| json!({"status": {"containerStatuses": [{"state": {"waiting": {"reason": reason}}}]}});
    assert_eq!(told("", &Value::Null, &[waiting("ErrImagePull")], &[]).lack, Some(PodProblem::Image));
    assert_eq!(
        told("", &Value::Null, &[waiting("ImagePullBackOff"), pod], &[]).lack,
        Some(PodProblem::Gpu),
        "a GPU first"
    );
    let refused = "failed to create containerd task: unsupported device id: tegra: unknown";
    let refuses = |message: Value| {
        let state = json!({"waiting": {"reason": "CreateContainerError", "message": message}});
        json!({"status": {"containerStatuses": [{"state": state}]}})
    };
    let said = told("its pod has not ended", &Value::Null, &[refuses(refused.into())], &[]);
    assert_eq!(said.words, format!("its pod has not ended; CreateContainerError: {refused}"));
    let proof = Readiness::Logged("PASSED".into());
    let deadline = Duration::from_secs(300);
    for lack in [PodProblem::Image, PodProblem::Gpu, PodProblem::Settings, PodProblem::Runtime] {
        assert!(longest(&proof, Some(lack)) < deadline, "{lack:?}: the job takes its pods away with their reason");
    }
    assert_eq!(
        (said.lack, longest(&proof, said.lack)),
        (Some(PodProblem::Runtime), RUNTIME),
        "not until its job is gone"
    );
    assert_eq!(told("", &Value::Null, &[refuses(Value::Null)], &[]).lack, Some(PodProblem::Runtime));
    // A name is not a reason.
    assert_eq!(
        told("my-ImagePuller: 1 of 2", &Value::Null, &[waiting("CrashLoopBackOff")], &[]).lack,
        Some(PodProblem::Program)
    );
}

#[test]
fn a_definition_is_ready_once_it_is_established() {
    let with = |name: &str, status: &str| json!({"status": {"conditions": [{"type": name, "status": status, "reason": "R", "message": "m"}]}});
    assert_eq!(established(&with("Established", "True")), ReadinessState::Ready);
    assert!(matches!(established(&json!({})), ReadinessState::NotYet(_)));
    let mut there = with("Established", "True");
    there["kind"] = "CustomResourceDefinition".into();
    there["metadata"] = json!({"generation": 1});
    assert_eq!(lacks(&Readiness::RolledOut, &there), None, "it has no generation that a controller saw");
    assert_eq!(established(&with("NamesAccepted", "False")), ReadinessState::Failed("R: m".to_owned()));
}

#[test]
fn a_daemon_is_not_awaited_on_a_silent_node() {
    let set = json!({"kind": "DaemonSet", "status": {"desiredNumberScheduled": 2, "numberAvailable": 1}});
    let pod = |node: &str, ready: &str| json!({"spec": {"nodeName": node}, "status": {"conditions": [{"type": "Ready", "status": ready}]}});
    let pods = [pod("one", "True"), pod("two", "False")];
    assert!(only_on(&set, &pods, &["two".to_owned()]));
    assert!(!only_on(&set, &pods, &[]));
    assert!(!only_on(&set, &pods[1..], &["two".to_owned()]));
}

#[test]
fn a_log_without_the_word_is_no_proof() {
    let spec = ManifestSpec {
        cluster: "a".into(),
        api_version: "batch/v1".into(),
        kind: "Job".into(),
        namespace: None,
        name: "proof".into(),
        object: json!({}),
        ready: Readiness::Logged("PASSED".into()),
        force_conflicts: false,
        recreate: false,
    };
    assert!(judge_log(&spec, "PASSED", "Test PASSED\nDone").is_ok());
    let fault = judge_log(&spec, "PASSED", "no CUDA-capable device is detected").expect_err("no proof");
    assert!(fault.message.contains("no CUDA-capable device"), "{fault}");
}
