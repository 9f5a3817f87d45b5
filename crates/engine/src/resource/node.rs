//! A machine as a node of a k3s cluster.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind_facts::{KindFacts, on_device};
use super::syntax_check::{self, CheckedSettings, InvalidSetting, SettingsCheck};

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
    /// Where the installer and the k3s program are on the machine when they were brought; none: fetched by the machine.
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

/// The next step for an address of the server that other machines cannot use.
const REACHED: &str = "give the server node_ip, the address by which the other devices reach it; one with a zone (%eth0) is of one machine alone";

/// An address that means the same on every machine. A zone does not, and systemd expands `%` in the command line of the k3s unit.
fn reached(text: &str) -> bool {
    syntax_check::address(text) && !text.contains('%')
}

impl CheckedSettings for NodeSpec {
    fn wrong(&self) -> Vec<InvalidSetting> {
        let mut look = SettingsCheck::default();
        look.must("host", &self.host, syntax_check::node(&self.host), syntax_check::NODE);
        look.must("server", &self.server, syntax_check::node(&self.server), syntax_check::NODE);
        look.must("version", &self.version, syntax_check::k3s_version(&self.version), syntax_check::K3S_VERSION);
        let url = self.server_url.strip_prefix("https://").and_then(|rest| rest.strip_suffix(":6443"));
        let at = url.map(|host| host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host));
        look.must("server_url", &self.server_url, at.is_some_and(reached), REACHED);
        if let Some(ip) = &self.node_ip {
            look.must("node_ip", ip, ip.parse::<std::net::IpAddr>().is_ok(), NODE_IP);
        }
        for name in &self.tls_san {
            look.must("tls_san", name, reached(name), REACHED);
        }
        for (key, value) in &self.labels {
            look.must("labels", key, syntax_check::label_key(key), syntax_check::LABEL);
            look.must(&format!("labels.{key}"), value, syntax_check::label_value(value), syntax_check::LABEL);
        }
        for taint in &self.taints {
            look.must("taints", taint, syntax_check::taint(taint), syntax_check::TAINT);
        }
        for part in &self.disable {
            look.must("disable", part, syntax_check::part(part), syntax_check::PART);
        }
        if let Some(installer) = &self.installer {
            look.must("installer", installer, syntax_check::path(installer), syntax_check::PATH);
        }
        if let Some(sum) = &self.program_sha256 {
            look.must("sha256", sum, syntax_check::sha256(sum), syntax_check::SHA256);
        }
        if let Some(at) = &self.registry {
            let parts = at.rsplit_once(':').map(|(address, port)| (address.trim_matches(['[', ']']), port));
            let fits = parts.is_some_and(|(address, port)| reached(address) && port.parse::<u16>().is_ok());
            look.must("registry", at, fits, REACHED);
        }
        look.must("restart_on", &self.restart_on, syntax_check::line(&self.restart_on), syntax_check::LINE);
        look.done()
    }
}

pub(super) const FACTS: KindFacts = KindFacts {
    replace_on: &["host", "role", "server"],
    identity: &["host"],
    unordered: &["taints", "disable", "tls_san"],
    disruptive: &["version", "restart_on"],
    usual_seconds: (20, 20),
    label: &[],
    ..on_device::<NodeSpec>("node", "k3s node")
};

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What a shell, systemd (`%h`, `$HOME` in `ExecStart`) or YAML would read as something else than a text.
    const HOSTILE: [&str; 11] = ["a b", "a'b", "a\"b", "a\nb", "a%hb", "$HOME", "a${b}", "a\\b", "a;b", "a`b`", "-a"];

    fn settings() -> Value {
        json!({"host": "one", "role": "server", "version": "v1.36.3+k3s1", "server": "one",
            "server_url": "https://192.0.2.1:6443", "node_ip": "192.0.2.1", "tls_san": ["edge.local"],
            "labels": {"tier": "edge"}, "taints": ["a=b:NoSchedule"], "disable": ["traefik"], "registry": "192.0.2.1:5000"})
    }

    /// The fields of these settings that are wrong.
    fn wrong(settings: Value) -> Vec<String> {
        let spec: NodeSpec = serde_json::from_value(settings).expect("settings");
        spec.wrong().into_iter().map(|wrong| wrong.field).collect()
    }

    #[test]
    fn what_a_unit_of_systemd_would_expand_is_refused() {
        assert_eq!(wrong(settings()), Vec::<String>::new());
        for text in HOSTILE {
            let cases = [
                ("host", json!(text), "host"),
                ("server", json!(text), "server"),
                ("version", json!(format!("v1{text}")), "version"),
                ("server_url", json!(format!("https://{text}:6443")), "server_url"),
                ("node_ip", json!(text), "node_ip"),
                ("tls_san", json!([text]), "tls_san"),
                ("labels", json!({"tier": text}), "labels.tier"),
                ("labels", json!({text: "edge"}), "labels"),
                ("taints", json!([format!("a={text}:NoSchedule")]), "taints"),
                ("registry", json!(format!("{text}:5000")), "registry"),
            ];
            for (field, value, named) in cases {
                // A version may have a dash inside.
                if field == "version" && text == "-a" {
                    continue;
                }
                let mut settings = settings();
                settings[field] = value;
                let found = wrong(settings);
                assert!(
                    found.iter().any(|one| one == named || one.starts_with(&format!("{named}."))),
                    "{field}: {text:?}: {found:?}"
                );
            }
        }
        assert_eq!(
            wrong({
                let mut zoned = settings();
                zoned["tls_san"] = json!(["fe80::1%eth0"]);
                zoned
            }),
            ["tls_san"]
        );
    }
}
