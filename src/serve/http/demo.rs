//! `--demo`: the page that embeds in the browser, with the models of this server in the layout of a bucket (docs/model-layout.md).

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use serde_json::json;

use super::fault::Rejection;
use super::offline::{files, replaced, unreadable};
use super::percent;
use super::ranged::{self, FileRequest};
use crate::delivery::layout;
use crate::inference::fault::beginning;
use crate::serve::App;
use crate::serve::problem::ApiProblem;

/// Where the page is: with its file's name, since the door leaves slashes at the end of an address out.
const PAGE: &str = "/demo/index.html";
/// Bytes of a file of the page; the runtime has a few million.
const LARGEST: u64 = 64 << 20;
/// What is read anew at each visit.
const FRESH: &str = "no-cache";
/// Below it a file's name carries the hash of its content.
const HASHED: &str = "assets/";

/// What the plan of week 13 sends with the page: its scripts come from here alone, and it is isolated from pages of other origins, so that
/// WebAssembly may use threads.
const HEADERS: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
];

/// The media types of the page's files.
const TYPES: [(&str, &str); 6] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
    ("gz", "application/gzip"),
];

/// The routes of the page.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/demo", get(enter)).route("/demo/{*path}", get(one))
}

async fn enter() -> Redirect {
    Redirect::permanent(PAGE)
}

async fn one(
    State(app): State<Arc<App>>,
    Path(path): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let mut response = if path == "site.json" {
        site(&app)
    } else if let Some(below) = path.strip_prefix("models/") {
        of_model(&app, below, &method, &headers).await?
    } else {
        of_page(&app, &path).await?
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    Ok(response)
}

/// The list of models, the default one first.
fn site(app: &App) -> Response {
    let mut names: Vec<String> = app.embedder.registry().list().into_iter().map(|model| model.name).collect();
    names.sort_by_key(|name| (*name != app.config.model, name.clone()));
    let pointer = |name: &String| format!("models/{}/{}", percent::encode(name), layout::POINTER);
    let models: Vec<_> = names.iter().map(|name| json!({"name": name, "pointer": pointer(name)})).collect();
    let title = "AkiDB: embeddings in the browser";
    let site = json!({"format": 1, "title": title, "stack": "", "embed": super::OWN, "models": models});
    ([(header::CACHE_CONTROL, FRESH)], Json(site)).into_response()
}

/// The pointer, the manifest or a file of a model.
async fn of_model(app: &App, below: &str, method: &Method, headers: &HeaderMap) -> Result<Response, Rejection> {
    let named = app.embedder.registry().list().into_iter().find_map(|model| {
        let rest = below.strip_prefix(model.name.as_str())?.strip_prefix('/')?.to_owned();
        Some((model, rest))
    });
    let (model, rest) = named.ok_or_else(|| absent(below))?;
    let found = files(app, &model).await.map_err(unreadable)?.ok_or_else(|| replaced(&model.name))?;
    if let Some((sha256, name)) = rest.split_once('/').filter(|(folder, _)| *folder != layout::MANIFESTS) {
        let file = found.iter().find(|file| file.name == name).ok_or_else(|| absent(below))?;
        return ranged::file(FileRequest { path: &file.path, sha256: Some(sha256), method, headers }, &app.hashes)
            .await;
    }
    let mut listed = Vec::with_capacity(found.len());
    for file in found {
        let sha256 = app.hashes.of(&file.path, file.stamp).await.map_err(unreadable)?;
        listed.push(layout::VersionFile { path: file.name, size: file.stamp.size, sha256 });
    }
    let manifest = layout::VersionManifest::new(&model.name, listed);
    let (bytes, cached) = match rest.as_str() {
        layout::POINTER => (manifest.pointer().bytes(), FRESH),
        key if key == manifest.key() => (manifest.bytes(), layout::IMMUTABLE),
        _ => return Err(absent(below)),
    };
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, cached)], bytes).into_response())
}

/// A file of the page's folder.
async fn of_page(app: &App, path: &str) -> Result<Response, Rejection> {
    let folder = app.config.demo.as_deref().filter(|_| layout::is_file_path(path)).ok_or_else(|| absent(path))?;
    let file = folder.join(path);
    let about = tokio::fs::metadata(&file).await.map_err(|_| absent(path))?;
    if !about.is_file() || about.len() > LARGEST {
        return Err(absent(path));
    }
    let bytes = tokio::fs::read(&file).await.map_err(unreadable)?;
    let ending = FilePath::new(path).extension().unwrap_or_default();
    let kind = TYPES.iter().find(|(end, _)| ending == *end).map_or("application/octet-stream", |(_, kind)| *kind);
    let cached = if path.starts_with(HASHED) { layout::IMMUTABLE } else { FRESH };
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cached)], bytes).into_response())
}

fn absent(path: &str) -> Rejection {
    let message = format!("the demo page has no {:?}; it begins with {PAGE}", beginning(path));
    Rejection(ApiProblem::new(StatusCode::NOT_FOUND, "FILE_NOT_FOUND", message))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::HEADERS;
    use crate::desired::build;
    use crate::plan::{PlanSettings, load};
    use crate::resource::Address;
    use crate::resource::response_headers_policy::ResponseHeadersPolicySpec;

    #[test]
    fn the_headers_are_those_of_the_plan() {
        let plan = load("week13", &PlanSettings::default()).unwrap_or_else(|bad| panic!("{bad}"));
        let built = build(&plan, &BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"));
        for name in ["isolated", "assets"] {
            let address: Address = format!("cdn.response-headers-policy.{name}").parse().unwrap();
            let policy: ResponseHeadersPolicySpec = built.desired.resources[&address].typed().unwrap();
            let own = |name: &str| HEADERS.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(policy.content_security_policy, own("content-security-policy"), "{name}");
            for (header, value) in policy.custom.unwrap_or_default() {
                let header = header.to_ascii_lowercase();
                assert!(header == "cache-control" || own(&header) == Some(value), "{name}: {header}");
            }
        }
    }
}
