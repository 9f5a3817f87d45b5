//! `GET /v1/models`: the models in the shape of OpenAI's interface, each under its own name and under its aliases.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::fault::Rejection;
use crate::inference::fault::{EmbedFault, ErrorCode, beginning};
use crate::serve::App;

/// Who owns what nobody else does.
const OWNER: &str = "akidb-edge";

/// A name under which a model can be asked for.
#[derive(Clone, Debug, Serialize)]
pub struct NamedModel {
    id: String,
    object: &'static str,
    created: i64,
    owned_by: String,
    /// The model that an alias means.
    root: String,
}

#[derive(Debug, Serialize)]
struct List {
    object: &'static str,
    data: Vec<NamedModel>,
}

/// Every name that can be asked for: models first, in their order.
pub fn names(app: &App) -> Vec<NamedModel> {
    let models = app.embedder.registry().list();
    let aliases = app.embedder.aliases().of(&models);
    let named = |id: &str, place: usize| {
        let hub = app.embedder.aliases().hub(&models[place]);
        let owner = hub.and_then(|hub| hub.repo.split_once('/').map(|(owner, _)| owner.to_owned()));
        let (created, root) = (models[place].since.as_second(), models[place].name.clone());
        NamedModel {
            id: id.to_owned(),
            object: "model",
            created,
            owned_by: owner.unwrap_or_else(|| OWNER.to_owned()),
            root,
        }
    };
    let own = models.iter().enumerate().map(|(place, model)| named(&model.name, place));
    let others = aliases.iter().enumerate();
    let others = others.flat_map(|(place, names)| names.iter().map(move |alias| (alias, place)));
    own.chain(others.map(|(alias, place)| named(alias, place))).collect()
}

/// All of them.
pub async fn list(State(app): State<Arc<App>>) -> Response {
    Json(List { object: "list", data: names(&app) }).into_response()
}

/// One of them; its name may have slashes.
pub async fn one(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, Rejection> {
    let found = names(&app).into_iter().find(|named| named.id == id);
    let missing = || {
        let message = format!("no model {:?}; GET /v1/models lists them", beginning(&id));
        EmbedFault::new(ErrorCode::ModelNotFound, message)
    };
    Ok(Json(found.ok_or_else(missing)?).into_response())
}
