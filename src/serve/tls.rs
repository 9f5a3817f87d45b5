//! TLS, and certificates of clients when an authority for them is named; files are read again when they change.

mod fault;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::files::read_text;
pub use fault::TlsFault;

/// The files of TLS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsFiles {
    /// The certificate, with those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority of clients; with it every client needs a certificate.
    pub clients: Option<PathBuf>,
}

impl TlsFiles {
    /// All of them.
    pub fn paths(&self) -> Vec<PathBuf> {
        [&self.certificate, &self.key].into_iter().chain(&self.clients).cloned().collect()
    }
}

/// What encrypts connections.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
    /// The authorities of clients.
    authorities: Mutex<Vec<CertificateDer<'static>>>,
    /// How often one of them was taken away.
    taken_away: watch::Sender<u64>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// The file that cannot be read, or why they do not fit together.
    pub fn open(files: TlsFiles) -> Result<Self, TlsFault> {
        let (config, authorities) = read(&files)?;
        let (authorities, taken_away) = (Mutex::new(authorities), watch::Sender::new(0));
        Ok(Self { files, config: ArcSwap::new(config), authorities, taken_away })
    }

    /// The files.
    pub fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// Reads the files again; broken ones change nothing. Connections that are there stay as they are, unless an authority of clients
    /// was taken away.
    ///
    /// # Errors
    /// As [`Tls::open`].
    pub fn reload(&self) -> Result<(), TlsFault> {
        let (config, authorities) = read(&self.files)?;
        // Whoever is told to connect again finds the new ones.
        self.config.store(config);
        let mut known = self.authorities.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().all(|one| authorities.contains(one)) {
            self.taken_away.send_modify(|count| *count += 1);
        }
        *known = authorities;
        Ok(())
    }

    /// Changes when an authority of clients is taken away; nothing where clients need no certificate. To be asked for before a
    /// handshake, so that no change goes by unseen.
    pub fn authorities(&self) -> Option<watch::Receiver<u64>> {
        self.files.clients.as_ref().map(|_| self.taken_away.subscribe())
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// The client wants something else, has no certificate, or went away.
    pub async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.config.load_full()).accept(stream).await
    }
}

/// The configuration that the files are, and the authorities of clients in it.
fn read(files: &TlsFiles) -> Result<(Arc<ServerConfig>, Vec<CertificateDer<'static>>), TlsFault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = certificates(&files.certificate)?;
    let text = read_text(&files.key).map_err(|why| TlsFault::Key { file: files.key.clone(), source: why.into() })?;
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|why| TlsFault::Key { file: files.key.clone(), source: why.into() })?;
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(TlsFault::Versions)?;
    let mut authorities = Vec::new();
    let builder = match &files.clients {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = rustls::RootCertStore::empty();
            authorities = certificates(file)?;
            for authority in &authorities {
                roots.add(authority.clone()).map_err(|source| TlsFault::Authority { file: file.clone(), source })?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            let verifier = verifier.map_err(|source| TlsFault::Verifier { file: file.clone(), source })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|source| TlsFault::Pair {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        source,
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((Arc::new(config), authorities))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let text = read_text(file).map_err(|why| TlsFault::Certificate { file: file.to_owned(), source: why.into() })?;
    let all = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|why| TlsFault::Certificate { file: file.to_owned(), source: why.into() })?;
    if all.is_empty() {
        return Err(TlsFault::NoCertificate { file: file.to_owned() });
    }
    Ok(all)
}
