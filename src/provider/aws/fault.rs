//! From an SDK error to a [`Fault`]. What may be done about it is said by the table of [`rules`](super::rules).

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::Timestamp;

use super::clock;
use super::rules::class_of;
use crate::provider::patience::NO_ANSWER;
use crate::resource::{Address, Class, Fault};

/// The fault that an SDK error stands for.
pub fn of<E>(service: &str, operation: &str, error: SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match &error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let (bare_code, bare_message) = answer.raw().body().bytes().and_then(refused_batch).unzip();
            let code = answer.err().code().map(str::to_owned).or(bare_code);
            let code = code.unwrap_or_else(|| format!("HTTP {status}"));
            let message = answer.err().message().map(str::to_owned).or(bare_message);
            let message = message.unwrap_or_else(|| "the service gave no reason".to_owned());
            let class = class_of(service, &code, &message, Some(status));
            if clock::is_blamed(&code, &message) {
                let advice = clock::advice(answer.raw().headers().get("date"), Timestamp::now());
                return Fault::new(Class::Credentials, service, operation, code, message).next(advice);
            }
            advise(Fault::new(class, service, operation, code, message))
        }
        SdkError::ResponseError(answer) => {
            let status = answer.raw().status().as_u16();
            Fault::new(
                class_of(service, "", "", Some(status)),
                service,
                operation,
                format!("HTTP {status}"),
                "the answer cannot be read",
            )
        }
        SdkError::TimeoutError(_) => unreachable_fault(service, operation, &chain(&error), Class::Retry),
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => connection(service, operation, &error),
        _ => Fault::unexpected(service, operation, chain(&error)),
    }
}

/// Code and reasons of a refused change batch: the one error of Route 53 outside of the envelope that the SDK opens.
fn refused_batch(body: &[u8]) -> Option<(String, String)> {
    const CODE: &str = "InvalidChangeBatch";
    let text = std::str::from_utf8(body).ok()?;
    let (_, inner) = text.split_once(&format!("<{CODE}"))?;
    let reasons: Vec<&str> =
        inner.split("<Message>").skip(1).filter_map(|rest| Some(rest.split_once("</Message>")?.0)).collect();
    (!reasons.is_empty()).then(|| (CODE.to_owned(), reasons.join("; ")))
}

/// Something that is not there is no fault: `None`.
///
/// # Errors
/// Every other fault, as it came.
pub fn optional<T>(answer: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(fault) if fault.class == Class::Missing => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The fault for a request that the SDK would not build: a required member is missing, so the program erred.
pub fn unbuilt(
    service: &'static str,
    operation: &'static str,
) -> impl Fn(aws_smithy_types::error::operation::BuildError) -> Fault {
    move |bad| Fault::unexpected(service, operation, bad.to_string())
}

/// The fault for bytes that the run does not carry. `what` names the thing that they are for.
pub fn not_at_hand(service: &str, operation: &str, what: &str, sha256: &str) -> Fault {
    let words = format!("the bytes of {what} (SHA-256 {sha256}) are not at hand");
    Fault::new(Class::Refused, service, operation, "BytesNotAtHand", words)
        .next("deploy from the plan and the files that made this content, or restore the file it was made of")
}

/// The fault for something of the wanted name that belongs to somebody else. `whose` says how that is known.
pub fn taken(service: &str, operation: &str, code: &str, what: &str, whose: &str, address: &Address) -> Fault {
    Fault::new(Class::Exists, service, operation, code, format!("{what} exists and is not this stack's: {whose}"))
        .next(format!("take it up with --adopt {address}, or choose another name"))
}

fn connection<E: Error + 'static>(service: &str, operation: &str, error: &SdkError<E, HttpResponse>) -> Fault {
    let words = chain(error);
    let lower = words.to_lowercase();
    if lower.contains("credential") || lower.contains("sso") || lower.contains("token") {
        // The chain tells of every place that it asked; the last cause says why the last one did not help.
        let cause = last_cause(error);
        let cause = cause.lines().next().unwrap_or_default().trim_end_matches('.');
        let everywhere = "no credentials in the environment, the profile, SSO or instance metadata";
        let nothing_else = cause.starts_with("no credentials found") || cause.is_empty();
        let words = if nothing_else { everywhere.to_owned() } else { format!("{everywhere} ({cause})") };
        return advise(Fault::new(Class::Credentials, service, operation, "NoCredentials", words));
    }
    if lower.contains("region") {
        return Fault::new(Class::Credentials, service, operation, "NoRegion", "no AWS region is configured")
            .next("set AWS_REGION, or region in ~/.aws/config");
    }
    // A connection that never came about carried no call. One that broke may have ("connection closed before message
    // completed"), so the world is looked at before the call is repeated.
    let never = ["refused", "(connect)", "connect timeout", "dns error"].iter().any(|words| lower.contains(words));
    let class = if never { Class::Unreachable } else { Class::Retry };
    unreachable_fault(service, operation, &words, class)
}

fn unreachable_fault(service: &str, operation: &str, words: &str, class: Class) -> Fault {
    Fault::new(class, service, operation, NO_ANSWER, words)
        .next("check AWS_ENDPOINT_URL and the network; with the local AWS: localstack/up")
}

const LOG_IN: &str = "log in again (aws sso login), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; with the local AWS: eval \"$(localstack/up)\"";

fn advise(fault: Fault) -> Fault {
    match fault.class {
        Class::Credentials if matches!(fault.code.as_str(), "OptInRequired" | "RegionDisabledException") => {
            fault.next("enable this region for the account (console: Account, AWS Regions), or name another region in the plan")
        }
        // A region that the account has not enabled knows none of its keys and answers the same.
        Class::Credentials if matches!(fault.code.as_str(), "InvalidClientTokenId" | "UnrecognizedClientException") => {
            fault.next(format!("{LOG_IN}; if the same keys work in another region, enable this one for the account"))
        }
        Class::Credentials => fault.next(LOG_IN),
        Class::Denied if fault.service == "s3" => fault.next(
            "names of buckets are global: if this one belongs to another account, choose other names (--var prefix=…); else give the caller this permission",
        ),
        Class::Retry => {
            let next = format!(
                "run the same command again in a while: it goes on from here; if it goes on like this, see what health.aws.amazon.com says of {}",
                fault.service
            );
            fault.next(next)
        }
        Class::Denied => fault.next("give the caller this permission; the tool asks for nothing that the plan does not need"),
        _ => fault,
    }
}

/// The error's words and those of its causes, outermost first.
fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut words = vec![error.to_string()];
    let mut at = error.source();
    while let Some(cause) = at {
        words.push(cause.to_string());
        at = cause.source();
    }
    words
}

fn last_cause(error: &(dyn Error + 'static)) -> String {
    causes(error).pop().unwrap_or_default()
}

/// The causes in one line, each said once.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    for text in causes(error) {
        if !words.iter().any(|said| said.contains(&text)) {
            words.push(text);
        }
    }
    words.join(": ")
}
