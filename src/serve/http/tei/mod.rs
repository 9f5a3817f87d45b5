//! The shapes of text-embeddings-inference 1.9: `POST /embed`, and `POST /`, where its clients ask when they are given an address
//! and nothing else.

mod model_info;
mod pieces;
mod similarity;
mod tokens;
mod unsupported;

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::embed::time;
use super::fault::Rejection;
use super::parse::{InputKind, Texts, json, list, side};
use crate::inference::fault::{EmbedFault, ErrorCode};
use crate::serve::problem::{ApiProblem, ProblemCause};
use crate::serve::{App, EmbeddingRequest};

pub use model_info::{info, ping};
pub use pieces::{decode, tokenize};
pub use similarity::post as similarity;
pub use tokens::embed_all;
pub use unsupported::{embed_sparse, predict, rerank};

/// How texts are to be embedded; fields that nobody knows are not read, as there.
#[derive(Clone, Debug, Default)]
struct How {
    normalize: Option<bool>,
    truncate: Option<bool>,
    truncation_direction: Option<String>,
    prompt_name: Option<String>,
    dimensions: Option<usize>,
}

impl How {
    /// As there since 1.9, a text that is too long is cut unless `truncate` is false.
    fn ask(self, texts: Vec<String>, headers: &HeaderMap) -> Result<EmbeddingRequest, Rejection> {
        Ok(EmbeddingRequest {
            texts,
            normalize: self.normalize,
            truncate: self.truncate,
            side: side(self.truncation_direction.as_deref())?,
            prompt_name: self.prompt_name,
            dimensions: self.dimensions,
            time: time(headers)?,
            ..EmbeddingRequest::default()
        })
    }
}

/// What clients send: to `/embed` texts, to `/` also a text that is compared with others. Only the latter has parameters.
#[derive(Debug, Deserialize)]
struct Request<I, P = IgnoredAny> {
    inputs: I,
    parameters: Option<P>,
    normalize: Option<bool>,
    truncate: Option<bool>,
    truncation_direction: Option<String>,
    prompt_name: Option<String>,
    dimensions: Option<usize>,
}

impl<I, P> Request<I, P> {
    fn parts(self) -> (I, Option<P>, How) {
        let Self { inputs, parameters, normalize, truncate, truncation_direction, prompt_name, dimensions } = self;
        (inputs, parameters, How { normalize, truncate, truncation_direction, prompt_name, dimensions })
    }
}

/// What Vertex AI sends.
#[derive(Debug, Deserialize)]
struct Vertex {
    #[serde(deserialize_with = "list")]
    instances: Vec<Request<Texts>>,
}

#[derive(Debug, Serialize)]
struct Predictions {
    predictions: Vec<Vec<Vec<f32>>>,
}

/// Vectors for texts, and nothing else.
pub async fn post(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Rejection> {
    let (inputs, _, how) = json::<Request<Texts>>(&headers, &body)?.parts();
    let vectors = embed(&app, inputs, how, &headers).await?;
    Ok(Json(vectors).into_response())
}

/// Whatever may be asked of an address alone.
pub async fn root(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Rejection> {
    let (inputs, parameters, how) = json::<Request<InputKind, similarity::Parameters>>(&headers, &body)?.parts();
    match inputs {
        InputKind::Texts(texts) => Ok(Json(embed(&app, texts, how, &headers).await?).into_response()),
        InputKind::Compared(compared) => {
            similarity::compare(&app, compared, parameters.unwrap_or_default(), &headers).await
        }
    }
}

/// Several requests in one.
pub async fn vertex(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Rejection> {
    let Vertex { instances } = json(&headers, &body)?;
    within_batch(&app, instances.iter().map(|request| request.inputs.0.len()).sum())?;
    let each = instances.into_iter().map(|request| {
        let (inputs, _, how) = request.parts();
        embed(&app, inputs, how, &headers)
    });
    let predictions = futures::future::try_join_all(each).await?;
    Ok(Json(Predictions { predictions }).into_response())
}

async fn embed(app: &App, inputs: Texts, how: How, headers: &HeaderMap) -> Result<Vec<Vec<f32>>, Rejection> {
    let texts = inputs.some("inputs")?;
    within_batch(app, texts.len())?;
    Ok(app.embedder.embed(how.ask(texts, headers)?).await?.vectors)
}

/// Refuses more texts than a request may have.
fn within_batch(app: &App, count: usize) -> Result<(), Rejection> {
    let most = app.config.limits.texts;
    if count <= most {
        return Ok(());
    }
    let message = format!("batch size {count} > maximum allowed batch size {most}: send several requests");
    Err(ApiProblem::from(EmbedFault::new(ErrorCode::InvalidRequest, message)).of(ProblemCause::Batch).into())
}
