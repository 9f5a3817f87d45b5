//! Health, readiness, metrics and model routes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::openai_models;
use crate::inference::registry::{ListedModel, ModelStatus};
use crate::serve::App;
use crate::serve::health::ReadyState;
use crate::serve::metrics::TextFormat;

/// The models and what they are doing. What was not measured is null.
pub async fn models(State(app): State<Arc<App>>) -> Response {
    let known = app.embedder.registry().list();
    let aliases = app.embedder.aliases().of(&known);
    let mut models = Vec::with_capacity(known.len());
    for (model, aliases) in known.iter().zip(aliases) {
        models.push(one(&app, model, aliases).await);
    }
    // Clients of OpenAI's interface look here when their address has no /v1.
    Json(json!({"models": models, "object": "list", "data": openai_models::names(&app)})).into_response()
}

async fn one(app: &App, model: &ListedModel, aliases: Vec<String>) -> Value {
    let engine = model.engine.as_ref();
    let throughput = engine.and_then(|engine| engine.throughput());
    let rounded = |value: f64| (value * 100.0).round() / 100.0;
    let told = app.sync.as_ref().map(|sync| sync.told(&model.name)).unwrap_or_default();
    let params = match engine {
        Some(engine) => app.parameters.of(engine).await,
        None => None,
    };
    let loaded = matches!(model.status, ModelStatus::Loaded);
    json!({
        "id": model.name,
        "name": model.name,
        "aliases": aliases,
        "status": model.status.name(),
        "dimension": engine.map(|engine| engine.folder.dimension).or(model.source.dimension),
        "params": params,
        "memory_mb": loaded.then(|| rounded(model.bytes as f64 / f64::from(1 << 20))),
        "latency_p95_ms": throughput.map(|throughput| rounded(throughput.p95.as_secs_f64() * 1e3)),
        "throughput_qps": throughput.map(|throughput| rounded(throughput.per_second)),
        "version": engine.map(|engine| &engine.hash),
        "version_name": model.source.version,
        "max_tokens": engine.map(|engine| engine.folder.longest),
        "pooling": engine.map(|engine| engine.folder.pooling()),
        "variant": engine.map(|engine| engine.folder.variant.name()),
        "execution_provider": engine.map(|engine| &engine.runs_on),
        "pinned": model.pinned,
        "default": model.name == app.embedder.registry().default_model(),
        "loaded_at": loaded.then(|| model.since.to_string()),
        "error": match &model.status { ModelStatus::Failed(why) => Some(why), _ => None },
        "last_synced_at": told.synced_at.map(|at| at.to_string()),
        "last_sync_error": app.sync.as_ref().and_then(|sync| sync.last_error(&model.name)),
    })
}

/// The process lives: 200, and what works and what does not is in the body. 503 only when a restart can mend what is broken, or when
/// `--health-strict` asks for it. `/ready` says whether requests should be sent here.
pub async fn health(State(app): State<Arc<App>>) -> Response {
    let error = app.health.error(app.config.health_errors);
    let status = if error.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let registry = app.embedder.registry();
    let name = registry.default_model();
    let engine = registry.look(name).and_then(|listed| listed.engine);
    let engine = engine.as_ref();
    let body = Json(json!({
        "status": app.health.status(),
        "reason": error,
        "not_ok": app.health.not_ok(),
        "region": app.config.region,
        "cluster": app.config.cluster,
        "timestamp": jiff::Timestamp::now().as_second(),
        "version": env!("CARGO_PKG_VERSION"),
        "checks": app.health.json(),
        "runs": {
            "model": name,
            "model_version": engine.map(|engine| &engine.hash),
            "variant": engine.map(|engine| engine.folder.variant.name()),
            "execution_provider": engine.map(|engine| &engine.runs_on),
            "workers": engine.map(|engine| engine.workers()),
            "onnxruntime": app.onnxruntime,
        },
    }));
    (status, body).into_response()
}

/// The default model has embedded its canary: 200; else 503 and why.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    let (status, reason) = match app.health.ready() {
        ReadyState::Ready => return Json(json!({"status": "ready"})).into_response(),
        ReadyState::Loading(why) => ("loading", why),
        ReadyState::Failed(why) => ("failed", why),
        ReadyState::Stopping => ("stopping", "the server received a stop signal".to_owned()),
    };
    let again = [(header::RETRY_AFTER, "1")];
    (StatusCode::SERVICE_UNAVAILABLE, again, Json(json!({"status": status, "reason": reason}))).into_response()
}

/// For Prometheus.
pub async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = TextFormat::wanted(accept);
    let text = app.metrics.text(&app.embedder.registry().list(), format);
    ([(header::CONTENT_TYPE, format.content_type())], text).into_response()
}
