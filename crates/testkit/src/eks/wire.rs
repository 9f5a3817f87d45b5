//! Connections: TLS on both sides of the endpoint, and single requests.

use std::error::Error;
use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::control_plane::ControlPlane;

type Failed = Box<dyn Error + Send + Sync>;

/// TLS for 127.0.0.1 with HTTP/2 and HTTP/1.1, as an EKS endpoint has it, and PEM of the authority.
pub(super) fn server() -> (TlsAcceptor, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "kubernetes");
    let authority = params.self_signed(&key).expect("a certificate").pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS");
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let mut config = config.with_no_client_auth().with_single_cert(chain, key).expect("a certificate");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (TlsAcceptor::from(Arc::new(config)), authority)
}

/// The way to an API server as its administrator.
pub(super) fn administrator(api: &ControlPlane) -> TlsConnector {
    let authority = api.tls("server-ca.crt");
    let certificate = CertificateDer::from_pem_slice(&api.tls("admin.crt")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(&api.tls("admin.key")).expect("a key");
    let config = client().with_root_certificates(roots(&authority));
    TlsConnector::from(Arc::new(config.with_client_auth_cert(vec![certificate], key).expect("a key that fits")))
}

fn roots(authority: &[u8]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority) {
        roots.add(certificate.expect("PEM")).expect("an authority");
    }
    roots
}

fn client() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS")
}

/// Status and body of a GET over TLS with a bearer token.
///
/// # Errors
/// When there is no answer, or the server's certificate is not signed by `authority` (PEM).
pub async fn get(server: &str, authority: &[u8], token: &str, path: &str) -> Result<(u16, String), Failed> {
    let host = server.strip_prefix("https://").ok_or("no https:// URL")?;
    let config = client().with_root_certificates(roots(authority)).with_no_client_auth();
    let stream = TcpStream::connect(host).await?;
    let stream = TlsConnector::from(Arc::new(config)).connect("127.0.0.1".try_into()?, stream).await?;
    let bearer = format!("Bearer {token}");
    asked(TokioIo::new(stream), host, path, &[("authorization", bearer.as_str())]).await
}

/// Status and body of a GET without TLS.
///
/// # Errors
/// When there is no answer.
pub(super) async fn plain_get(host: &str, path: &str, headers: &[(&str, &str)]) -> Result<(u16, String), Failed> {
    asked(TokioIo::new(TcpStream::connect(host).await?), host, path, headers).await
}

async fn asked<S>(stream: S, host: &str, path: &str, headers: &[(&str, &str)]) -> Result<(u16, String), Failed>
where
    S: Read + Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let request = Request::get(path).header(HOST, host);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
