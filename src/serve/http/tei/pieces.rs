//! `POST /tokenize` and `POST /decode`: what the default model's tokenizer makes of texts, and of ids.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::within_batch;
use crate::inference::engine::Engine;
use crate::inference::fault::{EmbedFault, ErrorCode, beginning};
use crate::inference::pieces::TokenPiece;
use crate::inference::tokenize::{TextTokenizer, TokenizerFault};
use crate::serve::App;
use crate::serve::http::embed::time;
use crate::serve::http::fault::Rejection;
use crate::serve::http::parse::{Texts, empty, invalid, json, room};

/// Characters of a text for each token that the model reads; more are refused, as there.
const CHARACTERS: usize = 250;
/// Requests that are tokenized at the same time: their tokens are all in memory.
static TURNS: Semaphore = Semaphore::const_new(4);

/// What clients send to `/tokenize`.
#[derive(Debug, Deserialize)]
struct Tokenize {
    inputs: Texts,
    add_special_tokens: Option<bool>,
    prompt_name: Option<String>,
}

/// What clients send to `/decode`.
#[derive(Debug, Deserialize)]
struct Decode {
    ids: Ids,
    skip_special_tokens: Option<bool>,
}

/// Ids of one text or of several.
#[derive(Debug)]
struct Ids(Vec<Vec<u32>>);

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(Lists)
    }
}

/// The first element says which of the two a list is.
enum First {
    Id(u32),
    List(Vec<u32>),
}

impl<'de> Deserialize<'de> for First {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(IdOrList)
    }
}

struct IdOrList;

impl<'de> Visitor<'de> for IdOrList {
    type Value = First;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a token id or a list of token ids")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<First, E> {
        let id = u32::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))?;
        Ok(First::Id(id))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<First, A::Error> {
        Vec::<u32>::deserialize(SeqAccessDeserializer::new(list)).map(First::List)
    }
}

struct Lists;

impl<'de> Visitor<'de> for Lists {
    type Value = Ids;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a list of token ids, or a list of such lists")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Ids, A::Error> {
        match list.next_element()? {
            None => Ok(Ids(Vec::new())),
            Some(First::Id(first)) => {
                let mut ids = vec![first];
                while let Some(id) = list.next_element()? {
                    ids.push(id);
                }
                Ok(Ids(vec![ids]))
            }
            Some(First::List(first)) => {
                let mut lists = vec![first];
                while let Some(ids) = list.next_element()? {
                    room(lists.len())?;
                    lists.push(ids);
                }
                Ok(Ids(lists))
            }
        }
    }
}

#[derive(Debug, Serialize)]
struct Token {
    id: u32,
    text: String,
    special: bool,
    start: Option<usize>,
    stop: Option<usize>,
}

impl From<TokenPiece> for Token {
    fn from(TokenPiece { id, text, special, place }: TokenPiece) -> Self {
        Self { id, text, special, start: place.map(|place| place.0), stop: place.map(|place| place.1) }
    }
}

/// The tokens of texts, all of them: nothing is cut.
pub async fn tokenize(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Rejection> {
    let Tokenize { inputs, add_special_tokens, prompt_name } = json(&headers, &body)?;
    let mut texts = inputs.some("inputs")?;
    within_batch(&app, texts.len())?;
    let engine = engine(&app, &headers).await?;
    let prompt = engine.folder.prompts.of(prompt_name.as_deref()).ok_or_else(|| {
        let name = beginning(prompt_name.as_deref().unwrap_or_default());
        invalid(format!("prompt_name: the model {} has no prompt {name:?}", engine.name()))
    })?;
    if !prompt.is_empty() {
        texts.iter_mut().for_each(|text| text.insert_str(0, prompt));
    }
    within_text(&texts, engine.folder.longest.saturating_mul(CHARACTERS), app.config.limits.text)?;
    let special = add_special_tokens.unwrap_or(true);
    let tokens = off_thread(&engine, move |tokenizer| {
        let each = texts.iter().map(|text| tokenizer.pieces(text, special));
        each.map(|pieces| Ok(pieces?.into_iter().map(Token::from).collect::<Vec<_>>())).collect::<Result<Vec<_>, _>>()
    });
    Ok(Json(tokens.await?).into_response())
}

/// The texts of ids.
pub async fn decode(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Rejection> {
    let Decode { ids: Ids(ids), skip_special_tokens } = json(&headers, &body)?;
    if ids.is_empty() || ids.iter().any(Vec::is_empty) {
        return Err(empty("ids", "token id"));
    }
    within_batch(&app, ids.len())?;
    let engine = engine(&app, &headers).await?;
    let skip = skip_special_tokens.unwrap_or(true);
    let texts = off_thread(&engine, move |tokenizer| {
        ids.iter().map(|ids| tokenizer.decode(ids, skip)).collect::<Result<Vec<_>, _>>()
    });
    Ok(Json(texts.await?).into_response())
}

async fn engine(app: &App, headers: &HeaderMap) -> Result<Arc<Engine>, Rejection> {
    let most = app.config.limits.time;
    let deadline = Instant::now() + time(headers)?.unwrap_or(most).min(most);
    Ok(app.embedder.engine(None, None, deadline).await?)
}

/// Refuses texts whose tokens would fill the memory: `most` characters of one, `together` bytes of all.
fn within_text(texts: &[String], most: usize, together: usize) -> Result<(), Rejection> {
    if let Some(place) = texts.iter().position(|text| text.len() > most && text.chars().count() > most) {
        let message = format!("text {place} has more than {most} characters: tokenize a shorter part of it");
        return Err(EmbedFault::new(ErrorCode::InputTooLong, message).into());
    }
    if texts.iter().map(String::len).sum::<usize>() > together {
        let message = format!("the texts have more than {together} bytes together: send several requests");
        return Err(EmbedFault::new(ErrorCode::InputTooLong, message).into());
    }
    Ok(())
}

/// Work with a model's tokenizer, on a thread that may block.
async fn off_thread<T: Send + 'static>(
    engine: &Engine,
    work: impl FnOnce(&TextTokenizer) -> Result<T, TokenizerFault> + Send + 'static,
) -> Result<T, EmbedFault> {
    let tokenizer = engine.tokenizer().clone();
    // The semaphore is never closed.
    let turn = TURNS.acquire().await;
    let done = tokio::task::spawn_blocking(move || work(&tokenizer)).await;
    drop(turn);
    done.map_err(|why| EmbedFault::new(ErrorCode::Internal, format!("the tokenizer ended: {why}")))?
        .map_err(|why| EmbedFault::new(ErrorCode::InvalidRequest, why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_do_not_fit_are_told_in_words_of_json() {
        let read = |body: &str| json::<Decode>(&HeaderMap::new(), body.as_bytes()).map(|body| body.ids.0);
        assert_eq!(read(r#"{"ids": [1, 2]}"#).unwrap(), [[1_u32, 2]]);
        assert_eq!(read(r#"{"ids": [[1], []]}"#).unwrap(), [vec![1_u32], vec![]]);
        for (ids, said) in [
            (r#""hello""#, r#"ids must be a list of token ids, or a list of such lists, not the string "hello""#),
            (r#"["hello"]"#, r#"ids[0] must be a token id or a list of token ids, not the string "hello""#),
            ("[-1]", "ids[0] must be a token id or a list of token ids, not -1"),
            ("[4294967296]", "ids[0] must be a token id or a list of token ids, not 4294967296"),
            ("[1, 1.5]", "ids[1] must be a whole number from 0 to 4294967295, not 1.5"),
            ("[[1], 2]", "ids[1] must be a list, not 2"),
            ("[[1, null]]", "ids[0][1] must be a whole number from 0 to 4294967295, not null"),
        ] {
            assert_eq!(read(&format!(r#"{{"ids": {ids}}}"#)).unwrap_err().0.message, said, "{ids}");
        }
    }

    #[test]
    fn texts_are_bounded_one_by_one_and_together() {
        let texts = ["üü".to_owned(), "abc".to_owned()];
        assert!(within_text(&texts, 3, 7).is_ok());
        assert_eq!(within_text(&texts, 2, 7).unwrap_err().0.code, "INPUT_TOO_LONG");
        assert!(within_text(&texts, 3, 6).unwrap_err().0.message.contains("together"));
    }
}
