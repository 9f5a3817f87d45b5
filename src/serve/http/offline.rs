//! `GET /api/v1/models/offline`: models for browsers and for machines without a network.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use serde::Serialize;

use super::fault::Refusal;
use super::parse::invalid;
use super::percent;
use super::ranged;
use crate::inference::fault::{Code, EmbedFault, beginning};
use crate::serve::App;
use crate::serve::offline::{self, ModelFile};
use crate::serve::problem::Problem;

/// The list.
#[derive(Debug, Serialize)]
struct List {
    models: Vec<Model>,
}

#[derive(Debug, Serialize)]
struct Model {
    name: String,
    /// Of the graph that a download without a file's name gives.
    sha256: String,
    url: String,
    bytes: u64,
    files: Vec<File>,
}

#[derive(Debug, Serialize)]
struct File {
    name: String,
    bytes: u64,
    sha256: String,
    url: String,
}

/// All models that can be downloaded, with the true hash of each file.
pub async fn list(State(app): State<Arc<App>>) -> Response {
    let mut models = Vec::new();
    'models: for known in app.embedder.registry().list() {
        let Ok(found) = files(&app, known.source.folder).await else { continue };
        let Some(graph) = offline::graph(&found).map(|graph| graph.name.clone()) else { continue };
        let mut model =
            Model { name: known.name, sha256: String::new(), url: String::new(), bytes: 0, files: Vec::new() };
        for file in found {
            // Gone since it was listed: another version is taking its place, and the next list has that one.
            let Ok(sha256) = app.hashes.of(&file.path, file.stamp).await else { continue 'models };
            let url = address(&app, &model.name, &file.name);
            if file.name == graph {
                model.sha256.clone_from(&sha256);
                model.url.clone_from(&url);
            }
            model.bytes += file.stamp.size;
            model.files.push(File { name: file.name, bytes: file.stamp.size, sha256, url });
        }
        models.push(model);
    }
    ([(header::CACHE_CONTROL, "no-cache")], Json(List { models })).into_response()
}

/// One file of a model: its graph, or what `?file=` names.
pub async fn one(
    State(app): State<Arc<App>>,
    method: Method,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let wanted = wanted(query.as_deref().unwrap_or_default())?;
    let known = app.embedder.registry().list().into_iter().find(|model| model.name == name);
    let missing = || {
        let message = format!("no model {:?}; GET /api/v1/models/offline lists them", beginning(&name));
        EmbedFault::new(Code::ModelNotFound, message)
    };
    let found = files(&app, known.ok_or_else(missing)?.source.folder).await.map_err(unreadable)?;
    let file = match &wanted {
        Some(wanted) => found.iter().find(|file| file.name == *wanted),
        None => offline::graph(&found),
    };
    let file = file.ok_or_else(|| {
        let names: Vec<&str> = found.iter().map(|file| file.name.as_str()).collect();
        let wanted = beginning(wanted.as_deref().unwrap_or("graph"));
        Problem::new(
            StatusCode::NOT_FOUND,
            "FILE_NOT_FOUND",
            format!("{name} has no {wanted:?}; there are: {}", names.join(", ")),
        )
    })?;
    if app.config.offline_cdn.is_some() {
        let place =
            [(header::LOCATION, address(&app, &name, &file.name)), (header::CACHE_CONTROL, "no-cache".to_owned())];
        return Ok((StatusCode::FOUND, place).into_response());
    }
    ranged::file(&file.path, &app.hashes, &method, &headers).await
}

fn wanted(query: &str) -> Result<Option<String>, Refusal> {
    let mut wanted = None;
    for (name, value) in percent::pairs(query).ok_or_else(|| invalid("the query is not UTF-8"))? {
        if name != "file" || wanted.is_some() {
            return Err(invalid(format!("parameter {:?}: there is file, once", beginning(&name))));
        }
        wanted = Some(value);
    }
    Ok(wanted)
}

async fn files(app: &App, folder: std::path::PathBuf) -> std::io::Result<Vec<ModelFile>> {
    let store = app.config.models.clone();
    tokio::task::spawn_blocking(move || offline::files(&folder, &store))
        .await
        .unwrap_or_else(|why| Err(std::io::Error::other(why)))
}

/// Where a file can be had.
fn address(app: &App, model: &str, file: &str) -> String {
    let (model, file) = (percent::encode(model), percent::encode(file));
    match &app.config.offline_cdn {
        Some(base) => format!("{}/{model}/{file}", base.trim_end_matches('/')),
        None => format!("/api/v1/models/offline/{}?file={file}", model.replace('/', "%2F")),
    }
}

fn unreadable(why: std::io::Error) -> Refusal {
    EmbedFault::new(Code::Internal, format!("the model's files cannot be read: {why}")).into()
}
