//! The interface, described (OpenAPI 3.1), and a page to read and try it.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header;

const TEMPLATE: &str = include_str!("../../../templates/serve/openapi.json");
const PAGE: &str = include_str!("../../../templates/serve/docs.html");
static DOCUMENT: LazyLock<String> = LazyLock::new(openapi);

/// The description of REST: every route, what it takes and gives.
pub fn openapi() -> String {
    TEMPLATE.replace("{{version}}", env!("CARGO_PKG_VERSION"))
}

/// The description, for programs.
pub async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

/// A page that reads it. It asks nobody but this server.
pub async fn page() -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, policy)];
    (headers, PAGE).into_response()
}
