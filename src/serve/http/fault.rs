//! Faults as REST says them: `{error, code, request_id}`, a status, and when to ask again.

use axum::response::{IntoResponse, Response};

use crate::inference::fault::EmbedFault;
use crate::serve::problem::Problem;

/// A fault on its way out; the request's id is put in at the door, where it is known.
#[derive(Debug)]
pub struct Refusal(pub EmbedFault);

impl From<EmbedFault> for Refusal {
    fn from(fault: EmbedFault) -> Self {
        Self(fault)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = Problem::from(self.0);
        let mut response = problem.rest("");
        response.extensions_mut().insert(problem);
        response
    }
}
