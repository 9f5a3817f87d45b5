//! The checksum that ends a line. It covers the line and every line before it: a byte that was changed, and a line that was
//! added or taken out, are found at the line where they show. It guards against damage, not against somebody who means it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How much of the digest a line shows, in hex digits.
const SHOWN: usize = 16;
/// How the checksum is in a line.
const OPENS: &str = ",\"sum\":\"";

/// The digest over all lines so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChecksumChain([u8; 32]);

impl From<ChecksumChain> for String {
    fn from(chain: ChecksumChain) -> Self {
        hex::encode(chain.0)
    }
}

impl TryFrom<String> for ChecksumChain {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut digest = [0; 32];
        hex::decode_to_slice(&text, &mut digest).map_err(|bad| format!("{text:?} is not a digest: {bad}"))?;
        Ok(Self(digest))
    }
}

impl ChecksumChain {
    /// One line further.
    #[must_use]
    pub fn through(self, line: &[u8]) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(line).finalize().into())
    }

    /// What a line shows of it.
    pub fn sum(self) -> String {
        hex::encode(&self.0[..SHOWN / 2])
    }
}

/// The object `line` with its checksum as the last field, and the chain after it.
pub fn seal(line: &str, chain: ChecksumChain) -> (String, ChecksumChain) {
    let chain = chain.through(line.as_bytes());
    let open = line.strip_suffix('}').unwrap_or(line);
    (format!("{open}{OPENS}{}\"}}", chain.sum()), chain)
}

/// A line without its checksum, and the checksum. None when it has none.
pub fn unseal(line: &str) -> Option<(String, &str)> {
    let rest = line.strip_suffix("\"}")?;
    let (open, sum) = rest.rsplit_once(OPENS)?;
    (sum.len() == SHOWN).then(|| (format!("{open}}}"), sum))
}

/// SHA-256 of a part of the journal, in hex digits.
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_line_opens_again() {
        let before = ChecksumChain::default().through(b"first");
        let (line, chain) = seal(r#"{"v":2,"seq":1}"#, before);
        let (body, sum) = unseal(&line).expect("sealed");
        assert_eq!(body, r#"{"v":2,"seq":1}"#);
        assert_eq!(sum, chain.sum());
        assert_ne!(sum, ChecksumChain::default().through(body.as_bytes()).sum(), "what came before counts");
        assert_eq!(unseal(&body), None);
    }
}
