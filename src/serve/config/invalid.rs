//! Invalid values of settings.

/// What was written, and what the setting takes.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{found:?} is not {wanted}")]
pub struct InvalidValue {
    found: String,
    wanted: &'static str,
}

impl InvalidValue {
    /// What was written, and what the setting takes, such as `a size`. A password in an address is left out.
    pub fn new(found: &str, wanted: &'static str) -> Self {
        Self { found: redacted(found), wanted }
    }
}

/// An address without the user and the password in it; any other text as it is.
pub fn redacted(text: &str) -> String {
    match text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?))) {
        Some((scheme, (_, host))) => format!("{scheme}://***@{host}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::InvalidValue;

    #[test]
    fn a_password_is_not_repeated() {
        assert_eq!(InvalidValue::new("loud", "error or warn").to_string(), r#""loud" is not error or warn"#);
        let address = InvalidValue::new("https://user:hunter2@cdn.example?x", "an address").to_string();
        assert_eq!(address, r#""https://***@cdn.example?x" is not an address"#);
    }
}
