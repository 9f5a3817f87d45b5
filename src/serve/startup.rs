//! The first log lines: the effective configuration.

use std::net::SocketAddr;
use std::sync::Arc;

use super::App;
use super::config::redacted;
use super::log::LogLevel;

/// What was asked for.
pub fn starting(app: &App) {
    let config = &app.config;
    let traces = config.traces.collector.as_deref().map_or_else(|| "off".to_owned(), redacted);
    let fields = [
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("model", config.model.as_str().into()),
        ("variant", config.choice.variant.name().into()),
        ("device", config.device.name().into()),
        ("workers", config.workers.into()),
        ("alone_threads", config.alone_threads.into()),
        ("onnxruntime", app.onnxruntime.as_str().into()),
        ("traces", traces.as_str().into()),
    ];
    app.log.say(LogLevel::Info, "starting", &fields);
}

/// Where it listens. The words are the same in every format: programs look for them.
pub fn listening(app: &App, rest: SocketAddr, grpc: Option<SocketAddr>) {
    let scheme = if app.config.tls.is_some() { "https" } else { "http" };
    let grpc = grpc.map(|address| format!(", gRPC on {address}")).unwrap_or_default();
    app.log.say(LogLevel::Info, &format!("listening on {scheme}://{rest}{grpc}"), &[]);
    if app.config.demo.is_some() {
        app.log.say(LogLevel::Info, &format!("the page that embeds in the browser: {scheme}://{rest}/demo/"), &[]);
    }
}

/// Loads the default model, and says what runs it and how fast.
pub async fn warm(app: Arc<App>) {
    if let Err(why) = app.embedder.warm().await {
        return app.log.say(LogLevel::Error, &format!("not ready: {why}"), &[]);
    }
    let name = app.embedder.registry().default_model().to_owned();
    let listed = app.embedder.registry().list().into_iter().find(|model| model.name == name);
    let Some(engine) = listed.and_then(|model| model.engine) else { return };
    let (budget, speed) = (engine.budget(), engine.speed().round());
    let fields = [
        ("model", name.as_str().into()),
        ("variant", engine.folder.variant.name().into()),
        ("runs_on", engine.runs_on.as_str().into()),
        ("workers", engine.workers().into()),
        ("batch_tokens", budget.tokens.into()),
        ("tokens_per_second", speed.into()),
        ("model_version", engine.hash[..12].into()),
    ];
    app.log.say(LogLevel::Info, "ready", &fields);
}
