//! Nodes of a k3s cluster: a server, and agents that join it by a token which lives for ten minutes at most.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Fleet;
use super::node_labels::{label_patch, taint_patch, taints};
use super::node_remedy;
use super::node_script as text;
use super::node_state;
use super::on_host::{forget, general_remedy, is_ours, recall, remember, sound};
use super::registry::{self, RegistryPull};
use super::script::{Script, last_words, lines, quoted, script};
use crate::provider::cluster::{ClusterApi, DrainOptions, DrainOutcome};
use crate::provider::{Applied, DeleteOutcome, Progress, Provider, ResourceContext};
use crate::resource::node::{NodeRole, NodeSpec};
use crate::resource::{
    Attributes, Fault, FaultClass, FieldChange, Level, ObservedResource, Owner, Untrusted, syntax_check,
};

/// A node that joined is Ready within this, or something is wrong.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// An upgrade waits so long for the pods of a node to find another one.
const DRAINED_WITHIN: Duration = Duration::from_secs(120);
/// On a node whose upgrade was begun and not ended.
const UPGRADING: &str = "akidb.dev/upgrading";
/// One try of a drain: what does not go by then is tried again, so that others have their turn on the server.
const DRAIN_TRY: Duration = Duration::from_secs(3);

/// Nodes on a fleet's machines.
pub struct Nodes {
    fleet: Arc<Fleet>,
    api: Arc<dyn ClusterApi>,
    /// Agents take a new version one after the other.
    upgrading: tokio::sync::Mutex<Option<String>>,
    waiting: Mutex<BTreeMap<String, Instant>>,
}

impl Nodes {
    /// Nodes on these machines, of the clusters behind this API.
    pub fn new(fleet: &Arc<Fleet>, api: &Arc<dyn ClusterApi>) -> Self {
        Self {
            fleet: Arc::clone(fleet),
            api: Arc::clone(api),
            upgrading: tokio::sync::Mutex::default(),
            waiting: Mutex::default(),
        }
    }

    async fn must(&self, operation: &str, host: &str, lines: &Script) -> Result<String, Fault> {
        let reply = self.fleet.run(host, script!("set -eu\n{lines}", lines)).await?;
        if reply.code == 0 {
            return Ok(reply.output);
        }
        let said = reply.output.trim();
        let words = format!("{host}: {} (exit status {})", last_words(said, 5), reply.code);
        let next = node_remedy::remedy(said).or_else(|| general_remedy(said));
        let next = next.unwrap_or("correct it on the device, then run the same command again");
        Err(Fault::new(FaultClass::Refused, "k3s", operation, "Failed", words).next(next))
    }

    /// Installs and starts k3s; an agent joins by a token made for this alone.
    async fn join(&self, operation: &str, spec: &NodeSpec) -> Result<(), Fault> {
        let pull = self.pull(spec).await?;
        if spec.role == NodeRole::Server {
            return self.must(operation, &spec.host, &text::install(spec, None, pull.as_ref())).await.map(drop);
        }
        let make = script!(
            "k3s token create --ttl 10m --description {host}",
            host = quoted(&format!("join of {}", spec.host))
        );
        let printed = self.must("token create", &spec.server, &make).await?;
        let Some((token, id)) = printed.lines().rev().find_map(token) else {
            return Err(Fault::unexpected("k3s", "token create", "no token in what it printed"));
        };
        let joined = self.must(operation, &spec.host, &text::install(spec, Some(token), pull.as_ref())).await;
        // It has done its work. When this fails it ends by itself in ten minutes.
        let deleted = self.fleet.run(&spec.server, script!("k3s token delete {id}", id = quoted(id))).await;
        joined?;
        deleted.map(drop)
    }

    /// How the node may pull from the cluster's registry; the server's machine makes what that takes.
    async fn pull(&self, spec: &NodeSpec) -> Result<Option<RegistryPull>, Fault> {
        let Some(at) = &spec.registry else { return Ok(None) };
        let address = at.rsplit_once(':').map_or(at.as_str(), |(address, _)| address).trim_matches(['[', ']']);
        let printed = self.must("registry", &spec.server, &registry::make(address)).await?;
        match RegistryPull::of(&printed) {
            Some(pull) => Ok(Some(pull)),
            None => {
                Err(Fault::unexpected("k3s", "registry", "no login and authority in what the server's machine printed"))
            }
        }
    }

    /// The node as the API knows it.
    async fn node(&self, spec: &NodeSpec) -> Result<Option<Value>, Fault> {
        let nodes = self.api.nodes(&spec.server).await?.unwrap_or_default();
        Ok(nodes.into_iter().find(|node| node_state::name(node) == Some(spec.host.as_str())))
    }

    async fn patch(&self, spec: &NodeSpec, patch: Value) -> Result<(), Fault> {
        self.api.patch_node(&spec.server, &spec.host, patch).await
    }

    /// Lets pods come to a node again.
    async fn uncordon(&self, spec: &NodeSpec) -> Result<(), Fault> {
        self.patch(spec, json!({"spec": {"unschedulable": null}})).await
    }

    /// Moves the pods of a node elsewhere, as budgets allow.
    async fn drain(&self, spec: &NodeSpec) -> Result<(), Fault> {
        match self.api.drain(&spec.server, &spec.host, DrainOptions { evict: true, within: DRAIN_TRY }).await? {
            DrainOutcome::Empty => Ok(()),
            DrainOutcome::Left { pods, held } => Err(not_drained(&spec.host, &pods, &held)),
        }
    }

    /// Another version, on a node without pods; one agent after the other, and none after one that failed.
    async fn upgrade(&self, spec: &NodeSpec) -> Result<(), Fault> {
        if spec.role == NodeRole::Server {
            return self.join("upgrade", spec).await;
        }
        let mut halted = self.upgrading.lock().await;
        if let Some(other) = halted.as_ref() {
            let words = format!("{} keeps its version: the upgrade of {other} failed", spec.host);
            return Err(Fault::new(FaultClass::Refused, "k3s", "upgrade", "Halted", words)
                .next(format!("fix {other} first, then run the same command again")));
        }
        let upgraded = self.upgrade_agent(spec).await;
        if upgraded.is_err() {
            *halted = Some(spec.host.clone());
        }
        upgraded
    }

    async fn upgrade_agent(&self, spec: &NodeSpec) -> Result<(), Fault> {
        // When this is cut off half-way, the next run sees it and goes on.
        self.patch(spec, json!({"metadata": {"annotations": {UPGRADING: "yes"}}})).await?;
        let begun = Instant::now();
        while let Err(fault) = self.drain(spec).await {
            if fault.class != FaultClass::Retry || begun.elapsed() > DRAINED_WITHIN {
                self.uncordon(spec).await?;
                return Err(fault);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.join("upgrade", spec).await?;
        self.uncordon(spec).await?;
        self.patch(spec, json!({"metadata": {"annotations": {UPGRADING: null}}})).await
    }

    /// Labels and taints, which k3s gives to a new node only.
    async fn relabel(&self, spec: &NodeSpec, fields: &[FieldChange]) -> Result<(), Fault> {
        if let Some(patch) = label_patch(spec, fields) {
            self.patch(spec, patch).await?;
        }
        if !fields.iter().any(|field| field.path.starts_with("taints")) {
            return Ok(());
        }
        match self.retaint(spec).await {
            // The node changed since it was read: kubelet and controllers write to it all the time.
            Err(fault) if fault.class == FaultClass::Stale => self.retaint(spec).await,
            answer => answer,
        }
    }

    async fn retaint(&self, spec: &NodeSpec) -> Result<(), Fault> {
        let node = self.node(spec).await?;
        match node.as_ref().and_then(|node| taint_patch(spec, node)) {
            Some(patch) => self.patch(spec, patch).await,
            None => Ok(()),
        }
    }

    fn since(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Instant>> {
        // Nothing can fail while it is held: what a poisoned map holds is whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pods that stay are named: those that a budget holds, else all.
fn not_drained(host: &str, pods: &[Untrusted], held: &[Untrusted]) -> Fault {
    const NAMED: usize = 5;
    let (all, what) = if held.is_empty() { (pods, "pods still running") } else { (held, "disruption budgets hold") };
    let names: Vec<String> = all.iter().take(NAMED).map(Untrusted::line).collect();
    let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    let next = if held.is_empty() {
        "check their finalizers and termination grace periods, then run the same command again"
    } else {
        "a disruption budget blocks the eviction of its pods: lower its minimum or add replicas, then run the same \
         command again"
    };
    let words = format!("{host}: {what}: {}{more}", names.join(", "));
    Fault::new(FaultClass::Retry, "k3s", "drain", "PodsStay", words).next(next)
}

/// A join token and its id, in the form that k3s gives them: `K10`, the hash of the authority, `::`, id and secret.
fn token(line: &str) -> Option<(&str, &str)> {
    let token = line.trim();
    let (hash, secret) = token.strip_prefix("K10")?.split_once("::")?;
    let (id, secret) = secret.split_once('.')?;
    let plain =
        |text: &str| !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (syntax_check::sha256(hash) && plain(id) && plain(secret)).then_some((token, id))
}

/// The settings as they are, from what the machine printed and what the API says.
fn found(spec: &NodeSpec, printed: &str, node: Option<&Value>) -> Option<Value> {
    let seen = lines(printed);
    let role = if *seen.get("unit")? == "k3s" { NodeRole::Server } else { NodeRole::Agent };
    let text = |key: &str| seen.get(key).copied().unwrap_or_default().trim();
    // A program that was replaced runs only once it is started again: the node says what runs.
    let runs = node.and_then(|node| node.pointer("/status/nodeInfo/kubeletVersion")?.as_str());
    let annotations = node.and_then(|node| node.pointer("/metadata/annotations"));
    let runs = if annotations.is_some_and(|all| all.get(UPGRADING).is_some()) { Some("(half upgraded)") } else { runs };
    let started = if text("active") == "active" { text("started") } else { "(it does not run)" };
    let mut all = json!({
        "host": spec.host, "role": role, "server": spec.server, "version": runs.unwrap_or(text("version")),
        "server_url": if role == NodeRole::Agent { text("url") } else { &spec.server_url },
        "labels": node.and_then(|node| node.pointer("/metadata/labels")).cloned().unwrap_or_else(|| json!({})),
        "taints": node.map(taints).unwrap_or_default(),
        "disable": text("disable").split_whitespace().collect::<Vec<_>>(),
        "restart_on": started,
    });
    if spec.node_ip.is_some() {
        all["node_ip"] = text("node_ip").into();
    }
    if !spec.tls_san.is_empty() {
        all["tls_san"] = text("tls_san").split_whitespace().collect::<Vec<_>>().into();
    }
    if let Some(at) = &spec.registry {
        all["registry"] = if text("registry") == at { at.clone() } else { "(not set up)".to_owned() }.into();
    }
    for (field, value) in [("installer", &spec.installer), ("program_sha256", &spec.program_sha256)] {
        if let Some(value) = value {
            all[field] = value.clone().into();
        }
    }
    Some(all)
}

#[async_trait]
impl Provider for Nodes {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let spec: NodeSpec = subject.typed()?;
        let printed = self
            .must("look", &spec.host, &script!("{look}\n{recall}", look = text::look(), recall = recall(subject)))
            .await?;
        if !printed.lines().any(|line| line.starts_with("unit=")) {
            return Ok(None);
        }
        let node = self.node(&spec).await?;
        let ready = node.as_ref().is_some_and(node_state::is_ready);
        let ours = printed.lines().any(|line| line == "ours=1");
        let owner =
            if ours { Owner::Ours } else { Owner::Foreign("k3s is installed there, but not by this stack".to_owned()) };
        let attributes =
            Attributes::from([("joined".to_owned(), node.is_some().into()), ("ready".to_owned(), ready.into())]);
        let there = found(&spec, &printed, node.as_ref());
        Ok(there.map(|there| ObservedResource {
            id: spec.host.clone(),
            spec: there,
            attributes,
            owner,
            extras: Vec::new(),
        }))
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let spec: NodeSpec = sound(subject, "k3s")?;
        if !subject.seen_absent
            && let Some(ObservedResource { owner: Owner::Foreign(why), .. }) = self.read(subject).await?
        {
            return Err(Fault::new(FaultClass::Exists, "k3s", "install", "Foreign", format!("{}: {why}", spec.host))
                .next(format!("adopt it with --adopt {}, or uninstall it", subject.address)));
        }
        self.must("remember", &spec.host, &remember(subject)).await?;
        self.join("install", &spec).await?;
        self.since().insert(subject.address.to_string(), Instant::now());
        Ok(Applied { id: spec.host, attributes: Attributes::new() })
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        let spec: NodeSpec = sound(subject, "k3s")?;
        self.must("remember", &spec.host, &remember(subject)).await?;
        let changed = |names: &[&str]| fields.iter().any(|field| names.iter().any(|name| field.path.starts_with(name)));
        let joined = found.attributes.get("joined").and_then(Value::as_bool) == Some(true);
        if !joined && spec.role == NodeRole::Agent {
            self.join("join", &spec).await?;
        } else if changed(&["version"]) {
            self.upgrade(&spec).await?;
        } else if changed(&["disable", "server_url", "node_ip", "tls_san", "installer", "program_sha256", "registry"]) {
            self.join("install", &spec).await?;
        } else if changed(&["restart_on"]) {
            self.must("restart", &spec.host, &text::restart(&spec)).await?;
        }
        if joined {
            self.relabel(&spec, fields).await?;
        }
        self.since().insert(subject.address.to_string(), Instant::now());
        Ok(Applied { id: spec.host, attributes: Attributes::new() })
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let spec: NodeSpec = subject.typed()?;
        if spec.role == NodeRole::Agent {
            match self.node(&spec).await {
                Ok(Some(_)) => {
                    self.drain(&spec).await?;
                    self.api.delete_node(&spec.server, &spec.host).await?;
                }
                // Nothing there knows it. A server that is away keeps a node that is down until it goes itself.
                Ok(None) => {}
                Err(fault) if fault.class == FaultClass::Away => {}
                Err(fault) => return Err(fault),
            }
        }
        let script = script!(
            "{is_ours}\nif test \"${{ours:-}}\" = 1; then\n{uninstall}\nfi\n{forget}",
            is_ours = is_ours(subject),
            uninstall = text::uninstall(spec.role),
            forget = forget(subject)
        );
        self.must("uninstall", &spec.host, &script).await?;
        Ok(DeleteOutcome::Deleted)
    }

    async fn settled(&self, subject: &ResourceContext<'_>, _level: Level) -> Result<Progress, Fault> {
        let spec: NodeSpec = subject.typed()?;
        let node = self.node(&spec).await?;
        if node.as_ref().is_some_and(node_state::is_ready) {
            return Ok(Progress::Ready(Attributes::from([
                ("joined".to_owned(), true.into()),
                ("ready".to_owned(), true.into()),
            ])));
        }
        let waited = self.since().entry(subject.address.to_string()).or_insert_with(Instant::now).elapsed();
        let state = if node.is_some() { "joined, not Ready yet" } else { "not joined yet" };
        if waited > READY_WITHIN {
            let words = format!("{} is {state} after {} s", spec.host, READY_WITHIN.as_secs());
            let next = format!("check journalctl -u {} on {}", text::unit(spec.role), spec.host);
            return Err(Fault::new(FaultClass::Refused, "k3s", "join", "NotReady", words).next(next));
        }
        Ok(Progress::NotYet(state.into(), Duration::from_secs(2)))
    }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
