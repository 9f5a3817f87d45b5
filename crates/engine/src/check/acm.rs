//! Rules on certificates.

use super::regions::is_region_form;
use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use super::scope::is_open;
use crate::resource::certificate::CertificateSpec;
use crate::resource::distribution::DistributionSpec;
use crate::resource::{Kind, counted};

type Spec<'a> = CheckedResource<'a, CertificateSpec>;

pub(super) const RULES: &[CheckRule<CertificateSpec>] = &[
    error(
        "AC001-certificate-region",
        "a certificate for CloudFront is in us-east-1",
        "InvalidViewerCertificate: The specified SSL certificate doesn't exist, isn't in us-east-1 region, isn't valid, or doesn't include a valid certificate chain.",
        "write region: us-east-1",
        region,
    ),
    error(
        "AC002-domain",
        "names are domain names; the main one has at most 64 characters",
        "ValidationException: Value at 'domainName' failed to satisfy constraint, or InvalidDomainValidationOptionsException",
        "write a domain name in lower case; a long one goes to alternative_names behind a shorter main name",
        domain,
    ),
    warning(
        "AC003-name-count",
        "a certificate has at most ten names",
        "LimitExceededException, unless the quota was raised: the certificate has more names than the default quota of 10",
        "use a wildcard, or several certificates",
        names,
    ),
    error(
        "AC004-wildcard",
        "a wildcard is the whole leftmost label",
        "ValidationException: Value at 'domainName' failed to satisfy constraint",
        "write *.example.com",
        wildcard,
    ),
    error("AC005-region-form", "the region is a region", "no endpoint answers", "write us-east-1", region_form),
];

/// All names with their paths.
fn all_names(spec: &CertificateSpec) -> Vec<(String, &str)> {
    let others = spec.alternative_names.iter().enumerate();
    let others = others.map(|(at, name)| (format!("alternative_names.{at}"), name.as_str()));
    [("domain".to_owned(), spec.domain.as_str())].into_iter().chain(others).filter(|(_, name)| !is_open(name)).collect()
}

fn region(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let cdn = seen.scope.each::<DistributionSpec>(Kind::Distribution).find(|(_, cdn)| {
        let arn = cdn.certificate.as_ref().map(|certificate| certificate.acm_arn.as_str()).unwrap_or_default();
        let used = seen.scope.behind::<CertificateSpec>(Kind::Certificate, arn);
        used.is_some_and(|(address, _)| address == seen.address)
    });
    if let Some((cdn, _)) = cdn.filter(|_| seen.spec.region != "us-east-1") {
        notes.add("region", format!("the region is {}, and `{cdn}` uses the certificate", seen.spec.region));
    }
}

fn domain(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, name) in all_names(&seen.spec) {
        let plain = name.replace('*', "x");
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(letters);
        let formed = plain.contains('.') && plain.split('.').all(label);
        let longest = if path == "domain" { 64 } else { 253 };
        let wrong = !formed || name.len() > longest;
        notes.add_if(wrong, path, || {
            format!("`{name}` is not a valid domain name ({})", counted(name.len(), "character"))
        });
    }
}

fn names(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let count = seen.spec.alternative_names.iter().filter(|name| **name != seen.spec.domain).count() + 1;
    notes.add_if(count > 10, "alternative_names", || format!("there are {count} names"));
}

fn wildcard(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, name) in all_names(&seen.spec) {
        let rest = name.strip_prefix("*.").unwrap_or(name);
        notes.add_if(rest.contains('*'), path, || format!("`{name}` is not a valid wildcard of a certificate"));
    }
}

fn region_form(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let region = &seen.spec.region;
    notes.add_if(!is_open(region) && !is_region_form(region), "region", || format!("`{region}` is not an AWS region"));
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const OTHER: &str = "cdn.certificate.other";
        let many: Vec<String> = (0..10).map(|at| format!("n{at}.akidb.com")).collect();
        vec![
            case("AC001-certificate-region").set("cdn.certificate.api", "/region", json!("eu-central-1")),
            case("AC002-domain").set(OTHER, "/domain", json!(format!("{}.akidb.com", "x".repeat(60)))),
            case("AC002-domain").set(OTHER, "/domain", json!("Akidb.com")),
            case("AC003-name-count").set(OTHER, "/alternative_names", json!(many)),
            case("AC004-wildcard").set(OTHER, "/domain", json!("a.*.akidb.com")),
            case("AC005-region-form").set(OTHER, "/region", json!("virginia")),
        ]
    }
}
