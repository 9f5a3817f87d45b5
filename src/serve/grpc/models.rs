//! The models, as messages.

use super::proto::ModelInfo;
use crate::inference::registry::{Listed, Registry, Status};

/// All models, by name.
pub fn list(registry: &Registry) -> Vec<ModelInfo> {
    registry.list().into_iter().map(info).collect()
}

fn info(model: Listed) -> ModelInfo {
    let number = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
    let engine = model.engine.as_deref();
    let failure = match &model.status {
        Status::Failed(why) => why.clone(),
        _ => String::new(),
    };
    ModelInfo {
        id: model.name.clone(),
        dimension: engine.map_or(0, |engine| number(engine.folder.dimension)),
        // What is not known is not said.
        params: None,
        memory_mb: i32::try_from(model.bytes >> 20).unwrap_or(i32::MAX),
        latency_p95_ms: None,
        throughput_qps: None,
        status: model.status.name().to_owned(),
        version: engine.map(|engine| engine.hash.clone()).unwrap_or_default(),
        max_tokens: engine.map_or(0, |engine| number(engine.folder.longest)),
        runs_on: engine.map(|engine| engine.runs_on.clone()).unwrap_or_default(),
        tokens_per_second: engine.map(|engine| engine.speed()),
        default: model.pinned,
        failure,
        name: model.name,
    }
}
