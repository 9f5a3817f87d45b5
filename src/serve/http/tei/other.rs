//! What text-embeddings-inference does with models of other kinds: refused as there.

use http::StatusCode;

use crate::serve::http::fault::Refusal;
use crate::serve::problem::{Cause, Problem};

fn unable(what: &'static str) -> Refusal {
    Problem::new(StatusCode::NOT_IMPLEMENTED, "NOT_SUPPORTED", what).of(Cause::Unable).into()
}

/// Classes of texts.
pub async fn predict() -> Refusal {
    unable("`predict` needs a classifier, and embedding models are served here: POST /embed gives vectors")
}

/// Texts in the order of a query.
pub async fn rerank() -> Refusal {
    unable("`rerank` needs a reranker, and embedding models are served here: POST /similarity compares texts")
}

/// Sparse vectors.
pub async fn embed_sparse() -> Refusal {
    unable(
        "`embed_sparse` needs a model with SPLADE pooling, and dense vectors are served here: POST /embed gives them",
    )
}
