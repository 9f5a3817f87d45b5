//! One invocation of a function, with its answer.

use std::time::Duration;

use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde::Deserialize;

use super::super::{Clients, fault_of};
use crate::resource::{Fault, FaultClass};

const CALL: &str = "Invoke";
/// What Lambda answers with at most: 6 MB.
const LARGEST: usize = 6 << 20;
/// The longest reason of a function that is passed on.
const LONGEST_REASON: usize = 400;

/// What Lambda answers with when a function fails.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FunctionFailure {
    #[serde(rename = "errorType")]
    kind: String,
    #[serde(rename = "errorMessage")]
    message: String,
}

/// Calls a function and waits for its answer, at most so long. The call is sent once: a second one would run the function twice.
///
/// # Errors
/// Lambda refuses, no answer comes in time, the function failed, or its answer is longer than Lambda's may be.
pub async fn invoke(
    clients: &Clients,
    region: &str,
    function: &str,
    payload: Vec<u8>,
    within: Duration,
) -> Result<Vec<u8>, Fault> {
    // Lambda sends nothing before the function ends.
    let timeouts = TimeoutConfig::builder().read_timeout(within).operation_attempt_timeout(within).build();
    let patient = aws_sdk_lambda::config::Builder::new().timeout_config(timeouts);
    let call = clients.lambda(region)?.invoke().function_name(function);
    let call = call.invocation_type(InvocationType::RequestResponse).payload(Blob::new(payload));
    let answer = call.customize().config_override(patient).send().await;
    let answer = answer.map_err(|bad| fault_of("lambda", CALL, bad))?;
    let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
    if answer.function_error.is_some() {
        return Err(failed(function, &payload));
    }
    if payload.len() > LARGEST {
        let words = format!("{function} answered with {} bytes; {LARGEST} are read", payload.len());
        return Err(Fault::new(FaultClass::Refused, "lambda", CALL, "AnswerTooLong", words));
    }
    Ok(payload)
}

/// A function that ended with an error: its own words, as far as they can be read.
fn failed(function: &str, payload: &[u8]) -> Fault {
    let said: FunctionFailure = serde_json::from_slice(payload).unwrap_or_default();
    let code = if said.kind.is_empty() { "FunctionError".to_owned() } else { said.kind };
    let reason: String = said.message.chars().take(LONGEST_REASON).collect();
    let reason = if reason.is_empty() { "it gave no reason".to_owned() } else { reason };
    Fault::new(FaultClass::Refused, "lambda", CALL, code, format!("{function} failed: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_failed_says_why() {
        let fault = failed("probe", br#"{"errorType": "BadOrder", "errorMessage": "rate: 0.01 to 1000", "trace": []}"#);
        assert!(fault.class == FaultClass::Refused && fault.code == "BadOrder", "{fault}");
        assert!(fault.message.contains("rate: 0.01"), "{fault}");
        assert!(failed("probe", b"<html>").message.contains("no reason"));
    }
}
