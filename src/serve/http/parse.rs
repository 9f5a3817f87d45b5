//! Bodies as they come.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::fault::Refusal;
use crate::inference::fault::{Code, EmbedFault};

/// One text or several.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Texts {
    /// As a list.
    pub fn list(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

/// A JSON body; what is wrong is said with its place.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader);
    read.map_err(|why| {
        let place = why.path().to_string();
        let place = if place == "." { "the body".to_owned() } else { place };
        invalid(format!("{place}: {}", why.inner()))
    })
    .and_then(|value| reader.end().map(|()| value).map_err(|why| invalid(format!("after the body: {why}"))))
}

/// A request that makes no sense.
pub fn invalid(message: impl Into<String>) -> Refusal {
    Refusal(EmbedFault::new(Code::InvalidRequest, message))
}
