//! Which error of which service may be tried again, needs another look, or is final: one table.

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

const fn rule(service: &'static str, code: &'static str, class: Class) -> Rule {
    saying(service, code, "", class)
}

const fn saying(service: &'static str, code: &'static str, says: &'static str, class: Class) -> Rule {
    Rule { service, code, says, class }
}

/// The first row that fits counts. Sources: the services' API references (errors of each operation), the SDK's own list
/// of throttling codes, and botocore's retry data.
pub const RULES: &[Rule] = &[
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
    rule("iam", "ServiceFailure", Class::Retry),
    // Busy with something else, or not known everywhere yet.
    rule("route53", "PriorRequestNotComplete", Class::Retry),
    rule("route53", "ConcurrentModification", Class::Retry),
    rule("iam", "ConcurrentModification", Class::Retry),
    rule("iam", "EntityTemporarilyUnmodifiable", Class::Retry),
    rule("acm", "RequestInProgressException", Class::Retry),
    rule("acm", "ConflictException", Class::Retry),
    rule("lambda", "ResourceNotReadyException", Class::Retry),
    saying("lambda", "ResourceConflictException", "in progress", Class::Retry),
    saying("lambda", "InvalidParameterValueException", "cannot be assumed by Lambda", Class::Retry),
    rule("s3", "ConditionalRequestConflict", Class::Retry),
    rule("s3", "OperationAborted", Class::Retry),
    // The rules go in the same run.
    saying("s3", "InvalidBucketState", "replication configuration", Class::Retry),
    // Held by something that a later run finds gone.
    saying("lambda", "InvalidParameterValueException", "replicated function", Class::Deferred),
    // Changed since it was read.
    rule("cloudfront", "PreconditionFailed", Class::Stale),
    rule("cloudfront", "InvalidIfMatchVersion", Class::Stale),
    rule("lambda", "PreconditionFailedException", Class::Stale),
    rule("route53", "HealthCheckVersionMismatch", Class::Stale),
    rule("s3", "PreconditionFailed", Class::Stale),
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
    // Not there.
    rule("iam", "NoSuchEntity", Class::Missing),
    rule("lambda", "ResourceNotFoundException", Class::Missing),
    rule("acm", "ResourceNotFoundException", Class::Missing),
    rule("elbv2", "LoadBalancerNotFound", Class::Missing),
    rule("s3", "NoSuchBucket", Class::Missing),
    rule("s3", "NoSuchKey", Class::Missing),
    rule("s3", "NoSuchUpload", Class::Missing),
    rule("s3", "NotFound", Class::Missing),
    rule("s3", "NoSuchBucketPolicy", Class::Missing),
    rule("s3", "NoSuchTagSet", Class::Missing),
    rule("s3", "NoSuchCORSConfiguration", Class::Missing),
    rule("s3", "NoSuchLifecycleConfiguration", Class::Missing),
    rule("s3", "NoSuchPublicAccessBlockConfiguration", Class::Missing),
    rule("s3", "OwnershipControlsNotFoundError", Class::Missing),
    rule("s3", "ServerSideEncryptionConfigurationNotFoundError", Class::Missing),
    rule("s3", "ReplicationConfigurationNotFoundError", Class::Missing),
    rule("route53", "NoSuchHostedZone", Class::Missing),
    rule("route53", "NoSuchHealthCheck", Class::Missing),
    rule("route53", "NoSuchChange", Class::Missing),
    rule("cloudfront", "NoSuchDistribution", Class::Missing),
    rule("cloudfront", "NoSuchResource", Class::Missing),
    rule("cloudfront", "NoSuchOriginAccessControl", Class::Missing),
    rule("cloudfront", "NoSuchCachePolicy", Class::Missing),
    rule("cloudfront", "NoSuchOriginRequestPolicy", Class::Missing),
    rule("cloudfront", "NoSuchResponseHeadersPolicy", Class::Missing),
    rule("cloudfront", "NoSuchMonitoringSubscription", Class::Missing),
    // There already.
    rule("iam", "EntityAlreadyExists", Class::Exists),
    rule("lambda", "ResourceConflictException", Class::Exists),
    rule("s3", "BucketAlreadyOwnedByYou", Class::Exists),
    rule("s3", "BucketAlreadyExists", Class::Exists),
    rule("route53", "HostedZoneAlreadyExists", Class::Exists),
    rule("route53", "HealthCheckAlreadyExists", Class::Exists),
    rule("cloudfront", "DistributionAlreadyExists", Class::Exists),
    rule("cloudfront", "CNAMEAlreadyExists", Class::Exists),
    rule("cloudfront", "OriginAccessControlAlreadyExists", Class::Exists),
    rule("cloudfront", "CachePolicyAlreadyExists", Class::Exists),
    rule("cloudfront", "OriginRequestPolicyAlreadyExists", Class::Exists),
    rule("cloudfront", "ResponseHeadersPolicyAlreadyExists", Class::Exists),
    rule("cloudfront", "MonitoringSubscriptionAlreadyExists", Class::Exists),
];

/// What may be done about `code` of `service`.
pub fn class_of(service: &str, code: &str, message: &str, status: Option<u16>) -> Class {
    let fits = |rule: &&Rule| {
        (rule.service == "*" || rule.service == service) && rule.code == code && message.contains(rule.says)
    };
    match (RULES.iter().find(fits), status) {
        (Some(rule), _) => rule.class,
        (None, Some(404)) => Class::Missing,
        (None, Some(429 | 500..=599)) => Class::Retry,
        (None, Some(403)) => Class::Denied,
        (None, _) => Class::Refused,
    }
}
