//! A certificate with its signature: a JSON Web Signature (RFC 7515, flattened) by an Ed25519 key, beside the certificate in plain JSON
//! for people. What is signed is the payload; the plain copy is never read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::certificate::{Certificate, SCHEMA};

/// The header of each signature: EdDSA, which for a key of this kind is Ed25519 (RFC 8037).
const HEADER: &str = r#"{"alg":"EdDSA"}"#;

/// Why a certificate is not believed, or was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignatureFault {
    /// The document has another form.
    #[error("not a signed certificate: {0}")]
    Form(String),
    /// The signature is of another key, or the payload was changed.
    #[error("it is not signed with a key that the plan trusts")]
    Untrusted,
    /// The private key cannot be used.
    #[error("the key cannot be used: {0}")]
    Key(String),
}

/// The document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Signed {
    /// The header, in base64url.
    pub protected: String,
    /// The certificate, in base64url.
    pub payload: String,
    /// The signature over both, in base64url.
    pub signature: String,
    /// The public key, in hexadecimal: a plan names it to trust it.
    pub key: String,
    /// The certificate in plain JSON, for people.
    pub certificate: serde_json::Value,
}

/// A key that signs.
pub struct Signer {
    pair: Ed25519KeyPair,
}

impl Signer {
    /// A new key, as PKCS#8.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> Result<Vec<u8>, SignatureFault> {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        made.map(|document| document.as_ref().to_vec()).map_err(|why| SignatureFault::Key(why.to_string()))
    }

    /// The key in a PKCS#8 document.
    ///
    /// # Errors
    /// It is no such key.
    pub fn read(document: &[u8]) -> Result<Self, SignatureFault> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(document);
        Ok(Self { pair: pair.map_err(|why| SignatureFault::Key(why.to_string()))? })
    }

    /// The public key, in hexadecimal.
    pub fn public(&self) -> String {
        hex::encode(self.pair.public_key().as_ref())
    }

    /// Signs a certificate.
    pub fn sign(&self, certificate: &Certificate) -> Signed {
        let plain = serde_json::to_value(certificate).unwrap_or_default();
        let (protected, payload) = (URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(plain.to_string()));
        let signature = self.pair.sign(signed(&protected, &payload).as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.as_ref());
        Signed { protected, payload, signature, key: self.public(), certificate: plain }
    }
}

fn signed(protected: &str, payload: &str) -> String {
    format!("{protected}.{payload}")
}

/// The certificate of a document that one of these keys signed.
///
/// # Errors
/// It has another form, or none of the keys signed it.
pub fn verify(text: &str, keys: &[String]) -> Result<Certificate, SignatureFault> {
    let form = |why: &dyn std::fmt::Display| SignatureFault::Form(why.to_string());
    let document: Signed = serde_json::from_str(text).map_err(|why| form(&why))?;
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|why| form(&why));
    if decoded(&document.protected)? != HEADER.as_bytes() {
        return Err(SignatureFault::Form(format!("its header is not {HEADER}")));
    }
    let (message, signature) = (signed(&document.protected, &document.payload), decoded(&document.signature)?);
    let trusted = keys.iter().filter_map(|key| hex::decode(key).ok());
    let mut verified = trusted.map(|key| UnparsedPublicKey::new(&ED25519, key).verify(message.as_bytes(), &signature));
    if !verified.any(|one| one.is_ok()) {
        return Err(SignatureFault::Untrusted);
    }
    let certificate: Certificate = serde_json::from_slice(&decoded(&document.payload)?).map_err(|why| form(&why))?;
    if certificate.schema == SCHEMA {
        Ok(certificate)
    } else {
        Err(form(&format!("{} is not {SCHEMA}", certificate.schema)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::certificate::Certificate;
    use super::super::suite::suite;
    use super::*;

    fn signer() -> Signer {
        Signer::read(&Signer::generate().expect("randomness")).expect("a key")
    }

    #[test]
    fn a_signature_holds_until_something_is_changed() {
        let (one, other) = (signer(), signer());
        let certificate = Certificate::of(suite(), &[], Vec::new(), 1_800_000_000);
        let document = one.sign(&certificate);
        let text = serde_json::to_string(&document).expect("plain data");
        assert_eq!(verify(&text, &[other.public(), one.public()]).expect("it is signed"), certificate);
        assert!(matches!(verify(&text, &[other.public()]), Err(SignatureFault::Untrusted)));
        assert!(matches!(verify(&text, &[]), Err(SignatureFault::Untrusted)));
        let newer = URL_SAFE_NO_PAD.encode(document.certificate.to_string().replace("1800000000", "1900000000"));
        let forged = Signed { payload: newer, ..document.clone() };
        let text = serde_json::to_string(&forged).expect("plain data");
        assert!(matches!(verify(&text, &[one.public()]), Err(SignatureFault::Untrusted)));
        let none = Signed { protected: URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), ..document };
        let text = serde_json::to_string(&none).expect("plain data");
        assert!(matches!(verify(&text, &[one.public()]), Err(SignatureFault::Form(_))));
        assert!(matches!(verify("{}", &[one.public()]), Err(SignatureFault::Form(_))));
        assert!(Signer::read(b"no key").is_err());
    }
}
