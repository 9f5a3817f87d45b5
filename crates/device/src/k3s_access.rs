//! Access to a k3s cluster: credentials from the kubeconfig on its server, the API server through `ssh -W`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use akidb_edge_engine::plan;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Fleet;
use super::channel::ScriptOutput;
use super::client;
use super::kubeconfig::ClusterCredentials;
use super::script::{Script, quoted, script};
use super::tunnel::Tunnel;
use crate::provider::cluster::{ByteStream, ClusterAccess, Credentials, Login};
use crate::resource::{Fault, FaultClass};

/// Prints the kubeconfig, which root may read. It is read twice, so that why it cannot be read is shown without a line of it.
/// The codes below tell how it ended: a message is in the language of the device.
const READ: &str = "systemctl is-active --quiet k3s && command -v k3s >/dev/null || exit 3
test -e /etc/rancher/k3s/k3s.yaml || exit 4
cat /etc/rancher/k3s/k3s.yaml 2>&1 >/dev/null || exit 5
cat /etc/rancher/k3s/k3s.yaml 2>/dev/null";
/// No k3s server runs there.
const NO_SERVER: i32 = 3;
/// It runs, and there is no kubeconfig.
const ABSENT: i32 = 4;
/// There is one that cannot be read.
const UNREADABLE: i32 = 5;
/// Nothing listens on the port of the API server.
const CLOSED: i32 = 4;

/// A cluster whose server is a machine of the fleet.
pub struct K3sAccess {
    fleet: Arc<Fleet>,
    host: String,
    /// Port of the API server on the machine's loopback; 0 until its kubeconfig was read.
    port: AtomicU16,
}

impl K3sAccess {
    /// The cluster whose server is this machine.
    pub fn new(fleet: &Arc<Fleet>, host: &str) -> Self {
        Self { fleet: Arc::clone(fleet), host: host.to_owned(), port: AtomicU16::new(0) }
    }

    /// Where the API server listens; none when there is no cluster (yet).
    async fn known_port(&self) -> Result<Option<u16>, Fault> {
        match self.port.load(Ordering::Relaxed) {
            0 => Ok(self.kubeconfig().await?.map(|taken| taken.port)),
            port => Ok(Some(port)),
        }
    }

    async fn kubeconfig(&self) -> Result<Option<ClusterCredentials>, Fault> {
        let reply = self.fleet.run(&self.host, READ).await?;
        match reply.code {
            0 => {}
            NO_SERVER => return Ok(None),
            _ => return Err(not_read(&self.host, &reply)),
        }
        // What the file holds is never shown: only what is wrong with its shape.
        let taken = ClusterCredentials::of(&reply, plan::yaml).map_err(|why| {
            let words = format!("{}: its kubeconfig /etc/rancher/k3s/k3s.yaml is not used: {why}", self.host);
            Fault::new(FaultClass::Refused, "k3s", "kubeconfig", "UnsoundKubeconfig", words).next(
                "only the certificate authority, a client certificate, its key and the server's port are read from a \
                 device: check the file there, and who changed it",
            )
        })?;
        self.port.store(taken.port, Ordering::Relaxed);
        Ok(Some(taken))
    }

    async fn tunnel(&self) -> Result<Tunnel, Fault> {
        let Some(port) = self.known_port().await? else { return Err(not_answering(&self.host, None)) };
        // Looked at before ssh tries it: ssh says in words alone whether the port is closed or sshd refuses to forward.
        need_listener(&self.fleet, &self.host, port).await?;
        let (host, access) = self.fleet.reach(&self.host)?;
        let (command, pin) = client::forward(host, access, port)?;
        let (fleet, host) = (Arc::clone(&self.fleet), self.host.clone());
        Tunnel::start(command, pin, move |said| async move { why_ended(&fleet, &host, port, said).await })
    }
}

#[async_trait]
impl ClusterAccess for K3sAccess {
    async fn credentials(&self) -> Result<Option<Credentials>, Fault> {
        Ok(self.kubeconfig().await?.map(|taken| credentials(&taken)))
    }

    async fn open(&self) -> Option<Result<Box<dyn ByteStream>, Fault>> {
        Some(self.tunnel().await.map(|tunnel| Box::new(tunnel) as Box<dyn ByteStream>))
    }
}

/// k3s's certificate names the loopback address, where the tunnel ends.
fn credentials(taken: &ClusterCredentials) -> Credentials {
    // `ClusterCredentials` holds nothing but base64 of PEM.
    let pem = |base64: &str| STANDARD.decode(base64).unwrap_or_default();
    Credentials {
        server: format!("https://127.0.0.1:{}", taken.port),
        authority: pem(&taken.authority),
        login: Login::Certificate { certificate: pem(&taken.certificate), key: pem(&taken.key) },
    }
}

fn not_read(host: &str, reply: &ScriptOutput) -> Fault {
    let fault = |code: &str, words: String| Fault::new(FaultClass::Refused, "k3s", "kubeconfig", code, words);
    match reply.code {
        ABSENT => fault("NoKubeconfig", format!("{host}: k3s runs, but /etc/rancher/k3s/k3s.yaml does not exist"))
            .next("k3s writes it at start, unless it is configured otherwise: check journalctl -u k3s on the device"),
        UNREADABLE => fault(
            "UnreadableKubeconfig",
            format!("{host}: /etc/rancher/k3s/k3s.yaml cannot be read: {}", reply.last_words(1).line()),
        )
        .next("make it a file there that root can read, then run the same command again"),
        code => fault("Failed", format!("{host}: the script that reads k3s's kubeconfig ended with code {code}"))
            .next("akidb-edge jetson doctor diagnoses the device"),
    }
}

/// Ends with [`CLOSED`] when nothing listens on the port. The kernel lists listeners as state `0A`, and ports in hexadecimal:
/// <https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html>. Where the list cannot be read, ssh tries.
fn look_for_listener(port: u16) -> Script {
    let pattern = quoted(&format!("^ *[0-9]+: [0-9A-F]+:{port:04X} [0-9A-F]+:0000 0A "));
    script!("test -r /proc/net/tcp || exit 0\ngrep -qsE -- {pattern} /proc/net/tcp /proc/net/tcp6 || exit 4", pattern)
}

async fn need_listener(fleet: &Fleet, host: &str, port: u16) -> Result<(), Fault> {
    match fleet.run(host, look_for_listener(port)).await?.code {
        CLOSED => Err(not_answering(host, Some(port))),
        _ => Ok(()),
    }
}

fn not_answering(host: &str, port: Option<u16>) -> Fault {
    let words = match port {
        Some(port) => {
            format!("{host}: nothing listens on port {port} of its loopback: the API server of k3s is not up")
        }
        None => format!("{host}: k3s no longer runs"),
    };
    Fault::new(FaultClass::Retry, "k3s", "connect", "NotAnswering", words)
        .next("check the server: systemctl status k3s, journalctl -u k3s")
}

/// Why the tunnel ended before a byte came.
async fn why_ended(fleet: &Fleet, host: &str, port: u16, said: String) -> Fault {
    // The root shell is a connection of its own: when that is lost, too, its fault says so.
    if let Err(fault) = need_listener(fleet, host, port).await {
        return fault;
    }
    let (spec, access) = match fleet.reach(host) {
        Ok((spec, access)) => (spec.clone(), access.clone()),
        Err(fault) => return fault,
    };
    if is_about_forwarding(&said) {
        return forwarding_refused(host, port);
    }
    // It may ask the device for its key once more, on this thread.
    let explained = tokio::task::spawn_blocking(move || client::explain(&spec, &access, said.trim())).await;
    explained.unwrap_or_else(|_| not_answering(host, Some(port)))
}

/// Whether ssh got in, and its `-W` failed: `stdio forwarding failed`, or over a kept connection `Stdio forwarding request
/// failed` and `Master refused stdio forwarding request`. OpenSSH does not translate what it says.
fn is_about_forwarding(said: &str) -> bool {
    said.to_ascii_lowercase().contains("stdio forwarding")
}

fn forwarding_refused(host: &str, port: u16) -> Fault {
    let words = format!(
        "{host}: its sshd does not forward connections to 127.0.0.1:{port}, where the API server of k3s listens: the cluster \
         cannot be reached"
    );
    Fault::new(FaultClass::Refused, "ssh", "forward", "ForwardingRefused", words).next(format!(
        "allow it in the device's /etc/ssh/sshd_config (AllowTcpForwarding local; PermitOpen 127.0.0.1:{port}, if there is a \
         PermitOpen; no DisableForwarding yes) and in its authorized_keys (neither restrict nor no-port-forwarding), then: \
         systemctl reload ssh"
    ))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn credentials_are_the_decoded_parts() {
        let base64 = |text: &str| STANDARD.encode(text);
        let taken =
            ClusterCredentials { authority: base64("a"), certificate: base64("c"), key: base64("k"), port: 6444 };
        let found = credentials(&taken);
        assert_eq!((found.server.as_str(), found.authority.as_slice()), ("https://127.0.0.1:6444", b"a".as_slice()));
        assert!(matches!(found.login, Login::Certificate { certificate, key } if certificate == b"c" && key == b"k"));
    }

    /// Runs the script as a device does, in a shell of its own.
    fn code(script: &Script) -> Option<i32> {
        Command::new("sh").arg("-c").arg(script.as_str()).status().expect("sh runs").code()
    }

    #[test]
    fn a_listener_is_told_from_a_port_that_is_only_in_use() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        assert_eq!(code(&look_for_listener(port)), Some(0));
        // A client's port is not a listener.
        let client = std::net::TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        let own = client.local_addr().expect("its address").port();
        assert_eq!(code(&look_for_listener(own)), Some(CLOSED));
    }

    #[test]
    fn refusals_to_forward_are_told_from_other_ends() {
        for said in [
            "channel 0: open failed: administratively prohibited: open failed\r\nstdio forwarding failed\r\n",
            "mux_client_request_stdio_fwd: ...\nStdio forwarding request failed: Session open refused by peer",
        ] {
            assert!(is_about_forwarding(said), "{said}");
        }
        for said in ["", "Connection closed by 10.0.0.1 port 22", "edge@10.0.0.1: Permission denied (publickey)."] {
            assert!(!is_about_forwarding(said), "{said}");
        }
        let fault = forwarding_refused("one", 6443);
        assert!(fault.class == FaultClass::Refused && fault.code == "ForwardingRefused", "{fault}");
        assert!(fault.next_step.is_some_and(|next| next.contains("AllowTcpForwarding local")));
    }
}
