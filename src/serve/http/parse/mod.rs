//! Bodies as they come.

use std::fmt;
use std::marker::PhantomData;

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::fault::Rejection;
use super::validation;
use crate::inference::fault::{EmbedFault, ErrorCode, beginning};
use crate::inference::tokenize::TruncationSide;
use crate::serve::body::ELEMENTS;
use crate::serve::problem::{ApiProblem, ProblemCause};

/// What some programs write in front of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

const IDS: &str = "token ids are not accepted, because they depend on the model: send the text itself (LangChain: \
                   check_embedding_ctx_length=False)";

/// One text or several.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Texts(pub Vec<String>);

impl Texts {
    /// The texts of this field.
    ///
    /// # Errors
    /// There are none.
    pub fn some(self, field: &str) -> Result<Vec<String>, Rejection> {
        if self.0.is_empty() { Err(empty(field, "text")) } else { Ok(self.0) }
    }
}

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
            room(texts.len())?;
            texts.push(text);
        }
        Ok(Texts(texts))
    }
}

/// Whether a list that has so many elements may have one more.
pub fn room<E: Error>(count: usize) -> Result<(), E> {
    if count < ELEMENTS {
        return Ok(());
    }
    Err(E::custom(format!("a list has more than {ELEMENTS} elements: send several requests")))
}

/// A list, as far as lists are read.
pub fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    from.deserialize_seq(Bounded(PhantomData))
}

struct Bounded<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Bounded<T> {
    type Value = Vec<T>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = list.next_element()? {
            room(all.len())?;
            all.push(one);
        }
        Ok(all)
    }
}

/// A text for which a similarity is wanted, and those that it is compared with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct SimilarityInput {
    /// The text.
    pub source_sentence: String,
    /// The others.
    #[serde(deserialize_with = "list")]
    pub sentences: Vec<String>,
}

/// A text and those that it is compared with, as an object: serde would read a list as the object's fields in their order.
pub fn compared<'de, D: Deserializer<'de>>(from: D) -> Result<SimilarityInput, D::Error> {
    from.deserialize_map(Pair)
}

struct Pair;

impl<'de> Visitor<'de> for Pair {
    type Value = SimilarityInput;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("an object with source_sentence and sentences")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SimilarityInput, A::Error> {
        SimilarityInput::deserialize(MapAccessDeserializer::new(map))
    }
}

/// What may be at an address that does both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InputKind {
    /// Texts to embed.
    Texts(Texts),
    /// Texts to compare.
    Compared(SimilarityInput),
}

impl<'de> Deserialize<'de> for InputKind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = InputKind;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a text, a list of texts, or an object with source_sentence and sentences")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<InputKind, E> {
        Several.visit_str(text).map(InputKind::Texts)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<InputKind, A::Error> {
        Several.visit_seq(list).map(InputKind::Texts)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<InputKind, A::Error> {
        Pair.visit_map(map).map(InputKind::Compared)
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
        Err(A::Error::custom(format!("a list in the list is not a text; {IDS}")))
    }
}

/// A JSON body; what is wrong is said with its place.
pub fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Rejection> {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    if !is_json(kind) {
        let kind = String::from_utf8_lossy(kind);
        let kind = beginning(&kind);
        let message = format!(
            "the body is {kind:?}, but application/json is required: send it with content-type: \
                     application/json"
        );
        return Err(ApiProblem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message).into());
    }
    let body = body.strip_prefix(MARK).unwrap_or(body);
    is_object(body)?;
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|why| {
        let (path, inner) = (why.path().to_string(), why.inner());
        refused(validation::words(&path, inner, body), inner.is_data())
    })?;
    reader.end().map_err(|why| refused(validation::words(".", &why, body), false))?;
    Ok(value)
}

/// Whether a body begins as an object does: serde would read a list as an object's fields in their order.
fn is_object(body: &[u8]) -> Result<(), Rejection> {
    const WANTED: &str = "a JSON object is expected; see /openapi.json";
    match body.trim_ascii_start() {
        [b'{', ..] => Ok(()),
        [] => Err(refused(format!("the body is empty: {WANTED}"), false)),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err(invalid("the body: it is UTF-16; send UTF-8")),
        _ => Err(invalid(format!("the body: {WANTED}"))),
    }
}

/// A body that is JSON and says nothing that can be done, or is not JSON.
fn refused(message: String, is_json: bool) -> Rejection {
    let cause = if is_json { ProblemCause::Engine(ErrorCode::InvalidRequest) } else { ProblemCause::Status };
    ApiProblem::from(EmbedFault::new(ErrorCode::InvalidRequest, message)).of(cause).into()
}

/// Whether a body of this kind is read as JSON; one that is not said is.
fn is_json(kind: &[u8]) -> bool {
    let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    essence.is_empty() || essence.ends_with(b"/json") || essence.ends_with(b"+json")
}

/// A list that has nothing in it.
pub fn empty(field: &str, what: &str) -> Rejection {
    let fault =
        EmbedFault::new(ErrorCode::InvalidRequest, format!("{field}: the list is empty; send at least one {what}"));
    ApiProblem::from(fault).of(ProblemCause::Empty).into()
}

/// Which end of a text that is too long is cut off, by the name of the side; nothing when it is not said.
///
/// # Errors
/// Another word.
pub fn side(name: Option<&str>) -> Result<Option<TruncationSide>, Rejection> {
    match name {
        None => Ok(None),
        Some(name) if name.eq_ignore_ascii_case("right") => Ok(Some(TruncationSide::End)),
        Some(name) if name.eq_ignore_ascii_case("left") => Ok(Some(TruncationSide::Beginning)),
        Some(name) => Err(invalid(format!("truncation_direction is left or right, not {:?}", beginning(name)))),
    }
}

/// A request that makes no sense.
pub fn invalid(message: impl Into<String>) -> Rejection {
    EmbedFault::new(ErrorCode::InvalidRequest, message).into()
}

#[cfg(test)]
mod tests;
