//! Why a request failed, for every transport.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::shown;
use crate::inference::fault::{EmbedFault, ErrorCode};

/// What kind of problem it is, where the status does not say it: text-embeddings-inference tells these apart.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ProblemCause {
    /// Nothing that its status does not say.
    #[default]
    Status,
    /// What the engine said.
    Engine(ErrorCode),
    /// An empty list.
    Empty,
    /// More texts than a request may have.
    Batch,
    /// The body is in an encoding that is not read.
    Encoding,
    /// The model cannot do this.
    Unable,
}

/// A refusal or a fault on its way out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiProblem {
    /// As HTTP counts.
    pub status: StatusCode,
    /// A stable code that clients may rely on.
    pub code: &'static str,
    /// What, why, and the next step, for a person.
    pub message: Cow<'static, str>,
    /// When it is worth asking again.
    pub retry_after: Option<Duration>,
    /// What kind it is.
    pub cause: ProblemCause,
}

/// Whose words an error is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorFormat {
    /// Our own: `error` is the message.
    Own,
    /// OpenAI's: `error` is an object, and their clients show the `message` in it, and that one only.
    OpenAi,
    /// Those of text-embeddings-inference: `error` is the message, `error_type` one of its kinds, and the status is its own.
    Tei,
}

/// The addresses of text-embeddings-inference.
const TEI: [&str; 13] = [
    "/",
    "/embed",
    "/embed_all",
    "/embed_sparse",
    "/predict",
    "/rerank",
    "/similarity",
    "/tokenize",
    "/decode",
    "/info",
    "/ping",
    "/invocations",
    "/vertex",
];

impl ErrorFormat {
    /// Of the address that was asked.
    pub fn of(path: &str) -> Self {
        match path {
            "/embeddings" | "/api/v1/embeddings" => Self::OpenAi,
            path if path.starts_with("/v1/") || path.starts_with("/openai/") => Self::OpenAi,
            path if TEI.contains(&path) => Self::Tei,
            _ => Self::Own,
        }
    }
}

/// The body of every error.
#[derive(Debug, Serialize)]
struct Envelope<'a> {
    error: ErrorBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'static str>,
    code: &'a str,
    request_id: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ErrorBody<'a> {
    Own(&'a str),
    OpenAi { message: &'a str, r#type: &'static str, param: Option<&'a str>, code: &'a str },
}

impl ApiProblem {
    /// A problem that asking again does not mend.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), retry_after: None, cause: ProblemCause::Status }
    }

    /// The same, of this kind.
    pub fn of(mut self, cause: ProblemCause) -> Self {
        self.cause = cause;
        self
    }

    /// The same, with the time after which it is worth asking again.
    pub fn again_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// What a bare status means: those that the router makes have no words of their own.
    pub fn of_status(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::NOT_FOUND => ("NOT_FOUND", "not found; GET /openapi.json lists the routes"),
            StatusCode::METHOD_NOT_ALLOWED => ("METHOD_NOT_ALLOWED", "method not allowed; see the header allow"),
            StatusCode::PAYLOAD_TOO_LARGE => ("BODY_TOO_LARGE", "the body is too large: send fewer texts per request"),
            StatusCode::SERVICE_UNAVAILABLE => ("OVERLOADED", "the server cannot answer now; try again later"),
            status if status.is_client_error() => ("INVALID_REQUEST", "invalid request"),
            _ => ("INTERNAL", "internal error; see the server's log for the request id"),
        };
        Self::new(status, code, message)
    }

    /// Its status in these words.
    pub fn status_in(&self, words: ErrorFormat) -> StatusCode {
        if words == ErrorFormat::Tei { self.tei().0 } else { self.status }
    }

    /// Status and `error_type`, as text-embeddings-inference 1.9 has them. The status of a batch that is too large is the one
    /// that its description gives (413).
    fn tei(&self) -> (StatusCode, &'static str) {
        match self.cause {
            ProblemCause::Empty => (StatusCode::BAD_REQUEST, "Empty"),
            ProblemCause::Batch => (StatusCode::PAYLOAD_TOO_LARGE, "Validation"),
            ProblemCause::Engine(ErrorCode::InvalidRequest | ErrorCode::InputTooLong) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "Validation")
            }
            ProblemCause::Engine(ErrorCode::Internal | ErrorCode::NotSupported) | ProblemCause::Unable => {
                (StatusCode::FAILED_DEPENDENCY, "Backend")
            }
            _ => match self.status {
                status @ (StatusCode::TOO_MANY_REQUESTS | StatusCode::GATEWAY_TIMEOUT) => (status, "Overloaded"),
                status @ StatusCode::SERVICE_UNAVAILABLE => (status, "Unhealthy"),
                status if status.is_server_error() => (status, "Backend"),
                status => (status, "Validation"),
            },
        }
    }

    /// As REST says it: a status, `{error, code, request_id}`, and when to ask again.
    pub fn rest(&self, id: &str, words: ErrorFormat) -> Response {
        let error_type = (words == ErrorFormat::Tei).then(|| self.tei().1);
        let message = shown::message(&self.message);
        let error = match words {
            ErrorFormat::Own | ErrorFormat::Tei => ErrorBody::Own(&message),
            ErrorFormat::OpenAi => {
                let r#type = if self.status.is_server_error() { "server_error" } else { "invalid_request_error" };
                ErrorBody::OpenAi { message: &message, r#type, param: None, code: self.code }
            }
        };
        let body = Envelope { error, error_type, code: self.code, request_id: id };
        let mut response = (self.status_in(words), Json(body)).into_response();
        if let Some(seconds) = self.seconds() {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.cause == ProblemCause::Encoding {
            response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate"));
        }
        response
    }

    /// As gRPC says it: headers alone, with the status in them.
    pub fn grpc(&self) -> Response {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", grpc_status(self.status).into());
        headers.insert("akidb-code", HeaderValue::from_static(self.code));
        if let Ok(message) = HeaderValue::from_str(&percent(&shown::message(&self.message))) {
            headers.insert("grpc-message", message);
        }
        if let Some(seconds) = self.seconds() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }

    /// Whole seconds, at least one. What passes by itself is worth asking again, also where nobody knows when; whether time
    /// that ran out does, the engine knows.
    fn seconds(&self) -> Option<u64> {
        let passes = matches!(self.status.as_u16(), 429 | 503);
        let pause = self.retry_after.or(passes.then_some(Duration::from_secs(1)))?;
        Some(u64::try_from(pause.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1))
    }
}

/// The number of a status in gRPC.
pub fn grpc_status(status: StatusCode) -> u16 {
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
fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::ModelNotFound => StatusCode::NOT_FOUND,
        ErrorCode::InputTooLong => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::InvalidRequest => StatusCode::BAD_REQUEST,
        ErrorCode::Overloaded => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::ModelLoading | ErrorCode::ModelFailed | ErrorCode::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::NotSupported => StatusCode::NOT_IMPLEMENTED,
        ErrorCode::NotFinite | ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<EmbedFault> for ApiProblem {
    fn from(fault: EmbedFault) -> Self {
        let message = fault.message.into();
        let (status, code, cause) = (status(fault.code), fault.code.name(), ProblemCause::Engine(fault.code));
        Self { status, code, message, retry_after: fault.retry_after, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_rounded_up_to_seconds() {
        let problem = ApiProblem::of_status(StatusCode::SERVICE_UNAVAILABLE).again_after(Duration::from_millis(1001));
        assert_eq!(problem.rest("x", ErrorFormat::Own).headers()[header::RETRY_AFTER], "2");
        let problem = problem.again_after(Duration::ZERO);
        assert_eq!(problem.grpc().headers()[header::RETRY_AFTER], "1");
    }

    #[test]
    fn what_passes_by_itself_says_when_to_ask_again() {
        for code in [ErrorCode::Overloaded, ErrorCode::ModelLoading, ErrorCode::ShuttingDown] {
            let problem = ApiProblem::from(EmbedFault::new(code, "later"));
            assert_eq!(problem.rest("x", ErrorFormat::Own).headers()[header::RETRY_AFTER], "1", "{code:?}");
        }
        let late = EmbedFault::new(ErrorCode::DeadlineExceeded, "late").again_after(Duration::from_secs(3));
        assert_eq!(ApiProblem::from(late).rest("x", ErrorFormat::Own).headers()[header::RETRY_AFTER], "3");
        let problem = ApiProblem::from(EmbedFault::new(ErrorCode::InvalidRequest, "never"));
        assert!(!problem.rest("x", ErrorFormat::Own).headers().contains_key(header::RETRY_AFTER));
    }

    #[test]
    fn tei_has_statuses_of_its_own() {
        let engine = |code| ApiProblem::from(EmbedFault::new(code, "a"));
        let invalid = engine(ErrorCode::InvalidRequest);
        let cases = [
            (invalid.clone(), 422, "Validation", 400),
            (invalid.clone().of(ProblemCause::Empty), 400, "Empty", 400),
            (invalid.of(ProblemCause::Batch), 413, "Validation", 400),
            (engine(ErrorCode::InputTooLong), 422, "Validation", 413),
            (engine(ErrorCode::Overloaded), 429, "Overloaded", 429),
            (engine(ErrorCode::ModelLoading), 503, "Unhealthy", 503),
            (engine(ErrorCode::Internal), 424, "Backend", 500),
            (engine(ErrorCode::NotSupported), 424, "Backend", 501),
            (ApiProblem::of_status(StatusCode::INTERNAL_SERVER_ERROR), 500, "Backend", 500),
            (ApiProblem::of_status(StatusCode::UNAUTHORIZED), 401, "Validation", 401),
        ];
        for (problem, status, kind, own) in cases {
            assert_eq!((problem.tei().0.as_u16(), problem.tei().1), (status, kind), "{problem:?}");
            assert_eq!(problem.status_in(ErrorFormat::OpenAi).as_u16(), own, "{problem:?}");
        }
        assert_eq!(ErrorFormat::of("/v1/models/a/b"), ErrorFormat::OpenAi);
        assert_eq!((ErrorFormat::of("/"), ErrorFormat::of("/api/v1/embed")), (ErrorFormat::Tei, ErrorFormat::Own));
    }

    #[tokio::test]
    async fn what_a_client_sent_comes_back_visible_and_short() {
        use http_body_util::BodyExt;
        let message = format!("no parameter \u{202e}\u{1b}{}", "x".repeat(1 << 20));
        let problem = ApiProblem::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message);
        for words in [ErrorFormat::Own, ErrorFormat::OpenAi, ErrorFormat::Tei] {
            let body = problem.rest("x", words).into_body().collect().await.unwrap().to_bytes();
            let said = std::str::from_utf8(&body).unwrap();
            assert!(said.len() < 3000 && said.contains(r"no parameter \\u{202e}\\u{1b}x"), "{said}");
        }
        assert!(problem.grpc().headers()["grpc-message"].len() < 3000);
    }

    #[test]
    fn grpc_messages_are_percent_encoded() {
        let problem = ApiProblem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "50 % ü");
        let response = problem.grpc();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["grpc-status"], "16");
        assert_eq!(response.headers()["grpc-message"], "50 %25 %C3%BC");
    }
}
