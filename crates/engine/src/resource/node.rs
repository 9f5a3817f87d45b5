//! A machine as a node of a k3s cluster.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::{Facts, on_device};
use super::words::{self, Look, Sound, Wrong};

/// A node: the server, or an agent that joins one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// The machine's name in the plan; the node's name, too.
    pub host: String,
    /// Server or agent.
    pub role: NodeRole,
    /// Version of k3s, such as `v1.36.3+k3s1`.
    pub version: String,
    /// The machine of the server, and the address under which nodes reach it.
    pub server: String,
    /// `https://ADDRESS:6443`.
    pub server_url: String,
    /// Address of the node, when it is another than that of its default route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_ip: Option<String>,
    /// Of the server: names and addresses by which it is reached, for its certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tls_san: Vec<String>,
    /// Labels of the node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Taints of the node (`key=value:NoSchedule`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<String>,
    /// Parts of k3s that are switched off (`traefik`, `servicelb`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disable: Vec<String>,
    /// Where the installer and the k3s program lie on the machine when they were brought; none: fetched by the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installer: Option<String>,
    /// SHA-256 (hex) of the k3s program; none: as its release says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program_sha256: Option<String>,
    /// The cluster's registry, `ADDRESS:PORT`: the node may pull from it, with the login and the authority that are made on
    /// the server's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// A text that changes when k3s must be started again.
    #[serde(default)]
    pub restart_on: String,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// Runs the control plane.
    Server,
    /// Runs pods only.
    Agent,
}

/// The next step for a node's address that is none.
const NODE_IP: &str = "write the IP address by which the other devices reach it, such as 10.0.0.5 or fd00::5";

impl Sound for NodeSpec {
    fn wrong(&self) -> Vec<Wrong> {
        let mut look = Look::default();
        look.must("host", &self.host, words::node(&self.host), words::NODE);
        look.must("server", &self.server, words::node(&self.server), words::NODE);
        look.must("version", &self.version, words::k3s_version(&self.version), words::K3S_VERSION);
        let url = self.server_url.strip_prefix("https://").and_then(|rest| rest.strip_suffix(":6443"));
        let at = url.map(|host| host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host));
        look.must("server_url", &self.server_url, at.is_some_and(words::address), words::ADDRESS);
        if let Some(ip) = &self.node_ip {
            look.must("node_ip", ip, ip.parse::<std::net::IpAddr>().is_ok(), NODE_IP);
        }
        for name in &self.tls_san {
            look.must("tls_san", name, words::address(name), words::ADDRESS);
        }
        for (key, value) in &self.labels {
            look.must("labels", key, words::label_key(key), words::LABEL);
            look.must(&format!("labels.{key}"), value, words::label_value(value), words::LABEL);
        }
        for taint in &self.taints {
            look.must("taints", taint, words::taint(taint), words::TAINT);
        }
        for part in &self.disable {
            look.must("disable", part, words::part(part), words::PART);
        }
        if let Some(installer) = &self.installer {
            look.must("installer", installer, words::path(installer), words::PATH);
        }
        if let Some(sum) = &self.program_sha256 {
            look.must("sha256", sum, words::sha256(sum), words::SHA256);
        }
        if let Some(at) = &self.registry {
            let parts = at.rsplit_once(':').map(|(address, port)| (address.trim_matches(['[', ']']), port));
            let fits = parts.is_some_and(|(address, port)| words::address(address) && port.parse::<u16>().is_ok());
            look.must("registry", at, fits, words::ADDRESS);
        }
        look.must("restart_on", &self.restart_on, words::line(&self.restart_on), words::LINE);
        look.done()
    }
}

pub(super) const FACTS: Facts = Facts {
    replace_on: &["host", "role", "server"],
    identity: &["host"],
    unordered: &["taints", "disable", "tls_san"],
    disruptive: &["version", "restart_on"],
    usual_seconds: (20, 20),
    label: &[],
    ..on_device::<NodeSpec>("node", "k3s node")
};
