//! The certificate authorities that are trusted: a bundle that was named, or those of the system.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Serialize;

use super::wrong;
use akidb_edge_engine::resource::Fault;

/// A bundle of certificate authorities that somebody named.
#[derive(Clone, Debug, Serialize)]
pub struct Bundle {
    /// The file.
    pub file: PathBuf,
    /// The setting that names it.
    pub setting: String,
    /// The certificates, PEM.
    #[serde(skip)]
    pub pem: Arc<Vec<u8>>,
}

impl Bundle {
    /// Reads a bundle, so that a wrong one is told before the first call.
    ///
    /// # Errors
    /// When the file cannot be read, or has no certificate in it.
    pub fn read(file: PathBuf, setting: &str) -> Result<Self, Fault> {
        let next = format!("name a file with the certificates of your authority (PEM) with {setting}, or unset it");
        let refused = |why: String| {
            wrong("InvalidCaBundle", format!("{setting} names {}, which {why}", file.display()), next.clone())
        };
        let bytes = content(&file).map_err(|bad| refused(format!("cannot be read: {bad}")))?;
        let certificates = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|bad| refused(format!("is damaged: {bad}")))?;
        let pem = usable(certificates);
        if pem.is_empty() {
            return Err(refused("has no certificate in it".to_owned()));
        }
        Ok(Self { file, setting: setting.to_owned(), pem: Arc::new(pem) })
    }
}

/// The bytes of a file, or of all files in a folder.
fn content(place: &Path) -> std::io::Result<Vec<u8>> {
    if !place.is_dir() {
        return std::fs::read(place);
    }
    let mut all = Vec::new();
    for entry in std::fs::read_dir(place)? {
        // Folders of certificates hold links to files that are gone, too.
        if let Ok(bytes) = std::fs::read(entry?.path()) {
            all.extend(bytes);
            all.push(b'\n');
        }
    }
    Ok(all)
}

/// The authorities of the system, PEM: `SSL_CERT_FILE` and `SSL_CERT_DIR` first, else where the system keeps them.
///
/// # Errors
/// When there are none.
pub fn system() -> Result<Vec<u8>, Fault> {
    let found = rustls_native_certs::load_native_certs();
    let pem = usable(found.certs);
    if !pem.is_empty() {
        return Ok(pem);
    }
    let why = found.errors.first().map_or_else(String::new, |bad| format!(" ({bad})"));
    Err(wrong(
        "NoCertificates",
        format!("this machine has no usable certificate authorities{why}"),
        "install the certificates of the system (ca-certificates), or name a file with AWS_CA_BUNDLE or SSL_CERT_FILE",
    ))
}

/// The certificates that can be used as authorities, PEM. Systems carry some that are too old for that.
fn usable(certificates: Vec<CertificateDer<'static>>) -> Vec<u8> {
    let mut pem = Vec::new();
    let mut store = RootCertStore::empty();
    for certificate in certificates {
        let encoded = BASE64_STANDARD.encode(&certificate);
        if store.add(certificate).is_err() {
            continue;
        }
        pem.extend_from_slice(b"-----BEGIN CERTIFICATE-----\n");
        for line in encoded.as_bytes().chunks(64) {
            pem.extend_from_slice(line);
            pem.push(b'\n');
        }
        pem.extend_from_slice(b"-----END CERTIFICATE-----\n");
    }
    pem
}
