//! Server information for clients of text-embeddings-inference.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::inference::folder::Variant;
use crate::serve::App;
use crate::serve::http::fault::Rejection;
use crate::serve::http::observe;

/// The default model and the limits.
pub async fn info(State(app): State<Arc<App>>) -> Result<Response, Rejection> {
    let engine = app.embedder.engine(None, None, Instant::now() + app.config.limits.time).await?;
    let listed = app.embedder.registry().look(engine.name());
    let hub = listed.and_then(|listed| app.embedder.aliases().hub(&listed));
    let name = engine.name();
    let dtype = if engine.folder.variant == Variant::Int8 { "int8" } else { "float32" };
    Ok(Json(json!({
        "model_id": hub.as_ref().map_or(name, |hub| &hub.repo),
        "model_sha": hub.as_ref().and_then(|hub| hub.commit.as_ref()),
        "model_dtype": dtype,
        "served_model_name": name,
        "model_type": {"embedding": {"pooling": engine.folder.pooling().replace('-', "_")}},
        "max_concurrent_requests": app.config.rules.in_flight,
        "max_input_length": engine.folder.longest,
        "max_batch_tokens": engine.budget().tokens,
        "max_batch_requests": Value::Null,
        "max_client_batch_size": app.config.limits.texts,
        "auto_truncate": true,
        "tokenization_workers": app.config.workers,
        "version": env!("CARGO_PKG_VERSION"),
        "sha": Value::Null,
        "docker_label": Value::Null,
    }))
    .into_response())
}

/// Whether the server is ready.
pub async fn ping(state: State<Arc<App>>) -> Response {
    observe::ready(state).await
}
