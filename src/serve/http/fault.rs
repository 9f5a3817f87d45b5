//! Faults as REST says them: `{error, code, request_id}`, a status, and when to ask again.

use axum::response::{IntoResponse, Response};

use crate::inference::fault::EmbedFault;
use crate::serve::problem::{Problem, Words};

/// A problem on its way out; the request's id is put in at the door, where it is known.
#[derive(Debug)]
pub struct Refusal(pub Problem);

impl From<EmbedFault> for Refusal {
    fn from(fault: EmbedFault) -> Self {
        Self(fault.into())
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.0.rest("", Words::Own);
        response.extensions_mut().insert(self.0);
        response
    }
}
