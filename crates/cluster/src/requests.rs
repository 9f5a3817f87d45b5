//! One line for each request with `-vv`, in the format of requests to AWS.

use std::time::Duration;

use super::call::ApiCall;
use super::connection::RequestFailure;
use super::status::SERVICE;
use crate::resource::untrusted::line;

/// By this name the log is told from those of libraries.
const TARGET: &str = "akidb_edge::requests";

/// Writes the line of a request that was answered, or was not.
pub(crate) fn tell(call: &ApiCall, answer: &Result<Vec<u8>, RequestFailure>, took: Duration) {
    tracing::debug!(target: TARGET, "{}", told(call, answer, took));
}

/// `kubernetes apply /api/v1/namespaces/edge/configmaps/a: 409 in 4 ms, 1 try`.
fn told(call: &ApiCall, answer: &Result<Vec<u8>, RequestFailure>, took: Duration) -> String {
    let status = match answer {
        Ok(_) => "done".to_owned(),
        Err(RequestFailure::Status(said)) => said.code.to_string(),
        Err(RequestFailure::TooLong(_)) => "too long an answer".to_owned(),
        Err(RequestFailure::Fault(_)) => "no answer".to_owned(),
    };
    format!("{SERVICE} {} {}: {status} in {} ms, 1 try", call.operation, line(call.path()), took.as_millis())
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_line_has_what_was_asked_and_how_it_went() {
        let call = ApiCall::get("get", "/api/v1/namespaces/edge/configmaps/a\u{1b}[2J");
        let took = Duration::from_millis(4);
        let about = "kubernetes get /api/v1/namespaces/edge/configmaps/a\\u{1b}[2J";
        assert_eq!(told(&call, &Ok(Vec::new()), took), format!("{about}: done in 4 ms, 1 try"));
        let mut said = Status::failure("secret words", "NotFound");
        said.code = 404;
        let refused = Err(RequestFailure::Status(said.boxed()));
        assert_eq!(told(&call, &refused, took), format!("{about}: 404 in 4 ms, 1 try"));
        assert_eq!(
            told(&call, &Err(RequestFailure::TooLong(1)), took),
            format!("{about}: too long an answer in 4 ms, 1 try")
        );
    }
}
