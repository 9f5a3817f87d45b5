//! What a server says of itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::json;

use crate::inference::registry::Status;
use crate::serve::App;
use crate::serve::metrics::Format;

/// The models and what they are doing.
pub async fn models(State(app): State<Arc<App>>) -> Response {
    let models: Vec<_> = app
        .embedder
        .registry()
        .list()
        .into_iter()
        .map(|model| {
            let engine = model.engine.as_ref();
            json!({
                "id": model.name, "name": model.name, "status": model.status.name(),
                "dimension": engine.map(|engine| engine.folder.dimension),
                "max_tokens": engine.map(|engine| engine.folder.longest),
                "version": engine.map(|engine| &engine.hash),
                "memory_mb": model.bytes >> 20,
            })
        })
        .collect();
    Json(json!({"models": models})).into_response()
}

/// The process lives.
pub async fn health(State(_): State<Arc<App>>) -> Response {
    Json(json!({"status": "healthy", "version": env!("CARGO_PKG_VERSION")})).into_response()
}

/// The default model answers.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    let name = app.embedder.registry().default_model();
    let status = app.embedder.registry().list().into_iter().find(|model| model.name == name).map(|model| model.status);
    match status {
        Some(Status::Loaded) => Json(json!({"status": "ready"})).into_response(),
        other => {
            let status = other.as_ref().map_or("unknown", Status::name);
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": status}))).into_response()
        }
    }
}

/// For Prometheus.
pub async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::wanted(accept);
    let text = app.metrics.text(&app.embedder.registry().list(), format);
    ([(header::CONTENT_TYPE, format.content_type())], text).into_response()
}
