//! The address of a managed resource in a stack: `area.kind.name`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Kind;
use super::untrusted::line;

/// `area.kind.name`, for example `models.bucket.primary`. Unique within a stack; it never changes while the thing
/// lives, so names, tags and idempotency tokens are derived from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

/// The text is not an address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{}` is not an address: write area.kind.name in lower-case letters, digits and dashes, e.g. models.bucket.primary",
    line(.0)
)]
pub struct InvalidAddress(pub String);

impl Address {
    /// Builds an address from its three parts.
    ///
    /// # Panics
    /// When a part holds anything but lower-case letters, digits and dashes: parts come from checked plan keys.
    pub fn new(area: &str, kind: Kind, name: &str) -> Self {
        let text = format!("{area}.{}.{name}", kind.name());
        text.parse().unwrap_or_else(|bad| panic!("{bad}"))
    }

    /// The area (`models`, `edge`, `cdn`, `routing`, …), used for grouping and for `deploy AREA`.
    pub fn area(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }

    /// The word for its kind: the middle part.
    pub fn kind_name(&self) -> &str {
        self.0.split('.').nth(1).unwrap_or_default()
    }

    /// Whether it belongs to the graph of devices, which has a journal of its own.
    pub fn is_of_devices(&self) -> bool {
        self.area() == "jetson"
    }

    /// The last part: the name inside its area and kind.
    pub fn name(&self) -> &str {
        self.0.rsplit('.').next().unwrap_or_default()
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `pattern` names this address: the whole of it, its area, or `area.kind`; `*` stands for any text.
    pub fn matches(&self, pattern: &str) -> bool {
        if pattern.contains('*') {
            let mut rest = self.0.as_str();
            let parts: Vec<&str> = pattern.split('*').collect();
            for (at, part) in parts.iter().enumerate() {
                match rest.find(part) {
                    Some(0) => rest = &rest[part.len()..],
                    Some(found) if at > 0 => rest = &rest[found + part.len()..],
                    _ => return false,
                }
            }
            return rest.is_empty() || parts.last().is_some_and(|last| last.is_empty());
        }
        self.0 == pattern || self.0.strip_prefix(pattern).is_some_and(|rest| rest.starts_with('.'))
    }
}

/// Whether `part` may be in an address: lower-case letters, digits and dashes.
pub fn is_name(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl FromStr for Address {
    type Err = InvalidAddress;
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let parts: Vec<&str> = text.split('.').collect();
        if parts.len() == 3 && parts.iter().all(|part| is_name(part)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAddress(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Address {
    type Error = InvalidAddress;
    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_patterns() {
        let address = Address::new("models", Kind::Bucket, "primary");
        assert_eq!(address.as_str(), "models.bucket.primary");
        assert_eq!((address.area(), address.name()), ("models", "primary"));
        for yes in ["models", "models.bucket", "models.bucket.primary", "*.bucket.*", "models.*", "*primary"] {
            assert!(address.matches(yes), "{yes}");
        }
        for no in ["model", "models.buck", "primary", "*.object.*", "models.bucket.prim", "*.bucket"] {
            assert!(!address.matches(no), "{no}");
        }
    }

    #[test]
    fn bad_text_is_refused() {
        for bad in ["", "a.b", "a.b.c.d", "A.bucket.x", "a..c", "a.b.c d"] {
            assert_eq!(bad.parse::<Address>(), Err(InvalidAddress(bad.into())));
        }
    }
}
