//! The models, as messages.

use super::proto::ModelInfo;
use crate::inference::registry::{ListedModel, ModelStatus};
use crate::serve::App;

/// All models, by name.
pub async fn list(app: &App) -> Vec<ModelInfo> {
    let known = app.embedder.registry().list();
    let aliases = app.embedder.aliases().of(&known);
    let mut models = Vec::with_capacity(known.len());
    for (model, aliases) in known.into_iter().zip(aliases) {
        let params = match &model.engine {
            Some(engine) => app.parameters.of(engine).await,
            None => None,
        };
        models.push(ModelInfo { params: params.and_then(|count| i64::try_from(count).ok()), aliases, ..info(model) });
    }
    models
}

fn info(model: ListedModel) -> ModelInfo {
    let number = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
    let engine = model.engine.as_deref();
    let throughput = engine.and_then(|engine| engine.throughput());
    let failure = match &model.status {
        ModelStatus::Failed(why) => why.clone(),
        _ => String::new(),
    };
    ModelInfo {
        id: model.name.clone(),
        dimension: engine.map_or(0, |engine| number(engine.folder.dimension)),
        // Its file is looked at by whoever lists it.
        params: None,
        memory_mb: i32::try_from(model.bytes >> 20).unwrap_or(i32::MAX),
        // Rounded up: a model that answers within a millisecond is not said to need none.
        latency_p95_ms: throughput
            .map(|throughput| i32::try_from(throughput.p95.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)),
        throughput_qps: throughput.map(|throughput| throughput.per_second.ceil() as i32),
        status: model.status.name().to_owned(),
        version: engine.map(|engine| engine.hash.clone()).unwrap_or_default(),
        max_tokens: engine.map_or(0, |engine| number(engine.folder.longest)),
        runs_on: engine.map(|engine| engine.runs_on.clone()).unwrap_or_default(),
        tokens_per_second: engine.map(|engine| engine.speed()),
        default: model.pinned,
        failure,
        name: model.name,
        aliases: Vec::new(),
    }
}
