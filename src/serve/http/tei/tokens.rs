//! `POST /embed_all`: a vector for each token of a text.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::{HeaderMap, header};
use serde::Deserialize;

use super::{How, within_batch};
use crate::serve::http::fault::Rejection;
use crate::serve::http::parse::{Texts, json};
use crate::serve::{App, TokenEmbeddingResponse};

/// Numbers that are written at a time: the answer as text is several times as large as the vectors, and is never there as a whole.
const PART: usize = 1 << 14;

/// What clients send; fields that nobody knows are not read, as there.
#[derive(Debug, Deserialize)]
struct Request {
    inputs: Texts,
    truncate: Option<bool>,
    truncation_direction: Option<String>,
    prompt_name: Option<String>,
}

/// For each text a list with the vectors of its tokens, special tokens included.
pub async fn embed_all(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Rejection> {
    let Request { inputs, truncate, truncation_direction, prompt_name } = json(&headers, &body)?;
    let texts = inputs.some("inputs")?;
    within_batch(&app, texts.len())?;
    let how = How { normalize: None, truncate, truncation_direction, prompt_name, dimensions: None };
    let reply = app.embedder.embed_tokens(how.ask(texts, &headers)?).await?;
    let body = Body::from_stream(stream::iter(written(reply)));
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// The answer in parts. A text's vectors go when they are written, and the bytes stop counting with the last part.
fn written(reply: TokenEmbeddingResponse) -> impl Iterator<Item = serde_json::Result<Bytes>> {
    let TokenEmbeddingResponse { vectors, width, held } = reply;
    let numbers = (PART / width.max(1)).max(1) * width.max(1);
    let texts = vectors.into_iter().enumerate().flat_map(move |(place, flat)| {
        let _held = &held;
        let parts = flat.len().div_ceil(numbers);
        (0..parts).map(move |part| {
            let from = part * numbers;
            let begin = match (place, part) {
                (0, 0) => "[[",
                (_, 0) => ",[",
                _ => ",",
            };
            rows(begin, &flat[from..flat.len().min(from + numbers)], width, if part + 1 == parts { "]" } else { "" })
        })
    });
    texts.chain(std::iter::once_with(|| Ok(Bytes::from_static(b"]"))))
}

/// Vectors with commas between them, after `begin` and before `end`.
fn rows(begin: &str, flat: &[f32], width: usize, end: &str) -> serde_json::Result<Bytes> {
    let mut text = begin.as_bytes().to_vec();
    for (at, row) in flat.chunks_exact(width).enumerate() {
        if at > 0 {
            text.push(b',');
        }
        serde_json::to_writer(&mut text, row)?;
    }
    text.extend_from_slice(end.as_bytes());
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::admission::slots::Slots;

    #[test]
    fn an_answer_in_parts_is_json_and_holds_its_bytes_to_the_end() {
        let slots = Slots::new(100);
        let vectors = vec![vec![0.5; 6], (0..PART * 2 + 2).map(|number| number as f32 / 8.0).collect(), vec![1e-30; 2]];
        let reply = TokenEmbeddingResponse { vectors: vectors.clone(), width: 2, held: slots.take_many(100) };
        let (mut parts, mut all) = (written(reply), Vec::new());
        all.extend_from_slice(&parts.next().unwrap().unwrap());
        assert_eq!(slots.taken(), 100);
        let rest: Vec<Bytes> = parts.map(Result::unwrap).collect();
        assert_eq!((rest.len(), slots.taken()), (5, 0), "three parts of the long text, one of the short one, the end");
        all.extend(rest.concat());
        let read: Vec<Vec<[f32; 2]>> = serde_json::from_slice(&all).unwrap();
        let flat: Vec<Vec<f32>> = read.into_iter().map(|rows| rows.concat()).collect();
        assert_eq!(flat, vectors);
    }
}
