//! Rules on the hosts of origins: not the distribution itself, not a website endpoint over HTTPS, not too many.

use super::cloudfront_origins::is_website;
use super::rule::{CheckRule, CheckedResource, RuleFindings, error};
use crate::resource::distribution::DistributionSpec;

type Spec<'a> = CheckedResource<'a, DistributionSpec>;

pub(super) const RULES: &[CheckRule<DistributionSpec>] = &[
    error(
        "CF214-origin-is-alias",
        "no origin is an alias of the distribution itself",
        "accepted or refused as InvalidArgument; every request comes back to the distribution until it answers 403 (a loop)",
        "name the host behind it, for example origin.<domain>",
        own_alias,
    ),
    error(
        "CF215-website-over-https",
        "an S3 website endpoint is reached over HTTP",
        "accepted; every request answers 502 or 504: website endpoints speak HTTP only",
        "write protocol: http-only, or use the bucket's own domain with origin_access_id",
        website,
    ),
    error(
        "CF216-origin-count",
        "a distribution has at most 100 origins",
        "TooManyOrigins: Your request contains more origins than are allowed per distribution, unless the quota was raised",
        "send several hosts through one origin, or make two distributions",
        count,
    ),
];

fn own_alias(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (at, origin) in seen.spec.origins.iter().enumerate() {
        let host = origin.domain_name.trim_end_matches('.');
        // What a wildcard covers may be a record of its own that leads elsewhere: only the name itself is sure.
        let covers = |alias: &&String| alias.eq_ignore_ascii_case(host);
        if let Some(alias) = seen.spec.aliases.iter().flatten().find(covers) {
            let problem = format!("origin `{}` is `{}`, an alias of the distribution", origin.id, alias);
            notes.add(format!("origins.{at}.domain_name"), problem);
        }
    }
}

fn website(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (at, origin) in seen.spec.origins.iter().enumerate().filter(|(_, origin)| is_website(&origin.domain_name)) {
        let Some(custom) = origin.custom.as_ref().filter(|custom| custom.protocol != "http-only") else { continue };
        let problem = format!("origin `{}` reaches `{}` with {}", origin.id, origin.domain_name, custom.protocol);
        notes.add(format!("origins.{at}.custom.protocol"), problem);
    }
}

fn count(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let count = seen.spec.origins.len();
    notes.add_if(count > 100, "origins", || format!("there are {count} origins"));
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, TODAY, case, good};

    pub(in super::super) fn cases() -> Vec<Case> {
        const CDN: &str = "cdn.distribution.main";
        let custom = json!({"http_port": 80, "https_port": 443, "protocol": "https-only"});
        let mut many = case("CF216-origin-count");
        for at in 0..98 {
            let origin = json!({"id": format!("o{at}"), "domain_name": format!("o{at}.akidb.com"), "custom": custom});
            many = many.push(CDN, "/origins", origin);
        }
        let website = "m.s3-website-us-east-1.amazonaws.com";
        vec![
            case("CF214-origin-is-alias").set(CDN, "/origins/0/domain_name", json!("API.akidb.com")),
            case("CF215-website-over-https").set(CDN, "/origins/0/domain_name", json!(website)),
            case("CF215-website-over-https").set(CDN, "/origins/0/domain_name", json!(website.to_uppercase())),
            many,
        ]
    }

    #[test]
    fn a_website_over_http_and_a_hundred_origins() {
        const CDN: &str = "cdn.distribution.main";
        let custom = json!({"http_port": 80, "https_port": 443, "protocol": "http-only"});
        let mut case = Case { desired: good(), rules: [].into(), note: String::new() }
            .set(CDN, "/origins/0/domain_name", json!("m.s3-website.eu-central-1.amazonaws.com"))
            .set(CDN, "/origins/0/custom", custom.clone());
        for at in 0..97 {
            let origin = json!({"id": format!("o{at}"), "domain_name": format!("o{at}.akidb.com"), "custom": custom});
            case = case.push(CDN, "/origins", origin);
        }
        assert_eq!(super::super::all(&case.desired, TODAY), []);
    }
}
