//! Why a request got no answer, as each transport says it.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::inference::fault::{Code, EmbedFault};

/// A refusal or a fault on its way out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// As HTTP counts.
    pub status: StatusCode,
    /// A stable code that clients may rely on.
    pub code: &'static str,
    /// What, why, and the next step, for a person.
    pub message: Cow<'static, str>,
    /// When it is worth asking again.
    pub retry_after: Option<Duration>,
}

/// Whose words an error is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Words {
    /// Our own: `error` is the message.
    Own,
    /// OpenAI's: `error` is an object, and their clients show the `message` in it, and that one only.
    OpenAi,
}

impl Words {
    /// Of the address that was asked.
    pub fn of(path: &str) -> Self {
        if path.starts_with("/v1/") { Self::OpenAi } else { Self::Own }
    }
}

/// The body of every error.
#[derive(Debug, Serialize)]
struct Envelope<'a> {
    error: Said<'a>,
    code: &'a str,
    request_id: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Said<'a> {
    Own(&'a str),
    OpenAi { message: &'a str, r#type: &'static str, param: Option<&'a str>, code: &'a str },
}

impl Problem {
    /// A problem that asking again does not mend.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// The same, with the time after which it is worth asking again.
    pub fn again_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// What a bare status means: those that the router makes have no words of their own.
    pub fn of_status(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::NOT_FOUND => {
                ("NOT_FOUND", "there is nothing at this address; GET /openapi.json lists what there is")
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                ("METHOD_NOT_ALLOWED", "this address takes another method: the header allow names it")
            }
            StatusCode::PAYLOAD_TOO_LARGE => ("BODY_TOO_LARGE", "the body is too large: send fewer texts at a time"),
            StatusCode::SERVICE_UNAVAILABLE => ("OVERLOADED", "the server cannot answer now; ask again later"),
            status if status.is_client_error() => ("INVALID_REQUEST", "the request makes no sense as it is"),
            _ => ("INTERNAL", "a fault of the server; its log has the request id"),
        };
        Self::new(status, code, message)
    }

    /// As REST says it: a status, `{error, code, request_id}`, and when to ask again.
    pub fn rest(&self, id: &str, words: Words) -> Response {
        let error = match words {
            Words::Own => Said::Own(&self.message),
            Words::OpenAi => {
                let r#type = if self.status.is_server_error() { "server_error" } else { "invalid_request_error" };
                Said::OpenAi { message: &self.message, r#type, param: None, code: self.code }
            }
        };
        let body = Envelope { error, code: self.code, request_id: id };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.seconds() {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }

    /// As gRPC says it: headers alone, with the status in them.
    pub fn grpc(&self) -> Response {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", grpc_status(self.status).into());
        if let Ok(message) = HeaderValue::from_str(&percent(&self.message)) {
            headers.insert("grpc-message", message);
        }
        if let Some(seconds) = self.seconds() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }

    /// Whole seconds, at least one.
    fn seconds(&self) -> Option<u64> {
        self.retry_after.map(|pause| u64::try_from(pause.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1))
    }
}

/// The number of a status in gRPC.
fn grpc_status(status: StatusCode) -> u16 {
    match status.as_u16() {
        400 | 413 => 3,
        401 => 16,
        403 => 7,
        404 | 405 => 12,
        408 | 504 => 4,
        429 => 8,
        503 => 14,
        _ => 13,
    }
}

/// gRPC's messages are percent-encoded.
fn percent(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// The status of a code of the engine.
fn status(code: Code) -> StatusCode {
    match code {
        Code::ModelNotFound => StatusCode::NOT_FOUND,
        Code::InputTooLong => StatusCode::PAYLOAD_TOO_LARGE,
        Code::InvalidRequest => StatusCode::BAD_REQUEST,
        Code::Overloaded => StatusCode::TOO_MANY_REQUESTS,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::ModelLoading | Code::ModelFailed | Code::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        Code::NotFinite | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<EmbedFault> for Problem {
    fn from(fault: EmbedFault) -> Self {
        let message = fault.message.into();
        Self { status: status(fault.code), code: fault.code.name(), message, retry_after: fault.retry_after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_rounded_up_to_seconds() {
        let problem = Problem::of_status(StatusCode::SERVICE_UNAVAILABLE).again_after(Duration::from_millis(1001));
        assert_eq!(problem.rest("x", Words::Own).headers()[header::RETRY_AFTER], "2");
        let problem = problem.again_after(Duration::ZERO);
        assert_eq!(problem.grpc().headers()[header::RETRY_AFTER], "1");
    }

    #[test]
    fn grpc_messages_are_percent_encoded() {
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "50 % ü");
        let response = problem.grpc();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["grpc-status"], "16");
        assert_eq!(response.headers()["grpc-message"], "50 %25 %C3%BC");
    }
}
