//! Which error of which service may be tried again, needs another look, or is final. Each service has its rows with the first of
//! its kinds; those of any service are here.

use crate::resource::Class;

/// What an error of a service means.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The service; `*` for any.
    pub service: &'static str,
    /// The service's code.
    pub code: &'static str,
    /// A part of the service's words, where one code stands for different things; empty for any words.
    pub says: &'static str,
    /// What may be done.
    pub class: Class,
}

/// A row for a code, whatever the service says with it.
pub const fn rule(service: &'static str, code: &'static str, class: Class) -> Rule {
    saying(service, code, "", class)
}

/// A row for a code with these words.
pub const fn saying(service: &'static str, code: &'static str, says: &'static str, class: Class) -> Rule {
    Rule { service, code, says, class }
}

/// What codes mean in any service. Sources: the services' API references (errors of each operation), the SDK's own list of
/// throttling codes, and botocore's retry data.
const GENERAL: &[Rule] = &[
    // Called too often.
    rule("*", "Throttling", Class::Retry),
    rule("*", "ThrottlingException", Class::Retry),
    rule("*", "ThrottledException", Class::Retry),
    rule("*", "RequestThrottled", Class::Retry),
    rule("*", "RequestThrottledException", Class::Retry),
    rule("*", "TooManyRequestsException", Class::Retry),
    rule("*", "RequestLimitExceeded", Class::Retry),
    rule("*", "BandwidthLimitExceeded", Class::Retry),
    rule("*", "SlowDown", Class::Retry),
    // In trouble for a moment.
    rule("*", "ServiceUnavailable", Class::Retry),
    rule("*", "ServiceUnavailableException", Class::Retry),
    rule("*", "InternalFailure", Class::Retry),
    rule("*", "InternalError", Class::Retry),
    rule("*", "InternalServerError", Class::Retry),
    rule("*", "ServiceException", Class::Retry),
    rule("*", "RequestTimeout", Class::Retry),
    rule("*", "RequestTimeoutException", Class::Retry),
    // Who calls.
    rule("*", "ExpiredToken", Class::Credentials),
    rule("*", "ExpiredTokenException", Class::Credentials),
    rule("*", "InvalidToken", Class::Credentials),
    rule("*", "InvalidClientTokenId", Class::Credentials),
    rule("*", "UnrecognizedClientException", Class::Credentials),
    rule("*", "MissingAuthenticationToken", Class::Credentials),
    rule("*", "MissingAuthenticationTokenException", Class::Credentials),
    rule("*", "IncompleteSignature", Class::Credentials),
    rule("*", "SignatureDoesNotMatch", Class::Credentials),
    rule("*", "InvalidSignatureException", Class::Credentials),
    rule("*", "InvalidAccessKeyId", Class::Credentials),
    rule("*", "AuthFailure", Class::Credentials),
    rule("*", "RequestExpired", Class::Credentials),
    rule("*", "RequestTimeTooSkewed", Class::Credentials),
    rule("*", "RequestInTheFuture", Class::Credentials),
    // A region that the account has not switched on.
    rule("*", "OptInRequired", Class::Credentials),
    rule("*", "RegionDisabledException", Class::Credentials),
    rule("*", "AccessDenied", Class::Denied),
    rule("*", "AccessDeniedException", Class::Denied),
    rule("*", "UnauthorizedOperation", Class::Denied),
];

/// Every row: those of the services, each with the first of its kinds, then those of any service. The first row that fits
/// counts.
pub fn every_rule() -> impl Iterator<Item = &'static Rule> {
    super::TABLE.iter().flat_map(|row| row.codes).chain(GENERAL)
}

/// What may be done about `code` of `service`.
pub fn class_of(service: &str, code: &str, message: &str, status: Option<u16>) -> Class {
    let fits = |rule: &&Rule| {
        (rule.service == "*" || rule.service == service) && rule.code == code && message.contains(rule.says)
    };
    match (every_rule().find(fits), status) {
        (Some(rule), _) => rule.class,
        (None, Some(404)) => Class::Missing,
        (None, Some(429 | 500..=599)) => Class::Retry,
        (None, Some(403)) => Class::Denied,
        (None, _) => Class::Refused,
    }
}
