//! A network as companies have it: a proxy that keeps a log, and TLS with an authority of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use testkit::proxy::{runtime, wait};

/// An authority.
pub struct Authority {
    /// Its certificate, PEM.
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "an authority of a company");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Writes the certificate into a folder.
    pub fn file(&self, folder: &std::path::Path) -> PathBuf {
        let path = folder.join("authority.pem");
        std::fs::write(&path, &self.pem).expect("a file");
        path
    }

    fn server(&self, names: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate =
            CertificateParams::new(names).expect("parameters").signed_by(&key, &self.issuer).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).expect("a certificate")))
    }
}

/// Listens with TLS under these names, and sends what comes to an address without TLS.
pub fn tls(authority: &Authority, names: &[&str], behind: &str) -> SocketAddr {
    let acceptor = authority.server(names);
    let behind = behind.trim_start_matches("http://").to_owned();
    let listener = wait(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    runtime().spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                // Who does not trust us hangs up: that is what some tests want.
                let Ok(mut inside) = acceptor.accept(stream).await else { return };
                let Ok(mut outside) = TcpStream::connect(behind).await else { return };
                drop(copy_bidirectional(&mut inside, &mut outside).await);
            });
        }
    });
    address
}

/// A proxy that keeps a log of `METHOD TARGET` lines.
#[derive(Clone)]
pub struct Proxy {
    pub url: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Connects where it is told to.
    pub fn start() -> Self {
        Self::with(None, None)
    }

    /// Connects to this address instead of hosts outside of this machine.
    pub fn to(address: SocketAddr) -> Self {
        Self::with(Some(address), None)
    }

    /// Wants a name and a password.
    pub fn asking(name: &str, password: &str) -> Self {
        Self::with(None, Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")))))
    }

    fn with(instead: Option<SocketAddr>, wanted: Option<String>) -> Self {
        let listener = wait(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let record = log.clone();
        runtime().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A connection that breaks is the caller's business: it sees it, too.
                let (record, wanted) = (record.clone(), wanted.clone());
                tokio::spawn(async move { drop(serve(stream, &record, instead, wanted).await) });
            }
        });
        Self { url, log }
    }

    /// What went through so far; the log begins anew.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().expect("no test thread broke it"))
    }
}

async fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<String>>,
    instead: Option<SocketAddr>,
    wanted: Option<String>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    log.lock().expect("no test thread broke it").push(format!("{method} {target}"));
    let given = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization").then(|| value.to_owned())
    });
    if wanted.is_some() && given != wanted {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return stream.write_all(refusal.as_bytes()).await;
    }
    if method == "CONNECT" {
        let mut outside = match instead {
            Some(address) if !target.starts_with("127.0.0.1:") => TcpStream::connect(address).await?,
            _ => TcpStream::connect(target).await?,
        };
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        copy_bidirectional(&mut stream, &mut outside).await?;
        return Ok(());
    }
    // One request for each connection, so that each has a line in the log.
    let rest = target.strip_prefix("http://").unwrap_or(target);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let head = head.replacen(target, &format!("/{path}"), 1);
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    let mut outside = TcpStream::connect(host).await?;
    outside.write_all(head.as_bytes()).await?;
    copy_bidirectional(&mut stream, &mut outside).await?;
    Ok(())
}
