//! Routes of text-embeddings-inference for other kinds of models: rejected as there.

use http::StatusCode;

use crate::serve::http::fault::Rejection;
use crate::serve::problem::{ApiProblem, ProblemCause};

fn unable(what: &'static str) -> Rejection {
    ApiProblem::new(StatusCode::NOT_IMPLEMENTED, "NOT_SUPPORTED", what).of(ProblemCause::Unable).into()
}

/// Classes of texts.
pub async fn predict() -> Rejection {
    unable("`predict` needs a classifier, but this server has embedding models: POST /embed returns vectors")
}

/// Texts in the order of a query.
pub async fn rerank() -> Rejection {
    unable("`rerank` needs a reranker, but this server has embedding models: POST /similarity compares texts")
}

/// Sparse vectors.
pub async fn embed_sparse() -> Rejection {
    unable(
        "`embed_sparse` needs a model with SPLADE pooling, but this server has dense vectors: POST /embed returns \
         them",
    )
}
