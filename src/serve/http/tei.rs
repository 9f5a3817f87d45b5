//! `POST /embed`: the shape of text-embeddings-inference.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::Deserialize;

use super::embed::time;
use super::fault::Refusal;
use super::parse::{Texts, invalid, json};
use crate::serve::{App, Ask};

/// What clients send. Fields that nobody knows are not read, as there.
#[derive(Debug, Deserialize)]
struct Request {
    inputs: Texts,
    normalize: Option<bool>,
    truncate: Option<bool>,
    truncation_direction: Option<String>,
    prompt_name: Option<String>,
    dimensions: Option<usize>,
}

impl Request {
    /// What there is in TEI and not here is refused where leaving it out would give other vectors.
    fn refused(&self) -> Option<Refusal> {
        if let Some(side) = self.truncation_direction.as_deref().filter(|side| !side.eq_ignore_ascii_case("right")) {
            return Some(invalid(format!("truncation_direction: {side:?}; texts are cut at their end only: right")));
        }
        let name = self.prompt_name.as_deref()?;
        Some(invalid(format!("prompt_name: no prompt {name:?} is known; write the prompt in front of the text")))
    }
}

/// Vectors for texts, and nothing else. As there, a text that is too long is refused unless it may be cut.
pub async fn post(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let request: Request = json(&headers, &body)?;
    if let Some(refusal) = request.refused() {
        return Err(refusal);
    }
    let ask = Ask {
        texts: request.inputs.0,
        normalise: request.normalize,
        truncate: Some(request.truncate.unwrap_or(false)),
        dimensions: request.dimensions,
        time: time(&headers)?,
        ..Ask::default()
    };
    Ok(Json(app.embedder.embed(ask).await?.vectors).into_response())
}
