//! REST: bodies in and out. Each handler translates to one [`Ask`](super::Ask).

mod broken;
mod embed;
mod fault;
mod misfit;
mod observe;
mod offline;
mod openai;
mod openai_models;
mod openapi;
mod parse;
pub mod passage;
mod percent;
pub mod private;
mod ranged;
pub mod request;
mod tei;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::App;
pub use openapi::openapi;

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/api/v1/embed", post(embed::post).get(embed::get))
        .route("/v1/embeddings", post(openai::post))
        .route("/embeddings", post(openai::post))
        .route("/api/v1/embeddings", post(openai::post))
        .route("/openai/v1/embeddings", post(openai::post))
        .route("/openai/deployments/{model}/embeddings", post(openai::deployment))
        .route("/v1/models", get(openai_models::list))
        .route("/v1/models/{*id}", get(openai_models::one))
        .route("/openai/v1/models", get(openai_models::list))
        .route("/openai/v1/models/{*id}", get(openai_models::one))
        .route("/", post(tei::root).get(tei::ping))
        .route("/embed", post(tei::post))
        .route("/similarity", post(tei::similarity))
        .route("/tokenize", post(tei::tokenize))
        .route("/decode", post(tei::decode))
        .route("/embed_all", post(tei::embed_all))
        .route("/embed_sparse", post(tei::embed_sparse))
        .route("/predict", post(tei::predict))
        .route("/rerank", post(tei::rerank))
        .route("/info", get(tei::info))
        .route("/ping", get(tei::ping))
        .route("/invocations", post(tei::root))
        .route("/vertex", post(tei::vertex))
        .route("/api/v1/models/offline", get(offline::list))
        .route("/api/v1/models/offline/{name}", get(offline::one))
        .route("/openapi.json", get(openapi::document))
        .route("/api-doc/openapi.json", get(openapi::document))
        .route("/docs", get(openapi::page))
        .route("/models", get(observe::models))
        .route("/health", get(observe::health))
        .route("/ready", get(observe::ready))
        .route("/metrics", get(observe::metrics))
        // The door bounds bodies before they get here.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(app.clone(), passage::pass))
        .with_state(app)
}
