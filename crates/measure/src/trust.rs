//! The certificate authorities that TLS servers are verified against.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadTrust {
    /// Not PEM.
    #[error("the certificates of authorities cannot be read: {0}; PEM is expected")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// Not certificates.
    #[error("a certificate of an authority cannot be used: {0}")]
    Certificate(#[from] rustls::Error),
    /// Nothing in it.
    #[error("the PEM text contains no certificate")]
    Empty,
}

/// The authorities that TLS servers are held to.
#[derive(Clone, Debug)]
pub struct TrustedRoots(Arc<RootCertStore>);

impl TrustedRoots {
    /// These.
    pub fn of(roots: RootCertStore) -> Self {
        Self(Arc::new(roots))
    }

    /// None: every server with `https` is refused.
    pub fn none() -> Self {
        Self::of(RootCertStore::empty())
    }

    /// Those of a PEM text.
    ///
    /// # Errors
    /// A text without certificates, or with one that cannot be used.
    pub fn pem(text: &str) -> Result<Self, BadTrust> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
            roots.add(certificate?)?;
        }
        if roots.is_empty() { Err(BadTrust::Empty) } else { Ok(Self::of(roots)) }
    }

    /// A configuration that speaks one protocol. Sessions are not resumed: a new connection is a new user's.
    pub(crate) fn config(&self, protocol: &[u8]) -> Result<Arc<ClientConfig>, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = builder.with_root_certificates(Arc::clone(&self.0)).with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_certificates_is_refused() {
        assert!(matches!(TrustedRoots::pem(""), Err(BadTrust::Empty)));
        assert!(matches!(
            TrustedRoots::pem("-----BEGIN CERTIFICATE-----\n***\n-----END CERTIFICATE-----"),
            Err(BadTrust::Pem(_))
        ));
    }

    #[test]
    fn a_certificate_is_taken_and_one_protocol_is_offered() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let config = TrustedRoots::pem(&made.cert.pem()).unwrap().config(b"h2").unwrap();
        assert_eq!(config.alpn_protocols, [b"h2"]);
    }
}
