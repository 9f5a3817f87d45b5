//! From an SDK error to a [`Fault`]. What may be done about it is said by the table of [`rules`](super::error_rules).

use std::error::Error;
use std::sync::OnceLock;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use jiff::Timestamp;

use super::clock;
use super::error_rules::class_of;
use super::response_limit::{self, ResponseTooLong};
use super::transport::{EndpointFailure, ProxyError};
use super::unreadable::unreadable;
use crate::provider::retry::NO_ANSWER;
use crate::resource::{Address, Fault, FaultClass, Untrusted};

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
            if code.is_none() && answer.raw().status().is_success() {
                return unreadable(service, operation, answer.raw());
            }
            let code = code.unwrap_or_else(|| format!("HTTP {status}"));
            let message = answer.err().message().map(str::to_owned).or(bare_message);
            let message = message.unwrap_or_else(|| "the service gave no reason".to_owned());
            let class = class_of(service, &code, &message, Some(status));
            if clock::is_blamed(&code, &message) {
                let advice = clock::advice(answer.raw().headers().get("date"), Timestamp::now());
                return Fault::new(FaultClass::Credentials, service, operation, code, message).next(advice);
            }
            advise(Fault::new(class, service, operation, code, message))
        }
        SdkError::ResponseError(answer) => {
            if let Some(limit) = response_limit::too_long(&error) {
                return too_long(service, operation, limit);
            }
            unreadable(service, operation, answer.raw())
        }
        SdkError::TimeoutError(_) => unreachable_fault(service, operation, &error, FaultClass::Retry),
        _ => of_connection(service, operation, &error)
            .unwrap_or_else(|| Fault::unexpected(service, operation, chain(&error))),
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
        Err(fault) if fault.class == FaultClass::Missing => Ok(None),
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
    let words = format!("the content of {what} (SHA-256 {sha256}) is not available");
    Fault::new(FaultClass::Refused, service, operation, "BytesNotAtHand", words)
        .next("deploy from the plan and the files that made this content, or restore the file it was made of")
}

/// The fault for something of the wanted name that belongs to somebody else. `whose` says how that is known.
pub fn taken(
    service: &str,
    operation: &str,
    code: impl Into<Untrusted>,
    what: &str,
    whose: &str,
    address: &Address,
) -> Fault {
    Fault::new(
        FaultClass::Exists,
        service,
        operation,
        code,
        format!(
            "{what} exists and is not owned by this stack: \
         {whose}"
        ),
    )
    .next(format!("adopt it with --adopt {address}, or choose another name"))
}

/// The fault of a request that got no answer, from the types in the chain of its error; none when it is another error.
pub fn of_connection(service: &str, operation: &str, error: &(dyn Error + 'static)) -> Option<Fault> {
    // The way to the service and the source of the credentials say themselves what is wrong.
    if let Some(fault) = find::<Fault>(error) {
        return Some(fault.clone());
    }
    if find::<CredentialsError>(error).is_some() {
        return Some(advise(Fault::new(FaultClass::Credentials, service, operation, "NoCredentials", chain(error))));
    }
    of_network(service, operation, error)
}

/// The same for whoever gives credentials: only what the network did.
pub fn of_network(service: &str, operation: &str, error: &(dyn Error + 'static)) -> Option<Fault> {
    if let Some(fault) = find::<Fault>(error) {
        return Some(fault.clone());
    }
    if let Some(limit) = find::<ResponseTooLong>(error) {
        return Some(too_long(service, operation, *limit));
    }
    if let Some(bad) = find::<rustls::Error>(error) {
        return Some(untrusted(service, operation, error, bad));
    }
    let connector = find::<ConnectorError>(error)?;
    // A connection that never came about carried no call. One that broke may have ("connection closed before message
    // completed"), so the real resources are read before the call is repeated.
    let never =
        find::<hyper_util::client::legacy::Error>(error).is_some_and(hyper_util::client::legacy::Error::is_connect);
    let class = if never || innermost_is_user(connector) { FaultClass::Unreachable } else { FaultClass::Retry };
    Some(unreachable_fault(service, operation, error, class))
}

/// The fault of an answer that was longer than it may be: no service of AWS gives such a one, so trying again cannot help.
fn too_long(service: &str, operation: &str, limit: ResponseTooLong) -> Fault {
    Fault::new(FaultClass::Refused, service, operation, "AnswerTooLong", limit.to_string()).next(
        "check what answers here: AWS_ENDPOINT_URL (a service or a gateway that stands in for AWS) and the proxies of HTTPS_PROXY",
    )
}

/// The caller's own doing: nothing was sent.
fn innermost_is_user(connector: &ConnectorError) -> bool {
    let inner = connector.source().and_then(|source| find::<ConnectorError>(source));
    connector.is_user() || inner.is_some_and(ConnectorError::is_user)
}

fn untrusted(service: &str, operation: &str, error: &(dyn Error + 'static), bad: &rustls::Error) -> Fault {
    let certificate = matches!(bad, rustls::Error::InvalidCertificate(_));
    let (code, why) = if certificate {
        ("UntrustedCertificate", format!("its certificate is not accepted: {bad}"))
    } else {
        ("TlsFailed", format!("TLS failed: {bad}"))
    };
    let proxy = find::<ProxyError>(error).map_or_else(String::new, |through| format!("{through}: "));
    Fault::new(FaultClass::Unreachable, service, operation, code, format!("{proxy}{why}")).next(
        "if a proxy of your network or a custom endpoint answers here, set AWS_CA_BUNDLE to the file of its \
         certificate authority (PEM)",
    )
}

fn unreachable_fault(service: &str, operation: &str, error: &(dyn Error + 'static), class: FaultClass) -> Fault {
    let next = match find::<ProxyError>(error) {
        Some(through) => {
            format!("check {} and the proxy; list hosts that do not need it in NO_PROXY", through.proxy.variable)
        }
        None => "check AWS_ENDPOINT_URL and the network; with the local AWS: localstack/up".to_owned(),
    };
    let message = match find::<EndpointFailure>(error) {
        Some(toward) => format!("{} did not answer: {}", toward.endpoint, innermost(error)),
        None => chain(error),
    };
    Fault::new(class, service, operation, NO_ANSWER, message).next(next)
}

/// The words of the innermost cause: the system's own.
fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}

/// What to do where no credentials were found.
pub const LOG_IN: &str = "log in again (aws sso login), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; with the local AWS: eval \"$(localstack/up)\"";

/// What to do when credentials are not accepted any longer, once it is known where they come from.
static RENEWAL: OnceLock<String> = OnceLock::new();

/// From now on, this is the next step for credentials that are not accepted. The first one stays: a process has one account.
pub fn renew_with(next: String) {
    drop(RENEWAL.set(next));
}

fn log_in() -> &'static str {
    RENEWAL.get().map_or(LOG_IN, String::as_str)
}

fn advise(fault: Fault) -> Fault {
    match fault.class {
        FaultClass::Credentials if fault.code.word_of(&["OptInRequired", "RegionDisabledException"]).is_some() => {
            fault.next("enable this region for the account (console: Account, AWS Regions), or name another region in the plan")
        }
        // A region that the account has not enabled knows none of its keys and answers the same.
        FaultClass::Credentials if fault.code.word_of(&["InvalidClientTokenId", "UnrecognizedClientException"]).is_some() => {
            fault.next(format!("{}; if the same keys work in another region, enable this one for the account", log_in()))
        }
        FaultClass::Credentials => fault.next(log_in()),
        FaultClass::Denied if fault.service == "s3" => fault.next(
            "bucket names are global: if this one belongs to another account, choose other names (--var prefix=…); \
             otherwise give the caller this permission",
        ),
        FaultClass::Retry => {
            let next = format!(
                "run the same command again later to continue; if it fails again, check health.aws.amazon.com for {}",
                fault.service
            );
            fault.next(next)
        }
        FaultClass::Denied => fault.next("give the caller this permission; the tool asks for nothing that the plan does not need"),
        _ => fault,
    }
}

/// An error and its causes, outermost first. The error inside of an I/O error counts: `source` leaves it out.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |at| {
        let at: &'e (dyn Error + 'static) = *at;
        let inner = at.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| at.source())
    })
}

/// The first cause of a type.
fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The causes in one line, each said once.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    for text in causes(error).map(ToString::to_string) {
        if !words.iter().any(|said| said.contains(&text)) {
            words.push(text);
        }
    }
    words.join(": ")
}
