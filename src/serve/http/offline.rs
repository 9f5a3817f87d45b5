//! `GET /api/v1/models/offline`: models for browsers and for machines without a network.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use serde::Serialize;

use super::fault::Rejection;
use super::parse::invalid;
use super::percent;
use super::ranged::{self, FileRequest};
use crate::inference::fault::{EmbedFault, ErrorCode, beginning};
use crate::inference::folder::FolderIdentity;
use crate::inference::registry::ListedModel;
use crate::serve::App;
use crate::serve::offline::{self, OfflineFile};
use crate::serve::problem::ApiProblem;

/// A replaced folder is looked at every five seconds.
const AGAIN: Duration = Duration::from_secs(5);

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
        // Replaced since it was loaded: the next list has the new one.
        let Ok(Some(found)) = files(&app, &known).await else { continue };
        let Some(graph) = offline::graph(&found).map(|graph| graph.name.clone()) else { continue };
        let mut model =
            Model { name: known.name, sha256: String::new(), url: String::new(), bytes: 0, files: Vec::new() };
        for file in found {
            // Gone since it was listed: another version is taking its place, and the next list has that one.
            let Ok(sha256) = app.hashes.of(&file.path, file.stamp).await else { continue 'models };
            let url = address(&app, &model.name, &file.name, &sha256);
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

/// One file of a model: its graph, or what `?file=` names. With `&sha256=` it is that content or none.
pub async fn one(
    State(app): State<Arc<App>>,
    method: Method,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let Wanted { file: wanted, sha256 } = wanted(query.as_deref().unwrap_or_default())?;
    let known = app.embedder.registry().list().into_iter().find(|model| model.name == name);
    let missing = || {
        let message = format!("no model {:?}; GET /api/v1/models/offline lists them", beginning(&name));
        EmbedFault::new(ErrorCode::ModelNotFound, message)
    };
    let found = files(&app, &known.ok_or_else(missing)?).await.map_err(unreadable)?;
    let found = found.ok_or_else(|| replaced(&name))?;
    let file = match &wanted {
        Some(wanted) => found.iter().find(|file| file.name == *wanted),
        None => offline::graph(&found),
    };
    let file = file.ok_or_else(|| {
        let names: Vec<&str> = found.iter().map(|file| file.name.as_str()).collect();
        let wanted = beginning(wanted.as_deref().unwrap_or("graph"));
        ApiProblem::new(
            StatusCode::NOT_FOUND,
            "FILE_NOT_FOUND",
            format!("{name} has no {wanted:?}; there are: {}", names.join(", ")),
        )
    })?;
    if app.config.offline_cdn.is_some() {
        let hash = app.hashes.of(&file.path, file.stamp).await.map_err(unreadable)?;
        let place = address(&app, &name, &file.name, &hash);
        let headers = [(header::LOCATION, place), (header::CACHE_CONTROL, "no-cache".to_owned())];
        return Ok((StatusCode::FOUND, headers).into_response());
    }
    let asking = FileRequest { path: &file.path, sha256: sha256.as_deref(), method: &method, headers: &headers };
    ranged::file(asking, &app.hashes).await
}

/// What the query of a download names.
#[derive(Debug, Default)]
struct Wanted {
    file: Option<String>,
    sha256: Option<String>,
}

fn wanted(query: &str) -> Result<Wanted, Rejection> {
    let mut wanted = Wanted::default();
    for (name, value) in percent::pairs(query).ok_or_else(|| invalid("the query is not UTF-8"))? {
        let place = match name.as_str() {
            "file" => &mut wanted.file,
            "sha256" => &mut wanted.sha256,
            _ => return Err(invalid(format!("unknown parameter {:?}; allowed: file and sha256", beginning(&name)))),
        };
        if place.replace(value).is_some() {
            return Err(invalid(format!("parameter {name:?} appears twice")));
        }
    }
    Ok(wanted)
}

/// The folder has another model than the one that embeds: both are of one version again when that is loaded.
pub(super) fn replaced(name: &str) -> Rejection {
    let message = format!("the folder of {name} was replaced; its new version is being loaded");
    Rejection(ApiProblem::new(StatusCode::SERVICE_UNAVAILABLE, "MODEL_LOADING", message).again_after(AGAIN))
}

/// The files of a model; nothing when another folder has taken the place of the one that it was loaded from.
pub(super) async fn files(app: &App, known: &ListedModel) -> std::io::Result<Option<Vec<OfflineFile>>> {
    let (store, folder) = (app.config.models.clone(), known.source.folder.clone());
    let loaded = known.engine.as_ref().map(|engine| engine.folder.identity);
    let listed = tokio::task::spawn_blocking(move || -> std::io::Result<Option<Vec<OfflineFile>>> {
        let is_loaded = || loaded.is_none_or(|loaded| loaded == FolderIdentity::of(&folder));
        if !is_loaded() {
            return Ok(None);
        }
        let found = offline::files(&folder, &store)?;
        Ok(Some(found).filter(|_| is_loaded()))
    });
    listed.await.unwrap_or_else(|why| Err(std::io::Error::other(why)))
}

/// Where a file can be had: an address names its content. At a content network it is that of `docs/model-layout.md`.
fn address(app: &App, model: &str, file: &str, sha256: &str) -> String {
    let (model, file) = (percent::encode(model), percent::encode(file));
    match &app.config.offline_cdn {
        Some(base) => format!("{}/{model}/{sha256}/{file}", base.trim_end_matches('/')),
        None => format!("/api/v1/models/offline/{}?file={file}&sha256={sha256}", model.replace('/', "%2F")),
    }
}

pub(super) fn unreadable(why: std::io::Error) -> Rejection {
    EmbedFault::new(ErrorCode::Internal, format!("the model's files cannot be read: {why}")).into()
}
