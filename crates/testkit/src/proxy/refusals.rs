//! What AWS refuses by its documentation and the local AWS takes: as data, in the words of the service where they are
//! known. Throttling and trouble are in `refusal`, what only comes late in `late`.

use super::refusal::ServiceRefusal;

const fn row(
    service: &'static str,
    operation: &'static str,
    status: u16,
    code: &'static str,
    message: &'static str,
) -> ServiceRefusal {
    ServiceRefusal { service, operation, status, code, message }
}

/// Errors by service and operation.
#[rustfmt::skip]
pub const REFUSALS: &[ServiceRefusal] = &[
    row("cloudfront", "CreateDistribution", 409, "DistributionAlreadyExists",
        "The caller reference that you are using to create a distribution is associated with another distribution."),
    row("cloudfront", "CreateDistribution", 409, "CNAMEAlreadyExists",
        "One or more of the CNAMEs you provided are already associated with a different resource."),
    row("cloudfront", "CreateDistribution", 400, "InvalidArgument",
        "The parameter OriginGroupMembers must have exactly 2 members."),
    row("cloudfront", "CreateDistribution", 404, "NoSuchOrigin",
        "One or more of your origins or origin groups do not exist."),
    row("cloudfront", "CreateDistribution", 400, "InvalidViewerCertificate",
        "To add an alternate domain name (CNAME) to a CloudFront distribution, you must attach a trusted certificate \
         that validates your authorization to use the domain name."),
    row("cloudfront", "CreateDistribution", 400, "InvalidLambdaFunctionAssociation",
        "The function ARN must reference a specific function version. (The ARN must end with the version number.)"),
    row("cloudfront", "CreateDistribution", 404, "NoSuchCachePolicy", "The cache policy does not exist."),
    row("cloudfront", "CreateDistribution", 400, "InconsistentQuantities",
        "The value of Quantity and the size of Items don't match."),
    row("cloudfront", "UpdateDistribution", 412, "PreconditionFailed",
        "The precondition given in one or more of the request-header fields evaluated to false."),
    row("cloudfront", "UpdateDistribution", 400, "InvalidIfMatchVersion",
        "The If-Match version is missing or not valid for the resource."),
    row("cloudfront", "DeleteDistribution", 409, "DistributionNotDisabled",
        "The distribution you are trying to delete has not been disabled."),
    row("cloudfront", "DeleteCachePolicy", 409, "CachePolicyInUse",
        "The cache policy is attached to one or more cache behaviors."),
    row("cloudfront", "DeleteOriginAccessControl", 409, "OriginAccessControlInUse",
        "The origin access control is in use by one or more distributions."),
    row("route53", "ChangeResourceRecordSets", 400, "PriorRequestNotComplete",
        "The request was rejected because Route 53 was still processing a prior request."),
    row("route53", "ChangeResourceRecordSets", 400, "InvalidChangeBatch",
        "RRSet of type CNAME with DNS name api.akidb.com. is not permitted as it conflicts with other records with the \
         same DNS name in zone akidb.com."),
    row("route53", "ChangeResourceRecordSets", 400, "InvalidChangeBatch",
        "RRSet with DNS name api.akidb.com., type A, SetIdentifier us, region us-east-1 cannot be created as a \
         GeoLocation RRSet with the same name and type already exists."),
    row("route53", "ChangeResourceRecordSets", 400, "InvalidChangeBatch",
        "Tried to create an alias that targets lb.example.com., type A in zone Z35SXDOTRQ7X7K, but the alias target \
         name does not lie within the target zone"),
    row("route53", "CreateHealthCheck", 409, "HealthCheckAlreadyExists",
        "A health check with the same caller reference and other settings exists."),
    row("route53", "CreateHostedZone", 409, "HostedZoneAlreadyExists",
        "A hosted zone has already been created with the specified caller reference."),
    row("iam", "CreateRole", 400, "MalformedPolicyDocument", "Invalid principal in policy"),
    row("iam", "CreateRole", 409, "ConcurrentModification",
        "The request was rejected because multiple requests to change this object were submitted simultaneously."),
    row("lambda", "CreateFunction", 400, "InvalidParameterValueException",
        "The runtime parameter of nodejs18.x is no longer supported for creating or updating AWS Lambda functions."),
    row("lambda", "PublishVersion", 409, "ResourceConflictException",
        "The operation cannot be performed at this time. An update is in progress for resource: edge"),
    row("s3", "PutBucketReplication", 400, "InvalidRequest",
        "DeleteMarkerReplication must be specified for this version of Cross Region Replication configuration schema."),
    row("s3", "CreateBucket", 409, "OperationAborted",
        "A conflicting conditional operation is currently in progress against this resource. Please try again."),
    row("s3", "PutObject", 409, "ConditionalRequestConflict",
        "The conditional request cannot succeed due to a conflicting operation against this resource."),
    row("sqs", "CreateQueue", 400, "AWS.SimpleQueueService.QueueDeletedRecently",
        "You must wait 60 seconds after deleting a queue before you can create another with the same name."),
];
