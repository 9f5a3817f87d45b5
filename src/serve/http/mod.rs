//! REST: bodies in and out. Each handler translates to one [`EmbeddingRequest`](super::EmbeddingRequest).

mod connection_fault;
mod demo;
mod embed;
mod fault;
pub mod middleware;
mod observe;
mod offline;
mod openai;
mod openai_models;
mod openapi;
mod parse;
mod percent;
pub mod private;
mod ranged;
pub mod request;
mod tei;
mod validation;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::App;
pub use embed::QUERY_PARAMETERS;
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
    let first = if app.config.demo.is_some() { demo::router() } else { Router::new() };
    OPENAI
        .into_iter()
        .fold(first, openai)
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
        .layer(from_fn_with_state(app.clone(), middleware::pass))
        .with_state(app)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{EMBED_PATHS, OWN, QUERY_PARAMETERS};
    use crate::desired::{DesiredStack, build};
    use crate::plan::{PlanSettings, load};
    use crate::resource::cache_policy::{CachePolicySpec, Choice};
    use crate::resource::distribution::DistributionSpec;
    use crate::resource::{Address, Resource};

    const GATEWAY: &str = include_str!("../../../templates/lambda/gateway/index.mjs");

    /// The texts of a list of the gateway.
    fn listed(name: &str) -> BTreeSet<&'static str> {
        let (_, rest) = GATEWAY.split_once(&format!("const {name} = new Set([")).expect("its list");
        let (list, _) = rest.split_once("]);").expect("the end of its list");
        list.split('\'').skip(1).step_by(2).collect()
    }

    /// What week 13 wants, with files that stand for the model.
    fn week13() -> DesiredStack {
        let files = tempfile::tempdir().unwrap();
        for name in ["model.safetensors", "model_int8.onnx", "tokenizer.json", "config.json"] {
            std::fs::write(files.path().join(name), "{}").unwrap();
        }
        let variables = [("model_dir".to_owned(), files.path().display().to_string())].into();
        let plan = load("week13", &PlanSettings { variables, ..PlanSettings::default() })
            .unwrap_or_else(|bad| panic!("{bad}"));
        build(&plan, &BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"))
    }

    fn found<'b>(built: &'b DesiredStack, address: &str) -> &'b Resource {
        &built.desired.resources[&address.parse::<Address>().unwrap()]
    }

    #[test]
    fn plan_gateway_and_server_have_one_cacheable_address_with_one_key() {
        let wanted: BTreeSet<&str> = QUERY_PARAMETERS.into();
        // The tier is between a client and the edge.
        let of_gateway: BTreeSet<&str> =
            listed("QUERY_PARAMETERS").into_iter().filter(|name| *name != "tier").collect();
        assert_eq!(of_gateway, wanted);
        assert!(GATEWAY.contains(&format!("const CACHEABLE_PATH = '{OWN}';")));

        let built = week13();
        let cdn: DistributionSpec = found(&built, "cdn.distribution.main").typed().unwrap();
        let policy: CachePolicySpec = found(&built, "cdn.cache-policy.embeddings").typed().unwrap();
        let own = "${cdn.cache-policy.embeddings#id}";
        let cached: Vec<_> = cdn.behaviors.iter().filter(|one| one.cache_policy_id.as_deref() == Some(own)).collect();
        assert_eq!(cached.iter().map(|one| one.path.as_deref()).collect::<Vec<_>>(), [Some(OWN)]);
        // The gateway looks at what goes to it, and the origin says how long an answer is kept: nothing is kept by default.
        assert_eq!(cached[0].functions.iter().map(|one| one.event.as_str()).collect::<Vec<_>>(), ["origin-request"]);
        assert_eq!((policy.min_ttl, policy.default_ttl, policy.max_ttl), (0, 0, 31_536_000));
        // A list has ten names at most: with the tier there are eleven, and an answer of one tier must not be kept for another.
        assert_eq!(policy.query_strings, Choice::All);
        assert!(policy.headers.is_empty() && policy.cookies == Choice::None);
    }

    #[test]
    fn the_gateway_at_the_edge_looks_at_every_address_of_embeddings() {
        let theirs = listed("EMBED_PATHS");
        let (named, plain): (BTreeSet<&str>, BTreeSet<&str>) =
            EMBED_PATHS.into_iter().partition(|path| path.contains('{'));
        assert_eq!(theirs, plain);
        assert_eq!(named, BTreeSet::from(["/openai/deployments/{model}/embeddings"]));
        assert!(GATEWAY.contains(r"const DEPLOYMENT = /^\/openai\/deployments\/[^/]+\/embeddings$/;"));
    }
}
