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
use super::parse::{Texts, json};
use crate::serve::{App, Ask};

#[derive(Debug, Deserialize)]
struct Request {
    inputs: Texts,
    normalize: Option<bool>,
    truncate: Option<bool>,
    dimensions: Option<usize>,
}

/// Vectors for texts, and nothing else. As there, a text that is too long is refused unless it may be cut.
pub async fn post(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let request: Request = json(&body)?;
    let ask = Ask {
        texts: request.inputs.list(),
        normalise: request.normalize,
        truncate: Some(request.truncate.unwrap_or(false)),
        dimensions: request.dimensions,
        time: time(&headers)?,
        ..Ask::default()
    };
    Ok(Json(app.embedder.embed(ask).await?.vectors).into_response())
}
