//! The token of a user of the hub. It is never shown, and goes nowhere but into one header.

use std::fmt;

use reqwest::header::HeaderValue;

use crate::models::fault::ModelsFault;

/// A token.
#[derive(Clone)]
pub struct HubToken(HeaderValue);

impl HubToken {
    /// Takes it; none when the text is empty.
    ///
    /// # Errors
    /// When no header may carry it.
    pub fn parse(text: &str) -> Result<Option<Self>, ModelsFault> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let bad = || ModelsFault::Refused {
            problem: "the token for the hub contains invalid characters".to_owned(),
            next_step: "check HF_TOKEN, or the token file".to_owned(),
        };
        if !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(bad());
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| bad())?;
        value.set_sensitive(true);
        Ok(Some(Self(value)))
    }

    pub(super) fn header(self) -> HeaderValue {
        self.0
    }
}

impl fmt::Debug for HubToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown() {
        let token = HubToken::parse(" hf_secret\n").expect("a token").expect("not empty");
        assert!(!format!("{token:?} {:?}", token.clone().header()).contains("secret"));
        assert!(HubToken::parse(" \n").is_ok_and(|none| none.is_none()));
        let bad = HubToken::parse("hf secret").map(|_| ()).map_err(|fault| fault.to_string());
        assert!(bad.is_err_and(|text| !text.contains("secret")));
    }
}
