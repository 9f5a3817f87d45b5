//! Bodies as they come.

use std::fmt;

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, SeqAccess, Visitor};

use super::fault::Refusal;
use crate::inference::fault::{Code, EmbedFault};
use crate::serve::problem::Problem;

const IDS: &str = "token ids are not taken, since they mean other words to each model: send the text itself \
                   (LangChain: check_embedding_ctx_length=False)";

/// One text or several, never none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Texts(pub Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Several)
    }
}

struct Several;

impl<'de> Visitor<'de> for Several {
    type Value = Texts;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a text or a list of texts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Texts, E> {
        Ok(Texts(vec![text.to_owned()]))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Texts, E> {
        Ok(Texts(vec![text]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
        let mut texts = Vec::new();
        while let Some(Text(text)) = list.next_element()? {
            texts.push(text);
        }
        if texts.is_empty() {
            return Err(A::Error::custom("the list is empty; send at least one text"));
        }
        Ok(Texts(texts))
    }
}

/// An element of such a list.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(One)
    }
}

struct One;

impl<'de> Visitor<'de> for One {
    type Value = Text;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Text, E> {
        Ok(Text(text))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Text, E> {
        Err(E::custom(IDS))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Text, E> {
        Err(E::custom(IDS))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Text, A::Error> {
        Err(A::Error::custom(format!("a list in the list is no text; {IDS}")))
    }
}

/// A JSON body; what is wrong is said with its place.
pub fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    if !is_json(kind) {
        let kind = String::from_utf8_lossy(kind);
        let message =
            format!("the body is {kind:?}, and application/json is taken: send it with content-type: application/json");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message).into());
    }
    // serde would read a list as an object's fields in their order.
    if body.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(invalid("the body: a JSON object is wanted; /openapi.json describes it"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|why| {
        let place = why.path().to_string();
        // A key that cannot be read has no name yet.
        let place = if [".", "?"].contains(&place.as_str()) { "the body" } else { &place };
        invalid(format!("{place}: {}", why.inner()))
    })?;
    reader.end().map_err(|why| invalid(format!("after the body: {why}")))?;
    Ok(value)
}

/// Whether a body of this kind is read as JSON; one that is not said is.
fn is_json(kind: &[u8]) -> bool {
    let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    essence.is_empty() || essence.ends_with(b"/json") || essence.ends_with(b"+json")
}

/// A request that makes no sense.
pub fn invalid(message: impl Into<String>) -> Refusal {
    EmbedFault::new(Code::InvalidRequest, message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Body {
        inputs: Texts,
    }

    fn read(body: &str) -> Result<Vec<String>, String> {
        let read = json::<Body>(&HeaderMap::new(), body.as_bytes());
        read.map(|body| body.inputs.0).map_err(|why| why.0.message.into_owned())
    }

    #[test]
    fn one_text_or_several() {
        assert_eq!(read(r#"{"inputs": ""}"#).unwrap(), [""]);
        assert_eq!(read(r#"{"inputs": ["a", "\u00e9\u0000"]}"#).unwrap(), ["a", "é\0"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let said: Vec<String> = [
            r#"{"inputs": []}"#,
            r#"{"inputs": [3, 4]}"#,
            r#"{"inputs": [[3, 4]]}"#,
            r#"{"inputs": ["a", null]}"#,
            r#"{"inputs": {"a": 1}}"#,
            r#"{"inputs": "\ud800"}"#,
            r#"{"inputs": "a", "inputs": "b"}"#,
            r#"{"inputs": "a"} x"#,
            r#"{}"#,
            "",
            "[]",
            r#"["a"]"#,
            r#""a""#,
            " 3",
            "{bad",
        ]
        .iter()
        .map(|body| format!("{body}\n    {}", read(body).unwrap_err()))
        .collect();
        insta::assert_snapshot!(said.join("\n"));
        assert!(read(&format!("{{\"inputs\": {}", "[".repeat(100_000))).unwrap_err().contains("inputs[0]"));
    }

    #[test]
    fn kinds_of_bodies() {
        for kind in ["", "application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json", "text/json"]
        {
            assert!(is_json(kind.as_bytes()), "{kind}");
        }
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/octet-stream", "jsonp"] {
            assert!(!is_json(kind.as_bytes()), "{kind}");
        }
    }
}
