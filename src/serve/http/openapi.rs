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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::{PAGE, openapi};

    /// The codes of the documentation that REST has.
    fn documented() -> BTreeSet<String> {
        let text = include_str!("../../../docs/serve-rest.md");
        let (_, rest) = text.split_once("| code | REST | gRPC |").expect("the table of codes");
        let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
        let cells = rows.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        cells.filter(|cells| !cells[2].is_empty()).map(|cells| cells[1].trim_matches('`').to_owned()).collect()
    }

    /// The codes that some answer of the document has.
    fn described(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(all) => {
                let codes = all.get("x-codes").and_then(Value::as_array).into_iter().flatten();
                found.extend(codes.filter_map(|code| code.as_str().map(str::to_owned)));
                all.values().for_each(|below| described(below, found));
            }
            Value::Array(all) => all.iter().for_each(|below| described(below, found)),
            _ => {}
        }
    }

    #[test]
    fn the_answers_name_the_codes_of_the_documentation() {
        let document: Value = serde_json::from_str(&openapi()).expect("JSON");
        let mut described_codes = BTreeSet::new();
        described(&document, &mut described_codes);
        let mut documented = documented();
        assert!(documented.len() > 15, "{documented:?}");
        // What no operation of the document answers: another address, another method.
        for elsewhere in ["NOT_FOUND", "METHOD_NOT_ALLOWED"] {
            assert!(documented.remove(elsewhere), "{elsewhere}");
        }
        assert_eq!(described_codes, documented);
        assert!(PAGE.contains("\"x-codes\""), "the page shows them");
    }
}
