//! The script that makes a machine a node: POSIX shell, every value quoted.

use super::on_host::MEMORY;
use super::registry::{self, RegistryPull};
use super::script::{Script, quoted, script};
use crate::resource::node::{NodeRole, NodeSpec};

/// Where the installer comes from when it was not brought: what get.k3s.io serves, as it is at the tag v1.36.3+k3s1. It
/// installs any version, and holds the k3s program against the hashes of its release.
const INSTALLER_URL: &str =
    "https://raw.githubusercontent.com/k3s-io/k3s/5aed4d7beddeb3e67120da477c876ac9efd70318/install.sh";
/// Its SHA-256: it is run as root.
const INSTALLER_SHA256: &str = "46177d4c99440b4c0311b67233823a8e8a2fc09693f6c89af1a7161e152fbfad";
/// Where the k3s program lies.
const PROGRAM: &str = "/usr/local/bin/k3s";
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
pub fn look() -> Script {
    script!(
        r#"for u in k3s k3s-agent; do
  f=/etc/systemd/system/$u.service
  test -e $f || continue
  echo unit=$u
  echo active=$(systemctl is-active $u 2>/dev/null || :)
  echo url=$(sed -n "s/^K3S_URL=//p" $f.env 2>/dev/null | tr -d "\"'")
  echo disable=$(grep -o -- '--disable=[a-z-]*' $f | cut -d= -f2 | tr '\n' ' ')
  echo node_ip=$(grep -o -- '--node-ip=[0-9a-fA-F.:]*' $f | cut -d= -f2)
  echo tls_san=$(grep -o -- '--tls-san=[0-9A-Za-z.:-]*' $f | cut -d= -f2 | tr '\n' ' ')
done
if command -v k3s >/dev/null 2>&1; then echo version=$(k3s --version 2>/dev/null | awk 'NR == 1 {{print $3}}'); fi
echo started=$(cat {MEMORY}/started.k3s 2>/dev/null || :)
{look}"#,
        MEMORY,
        look = registry::look()
    )
}

/// Installs k3s in this role and starts it. `token` is for an agent that joins, `pull` for a node of a cluster with a
/// registry. Safe to run again; a k3s that runs is started anew.
pub fn install(spec: &NodeSpec, token: Option<&str>, pull: Option<&RegistryPull>) -> Script {
    let other = match spec.role {
        NodeRole::Server => NodeRole::Agent,
        NodeRole::Agent => NodeRole::Server,
    };
    let mut text = script!(
        "if test -e /etc/systemd/system/{unit}.service; then echo \"this machine has another role in a cluster already\"; exit 1; fi\n",
        unit = unit(other)
    );
    text.push("akidb_edge_memory\n");
    if let (Some(pull), Some(at)) = (pull, &spec.registry) {
        text.push(pull.admit(at));
    }
    text.push(script!("export INSTALL_K3S_VERSION={version}\n", version = quoted(&spec.version)));
    text.push(script!("export INSTALL_K3S_EXEC={command}\n", command = quoted(&command(spec))));
    // Started below, so that a start that fails is told apart from an installation that does.
    text.push("export INSTALL_K3S_SKIP_START=true\n");
    if spec.role == NodeRole::Agent {
        text.push(script!("export K3S_URL={server_url}\n", server_url = quoted(&spec.server_url)));
        text.push(script!(
            "if command -v getent >/dev/null && ! getent ahosts {server} >/dev/null 2>&1; then echo {server}: no address of the server is known here under that name; exit 1; fi\n",
            server = quoted(host_of(&spec.server_url))
        ));
    }
    text.push(not_by_proxy(spec));
    // In the environment: a command line shows in ps.
    if let Some(token) = token {
        text.push(script!("export K3S_TOKEN={token}\n", token = quoted(token)));
    }
    match &spec.installer {
        Some(path) => text.push(script!("INSTALL_K3S_SKIP_DOWNLOAD=true sh {path}\n", path = quoted(path))),
        None => text.push(script!(
            "i=\"$akidb_edge_run/k3s-install.sh\"\ncurl -fsSL --proto '=https' --retry 3 --connect-timeout 20 -o \"$i\" -- {INSTALLER_URL}\ntest \"$(sha256sum <\"$i\" | cut -c-64)\" = {INSTALLER_SHA256} || {{ echo the installer that came has another hash; exit 1; }}\nsh \"$i\"\n",
            INSTALLER_URL,
            INSTALLER_SHA256
        )),
    }
    text.push("unset K3S_TOKEN\n");
    if let Some(sum) = &spec.program_sha256 {
        text.push(script!(
            "test \"$(sha256sum <{PROGRAM} | cut -c-64)\" = {sum} || {{ rm -f {PROGRAM}; echo the k3s program that came has another hash; exit 1; }}\n",
            PROGRAM,
            sum = quoted(sum)
        ));
    }
    text.and(restart(spec))
}

/// Where the device has a proxy (/etc/environment), k3s takes it for itself and for its images: never for the server and the cluster's
/// registry, which are among the devices. What the device exempts stays.
fn not_by_proxy(spec: &NodeSpec) -> Script {
    let registry = spec.registry.as_deref().map(|at| at.rsplit_once(':').map_or(at, |(address, _)| address));
    let near = [Some(host_of(&spec.server_url)), registry];
    let mut near: Vec<&str> = near.into_iter().flatten().map(|one| one.trim_matches(['[', ']'])).collect();
    near.retain(|one| !one.is_empty());
    near.dedup();
    script!(
        "if env | grep -qi '^https\\{{0,1\\}}_proxy='; then for akidb_edge_one in {near}; do NO_PROXY=\"${{NO_PROXY:-${{no_proxy:-localhost,127.0.0.1}}}},$akidb_edge_one\"; done; export NO_PROXY; unset no_proxy; fi\n",
        near = Script::words(near.into_iter().map(quoted))
    )
}

/// Starts k3s anew and records what for.
pub fn restart(spec: &NodeSpec) -> Script {
    let unit = unit(spec.role);
    script!(
        "timeout {START_SECONDS} systemctl restart {unit} || {{ echo \"{unit} does not start\"; journalctl -u {unit} -n 4 --no-pager -o cat 2>/dev/null || :; exit 1; }}\nakidb_edge_memory; printf %s {restart_on} >{MEMORY}/started.k3s",
        START_SECONDS,
        unit,
        restart_on = quoted(&spec.restart_on),
        MEMORY
    )
}

/// The host of `https://HOST:6443`.
fn host_of(url: &str) -> &str {
    let host = url.strip_prefix("https://").unwrap_or(url).strip_suffix(":6443").unwrap_or(url);
    host.trim_matches(['[', ']'])
}

/// What k3s is started with.
fn command(spec: &NodeSpec) -> Script {
    let mut words = vec![match spec.role {
        NodeRole::Server => "server".to_owned(),
        NodeRole::Agent => "agent".to_owned(),
    }];
    words.push(format!("--node-name={}", spec.host));
    words.extend(spec.node_ip.iter().map(|ip| format!("--node-ip={ip}")));
    words.extend(spec.labels.iter().map(|(key, value)| format!("--node-label={key}={value}")));
    words.extend(spec.taints.iter().map(|taint| format!("--node-taint={taint}")));
    if spec.registry.is_some() {
        words.push(format!("--private-registry={}", registry::REGISTRIES));
    }
    if spec.role == NodeRole::Server {
        words.push("--write-kubeconfig-mode=0600".to_owned());
        words.extend(spec.tls_san.iter().map(|name| format!("--tls-san={name}")));
        words.extend(spec.disable.iter().map(|part| format!("--disable={part}")));
    }
    Script::words(words.iter().map(|word| quoted(word)))
}

/// Takes k3s away, with all that it left.
pub fn uninstall(role: NodeRole) -> Script {
    let script = match role {
        NodeRole::Server => "/usr/local/bin/k3s-uninstall.sh",
        NodeRole::Agent => "/usr/local/bin/k3s-agent-uninstall.sh",
    };
    script!(
        "log=\"$akidb_edge_run/uninstall\"\nif test -x {script}; then {script} >\"$log\" 2>&1 || {{ tail -n 5 \"$log\"; exit 1; }}; fi\nrm -f /etc/rancher/node/password {MEMORY}/started.k3s\n{dismiss}rmdir /etc/rancher/node /etc/rancher /var/lib/rancher 2>/dev/null || :",
        script,
        MEMORY,
        dismiss = registry::dismiss()
    )
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
            node_ip: None,
            tls_san: Vec::new(),
            labels: BTreeMap::from([("tier".into(), "edge's".into())]),
            taints: Vec::new(),
            disable: Vec::new(),
            installer: Some("/var/lib/akidb-edge/k3s-install.sh".into()),
            program_sha256: None,
            registry: None,
            restart_on: String::new(),
        }
    }

    #[test]
    fn a_node_is_told_its_address_and_the_server_its_names() {
        let node = NodeSpec {
            node_ip: Some("fd78::11".into()),
            tls_san: vec!["edge.example".into(), "fd78::11".into()],
            server_url: "https://[fd78::11]:6443".into(),
            ..agent()
        };
        let text = install(&node, None, None);
        assert!(text.contains("--node-ip=fd78::11") && !text.contains("--tls-san"), "{text}");
        assert!(text.contains("getent ahosts 'fd78::11'"), "{text}");
        let text = install(&NodeSpec { role: NodeRole::Server, ..node }, None, None);
        assert!(text.contains("--tls-san=edge.example") && text.contains("--tls-san=fd78::11"), "{text}");
        assert!(!text.contains("K3S_URL") && !text.contains("getent"), "{text}");
    }

    #[test]
    fn a_proxy_of_the_device_is_not_asked_for_the_server_and_the_registry() {
        let node = NodeSpec {
            registry: Some("[fd78::12]:5000".into()),
            server_url: "https://[fd78::11]:6443".into(),
            ..agent()
        };
        let lines = format!("{}env | grep -i no_proxy || echo none", not_by_proxy(&node).as_str());
        let said = |proxy: &[(&str, &str)]| {
            let mut shell = std::process::Command::new("sh");
            shell
                .args(["-c", &format!("set -eu\n{lines}")])
                .env_clear()
                .env("PATH", "/usr/bin:/bin")
                .envs(proxy.iter().copied());
            String::from_utf8_lossy(&shell.output().expect("sh runs").stdout).trim().to_owned()
        };
        assert_eq!(said(&[]), "none");
        let proxy = ("https_proxy", "http://proxy:3128");
        assert_eq!(said(&[proxy]), "NO_PROXY=localhost,127.0.0.1,fd78::11,fd78::12");
        assert_eq!(said(&[proxy, ("no_proxy", "intra.example")]), "NO_PROXY=intra.example,fd78::11,fd78::12");
        assert!(install(&node, None, None).contains("NO_PROXY"));
    }

    #[test]
    fn values_are_quoted_twice() {
        let text = install(&agent(), None, None);
        assert!(text.contains(r#"'\''--node-label=tier=edge'\''\'\'''\''s'\''"#), "{text}");
        assert!(!text.contains("K3S_TOKEN="));
    }

    #[test]
    fn what_is_fetched_is_held_against_its_hash_before_it_runs() {
        let text = install(&NodeSpec { installer: None, ..agent() }, None, None);
        let (fetch, check, run) = (text.find(INSTALLER_URL), text.find(INSTALLER_SHA256), text.find("sh \"$i\""));
        assert!(fetch.is_some() && fetch < check && check < run, "{text}");
        let pinned = install(&NodeSpec { program_sha256: Some("a".repeat(64)), ..agent() }, None, None);
        let (check, start) = (pinned.find(&"a".repeat(64)), pinned.find("systemctl restart"));
        assert!(check.is_some() && check < start, "{pinned}");
    }

    #[test]
    fn nothing_is_written_where_others_can_write() {
        for role in [NodeRole::Server, NodeRole::Agent] {
            let node = NodeSpec { installer: None, role, ..agent() };
            for text in [install(&node, None, None), uninstall(role), restart(&node), look()] {
                assert!(!text.contains("/tmp") && !text.contains("mktemp"), "{text}");
            }
        }
    }

    #[test]
    fn a_token_is_in_the_environment_alone() {
        let text = install(&agent(), Some("K10secret"), None);
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("K10secret")).collect();
        assert_eq!(lines, ["export K3S_TOKEN='K10secret'"]);
    }
}
