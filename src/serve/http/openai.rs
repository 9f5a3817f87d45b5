//! `POST /v1/embeddings`: the shape of OpenAI's interface.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::embed::{Encoding, base64, time};
use super::fault::Rejection;
use super::parse::{Texts, json, side};
use crate::serve::{App, EmbeddingRequest};

/// What clients send. Other fields, `user` among them, are not read. The last four are not OpenAI's: the other addresses have
/// them, and clients can add them to a request.
#[derive(Debug, Deserialize)]
struct Request {
    input: Texts,
    model: Option<String>,
    encoding_format: Option<Encoding>,
    dimensions: Option<usize>,
    normalize: Option<bool>,
    truncate: Option<bool>,
    truncation_direction: Option<String>,
    prompt_name: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Vector {
    Floats(Vec<f32>),
    Base64(String),
}

#[derive(Debug, Serialize)]
struct Row {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Debug, Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

#[derive(Debug, Serialize)]
struct Answer {
    object: &'static str,
    data: Vec<Row>,
    model: String,
    usage: Usage,
}

/// Vectors for texts.
pub async fn post(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Rejection> {
    answer(&app, &headers, json(&headers, &body)?).await
}

/// The same where the address names the model, as Azure has it.
pub async fn deployment(
    State(app): State<Arc<App>>,
    Path(model): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Rejection> {
    let request: Request = json(&headers, &body)?;
    answer(&app, &headers, Request { model: Some(model), ..request }).await
}

async fn answer(app: &App, headers: &HeaderMap, request: Request) -> Result<Response, Rejection> {
    let ask = EmbeddingRequest {
        model: request.model,
        texts: request.input.some("input")?,
        normalize: request.normalize,
        truncate: request.truncate,
        side: side(request.truncation_direction.as_deref())?,
        prompt_name: request.prompt_name,
        dimensions: request.dimensions,
        time: time(headers)?,
        ..EmbeddingRequest::default()
    };
    let reply = app.embedder.embed(ask).await?;
    let encoding = request.encoding_format.unwrap_or_default();
    let encode = |vector: Vec<f32>| match encoding {
        Encoding::Float => Vector::Floats(vector),
        Encoding::Base64 => Vector::Base64(base64(&vector)),
    };
    let row = |(index, vector)| Row { object: "embedding", index, embedding: encode(vector) };
    let data = reply.vectors.into_iter().enumerate().map(row).collect();
    let usage = Usage { prompt_tokens: reply.tokens, total_tokens: reply.tokens };
    Ok(Json(Answer { object: "list", data, model: reply.model, usage }).into_response())
}
