//! Faults as gRPC statuses, with a stable code and retry information.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use http::StatusCode;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code as Grpc, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::proto::EmbedError;
use crate::inference::fault::{EmbedFault, ErrorCode};
use crate::serve::problem::{ApiProblem, grpc_status};
use crate::serve::shown;

/// Whose codes they are, in `google.rpc.ErrorInfo`.
const DOMAIN: &str = "akidb";
/// The name of the stable code in the metadata of a status.
pub const CODE: &str = "akidb-code";

/// The status of a code.
fn grpc(code: ErrorCode) -> Grpc {
    match code {
        ErrorCode::ModelNotFound => Grpc::NotFound,
        ErrorCode::InputTooLong | ErrorCode::InvalidRequest => Grpc::InvalidArgument,
        ErrorCode::Overloaded => Grpc::ResourceExhausted,
        ErrorCode::DeadlineExceeded => Grpc::DeadlineExceeded,
        ErrorCode::ModelLoading | ErrorCode::ModelFailed | ErrorCode::ShuttingDown => Grpc::Unavailable,
        ErrorCode::NotSupported => Grpc::Unimplemented,
        ErrorCode::NotFinite | ErrorCode::Internal => Grpc::Internal,
    }
}

/// When it is worth asking again. What passes by itself is, also where nobody knows when; whether time
/// that ran out does, the engine knows.
fn pause(fault: &EmbedFault) -> Option<Duration> {
    let passes = matches!(fault.code, ErrorCode::Overloaded | ErrorCode::ModelLoading | ErrorCode::ShuttingDown);
    fault.retry_after.or(passes.then_some(Duration::from_secs(1)))
}

fn milliseconds(fault: &EmbedFault) -> Option<i64> {
    pause(fault).map(whole_milliseconds)
}

/// Rounded up: who asks again a moment too early is refused again.
fn whole_milliseconds(pause: Duration) -> i64 {
    i64::try_from(pause.as_micros().div_ceil(1000)).unwrap_or(i64::MAX)
}

/// A fault as the end of a call.
pub fn status(fault: EmbedFault, request_id: &str) -> Status {
    let name = fault.code.name();
    let mut details = ErrorDetails::new();
    details.set_error_info(name, DOMAIN, HashMap::new());
    if let Some(pause) = pause(&fault) {
        details.set_retry_info(Some(pause));
    }
    if !request_id.is_empty() {
        details.set_request_info(request_id, "");
    }
    let mut metadata = MetadataMap::new();
    metadata.insert(CODE, MetadataValue::from_static(name));
    if let Some(pause) = milliseconds(&fault) {
        metadata.insert("grpc-retry-pushback-ms", pause.into());
    }
    let message = shown::message(&fault.message).into_owned();
    Status::with_error_details_and_metadata(grpc(fault.code), message, details, metadata)
}

/// What the gate or the door refuses, as the end of a call.
pub fn refused(problem: &ApiProblem, request_id: &str) -> Status {
    let mut details = ErrorDetails::new();
    details.set_error_info(problem.code, DOMAIN, HashMap::new());
    let mut metadata = MetadataMap::new();
    metadata.insert(CODE, MetadataValue::from_static(problem.code));
    if let Some(pause) = problem.retry_after {
        details.set_retry_info(Some(pause));
        metadata.insert("grpc-retry-pushback-ms", whole_milliseconds(pause).into());
    }
    if !request_id.is_empty() {
        details.set_request_info(request_id, "");
    }
    let code = Grpc::from_i32(grpc_status(problem.status).into());
    Status::with_error_details_and_metadata(code, shown::message(&problem.message).into_owned(), details, metadata)
}

/// The code and the next step of a status that the transport made: it had no service to ask. A transport says `INTERNAL` and `UNKNOWN`
/// of bytes that it cannot read ([status codes of gRPC](https://grpc.github.io/grpc/core/md_doc_statuscodes.html)); our own faults have
/// their code already.
fn of_transport(status: &Status) -> (&'static str, &'static str) {
    let interface =
        "the interface of this server is printed by akidb-edge serve --print-proto and by its reflection service";
    match status.code() {
        Grpc::Cancelled => ("CANCELLED", "the call was canceled before it was answered; no action needed"),
        Grpc::DeadlineExceeded => {
            (ErrorCode::DeadlineExceeded.name(), "allow more time, or send fewer texts per request")
        }
        Grpc::OutOfRange | Grpc::ResourceExhausted => {
            ("BODY_TOO_LARGE", "send fewer texts per request; the server's setting max-body is the maximum")
        }
        Grpc::Unimplemented if status.metadata().contains_key("grpc-accept-encoding") => {
            ("UNSUPPORTED_ENCODING", "use an encoding that grpc-accept-encoding lists, or none")
        }
        Grpc::NotFound | Grpc::Unimplemented => ("NOT_FOUND", interface),
        Grpc::Unavailable => (ErrorCode::Overloaded.name(), "try again later"),
        Grpc::Unauthenticated => ("UNAUTHORIZED", "send a key: authorization: Bearer KEY"),
        _ => (ErrorCode::InvalidRequest.name(), interface),
    }
}

/// A status of the transport with its code, its details and the next step.
pub fn completed(status: &Status, request_id: &str) -> Status {
    let (code, next) = of_transport(status);
    let mut details = ErrorDetails::new();
    details.set_error_info(code, DOMAIN, HashMap::new());
    if !request_id.is_empty() {
        details.set_request_info(request_id, "");
    }
    let mut metadata = MetadataMap::new();
    metadata.insert(CODE, MetadataValue::from_static(code));
    let what = match status.message() {
        "" => Cow::Borrowed("this server has no such service or method"),
        // It may repeat a header of the client.
        said => shown::message(said),
    };
    Status::with_error_details_and_metadata(status.code(), format!("{what}; {next}"), details, metadata)
}

/// The same as the answer to one message of a stream.
pub fn told(problem: ApiProblem) -> EmbedError {
    EmbedError {
        status: grpc_status(problem.status).into(),
        code: problem.code.to_owned(),
        retry_after_ms: problem.retry_after.map(whole_milliseconds),
        message: shown::message(&problem.message).into_owned(),
    }
}

/// A stream that has lived as long as one may.
pub fn lived(time: Duration) -> ApiProblem {
    let message = format!(
        "the stream reached its maximum lifetime of {} s: open another one; requests without a response were not \
         processed",
        time.as_secs_f64()
    );
    ApiProblem::new(StatusCode::SERVICE_UNAVAILABLE, "STREAM_ENDED", message)
}

/// A fault as the answer to one message of a stream.
pub fn message(fault: EmbedFault) -> EmbedError {
    EmbedError {
        status: grpc(fault.code).into(),
        code: fault.code.name().to_owned(),
        retry_after_ms: milliseconds(&fault),
        message: shown::message(&fault.message).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    #[test]
    fn a_status_has_its_code_and_when_to_ask_again() {
        let fault = EmbedFault::new(ErrorCode::Overloaded, "later").again_after(Duration::from_micros(1500));
        let status = status(fault.clone(), "r1");
        assert_eq!((status.code(), status.message()), (Grpc::ResourceExhausted, "later"));
        assert_eq!(status.metadata().get("akidb-code").unwrap(), "OVERLOADED");
        assert_eq!(status.metadata().get("grpc-retry-pushback-ms").unwrap(), "2");
        let details = status.get_error_details();
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_micros(1500)));
        assert_eq!(details.error_info().unwrap().reason, "OVERLOADED");
        assert_eq!(details.request_info().unwrap().request_id, "r1");
        let message = message(fault);
        assert_eq!((message.status, message.retry_after_ms), (8, Some(2)));
    }

    #[test]
    fn what_passes_by_itself_says_so_without_a_time() {
        let fault = EmbedFault::new(ErrorCode::ModelLoading, "later");
        assert_eq!(message(fault.clone()).retry_after_ms, Some(1000));
        assert_eq!(status(fault, "").get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(1)));
    }

    #[test]
    fn what_asking_again_does_not_mend_says_no_time() {
        let status = status(EmbedFault::new(ErrorCode::InputTooLong, "shorter"), "");
        assert_eq!(status.code(), Grpc::InvalidArgument);
        assert!(status.metadata().get("grpc-retry-pushback-ms").is_none());
        assert!(status.get_error_details().retry_info().is_none());
        assert!(status.get_error_details().request_info().is_none());
    }

    #[test]
    fn every_status_of_the_transport_has_a_code_that_the_documentation_explains() {
        let documented = include_str!("../../../docs/serve-rest.md");
        for number in 1..=16 {
            let status = completed(&Status::new(Grpc::from_i32(number), "why"), "");
            assert_eq!(status.code() as i32, number);
            let code = status.metadata().get(CODE).unwrap().to_str().unwrap();
            assert!(documented.contains(&format!("| `{code}` |")), "{code}");
            assert!(status.message().starts_with("why; ") && status.message().len() > 10, "{status}");
        }
        let mut encoded = Status::unimplemented("x");
        encoded.metadata_mut().insert("grpc-accept-encoding", "gzip".parse().unwrap());
        assert_eq!(completed(&encoded, "").metadata().get(CODE).unwrap(), "UNSUPPORTED_ENCODING");
        let long = completed(&Status::unimplemented(format!("\u{202e}{}", "x".repeat(1 << 20))), "");
        assert!(long.message().len() < 3000 && !long.message().contains('\u{202e}'));
    }

    #[test]
    fn a_refusal_has_the_code_of_the_gate() {
        let problem = ApiProblem::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", "later");
        let problem = problem.again_after(Duration::from_micros(1500));
        let status = refused(&problem, "r1");
        assert_eq!((status.code(), status.message()), (Grpc::ResourceExhausted, "later"));
        assert_eq!(status.metadata().get("akidb-code").unwrap(), "RATE_LIMITED");
        assert_eq!(status.metadata().get("grpc-retry-pushback-ms").unwrap(), "2");
        let message = told(problem);
        assert_eq!((message.status, message.code.as_str(), message.retry_after_ms), (8, "RATE_LIMITED", Some(2)));
        assert_eq!(refused(&lived(Duration::from_secs(1)), "").code(), Grpc::Unavailable);
    }
}
