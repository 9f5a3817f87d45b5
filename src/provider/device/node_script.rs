//! What is done on a machine to make it a node: POSIX shell, every value quoted.

use super::on_host::MEMORY;
use super::script::quoted;
use crate::resource::node::{NodeRole, NodeSpec};

/// Where the installer comes from when it was not brought.
const INSTALLER_URL: &str = "https://get.k3s.io";
/// k3s is given so many seconds to say that it runs.
const START_SECONDS: u32 = 240;

/// The unit of a role.
pub fn unit(role: NodeRole) -> &'static str {
    match role {
        NodeRole::Server => "k3s",
        NodeRole::Agent => "k3s-agent",
    }
}

/// Prints what is installed.
pub fn look() -> String {
    format!(
        r#"for u in k3s k3s-agent; do
  f=/etc/systemd/system/$u.service
  test -e $f || continue
  echo unit=$u
  echo active=$(systemctl is-active $u 2>/dev/null || :)
  echo url=$(sed -n "s/^K3S_URL=//p" $f.env 2>/dev/null | tr -d "\"'")
  echo disable=$(grep -o -- '--disable=[a-z-]*' $f | cut -d= -f2 | tr '\n' ' ')
done
if command -v k3s >/dev/null 2>&1; then echo version=$(k3s --version 2>/dev/null | awk 'NR == 1 {{print $3}}'); fi
echo started=$(cat {MEMORY}/started.k3s 2>/dev/null || :)"#
    )
}

/// Installs k3s in this role and starts it. `token` is for an agent that joins. Safe to run again; a k3s that runs is
/// started anew.
pub fn install(spec: &NodeSpec, token: Option<&str>) -> String {
    let other = match spec.role {
        NodeRole::Server => NodeRole::Agent,
        NodeRole::Agent => NodeRole::Server,
    };
    let mut text = format!(
        "if test -e /etc/systemd/system/{}.service; then echo \"this machine has another role in a cluster already\"; exit 1; fi\n",
        unit(other)
    );
    text.push_str(&format!("export INSTALL_K3S_VERSION={}\n", quoted(&spec.version)));
    text.push_str(&format!("export INSTALL_K3S_EXEC={}\n", quoted(&command(spec))));
    // Started below, so that a start that fails is told apart from an installation that does.
    text.push_str("export INSTALL_K3S_SKIP_START=true\n");
    if spec.role == NodeRole::Agent {
        text.push_str(&format!("export K3S_URL={}\n", quoted(&spec.server_url)));
    }
    // In the environment: a command line shows in ps.
    if let Some(token) = token {
        text.push_str(&format!("export K3S_TOKEN={}\n", quoted(token)));
    }
    match &spec.installer {
        Some(path) => text.push_str(&format!("INSTALL_K3S_SKIP_DOWNLOAD=true sh {}\n", quoted(path))),
        None => text.push_str(&format!(
            "i=$(mktemp); trap 'rm -f \"$i\"' EXIT\ncurl -fsSL --retry 3 --connect-timeout 20 -o \"$i\" {INSTALLER_URL}\nsh \"$i\"\n"
        )),
    }
    text.push_str("unset K3S_TOKEN\n");
    text + &restart(spec)
}

/// Starts k3s anew and remembers what for.
pub fn restart(spec: &NodeSpec) -> String {
    let unit = unit(spec.role);
    format!(
        "timeout {START_SECONDS} systemctl restart {unit} || {{ echo \"{unit} does not start\"; journalctl -u {unit} -n 4 --no-pager -o cat 2>/dev/null || :; exit 1; }}\nmkdir -p {MEMORY}; printf %s {} >{MEMORY}/started.k3s",
        quoted(&spec.restart_on)
    )
}

/// What k3s is started with.
fn command(spec: &NodeSpec) -> String {
    let mut words = vec![match spec.role {
        NodeRole::Server => "server".to_owned(),
        NodeRole::Agent => "agent".to_owned(),
    }];
    words.push(format!("--node-name={}", spec.host));
    words.extend(spec.labels.iter().map(|(key, value)| format!("--node-label={key}={value}")));
    words.extend(spec.taints.iter().map(|taint| format!("--node-taint={taint}")));
    if spec.role == NodeRole::Server {
        words.push("--write-kubeconfig-mode=0600".to_owned());
        words.extend(spec.disable.iter().map(|part| format!("--disable={part}")));
    }
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Takes k3s away, with all that it left.
pub fn uninstall(role: NodeRole) -> String {
    let script = match role {
        NodeRole::Server => "/usr/local/bin/k3s-uninstall.sh",
        NodeRole::Agent => "/usr/local/bin/k3s-agent-uninstall.sh",
    };
    format!(
        "if test -x {script}; then {script} >/tmp/.akidb-edge-uninstall 2>&1 || {{ tail -n 5 /tmp/.akidb-edge-uninstall; rm -f /tmp/.akidb-edge-uninstall; exit 1; }}; fi\nrm -f /tmp/.akidb-edge-uninstall /etc/rancher/node/password {MEMORY}/started.k3s\nrmdir /etc/rancher/node /etc/rancher /var/lib/rancher 2>/dev/null || :"
    )
}

/// What helps, by what was said.
pub fn remedy(said: &str) -> Option<&'static str> {
    let text = if said.contains("another role") {
        "take it down first (jetson uninstall), then run the same command again"
    } else if said.contains("not authorized") || said.contains("token CA hash") {
        "the server did not take the join token: are the clocks of the devices right (10 minutes), and is this the plan's server?"
    } else if said.contains("Node password rejected") {
        "another device had this node name: k3s kubectl delete node NAME on the server, then run the same command again"
    } else if said.contains("Failed to validate connection") || said.contains("connection refused") {
        "the agent cannot reach the server: is port 6443 of the server open for the devices?"
    } else if said.contains("Download failed") || said.contains("curl:") {
        "the device cannot fetch k3s: look at its network, or bring everything with --artifacts"
    } else if said.contains("does not start") {
        "look at journalctl -u k3s (or k3s-agent) on the device, then run the same command again"
    } else {
        return None;
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn agent() -> NodeSpec {
        NodeSpec {
            host: "jetson02".into(),
            role: NodeRole::Agent,
            version: "v1.36.3+k3s1".into(),
            server: "jetson01".into(),
            server_url: "https://10.0.0.1:6443".into(),
            labels: BTreeMap::from([("tier".into(), "edge's".into())]),
            taints: Vec::new(),
            disable: Vec::new(),
            installer: Some("/var/lib/akidb-edge/k3s-install.sh".into()),
            restart_on: String::new(),
        }
    }

    #[test]
    fn values_are_quoted_twice() {
        let text = install(&agent(), None);
        assert!(text.contains(r#"'\''--node-label=tier=edge'\''\'\'''\''s'\''"#), "{text}");
        assert!(!text.contains("K3S_TOKEN="));
    }

    #[test]
    fn a_token_is_in_the_environment_alone() {
        let text = install(&agent(), Some("K10secret"));
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("K10secret")).collect();
        assert_eq!(lines, ["export K3S_TOKEN='K10secret'"]);
    }
}
