//! How each kind is called in other tools: one row for each. The settings are in the files of the tools.

use super::bundle::{ExportItem, ExportNote};
use super::cloudformation::{self, ExportedResource};
use super::terraform::{self, TerraformResource};
use crate::resource::{Kind, ResourceRecord};

/// How a kind is said.
pub(super) struct ExportNames {
    kind: Kind,
    /// In Terraform.
    pub terraform: fn(&ExportItem<'_>) -> TerraformResource,
    /// The resource and the argument by which Terraform knows an attribute of ours.
    pub named: fn(&ResourceRecord, &str) -> Option<Argument>,
    /// In CloudFormation, with everything else of the state at hand; nothing for a part of something else.
    pub cloudformation: fn(&ExportItem<'_>, &[ExportItem<'_>]) -> Result<Option<ExportedResource>, ExportNote>,
}

/// A resource of Terraform and an argument of it.
type Argument = (&'static str, &'static str);

/// The words of a kind; none for what lives outside of AWS.
pub(super) fn of(kind: Kind) -> Option<&'static ExportNames> {
    TABLE.iter().find(|words| words.kind == kind)
}

/// The argument of `resource` for an attribute of ours: `names` has ours and theirs.
fn among(resource: &'static str, names: &[Argument], ours: &str) -> Option<Argument> {
    names.iter().find(|(name, _)| *name == ours).map(|(_, theirs)| (resource, *theirs))
}

const TABLE: &[ExportNames] = &[
    ExportNames {
        kind: Kind::LoadBalancer,
        terraform: |item| Ok((Vec::new(), vec![only_looked_up(item)])),
        named: |_, _| None,
        cloudformation: |item, _| Err(only_looked_up(item)),
    },
    ExportNames {
        kind: Kind::Role,
        terraform: terraform::compute::role,
        named: |_, ours| among("aws_iam_role", &[("arn", "arn"), ("name", "name")], ours),
        cloudformation: |item, _| cloudformation::compute::role(item).map(Some),
    },
    ExportNames {
        kind: Kind::Bucket,
        terraform: terraform::storage::bucket,
        named: terraform::storage::bucket_argument,
        cloudformation: |item, all| cloudformation::storage::bucket(item, all).map(Some),
    },
    ExportNames {
        kind: Kind::BucketPolicy,
        terraform: terraform::storage::policy,
        named: |_, _| None,
        cloudformation: |item, _| cloudformation::storage::policy(item).map(Some),
    },
    ExportNames {
        kind: Kind::Replication,
        terraform: terraform::storage::replication,
        named: |_, _| None,
        cloudformation: cloudformation::storage::part_of_its_bucket,
    },
    ExportNames {
        kind: Kind::Object,
        terraform: terraform::storage::object,
        named: |_, _| None,
        cloudformation: |item, _| Err(item.note("skipped: CloudFormation has no resource for an object")),
    },
    ExportNames {
        kind: Kind::Function,
        terraform: terraform::compute::function,
        named: |_, ours| among("aws_lambda_function", &[("arn", "arn"), ("name", "function_name")], ours),
        cloudformation: |item, _| cloudformation::compute::function(item).map(Some),
    },
    ExportNames {
        kind: Kind::FunctionVersion,
        terraform: |item| Ok((Vec::new(), vec![terraform::compute::version(item)])),
        named: |_, _| None,
        cloudformation: |item, _| cloudformation::compute::version(item).map(Some),
    },
    ExportNames {
        kind: Kind::OriginAccess,
        terraform: terraform::cloudfront_policies::origin_access,
        named: |_, ours| among("aws_cloudfront_origin_access_control", &[("id", "id")], ours),
        cloudformation: |item, _| cloudformation::cdn::origin_access(item).map(Some),
    },
    ExportNames {
        kind: Kind::CachePolicy,
        terraform: terraform::cloudfront_policies::cache,
        named: |_, ours| among("aws_cloudfront_cache_policy", &[("id", "id")], ours),
        cloudformation: |item, _| cloudformation::cdn::cache_policy(item).map(Some),
    },
    ExportNames {
        kind: Kind::OriginRequestPolicy,
        terraform: terraform::cloudfront_policies::origin_request,
        named: |_, ours| among("aws_cloudfront_origin_request_policy", &[("id", "id")], ours),
        cloudformation: |item, _| cloudformation::cdn::origin_request_policy(item).map(Some),
    },
    ExportNames {
        kind: Kind::ResponseHeadersPolicy,
        terraform: terraform::cloudfront_policies::response_headers,
        named: |_, ours| among("aws_cloudfront_response_headers_policy", &[("id", "id")], ours),
        cloudformation: |item, _| cloudformation::cdn::response_headers_policy(item).map(Some),
    },
    ExportNames {
        kind: Kind::Distribution,
        terraform: terraform::cdn::distribution,
        named: |_, ours| {
            let names = [("id", "id"), ("arn", "arn"), ("domain_name", "domain_name"), ("zone_id", "hosted_zone_id")];
            among("aws_cloudfront_distribution", &names, ours)
        },
        cloudformation: |item, _| cloudformation::cdn::distribution(item).map(Some),
    },
    ExportNames {
        kind: Kind::Monitoring,
        terraform: terraform::cdn::monitoring,
        named: |_, _| None,
        cloudformation: |item, _| cloudformation::cdn::monitoring(item).map(Some),
    },
    ExportNames {
        kind: Kind::Certificate,
        terraform: terraform::routing::certificate,
        named: |_, ours| among("aws_acm_certificate", &[("arn", "arn")], ours),
        cloudformation: |item, _| cloudformation::routing::certificate(item).map(Some),
    },
    ExportNames {
        kind: Kind::Zone,
        terraform: terraform::routing::zone,
        named: |_, ours| among("aws_route53_zone", &[("zone_id", "zone_id"), ("name", "name")], ours),
        cloudformation: |item, _| cloudformation::routing::zone(item).map(Some),
    },
    ExportNames {
        kind: Kind::HealthCheck,
        terraform: terraform::routing::health_check,
        named: |_, ours| among("aws_route53_health_check", &[("id", "id")], ours),
        cloudformation: |item, _| cloudformation::routing::health_check(item).map(Some),
    },
    ExportNames {
        kind: Kind::Records,
        terraform: terraform::routing::records,
        named: |_, _| None,
        cloudformation: |item, _| cloudformation::routing::records(item).map(Some),
    },
    ExportNames {
        kind: Kind::Queue,
        terraform: terraform::queue::queue,
        named: |_, ours| among("aws_sqs_queue", &[("arn", "arn"), ("name", "name"), ("url", "url")], ours),
        cloudformation: |item, _| cloudformation::queue::queue(item).map(Some),
    },
];

fn only_looked_up(item: &ExportItem<'_>) -> ExportNote {
    item.note("only looked up: its DNS name and zone are exported as literal values")
}
