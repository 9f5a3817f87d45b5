//! Rules on a distribution as a whole: price class, aliases and certificate, logging, quotas.

use std::collections::BTreeMap;

use super::regions::{PriceClass, region};
use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use super::scope::is_open;
use crate::resource::Kind;
use crate::resource::bucket::BucketSpec;
use crate::resource::certificate::CertificateSpec;
use crate::resource::distribution::DistributionSpec;
use crate::resource::load_balancer::LoadBalancerSpec;
use crate::resource::records::RecordsSpec;

type Spec<'a> = CheckedResource<'a, DistributionSpec>;

pub(super) const RULES: &[CheckRule<DistributionSpec>] = &[
    error(
        "CF101-comment-length",
        "a comment has at most 128 characters",
        "InvalidArgument: the comment is too long",
        "shorten the comment",
        comment,
    ),
    error(
        "CF102-price-class",
        "the price class is one of three",
        "InvalidArgument: the price class is not known",
        "write PriceClass_100, PriceClass_200 or PriceClass_All",
        price_class,
    ),
    warning(
        "CF103-price-class-footprint",
        "the price class covers the regions of the stack",
        "accepted; users near that region are answered from edges far away",
        "take a larger price class",
        footprint,
    ),
    error(
        "CF104-alias-without-certificate",
        "aliases have a certificate",
        "InvalidViewerCertificate: To add an alternate domain name (CNAME) to a CloudFront distribution, you must attach a trusted certificate that validates your authorization to use the domain name.",
        "request an ACM certificate in us-east-1 for the aliases and name it under `certificate`",
        alias_certificate,
    ),
    error(
        "CF105-certificate-arn",
        "a certificate named by ARN is an ACM certificate in us-east-1",
        "InvalidViewerCertificate: The specified SSL certificate doesn't exist, isn't in us-east-1 region, isn't valid, or doesn't include a valid certificate chain.",
        "name an ACM certificate in us-east-1",
        certificate_arn,
    ),
    error(
        "CF106-certificate-settings",
        "a certificate needs ssl_support_method and minimum_protocol",
        "InvalidArgument: SSLSupportMethod and MinimumProtocolVersion are required with an ACM certificate",
        "write ssl_support_method: sni-only and minimum_protocol: TLSv1.2_2021",
        certificate_settings,
    ),
    error(
        "CF107-certificate-covers-alias",
        "a certificate of the plan covers every alias",
        "InvalidViewerCertificate: The certificate that is attached to your distribution doesn't cover the alternate domain name (CNAME) that you're trying to add.",
        "add the alias to the certificate's names",
        covers,
    ),
    error(
        "CF108-alias-count",
        "a distribution has at most 100 aliases",
        "TooManyDistributionCNAMEs",
        "divide the names between distributions, or raise the quota",
        alias_count,
    ),
    error(
        "CF109-alias-taken",
        "an alias belongs to one distribution, once",
        "CNAMEAlreadyExists: One or more of the CNAMEs you provided are already associated with a different resource.",
        "leave the name on one distribution only",
        alias_taken,
    ),
    error(
        "CF110-behavior-count",
        "a distribution has at most 75 behaviors",
        "TooManyCacheBehaviors",
        "join path patterns",
        behavior_count,
    ),
    error(
        "CF111-group-count",
        "a distribution has at most 10 origin groups",
        "TooManyOriginGroupsPerDistribution",
        "take out groups that no behavior uses",
        group_count,
    ),
    error(
        "CF112-logging-bucket",
        "legacy logging names the bucket as <bucket>.s3.amazonaws.com",
        "InvalidArgument: The parameter Logging Bucket does not refer to a valid S3 bucket.",
        "write <bucket>.s3.amazonaws.com",
        logging_bucket,
    ),
    error(
        "CF113-logging-acl",
        "the bucket for legacy logging accepts ACLs",
        "InvalidArgument: The S3 bucket that you specified for CloudFront logs does not enable ACL access",
        "write ownership: BucketOwnerPreferred on that bucket",
        logging_acl,
    ),
    error(
        "CF115-default-root-object",
        "the default root object has no slash in front",
        "InvalidDefaultRootObject",
        "write the name alone, for example index.html",
        root_object,
    ),
];

fn comment(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let long = seen.spec.comment.chars().count();
    notes.add_if(long > 128, "comment", || format!("the comment has {long} characters"));
}

fn price_class(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let class = &seen.spec.price_class;
    notes.add_if(PriceClass::parse(class).is_none(), "price_class", || format!("`{class}` is not a price class"));
}

/// Regions in which the stack has something, each with one thing that says so.
fn regions_of(seen: &Spec<'_>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (address, spec) in seen.scope.each::<BucketSpec>(Kind::Bucket) {
        found.insert(spec.region, address.to_string());
    }
    for (address, spec) in seen.scope.each::<RecordsSpec>(Kind::Records) {
        let regions = spec.sets.into_iter().filter_map(|set| set.latency_region);
        found.extend(regions.map(|region| (region, address.to_string())));
    }
    for (address, spec) in seen.scope.each::<LoadBalancerSpec>(Kind::LoadBalancer) {
        found.insert(spec.region, address.to_string());
    }
    found
}

fn footprint(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(class) = PriceClass::parse(&seen.spec.price_class) else { return };
    for (name, witness) in regions_of(seen) {
        if let Some(region) = region(&name)
            && let Some(needed) = region.class.filter(|needed| *needed > class)
        {
            notes.add_with(
                "price_class",
                format!("{} has no edges near {name} ({}), where `{witness}` is", class.name(), region.place),
                format!("write {}", needed.name()),
            );
        }
    }
}

fn alias_certificate(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    if let (Some(first), None) = (seen.spec.names().first(), &seen.spec.certificate) {
        notes.add("aliases", format!("`{first}` has no certificate"));
    }
}

fn certificate_arn(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(certificate) = &seen.spec.certificate else { return };
    let arn = &certificate.acm_arn;
    let known = seen.scope.behind::<CertificateSpec>(Kind::Certificate, arn).is_some();
    let good = arn.starts_with("arn:aws:acm:us-east-1:") || known || is_open(arn);
    notes.add_if(!good, "certificate.acm_arn", || format!("`{arn}` is not in us-east-1"));
}

fn certificate_settings(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(certificate) = &seen.spec.certificate else { return };
    let settings =
        [("ssl_support_method", &certificate.ssl_support_method), ("minimum_protocol", &certificate.minimum_protocol)];
    for (field, _) in settings.into_iter().filter(|(_, set)| set.is_none()) {
        notes.add(format!("certificate.{field}"), format!("{field} is missing"));
    }
}

/// Whether a certificate's name covers a host: the same, or a wildcard in place of one label.
fn matches_name(name: &str, host: &str) -> bool {
    let wild = name.strip_prefix("*.").zip(host.split_once('.')).is_some_and(|(parent, (_, rest))| parent == rest);
    name.eq_ignore_ascii_case(host) || wild
}

fn covers(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let arn = seen.spec.certificate.as_ref().map(|certificate| certificate.acm_arn.as_str()).unwrap_or_default();
    let Some((address, certificate)) = seen.scope.behind::<CertificateSpec>(Kind::Certificate, arn) else { return };
    let names: Vec<&String> = certificate.alternative_names.iter().chain([&certificate.domain]).collect();
    for (at, alias) in seen.spec.names().iter().enumerate() {
        let covered = is_open(alias) || names.iter().any(|name| is_open(name) || matches_name(name, alias));
        notes.add_if(!covered, format!("aliases.{at}"), || format!("`{address}` does not cover `{alias}`"));
    }
}

fn alias_count(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let count = seen.spec.names().len();
    notes.add_if(count > 100, "aliases", || format!("there are {count} aliases"));
}

fn alias_taken(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let aliases = seen.spec.names();
    for (at, alias) in aliases.iter().enumerate().filter(|(at, alias)| aliases[..*at].contains(alias)) {
        notes.add(format!("aliases.{at}"), format!("`{alias}` appears twice"));
    }
    let others = seen.scope.each::<DistributionSpec>(Kind::Distribution);
    for (other, spec) in others.filter(|(other, _)| *other < seen.address) {
        if let Some(at) = aliases.iter().position(|alias| spec.names().contains(alias)) {
            notes.add(format!("aliases.{at}"), format!("`{}` is also an alias of `{other}`", aliases[at]));
        }
    }
}

fn behavior_count(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let count = seen.spec.behaviors.len() + 1;
    notes.add_if(count > 75, "behaviours", || format!("there are {count} behaviors with the default one"));
}

fn group_count(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let count = seen.spec.origin_groups.len();
    notes.add_if(count > 10, "origin_groups", || format!("there are {count} origin groups"));
}

fn logging_bucket(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(logging) = &seen.spec.logging else { return };
    let host = &logging.bucket;
    let open = is_open(host) && (host.ends_with(".s3.amazonaws.com") || host.ends_with("#domain}"));
    let literal = host.strip_suffix(".s3.amazonaws.com").is_some_and(|name| !name.is_empty() && !name.contains('/'));
    notes.add_if(!open && !literal, "logging.bucket", || format!("`{host}` is not of this form"));
}

fn logging_acl(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(logging) = &seen.spec.logging else { return };
    let name = logging.bucket.strip_suffix(".s3.amazonaws.com").unwrap_or(&logging.bucket);
    let Some((address, bucket)) = seen.scope.bucket(name) else { return };
    // A new bucket is owner-enforced unless the plan says otherwise.
    let ownership = bucket.ownership.as_deref().unwrap_or("BucketOwnerEnforced");
    let enforced = ownership == "BucketOwnerEnforced";
    notes.add_if(enforced, "logging.bucket", || format!("ownership of `{address}` is BucketOwnerEnforced"));
}

fn root_object(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(object) = &seen.spec.default_root_object else { return };
    notes.add_if(object.starts_with('/'), "default_root_object", || format!("`{object}` starts with a slash"));
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const CDN: &str = "cdn.distribution.main";
        let many: Vec<String> = (0..101).map(|at| format!("a{at}.akidb.com")).collect();
        let paths: Vec<serde_json::Value> = (0..75)
            .map(|at| json!({"path": format!("/p{at}/*"), "target": "us", "viewer_protocol": "https-only", "methods": ["GET", "HEAD"], "compress": true, "min_ttl": 0}))
            .collect();
        let groups: Vec<serde_json::Value> =
            (0..11).map(|at| json!({"id": if at == 0 { "pair".into() } else { format!("g{at}") }, "status_codes": [500], "members": ["us", "eu"]})).collect();
        vec![
            case("CF101-comment-length").set(CDN, "/comment", json!("x".repeat(129))),
            case("CF102-price-class").set(CDN, "/price_class", json!("PriceClass_300")),
            case("CF103-price-class-footprint").set(CDN, "/price_class", json!("PriceClass_100")),
            case("CF104-alias-without-certificate").remove(CDN, "/certificate"),
            case("CF105-certificate-arn").set(
                CDN,
                "/certificate/acm_arn",
                json!("arn:aws:acm:eu-central-1:123456789012:certificate/x"),
            ),
            case("CF106-certificate-settings").remove(CDN, "/certificate/minimum_protocol"),
            case("CF106-certificate-settings").remove(CDN, "/certificate/ssl_support_method"),
            case("CF107-certificate-covers-alias").set(CDN, "/aliases", json!(["a.b.akidb.com"])),
            case("CF108-alias-count").set(CDN, "/aliases", json!(many)),
            case("CF109-alias-taken").set(CDN, "/aliases", json!(["api.akidb.com", "api.akidb.com"])),
            case("CF110-behavior-count").set(CDN, "/behaviours", json!(paths)),
            case("CF111-group-count").set(CDN, "/origin_groups", json!(groups)),
            case("CF112-logging-bucket").set(CDN, "/logging/bucket", json!("akidb-other")),
            case("CF113-logging-acl").remove("cdn.bucket.logs", "/ownership"),
            case("CF115-default-root-object").set(CDN, "/default_root_object", json!("/index.html")),
        ]
    }
}
