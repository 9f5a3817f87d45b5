//! `POST /similarity`: how close a text is to others.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::Deserialize;

use super::{How, within_batch};
use crate::serve::App;
use crate::serve::http::fault::Rejection;
use crate::serve::http::parse::{SimilarityInput, compared, empty, json};

/// What clients send.
#[derive(Debug, Deserialize)]
struct Request {
    #[serde(deserialize_with = "compared")]
    inputs: SimilarityInput,
    parameters: Option<Parameters>,
}

/// How texts are to be read.
#[derive(Debug, Default, Deserialize)]
pub struct Parameters {
    truncate: Option<bool>,
    truncation_direction: Option<String>,
    prompt_name: Option<String>,
}

/// The cosine of a text to each of the others.
pub async fn post(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Rejection> {
    let Request { inputs, parameters } = json(&headers, &body)?;
    compare(&app, inputs, parameters.unwrap_or_default(), &headers).await
}

/// The same for a request that was read.
pub async fn compare(
    app: &App,
    inputs: SimilarityInput,
    parameters: Parameters,
    headers: &HeaderMap,
) -> Result<Response, Rejection> {
    let SimilarityInput { source_sentence, sentences } = inputs;
    if sentences.is_empty() {
        return Err(empty("inputs.sentences", "text"));
    }
    within_batch(app, sentences.len() + 1)?;
    let Parameters { truncate, truncation_direction, prompt_name } = parameters;
    let how = How { normalize: Some(true), truncate, truncation_direction, prompt_name, dimensions: None };
    let texts = std::iter::once(source_sentence).chain(sentences).collect();
    let vectors = app.embedder.embed(how.ask(texts, headers)?).await?.vectors;
    let cosine =
        |other: &Vec<f32>| vectors[0].iter().zip(other).map(|(one, other)| one * other).sum::<f32>().clamp(-1.0, 1.0);
    Ok(Json(vectors.iter().skip(1).map(cosine).collect::<Vec<f32>>()).into_response())
}
