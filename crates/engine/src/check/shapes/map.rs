//! Which setting of ours becomes which member of AWS's API.
//!
//! A path names the items of a list and the values of a map by `*`, the keys of a map by `~`. A member ends with `[]` for the
//! items of a list, with `{key}` and `{value}` for those of a map, and with `!` where it has to stand (and not be empty)
//! whenever the object around it does. `NONE` says that no model has anything to say: a reference that the providers resolve,
//! a fact of our own, a setting that is spelt otherwise at AWS.

use super::map_cdn as cdn;
use crate::resource::Kind;

/// A path of a spec and the member that it becomes.
pub(super) type Row = (&'static str, &'static str);

/// Rows of one object, and where it stands in the spec.
pub(super) type Group = (&'static str, &'static [Row]);

/// No model has anything to say.
pub(super) const NONE: &str = "-";

/// The rows of a kind; none for what lives on machines.
pub(super) fn groups(kind: Kind) -> &'static [Group] {
    match kind {
        Kind::LoadBalancer => &[("", LOAD_BALANCER)],
        Kind::Role => &[("", ROLE)],
        Kind::Bucket => &[("", BUCKET), ("cors.*", CORS), ("lifecycle.*", LIFECYCLE)],
        Kind::BucketPolicy => &[("", BUCKET_POLICY)],
        Kind::Replication => &[("", REPLICATION), ("rules.*", REPLICATION_RULE)],
        Kind::Object => &[("", OBJECT)],
        Kind::Function => &[("", FUNCTION)],
        Kind::FunctionVersion => &[("", FUNCTION_VERSION)],
        Kind::OriginAccess => &[("", cdn::ORIGIN_ACCESS)],
        Kind::CachePolicy => &[("", cdn::CACHE_POLICY), ("query_strings", cdn::QUERIES), ("cookies", cdn::COOKIES)],
        Kind::OriginRequestPolicy => &[
            ("", cdn::ORIGIN_REQUEST_POLICY),
            ("headers", cdn::HEADERS),
            ("query_strings", cdn::QUERIES),
            ("cookies", cdn::COOKIES),
        ],
        Kind::ResponseHeadersPolicy => {
            &[("", cdn::RESPONSE_POLICY), ("cors", cdn::RESPONSE_CORS), ("xss_protection", cdn::XSS_PROTECTION)]
        }
        Kind::Distribution => cdn::DISTRIBUTION,
        Kind::Monitoring => &[("", &[("distribution_id", NONE)])],
        Kind::Certificate => &[("", CERTIFICATE)],
        Kind::Zone => &[("", ZONE)],
        Kind::HealthCheck => &[("", HEALTH_CHECK)],
        Kind::Records => &[("", RECORDS), ("sets.*", RECORD_SET)],
        _ => &[],
    }
}

const LOAD_BALANCER: &[Row] =
    &[("region", NONE), ("name", "elbv2.DescribeLoadBalancersInput.Names[]"), ("tags.~", NONE), ("tags.*", NONE)];

const ROLE: &[Row] = &[
    ("name", "iam.CreateRoleRequest.RoleName"),
    ("description", "iam.CreateRoleRequest.Description"),
    ("trust", NONE),
    ("inline.~", "iam.PutRolePolicyRequest.PolicyName"),
    ("inline.*", NONE),
    ("managed", NONE),
    ("managed.*", "iam.AttachRolePolicyRequest.PolicyArn"),
    ("boundary", "iam.CreateRoleRequest.PermissionsBoundary"),
    ("tags.~", "iam.Tag.Key"),
    ("tags.*", "iam.Tag.Value"),
];

const BUCKET: &[Row] = &[
    ("name", "s3.CreateBucketRequest.Bucket"),
    ("region", NONE),
    ("versioning", "s3.VersioningConfiguration.Status"),
    ("encryption", "s3.ServerSideEncryptionByDefault.SSEAlgorithm"),
    ("kms_key", "s3.ServerSideEncryptionByDefault.KMSMasterKeyID"),
    ("bucket_key", "s3.ServerSideEncryptionRule.BucketKeyEnabled"),
    ("block_public_access", "s3.PublicAccessBlockConfiguration.BlockPublicPolicy"),
    ("ownership", "s3.OwnershipControlsRule.ObjectOwnership"),
    ("cors", "s3.CORSConfiguration.CORSRules"),
    ("lifecycle", "s3.BucketLifecycleConfiguration.Rules"),
    ("tags.~", "s3.Tag.Key"),
    ("tags.*", "s3.Tag.Value"),
];

const CORS: &[Row] = &[
    ("origins", "s3.CORSRule.AllowedOrigins!"),
    ("origins.*", "s3.CORSRule.AllowedOrigins[]"),
    ("methods", "s3.CORSRule.AllowedMethods!"),
    ("methods.*", "s3.CORSRule.AllowedMethods[]"),
    ("headers", "s3.CORSRule.AllowedHeaders"),
    ("headers.*", "s3.CORSRule.AllowedHeaders[]"),
    ("expose", "s3.CORSRule.ExposeHeaders"),
    ("expose.*", "s3.CORSRule.ExposeHeaders[]"),
    ("max_age_seconds", "s3.CORSRule.MaxAgeSeconds"),
];

const LIFECYCLE: &[Row] = &[
    ("id", "s3.LifecycleRule.ID"),
    ("prefix", "s3.LifecycleRuleFilter.Prefix"),
    ("enabled", "s3.LifecycleRule.Status"),
    ("expire_days", "s3.LifecycleExpiration.Days"),
    ("expire_old_versions_days", "s3.NoncurrentVersionExpiration.NoncurrentDays"),
    ("abort_uploads_days", "s3.AbortIncompleteMultipartUpload.DaysAfterInitiation"),
];

const BUCKET_POLICY: &[Row] = &[("bucket", "s3.PutBucketPolicyRequest.Bucket"), ("region", NONE), ("policy", NONE)];

const REPLICATION: &[Row] = &[
    ("source", "s3.PutBucketReplicationRequest.Bucket"),
    ("region", NONE),
    ("role_arn", "s3.ReplicationConfiguration.Role"),
    ("rules", "s3.ReplicationConfiguration.Rules!"),
];

const REPLICATION_RULE: &[Row] = &[
    ("id", "s3.ReplicationRule.ID"),
    ("priority", "s3.ReplicationRule.Priority"),
    ("prefix", "s3.ReplicationRuleFilter.Prefix"),
    ("destination", NONE),
    ("enabled", "s3.ReplicationRule.Status"),
    ("delete_markers", "s3.DeleteMarkerReplication.Status"),
    ("replica_modifications", "s3.ReplicaModifications.Status"),
    ("time_control_minutes", "s3.ReplicationTimeValue.Minutes"),
    ("encrypted_objects", "s3.SseKmsEncryptedObjects.Status"),
    ("replica_key", "s3.EncryptionConfiguration.ReplicaKmsKeyID"),
];

const OBJECT: &[Row] = &[
    ("bucket", "s3.PutObjectRequest.Bucket"),
    ("region", NONE),
    ("key", "s3.PutObjectRequest.Key"),
    ("sha256", NONE),
    ("bytes", NONE),
    ("content_type", "s3.PutObjectRequest.ContentType"),
    ("cache_control", "s3.PutObjectRequest.CacheControl"),
    ("metadata.~", "s3.PutObjectRequest.Metadata{key}"),
    ("metadata.*", "s3.PutObjectRequest.Metadata{value}"),
];

const FUNCTION: &[Row] = &[
    ("name", "lambda.CreateFunctionRequest.FunctionName"),
    ("region", NONE),
    ("description", "lambda.CreateFunctionRequest.Description"),
    ("runtime", "lambda.CreateFunctionRequest.Runtime"),
    ("handler", "lambda.CreateFunctionRequest.Handler"),
    ("memory_mb", "lambda.CreateFunctionRequest.MemorySize"),
    ("timeout_seconds", "lambda.CreateFunctionRequest.Timeout"),
    ("role_arn", "lambda.CreateFunctionRequest.Role"),
    ("architecture", "lambda.CreateFunctionRequest.Architectures[]"),
    ("code_sha256", NONE),
    ("code_bytes", NONE),
    ("environment.~", "lambda.Environment.Variables{key}"),
    ("environment.*", "lambda.Environment.Variables{value}"),
    ("layers", "lambda.CreateFunctionRequest.Layers"),
    ("layers.*", "lambda.CreateFunctionRequest.Layers[]"),
    ("code_unpacked_bytes", NONE),
    ("provisioned_concurrency", NONE),
    ("subnets", "lambda.VpcConfig.SubnetIds"),
    ("subnets.*", "lambda.VpcConfig.SubnetIds[]"),
    ("image", "lambda.FunctionCode.ImageUri"),
    ("tags.~", "lambda.CreateFunctionRequest.Tags{key}"),
    ("tags.*", "lambda.CreateFunctionRequest.Tags{value}"),
];

const FUNCTION_VERSION: &[Row] = &[
    ("function", "lambda.PublishVersionRequest.FunctionName"),
    ("region", NONE),
    ("code_sha256", NONE),
    ("settings", "lambda.PublishVersionRequest.Description"),
];

const CERTIFICATE: &[Row] = &[
    ("region", NONE),
    ("domain", "acm.RequestCertificateRequest.DomainName"),
    ("alternative_names", NONE),
    ("alternative_names.*", "acm.RequestCertificateRequest.SubjectAlternativeNames[]"),
    ("tags.~", "acm.Tag.Key"),
    ("tags.*", "acm.Tag.Value"),
];

const ZONE: &[Row] = &[
    ("name", "route53.CreateHostedZoneRequest.Name"),
    ("comment", "route53.HostedZoneConfig.Comment"),
    ("tags.~", "route53.Tag.Key"),
    ("tags.*", "route53.Tag.Value"),
];

const HEALTH_CHECK: &[Row] = &[
    ("name", "route53.Tag.Value"),
    ("protocol", "route53.HealthCheckConfig.Type"),
    ("host", "route53.HealthCheckConfig.FullyQualifiedDomainName"),
    ("port", "route53.HealthCheckConfig.Port"),
    ("path", "route53.HealthCheckConfig.ResourcePath"),
    ("interval_seconds", "route53.HealthCheckConfig.RequestInterval"),
    ("failure_threshold", "route53.HealthCheckConfig.FailureThreshold"),
    ("inverted", "route53.HealthCheckConfig.Inverted"),
    ("disabled", "route53.HealthCheckConfig.Disabled"),
    ("regions", "route53.HealthCheckConfig.Regions"),
    ("regions.*", "route53.HealthCheckConfig.Regions[]"),
    ("search_string", "route53.HealthCheckConfig.SearchString"),
    ("tags.~", "route53.Tag.Key"),
    ("tags.*", "route53.Tag.Value"),
];

const RECORDS: &[Row] = &[("zone_id", "route53.ChangeResourceRecordSetsRequest.HostedZoneId"), ("sets", NONE)];

const RECORD_SET: &[Row] = &[
    ("name", "route53.ResourceRecordSet.Name"),
    ("type", "route53.ResourceRecordSet.Type"),
    ("set_identifier", "route53.ResourceRecordSet.SetIdentifier"),
    ("ttl", "route53.ResourceRecordSet.TTL"),
    ("values", NONE),
    ("values.*", "route53.ResourceRecord.Value"),
    ("multivalue", "route53.ResourceRecordSet.MultiValueAnswer"),
    ("alias.zone_id", "route53.AliasTarget.HostedZoneId"),
    ("alias.dns_name", "route53.AliasTarget.DNSName"),
    ("alias.evaluate_target_health", "route53.AliasTarget.EvaluateTargetHealth"),
    ("geolocation.continent", "route53.GeoLocation.ContinentCode"),
    ("geolocation.country", "route53.GeoLocation.CountryCode"),
    ("geolocation.subdivision", "route53.GeoLocation.SubdivisionCode"),
    ("latency_region", "route53.ResourceRecordSet.Region"),
    ("failover", "route53.ResourceRecordSet.Failover"),
    ("weight", "route53.ResourceRecordSet.Weight"),
    ("health_check_id", "route53.ResourceRecordSet.HealthCheckId"),
];
