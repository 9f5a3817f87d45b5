//! Rules on buckets.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::regions::is_region_form;
use super::rule::{CheckRule, CheckedResource, RuleFindings, error};
use super::scope::is_open;
use crate::resource::bucket::BucketSpec;

type Spec<'a> = CheckedResource<'a, BucketSpec>;

pub(super) const RULES: &[CheckRule<BucketSpec>] = &[
    error(
        "S3001-bucket-name",
        "bucket names are legal",
        "InvalidBucketName: The specified bucket is not valid.",
        "write 3 to 63 lower-case letters, digits, dashes and dots; begin and end with a letter or digit",
        name,
    ),
    error(
        "S3002-bucket-region",
        "the region is a region",
        "InvalidLocationConstraint: The specified location-constraint is not valid",
        "write for example eu-central-1",
        region,
    ),
    error(
        "S3003-encryption",
        "default encryption is AES256 or aws:kms",
        "MalformedXML: the server-side encryption algorithm is not known",
        "write AES256, aws:kms or aws:kms:dsse",
        encryption,
    ),
    error(
        "S3004-ownership",
        "ownership is valid",
        "MalformedXML: the object ownership is not known",
        "write BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter",
        ownership,
    ),
    error(
        "S3005-cors",
        "CORS rules have origins and legal methods",
        "InvalidRequest: Found unsupported HTTP method in CORS config, or MalformedXML for an empty list",
        "write at least one origin, and methods from GET, PUT, POST, DELETE, HEAD (OPTIONS is answered by itself)",
        cors,
    ),
    error(
        "S3006-lifecycle",
        "lifecycle rules have an action, days above 0 and an id of their own",
        "InvalidArgument: 'Days' for Expiration action must be a positive integer, or InvalidArgument: Rule ID must be unique",
        "write days above 0, at least one of expire_days, expire_old_versions_days, abort_uploads_days, and unique ids",
        lifecycle,
    ),
    error(
        "S3007-kms-key",
        "a KMS key needs encryption by KMS, and is in the bucket's region",
        "InvalidArgument: a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
        "write encryption: aws:kms, and as kms_key the ARN, id or alias/NAME of a key in the bucket's region; bucket_key goes with aws:kms only",
        kms_key,
    ),
];

/// What is wrong with a bucket name, if anything.
fn bad_name(name: &str) -> Option<&'static str> {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    if !(3..=63).contains(&bytes.len()) {
        return Some("it needs 3 to 63 characters");
    }
    if !bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(b)) {
        return Some("only lower-case letters, digits, dashes and dots are allowed");
    }
    if !edge(bytes.first()) || !edge(bytes.last()) {
        return Some("it must begin and end with a letter or digit");
    }
    if name.contains("..") {
        return Some("two dots are adjacent");
    }
    if name.parse::<Ipv4Addr>().is_ok() {
        return Some("it is formed as an IP address");
    }
    let heads = ["xn--", "sthree-", "amzn-s3-demo-"];
    let tails = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    let kept = heads.iter().any(|head| name.starts_with(head)) || tails.iter().any(|tail| name.ends_with(tail));
    kept.then_some("AWS reserves this prefix or suffix")
}

fn name(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let name = &seen.spec.name;
    if let Some(why) = bad_name(name).filter(|_| !is_open(name)) {
        notes.add("name", format!("`{name}`: {why}"));
    }
}

fn region(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let region = &seen.spec.region;
    notes.add_if(!is_open(region) && !is_region_form(region), "region", || format!("`{region}` is not an AWS region"));
}

fn encryption(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(word) = seen.spec.encryption.as_deref() else { return };
    let known = ["AES256", "aws:kms", "aws:kms:dsse"].contains(&word);
    notes.add_if(!known, "encryption", || format!("`{word}` is not an S3 encryption"));
}

/// What is wrong with the ARN of a KMS key in this region, if anything.
pub(super) fn bad_key_arn(key: &str, region: Option<&str>) -> Option<String> {
    let parts: Vec<&str> = key.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, "kms", held, _, name]
            if partition.starts_with("aws") && (name.starts_with("key/") || name.starts_with("alias/")) =>
        {
            let elsewhere = region.filter(|region| *region != held && !is_open(region));
            elsewhere.map(|region| format!("`{key}` is in {held}, the bucket in {region}"))
        }
        _ => Some(format!("`{key}` is not the ARN of a KMS key")),
    }
}

fn kms_key(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let BucketSpec { encryption, kms_key, bucket_key, region, .. } = &seen.spec;
    let algorithm = encryption.as_deref().unwrap_or("none");
    if let Some(key) = kms_key.as_deref().filter(|key| !is_open(key)) {
        notes.add_if(!algorithm.starts_with("aws:kms"), "kms_key", || format!("the encryption is {algorithm}"));
        let problem = key.starts_with("arn:").then(|| bad_key_arn(key, Some(region))).flatten();
        let named = key.strip_prefix("alias/").unwrap_or(key);
        let plain = named.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b)) && !named.is_empty();
        let problem = problem.or_else(|| {
            (!key.starts_with("arn:") && !plain)
                .then(|| format!("`{key}` is neither ARN nor id nor alias of a KMS key"))
        });
        if let Some(problem) = problem {
            notes.add("kms_key", problem);
        }
    }
    let wrong = *bucket_key == Some(true) && algorithm != "aws:kms";
    notes.add_if(wrong, "bucket_key", || format!("the encryption is {algorithm}"));
}

fn ownership(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(word) = seen.spec.ownership.as_deref() else { return };
    let known = ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"].contains(&word);
    notes.add_if(!known, "ownership", || format!("`{word}` is not an ownership setting"));
}

fn cors(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];
    for (at, rule) in seen.spec.cors.iter().flatten().enumerate() {
        let path = format!("cors.{at}");
        notes.add_if(rule.origins.is_empty(), format!("{path}.origins"), || "there is no origin".to_owned());
        notes.add_if(rule.methods.is_empty(), format!("{path}.methods"), || "there is no method".to_owned());
        for method in rule.methods.iter().filter(|method| !METHODS.contains(&method.as_str())) {
            notes.add(format!("{path}.methods"), format!("`{method}` is not allowed"));
        }
    }
}

fn lifecycle(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let mut ids = BTreeSet::new();
    for (at, rule) in seen.spec.lifecycle.iter().flatten().enumerate() {
        let path = format!("lifecycle.{at}");
        notes.add_if(!ids.insert(&rule.id), format!("{path}.id"), || format!("`{}` appears twice", rule.id));
        let days = [
            ("expire_days", rule.expire_days),
            ("expire_old_versions_days", rule.expire_old_versions_days),
            ("abort_uploads_days", rule.abort_uploads_days),
        ];
        let idle = days.iter().all(|(_, days)| days.is_none());
        notes.add_if(idle, path.as_str(), || format!("`{}` does nothing", rule.id));
        for (field, days) in days.into_iter().filter_map(|(field, days)| days.map(|days| (field, days))) {
            notes.add_if(days < 1, format!("{path}.{field}"), || format!("{days} days"));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};
    use super::*;

    pub(in super::super) fn cases() -> Vec<Case> {
        const SPARE: &str = "models.bucket.spare";
        vec![
            case("S3001-bucket-name").set(SPARE, "/name", json!("Akidb_Spare")),
            case("S3002-bucket-region").set(SPARE, "/region", json!("frankfurt")),
            case("S3003-encryption").set(SPARE, "/encryption", json!("aes")),
            case("S3004-ownership").set(SPARE, "/ownership", json!("Owner")),
            case("S3005-cors").set(SPARE, "/cors", json!([{"origins": ["*"], "methods": ["OPTIONS"]}])),
            case("S3006-lifecycle").set(SPARE, "/lifecycle", json!([{"id": "old", "expire_days": 0}])),
            case("S3006-lifecycle").set(SPARE, "/lifecycle", json!([{"id": "old"}])),
            case("S3007-kms-key").set(SPARE, "/kms_key", json!("alias/models")),
            case("S3007-kms-key").set(SPARE, "/encryption", json!("aws:kms")).set(
                SPARE,
                "/kms_key",
                json!("arn:aws:kms:us-east-1:123456789012:key/0f7f42a4-6ff2-4e2f-8f0c-2f1a1a5b7a11"),
            ),
            case("S3007-kms-key").set(SPARE, "/bucket_key", json!(true)),
        ]
    }

    #[test]
    fn bucket_names() {
        for bad in ["ab", "a..b", "192.168.0.1", "xn--abc", "abc-s3alias", "-abc", "abc.", "aB1"] {
            assert!(bad_name(bad).is_some(), "{bad}");
        }
        assert_eq!(bad_name("akidb-models.eu-1"), None);
    }
}
