//! REST: bodies in and out. Each handler translates to one [`Ask`](super::Ask).

mod broken;
mod embed;
mod fault;
mod misfit;
mod observe;
mod offline;
mod openai;
mod openai_models;
mod openapi;
mod parse;
pub mod passage;
mod percent;
pub mod private;
mod ranged;
pub mod request;
mod tei;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::App;
pub use openapi::openapi;

/// Where texts become vectors in our own shape.
const OWN: &str = "/api/v1/embed";
/// The same in OpenAI's shape, as its clients make addresses of a base and a path.
const OPENAI: [&str; 4] = ["/v1/embeddings", "/embeddings", "/api/v1/embeddings", "/openai/v1/embeddings"];
/// The same where the address names the model, as Azure has it.
const DEPLOYMENT: &str = "/openai/deployments/{model}/embeddings";
/// The same in the shape of text-embeddings-inference, for texts and for their tokens.
const TEI: [&str; 2] = ["/embed", "/embed_all"];

/// Each address that takes texts and nothing but texts. The gateway at the edge looks at what is sent to them
/// (`templates/lambda/gateway/index.mjs`).
pub const EMBED_PATHS: [&str; 8] = [OWN, OPENAI[0], OPENAI[1], OPENAI[2], OPENAI[3], DEPLOYMENT, TEI[0], TEI[1]];

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    let openai = |router: Router<Arc<App>>, path| router.route(path, post(openai::post));
    OPENAI
        .into_iter()
        .fold(Router::new(), openai)
        .route(OWN, post(embed::post).get(embed::get))
        .route(DEPLOYMENT, post(openai::deployment))
        .route("/v1/models", get(openai_models::list))
        .route("/v1/models/{*id}", get(openai_models::one))
        .route("/openai/v1/models", get(openai_models::list))
        .route("/openai/v1/models/{*id}", get(openai_models::one))
        .route("/", post(tei::root).get(tei::ping))
        .route(TEI[0], post(tei::post))
        .route("/similarity", post(tei::similarity))
        .route("/tokenize", post(tei::tokenize))
        .route("/decode", post(tei::decode))
        .route(TEI[1], post(tei::embed_all))
        .route("/embed_sparse", post(tei::embed_sparse))
        .route("/predict", post(tei::predict))
        .route("/rerank", post(tei::rerank))
        .route("/info", get(tei::info))
        .route("/ping", get(tei::ping))
        .route("/invocations", post(tei::root))
        .route("/vertex", post(tei::vertex))
        .route("/api/v1/models/offline", get(offline::list))
        .route("/api/v1/models/offline/{name}", get(offline::one))
        .route("/openapi.json", get(openapi::document))
        .route("/api-doc/openapi.json", get(openapi::document))
        .route("/docs", get(openapi::page))
        .route("/models", get(observe::models))
        .route("/health", get(observe::health))
        .route("/ready", get(observe::ready))
        .route("/metrics", get(observe::metrics))
        // The door bounds bodies before they get here.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(app.clone(), passage::pass))
        .with_state(app)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::EMBED_PATHS;

    #[test]
    fn the_gateway_at_the_edge_looks_at_every_address_of_embeddings() {
        let gateway = include_str!("../../../templates/lambda/gateway/index.mjs");
        let (_, rest) = gateway.split_once("const EMBED_PATHS = new Set([").expect("its list");
        let (list, _) = rest.split_once("]);").expect("the end of its list");
        let theirs: BTreeSet<&str> = list.split('\'').skip(1).step_by(2).collect();
        let (named, plain): (BTreeSet<&str>, BTreeSet<&str>) =
            EMBED_PATHS.into_iter().partition(|path| path.contains('{'));
        assert_eq!(theirs, plain);
        assert_eq!(named, BTreeSet::from(["/openai/deployments/{model}/embeddings"]));
        assert!(gateway.contains(r"const DEPLOYMENT = /^\/openai\/deployments\/[^/]+\/embeddings$/;"));
    }
}
