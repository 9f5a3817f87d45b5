//! The number of a published state.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number of a state that was published. It goes up by one with each object of a chain; it does not count the transactions of
/// SQLite: an object has all that were committed since the one before. Written as 16 hexadecimal digits, as LTX and Litestream do.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Txid(pub u64);

impl Txid {
    /// The one after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The one before this one; zero has none.
    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Txid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What is not a transaction id.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is not a transaction id: write its 16 hexadecimal digits, as status shows them, or a decimal number")]
pub struct BadTxid(pub String);

impl FromStr for Txid {
    type Err = BadTxid;

    fn from_str(text: &str) -> Result<Self, BadTxid> {
        let bad = |_| BadTxid(text.to_owned());
        let plain = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match text.len() {
            16 if plain => u64::from_str_radix(text, 16).map(Self).map_err(bad),
            _ if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().map(Self).map_err(bad),
            _ => Err(BadTxid(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Txid {
    type Error = BadTxid;

    fn try_from(text: String) -> Result<Self, BadTxid> {
        text.parse()
    }
}

impl From<Txid> for String {
    fn from(txid: Txid) -> Self {
        txid.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Txid;

    #[test]
    fn both_spellings_are_read_and_one_is_written() {
        assert_eq!("000000000000001f".parse(), Ok(Txid(31)));
        assert_eq!("31".parse(), Ok(Txid(31)));
        assert_eq!(Txid(31).to_string(), "000000000000001f");
        for bad in ["", "1f", "-1", "000000000000001g", "99999999999999999999999"] {
            assert!(bad.parse::<Txid>().is_err(), "{bad}");
        }
    }
}
