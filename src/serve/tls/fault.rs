//! Why there is no TLS.

use std::error::Error;
use std::path::PathBuf;

use rustls::server::VerifierBuilderError;

/// What is wrong with the files of TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// The file of certificates cannot be read as PEM.
    #[error("{}: no certificate in PEM can be read: {source}", file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// What the system or the reader of PEM says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file can be read, and holds none.
    #[error("{}: it contains no certificate in PEM", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// The file of the private key cannot be read as PEM.
    #[error("{}: no private key in PEM can be read: {source}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What the system or the reader of PEM says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The certificate of an authority of clients cannot be used.
    #[error("{}: {source}", file.display())]
    Authority {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// No certificate of a client can be checked with these authorities.
    #[error("{}: {source}", file.display())]
    Verifier {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: VerifierBuilderError,
    },
    /// The key is not that of the certificate.
    #[error("{} and {} do not match: {source}", certificate.display(), key.display())]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What differs.
        source: rustls::Error,
    },
    /// The library does not speak the versions that are wanted.
    #[error("{0}")]
    Versions(#[source] rustls::Error),
}
