//! Faults as REST says them: `{error, code, request_id}`, a status, and when to ask again.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::inference::fault::{Code, EmbedFault};

/// The body of every error.
#[derive(Debug, Serialize)]
struct Body<'a> {
    error: &'a str,
    code: &'a str,
    request_id: &'a str,
}

/// The status of a code.
pub fn status(code: Code) -> StatusCode {
    match code {
        Code::ModelNotFound => StatusCode::NOT_FOUND,
        Code::InputTooLong => StatusCode::PAYLOAD_TOO_LARGE,
        Code::InvalidRequest => StatusCode::BAD_REQUEST,
        Code::Overloaded => StatusCode::TOO_MANY_REQUESTS,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::ModelLoading | Code::ModelFailed | Code::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A fault on its way out; the request's id is put in where it is known.
#[derive(Debug)]
pub struct Refusal(pub EmbedFault);

impl From<EmbedFault> for Refusal {
    fn from(fault: EmbedFault) -> Self {
        Self(fault)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let fault = self.0;
        let body = Body { error: &fault.message, code: fault.code.name(), request_id: "" };
        let mut response = (status(fault.code), Json(body)).into_response();
        if let Some(pause) = fault.retry_after {
            let seconds = pause.as_millis().div_ceil(1000).max(1);
            if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
        }
        response
    }
}
