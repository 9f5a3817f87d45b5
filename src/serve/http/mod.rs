//! REST: bodies in and out. Each handler translates to one [`Ask`](super::Ask).

mod embed;
mod fault;
mod observe;
mod openai;
mod parse;
mod passage;
mod tei;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::App;

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    let body = app.config.limits.body;
    Router::new()
        .route("/api/v1/embed", post(embed::post).get(embed::get))
        .route("/v1/embeddings", post(openai::post))
        .route("/embed", post(tei::post))
        .route("/models", get(observe::models))
        .route("/health", get(observe::health))
        .route("/ready", get(observe::ready))
        .route("/metrics", get(observe::metrics))
        .layer(DefaultBodyLimit::max(body))
        .layer(from_fn_with_state(app.clone(), passage::pass))
        .with_state(app)
}
