//! Who signs what is published, and whom a reader believes: Ed25519 keys in PEM files, as `openssl genpkey -algorithm ed25519` makes.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest, Sha256};

/// What stands before the 32 bytes of an Ed25519 key in its DER form (RFC 8410).
const PUBLIC_DER: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Bytes of a file with a key.
const LONGEST: u64 = 16 << 10;

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// Its file cannot be read.
    #[error("the key {} cannot be read: {source}", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not an Ed25519 key of that kind.
    #[error(
        "{origin} is not an Ed25519 {kind} key in PEM: make one with `openssl genpkey -algorithm ed25519`, and its public half with `openssl pkey -pubout`"
    )]
    Unfit {
        /// Where it comes from.
        origin: String,
        /// `private` or `public`.
        kind: &'static str,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for a key")]
    NoRandom,
}

/// A private key.
pub struct SigningKey {
    pair: Ed25519KeyPair,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public().id())
    }
}

impl SigningKey {
    /// Reads PEM (PKCS#8).
    ///
    /// # Errors
    /// It is no such key.
    pub fn from_pem(text: &str) -> Result<Self, KeyFault> {
        Self::parse(text, "the text")
    }

    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or is no such key.
    pub fn from_file(path: &Path) -> Result<Self, KeyFault> {
        Self::parse(&read(path)?, &path.display().to_string())
    }

    /// A new one, as PEM.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn generate() -> Result<String, KeyFault> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyFault::NoRandom)?;
        Ok(pem("PRIVATE KEY", pkcs8.as_ref()))
    }

    fn parse(text: &str, origin: &str) -> Result<Self, KeyFault> {
        let unfit = || KeyFault::Unfit { origin: origin.to_owned(), kind: "private" };
        let der = der(text, "PRIVATE KEY").ok_or_else(unfit)?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(|pair| Self { pair }).map_err(|_| unfit())
    }

    /// The key that checks what this one signed.
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        // An Ed25519 key has 32 bytes.
        key.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey(key)
    }

    pub(crate) fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.pair.sign(message))
    }
}

/// A public key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads PEM (SubjectPublicKeyInfo).
    ///
    /// # Errors
    /// It is no such key.
    pub fn from_pem(text: &str) -> Result<Self, KeyFault> {
        Self::parse(text, "the text")
    }

    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or is no such key.
    pub fn from_file(path: &Path) -> Result<Self, KeyFault> {
        Self::parse(&read(path)?, &path.display().to_string())
    }

    fn parse(text: &str, origin: &str) -> Result<Self, KeyFault> {
        let found = der(text, "PUBLIC KEY");
        let key = found.as_deref().and_then(|der| der.strip_prefix(&PUBLIC_DER)).and_then(|key| key.try_into().ok());
        key.map(Self).ok_or_else(|| KeyFault::Unfit { origin: origin.to_owned(), kind: "public" })
    }

    /// This key as PEM.
    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", &[&PUBLIC_DER[..], &self.0].concat())
    }

    /// A short name of this key: the beginning of its hash.
    pub fn id(&self) -> String {
        hex::encode(&Sha256::digest(self.0)[..8])
    }

    fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, &signature).is_ok()
    }
}

/// Whom a reader believes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trust {
    /// Whoever can write to the bucket: hashes and checksums are checked, signatures are not asked for. Needed for a bucket that
    /// Litestream wrote.
    Unsigned,
    /// Only what one of these keys signed.
    Keys(Vec<PublicKey>),
}

impl Trust {
    /// Whether this may be believed.
    pub(crate) fn accepts(&self, message: &[u8], signature: Option<&str>) -> bool {
        match self {
            Self::Unsigned => true,
            Self::Keys(keys) => signature.is_some_and(|given| keys.iter().any(|key| key.verifies(message, given))),
        }
    }
}

fn read(path: &Path) -> Result<String, KeyFault> {
    let unread = |source| KeyFault::Unread { path: path.to_owned(), source };
    let facts = std::fs::metadata(path).map_err(unread)?;
    if !facts.is_file() || facts.len() > LONGEST {
        return Err(unread(io::Error::new(io::ErrorKind::InvalidInput, "no regular file of at most 16 KiB")));
    }
    std::fs::read_to_string(path).map_err(unread)
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        // Base64 is ASCII.
        lines.push_str(&String::from_utf8_lossy(line));
        lines.push('\n');
    }
    lines + &format!("-----END {label}-----\n")
}

fn der(text: &str, label: &str) -> Option<Vec<u8>> {
    let begin = format!("-----BEGIN {label}-----");
    let rest = &text[text.find(&begin)? + begin.len()..];
    let body = &rest[..rest.find(&format!("-----END {label}-----"))?];
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    use super::{PublicKey, SigningKey, Trust};

    #[test]
    fn a_signature_holds_for_its_key_and_message_alone() {
        let key = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
        let other = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
        let signed = key.sign(b"message");
        let trust = Trust::Keys(vec![PublicKey::from_pem(&key.public().to_pem()).unwrap()]);
        assert!(trust.accepts(b"message", Some(&signed)));
        assert!(!trust.accepts(b"another", Some(&signed)));
        assert!(!trust.accepts(b"message", Some(&other.sign(b"message"))));
        assert!(!trust.accepts(b"message", None));
    }

    /// A public key and a signature that OpenSSL 3 made (`openssl pkeyutl -sign -rawin`).
    #[test]
    fn what_openssl_signed_is_believed() {
        let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA4KUv7ruIZ1Ngoq1N4ajlQuMcisC62iGAZgHNK/rfdBg=\n-----END PUBLIC KEY-----\n";
        let signed = "c+jA4H4Fcc9EwiLALJ6nhxR9Et8j+6WlkWJYaikiS5mg4TcwD+g6tui8BilYVMIaEPaJUo+jn/AbBR3LwLT7BQ==";
        let trust = Trust::Keys(vec![PublicKey::from_pem(public).unwrap()]);
        assert!(trust.accepts(b"message", Some(signed)));
        assert!(!trust.accepts(b"Message", Some(signed)));
        assert!(PublicKey::from_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n").is_err());
    }

    /// OpenSSL writes version 1 of PKCS#8, without the public half.
    #[test]
    fn a_private_key_without_its_public_half_is_read() {
        let begin = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let key = SigningKey::from_pem(&super::pem("PRIVATE KEY", &[&begin[..], &[7; 32]].concat())).unwrap();
        assert!(Trust::Keys(vec![key.public()]).accepts(b"m", Some(&key.sign(b"m"))));
        assert!(SigningKey::from_pem(&key.public().to_pem()).is_err());
    }
}
