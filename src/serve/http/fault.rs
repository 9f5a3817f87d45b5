//! Faults as REST responses: `{error, code, request_id}`, a status, and when to retry.

use axum::response::{IntoResponse, Response};

use crate::inference::fault::EmbedFault;
use crate::serve::problem::{ApiProblem, ErrorFormat};

/// A problem on its way out; the request's id is put in at the door, where it is known.
#[derive(Debug)]
pub struct Rejection(pub ApiProblem);

impl From<EmbedFault> for Rejection {
    fn from(fault: EmbedFault) -> Self {
        Self(fault.into())
    }
}

impl From<ApiProblem> for Rejection {
    fn from(problem: ApiProblem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let mut response = self.0.rest("", ErrorFormat::Own);
        response.extensions_mut().insert(self.0);
        response
    }
}
