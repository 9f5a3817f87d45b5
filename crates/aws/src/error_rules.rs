//! Which error of which service may be tried again, needs another look, or is final. Each service has its rows with the first of
//! its kinds; those of any service are here.

use crate::resource::FaultClass;

/// What an error of a service means.
#[derive(Clone, Copy, Debug)]
pub struct ErrorRule {
    /// The service; `*` for any.
    pub service: &'static str,
    /// The service's code.
    pub code: &'static str,
    /// A part of the service's words, where one code stands for different things; empty for any words.
    pub says: &'static str,
    /// What may be done.
    pub class: FaultClass,
}

/// A row for a code, whatever the service says with it.
pub const fn rule(service: &'static str, code: &'static str, class: FaultClass) -> ErrorRule {
    saying(service, code, "", class)
}

/// A row for a code with these words.
pub const fn saying(service: &'static str, code: &'static str, says: &'static str, class: FaultClass) -> ErrorRule {
    ErrorRule { service, code, says, class }
}

/// What codes mean in any service. Sources: the services' API references (errors of each operation), the SDK's own list of
/// throttling codes, and botocore's retry data.
const GENERAL: &[ErrorRule] = &[
    // Called too often.
    rule("*", "Throttling", FaultClass::Retry),
    rule("*", "ThrottlingException", FaultClass::Retry),
    rule("*", "ThrottledException", FaultClass::Retry),
    rule("*", "RequestThrottled", FaultClass::Retry),
    rule("*", "RequestThrottledException", FaultClass::Retry),
    rule("*", "TooManyRequestsException", FaultClass::Retry),
    rule("*", "RequestLimitExceeded", FaultClass::Retry),
    rule("*", "BandwidthLimitExceeded", FaultClass::Retry),
    rule("*", "SlowDown", FaultClass::Retry),
    // In trouble for a moment.
    rule("*", "ServiceUnavailable", FaultClass::Retry),
    rule("*", "ServiceUnavailableException", FaultClass::Retry),
    rule("*", "InternalFailure", FaultClass::Retry),
    rule("*", "InternalError", FaultClass::Retry),
    rule("*", "InternalServerError", FaultClass::Retry),
    rule("*", "ServiceException", FaultClass::Retry),
    rule("*", "RequestTimeout", FaultClass::Retry),
    rule("*", "RequestTimeoutException", FaultClass::Retry),
    // Who calls.
    rule("*", "ExpiredToken", FaultClass::Credentials),
    rule("*", "ExpiredTokenException", FaultClass::Credentials),
    rule("*", "InvalidToken", FaultClass::Credentials),
    rule("*", "InvalidClientTokenId", FaultClass::Credentials),
    rule("*", "UnrecognizedClientException", FaultClass::Credentials),
    rule("*", "MissingAuthenticationToken", FaultClass::Credentials),
    rule("*", "MissingAuthenticationTokenException", FaultClass::Credentials),
    rule("*", "IncompleteSignature", FaultClass::Credentials),
    rule("*", "SignatureDoesNotMatch", FaultClass::Credentials),
    rule("*", "InvalidSignatureException", FaultClass::Credentials),
    rule("*", "InvalidAccessKeyId", FaultClass::Credentials),
    rule("*", "AuthFailure", FaultClass::Credentials),
    rule("*", "RequestExpired", FaultClass::Credentials),
    rule("*", "RequestTimeTooSkewed", FaultClass::Credentials),
    rule("*", "RequestInTheFuture", FaultClass::Credentials),
    // A region that the account has not switched on.
    rule("*", "OptInRequired", FaultClass::Credentials),
    rule("*", "RegionDisabledException", FaultClass::Credentials),
    rule("*", "AccessDenied", FaultClass::Denied),
    rule("*", "AccessDeniedException", FaultClass::Denied),
    rule("*", "UnauthorizedOperation", FaultClass::Denied),
];

/// Every row: those of the services, each with the first of its kinds, then those of any service. The first row that fits
/// counts.
pub fn every_rule() -> impl Iterator<Item = &'static ErrorRule> {
    super::TABLE.iter().flat_map(|row| row.codes).chain(GENERAL)
}

/// What may be done about `code` of `service`.
pub fn class_of(service: &str, code: &str, message: &str, status: Option<u16>) -> FaultClass {
    let fits = |rule: &&ErrorRule| {
        (rule.service == "*" || rule.service == service) && rule.code == code && message.contains(rule.says)
    };
    match (every_rule().find(fits), status) {
        (Some(rule), _) => rule.class,
        (None, Some(404)) => FaultClass::Missing,
        (None, Some(429 | 500..=599)) => FaultClass::Retry,
        (None, Some(403)) => FaultClass::Denied,
        (None, _) => FaultClass::Refused,
    }
}
