//! Nodes without machines: what is read of them, and what is asked of the cluster's API.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::connection::DeviceAccess;

/// A cluster of one node, whose first `stale` patches with a resource version come too late.
#[derive(Default)]
struct OneNode {
    node: Value,
    stale: AtomicUsize,
    left: Vec<Untrusted>,
    held: Vec<Untrusted>,
    patches: Mutex<Vec<Value>>,
}

#[async_trait]
impl ClusterApi for OneNode {
    async fn nodes(&self, _cluster: &str) -> Result<Option<Vec<Value>>, Fault> {
        Ok(Some(vec![self.node.clone()]))
    }

    async fn patch_node(&self, _cluster: &str, _node: &str, patch: Value) -> Result<(), Fault> {
        let versioned = patch.pointer("/metadata/resourceVersion").is_some();
        self.patches.lock().expect("no test failed").push(patch);
        let late = versioned && self.stale.load(Ordering::Relaxed) > 0;
        if late {
            self.stale.fetch_sub(1, Ordering::Relaxed);
            return Err(Fault::new(
                FaultClass::Stale,
                "kubernetes",
                "patch",
                "ChangedMeanwhile",
                "the object has been modified",
            ));
        }
        Ok(())
    }

    async fn delete_node(&self, _cluster: &str, _node: &str) -> Result<(), Fault> {
        Ok(())
    }

    async fn drain(&self, _cluster: &str, _node: &str, _how: DrainOptions) -> Result<DrainOutcome, Fault> {
        Ok(DrainOutcome::Left { pods: self.left.clone(), held: self.held.clone() })
    }
}

fn agent() -> NodeSpec {
    serde_json::from_value(json!({
        "host": "a", "role": "agent", "version": "v2", "server": "s", "server_url": "https://s:6443",
        "labels": {"tier": "edge"}, "taints": ["gpu=yes:NoSchedule"],
    }))
    .expect("a node")
}

/// Nodes behind this API, on machines that are not asked.
fn nodes(api: &Arc<OneNode>) -> Nodes {
    let api: Arc<dyn ClusterApi> = api.clone();
    Nodes::new(&Fleet::new(DeviceAccess::default(), []), &api)
}

fn changed(path: &str) -> FieldChange {
    FieldChange { path: path.to_owned(), old: None, new: None, drifted: false }
}

#[tokio::test]
async fn taints_are_read_again_once_when_the_node_changed_in_between() {
    let node = json!({"metadata": {"name": "a", "resourceVersion": "7"}});
    for (stale, tries, works) in [(0, 1, true), (1, 2, true), (2, 2, false)] {
        let api = Arc::new(OneNode { node: node.clone(), stale: AtomicUsize::new(stale), ..OneNode::default() });
        let answer = nodes(&api).relabel(&agent(), &[changed("labels.tier"), changed("taints")]).await;
        assert_eq!(answer.is_ok(), works, "{answer:?}");
        let patches = api.patches.lock().expect("no test failed").clone();
        assert_eq!(patches[0], json!({"metadata": {"labels": {"tier": "edge"}}}));
        let taints = json!([{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]);
        let wanted = json!({"metadata": {"resourceVersion": "7"}, "spec": {"taints": taints}});
        assert_eq!(patches[1..], vec![wanted; tries]);
    }
}

#[tokio::test]
async fn pods_that_stay_are_named() {
    let pods: Vec<Untrusted> = (1..=7).map(|at| format!("akidb/pod-{at}").into()).collect();
    for (held, said) in [
        (vec!["akidb/pod-2".into()], "a: disruption budgets hold: akidb/pod-2"),
        (
            Vec::new(),
            "a: pods still running: akidb/pod-1, akidb/pod-2, akidb/pod-3, akidb/pod-4, akidb/pod-5 and 2 more",
        ),
    ] {
        let api = Arc::new(OneNode { left: pods.clone(), held, ..OneNode::default() });
        let fault = nodes(&api).drain(&agent()).await.expect_err("they stay");
        assert_eq!((fault.class, fault.message.line().as_str()), (FaultClass::Retry, said));
    }
}

#[test]
fn a_token_has_one_form() {
    let good = format!("K10{}::abc123.0123456789abcdef", "a".repeat(64));
    assert_eq!(token(&format!(" {good}\n")), Some((good.as_str(), "abc123")));
    for odd in
        ["K10x::a.b".to_owned(), format!("{good}' ; id; '"), good.replace("abc123", "--all"), good.replace("::", ":")]
    {
        assert_eq!(token(&odd), None, "{odd}");
    }
}

#[test]
fn a_unit_that_does_not_run_differs() {
    let spec: NodeSpec = serde_json::from_value(json!({
        "host": "a", "role": "agent", "version": "v2", "server": "s", "server_url": "https://s:6443",
    }))
    .expect("a node");
    let node = json!({"status": {"nodeInfo": {"kubeletVersion": "v1"}}, "metadata": {"labels": {"tier": "edge"}},
        "spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"},
            {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]}});
    let printed = "unit=k3s-agent\nactive=failed\nurl=https://s:6443\nversion=v2\nstarted=";
    let seen = found(&spec, printed, Some(&node)).expect("a node");
    assert_eq!(seen["restart_on"], "(it does not run)");
    assert_eq!(seen["version"], "v1");
    assert_eq!(seen["taints"], json!(["gpu=yes:NoSchedule"]));
    assert_eq!(found(&spec, "version=v2", None), None);
}
