//! Devices whose cluster lies: a kubeconfig that would lead elsewhere, and an API server behind the tunnel that answers what it
//! wants. Needs no laboratory and no root.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use super::jetson_lies::{Liar, TRAPS, fails, kubeconfig, kubeconfig_with};

/// What was said, in one line.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Nothing but the strict parts of a device's kubeconfig is used, and nothing is asked of its API server otherwise.
#[test]
fn a_kubeconfig_with_a_command_in_it_leads_to_no_cluster() {
    for (user, cluster, named) in TRAPS {
        let liar = Liar::new(&kubeconfig(user, cluster));
        for verb in ["jetson drain one", "jetson uncordon one", "jetson shutdown --yes"] {
            let refused = liar.run(verb).exits(1);
            assert!(refused.all().contains(named), "{verb}: {}", refused.all());
        }
        let seen = liar.run("jetson status --json").exits(2).json();
        assert_eq!(seen["devices"][0]["node"], Value::Null, "{seen}");
        assert!(!liar.arguments().contains("-W"), "no tunnel was opened: {}", liar.arguments());
    }
}

#[test]
fn a_kubeconfig_that_cannot_be_read_says_why_and_what_helps() {
    for (answer, why, next) in [
        (fails(3, ""), "no k3s server runs on one yet", "jetson provision"),
        (fails(4, ""), "k3s runs, but /etc/rancher/k3s/k3s.yaml does not exist", "journalctl -u k3s"),
        (
            fails(5, "cat: k3s.yaml: Is a directory"),
            "cannot be read: cat: k3s.yaml: Is a directory",
            "that root can read",
        ),
        (fails(1, "client-key-data: c2VjcmV0"), "ended with code 1", "jetson doctor"),
        (
            "echo nothing: like it".to_owned(),
            "is not used: it has nothing, which is not accepted from a device",
            "who changed it",
        ),
    ] {
        let refused = Liar::new(&answer).run("jetson drain one").exits(1);
        let said = joined(&refused.stdout);
        assert!(said.contains(why) && said.contains("next:") && said.contains(next), "{why}: {}", refused.all());
        assert!(!refused.all().contains("c2VjcmV0"), "what the file holds is not shown: {}", refused.all());
    }
}

/// sshd does not forward, the port is closed, or what answers there is not an API server.
#[test]
fn a_tunnel_that_leads_nowhere_says_why_and_what_helps() {
    let honest = Authority::new().kubeconfig();
    let refuses = "echo 'channel 0: open failed: administratively prohibited: open failed' >&2\n\
                   echo 'stdio forwarding failed' >&2\nexit 255";
    let closed = format!("case $script in *proc/net/tcp*) {} ;;\n*) {honest}\n;; esac", fails(4, ""));
    for (answer, tunnel, why, next) in [
        (&honest, refuses, "its sshd does not forward connections to 127.0.0.1:6443", "AllowTcpForwarding local"),
        (&closed, "exit 99", "nothing listens on port 6443", "systemctl status k3s"),
        (
            &honest,
            "echo 'Connection closed by 192.0.2.1' >&2; exit 255",
            "Connection closed by 192.0.2.1",
            "check that it is powered on",
        ),
    ] {
        let liar = Liar::new(answer);
        liar.tunnel(tunnel);
        let refused = liar.run("jetson drain one").exits(1);
        let said = joined(&refused.stdout);
        assert!(said.contains(why) && said.contains("next:") && said.contains(next), "{why}: {}", refused.all());
        let arguments = liar.arguments();
        assert_eq!(arguments.contains("-W\n127.0.0.1:6443\n--\n192.0.2.1\n"), tunnel != "exit 99", "{arguments}");
    }
}

/// An authority and what it signed.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "k3s-server-ca");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn signed(&self) -> (rcgen::Certificate, KeyPair) {
        let (key, names) = (KeyPair::generate().expect("a key"), vec!["127.0.0.1".to_owned()]);
        let params = CertificateParams::new(names).expect("parameters");
        (params.signed_by(&key, &self.issuer).expect("a certificate"), key)
    }

    /// What a device answers when this is its cluster's authority: a kubeconfig with a client's certificate.
    fn kubeconfig(&self) -> String {
        let (certificate, key) = self.signed();
        let parts = [self.pem.clone(), certificate.pem(), key.serialize_pem()].map(|pem| BASE64_STANDARD.encode(pem));
        kubeconfig_with([&parts[0], &parts[1], &parts[2]], "", "")
    }
}

/// What an API server writes to every request.
type Lie = fn(&mut dyn Write) -> io::Result<()>;

/// An API server that this authority vouches for.
struct ApiServer {
    port: u16,
    requests: Arc<AtomicUsize>,
}

impl ApiServer {
    fn start(authority: &Authority, lie: Lie) -> Self {
        let (certificate, key) = authority.signed();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).expect("a certificate"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, seen) = (Arc::clone(&config), Arc::clone(&seen));
                // Who does not trust it, or has had enough, hangs up.
                std::thread::spawn(move || {
                    let connection = ServerConnection::new(config).expect("a connection");
                    drop(answer(StreamOwned::new(connection, stream), &seen, lie));
                });
            }
        });
        Self { port, requests }
    }

    /// What joins a tunnel to it.
    fn tunnel(&self) -> String {
        format!("exec 3<>/dev/tcp/127.0.0.1/{}; cat <&3 & cat >&3", self.port)
    }
}

fn answer(mut stream: impl Read + Write, seen: &AtomicUsize, lie: Lie) -> io::Result<()> {
    let (mut head, mut byte) = (Vec::<u8>::new(), [0_u8]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    seen.fetch_add(1, Ordering::Relaxed);
    lie(&mut stream)?;
    stream.flush()
}

fn page(to: &mut dyn Write, status: &str, kind: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    write!(
        to,
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

/// Forbidden, in words that would move the cursor and clear the screen.
fn hostile_words(to: &mut dyn Write) -> io::Result<()> {
    let message = "\u{1b}]0;title\u{7}\u{1b}[2Jall is well\r";
    let status = serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": "Forbidden", "details": {"kind": "nodes"}, "code": 403});
    page(to, "403 Forbidden", "application/json", &status.to_string())
}

fn without_end(to: &mut dyn Write) -> io::Result<()> {
    to.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"kind\": \"")?;
    loop {
        to.write_all(&[b'x'; 64 * 1024])?;
    }
}

fn something_else(to: &mut dyn Write) -> io::Result<()> {
    page(to, "200 OK", "text/html", &"<p>welcome</p>".repeat(1000))
}

fn elsewhere(to: &mut dyn Write) -> io::Result<()> {
    write!(to, "HTTP/1.1 302 Found\r\nlocation: http://192.0.2.7/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

/// Whatever it answers, a verb ends, in few words, and none of them moves the cursor.
#[test]
fn an_api_server_that_lies_is_told_in_few_words() {
    let authority = Authority::new();
    let lies: [(&str, Lie); 4] = [
        ("hostile words", hostile_words),
        ("an answer without end", without_end),
        ("a page for people", something_else),
        ("a redirect", elsewhere),
    ];
    for (name, lie) in lies {
        let server = ApiServer::start(&authority, lie);
        let liar = Liar::new(&authority.kubeconfig());
        liar.tunnel(&server.tunnel());
        let refused = liar.run("jetson drain one").exits(1);
        let said = refused.all();
        assert!(said.len() < 4000 && said.contains("next:"), "{name}: {} bytes\n{said:.4000}", said.len());
        assert!(!said.contains(['\u{1b}', '\u{7}', '\r']), "{name}: {said:?}");
        assert!(server.requests.load(Ordering::Relaxed) > 0, "{name}: it was asked");
    }
}

/// Who answers behind the tunnel must be who the kubeconfig says: else nothing is asked of it.
#[test]
fn an_api_server_of_another_authority_is_asked_nothing() {
    let server = ApiServer::start(&Authority::new(), hostile_words);
    let liar = Liar::new(&Authority::new().kubeconfig());
    liar.tunnel(&server.tunnel());
    let refused = liar.run("jetson drain one").exits(1);
    assert!(joined(&refused.stdout).contains("not signed by the cluster's authority"), "{}", refused.all());
    assert_eq!(server.requests.load(Ordering::Relaxed), 0, "it was asked something");
    // No TLS at all.
    liar.tunnel("yes");
    let refused = liar.run("jetson drain one").exits(1);
    assert!(refused.all().len() < 4000 && refused.stdout.contains("next:"), "{}", refused.all());
}
