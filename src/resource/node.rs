//! A machine as a node of a k3s cluster.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Facts, plain};

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
    /// A text that changes when k3s must be started again (a hash of its registries file).
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

pub(super) const FACTS: Facts = Facts {
    replace_on: &["host", "role", "server"],
    identity: &["host"],
    unordered: &["taints", "disable"],
    disruptive: &["version", "restart_on"],
    usual_seconds: (20, 20),
    mark: None,
    ..plain("node", "k3s node")
};
