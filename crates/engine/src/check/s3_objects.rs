//! Rules on objects and bucket policies.

use serde_json::Value;

use super::policy::{allows_everybody, statements, texts};
use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use super::scope::{is_open, references};
use crate::resource::bucket_policy::BucketPolicySpec;
use crate::resource::object::ObjectSpec;

type Spec<'a> = CheckedResource<'a, ObjectSpec>;
type Policy<'a> = CheckedResource<'a, BucketPolicySpec>;

pub(super) const OBJECT: &[CheckRule<ObjectSpec>] = &[
    error("S3101-key", "a key has 1 to 1,024 bytes", "KeyTooLongError: Your key is too long", "shorten the key", key),
    warning(
        "S3102-content-type",
        "the content type is a media type",
        "accepted; browsers then guess, and WebAssembly refuses to start from anything but application/wasm",
        "write for example application/octet-stream",
        content_type,
    ),
    warning(
        "S3103-immutable-key",
        "an object with immutable caching has its hash in its key",
        "accepted; clients that cached the old content do not see new content under the same key",
        "put the SHA-256 into the key, or remove immutable from cache_control",
        immutable,
    ),
    error(
        "S3104-object-hash",
        "the content is named by a SHA-256",
        "the run stops there: no artifact has this hash",
        "write 64 lower-case hex digits",
        hash,
    ),
    error(
        "S3105-object-region",
        "the region is that of the bucket",
        "PermanentRedirect: The bucket you are attempting to access must be addressed using the specified endpoint.",
        "use the region of the bucket",
        object_region,
    ),
];

pub(super) const POLICY: &[CheckRule<BucketPolicySpec>] = &[
    error(
        "S3201-policy-other-bucket",
        "a bucket policy refers to its own bucket",
        "MalformedPolicy: Policy has invalid resource",
        "name arn:aws:s3:::<this bucket> and arn:aws:s3:::<this bucket>/*",
        other_bucket,
    ),
    error(
        "S3202-public-policy",
        "a bucket that blocks public access has no public policy",
        "AccessDenied: because public policies are blocked by the BlockPublicPolicy block public access setting",
        "name the principal, for example the service cloudfront.amazonaws.com with a condition on AWS:SourceArn",
        public,
    ),
    warning(
        "S3203-cloudfront-without-source",
        "a policy for CloudFront names the distribution",
        "accepted; any distribution of any account can read the bucket",
        "add the condition StringEquals AWS:SourceArn = the distribution's ARN",
        source,
    ),
    error(
        "S3204-policy-region",
        "the region is that of the bucket",
        "PermanentRedirect: The bucket you are attempting to access must be addressed using the specified endpoint.",
        "use the region of the bucket",
        policy_region,
    ),
    error(
        "S3205-cloudfront-needs-own-key",
        "a bucket that CloudFront reads is not under the AWS-managed KMS key",
        "accepted; CloudFront answers 403 for every object, because the policy of the key aws/s3 cannot be changed",
        "write encryption: AES256, or kms_key with a key of your own",
        managed_key,
    ),
    warning(
        "S3206-cloudfront-key-policy",
        "the KMS key of a bucket that CloudFront reads lets the distribution decrypt",
        "accepted; CloudFront answers 403 for every object until the key's policy has the statement",
        "add the statement to the policy of the key (aws kms put-key-policy); the key is not part of the plan",
        key_policy,
    ),
];

fn key(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let bytes = seen.spec.key.len();
    notes.add_if(!(1..=1024).contains(&bytes), "key", || format!("the key has {bytes} bytes"));
}

fn content_type(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let full = seen.spec.content_type.as_str();
    let token =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b));
    let essence = full.split(';').next().unwrap_or_default().trim();
    let formed = essence.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub));
    notes.add_if(!formed, "content_type", || format!("`{full}` is not a media type"));
}

fn immutable(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let ObjectSpec { key, sha256, cache_control, .. } = &seen.spec;
    let kept = cache_control.as_ref().is_some_and(|words| words.contains("immutable"));
    // Half of the first half is as good as all of it.
    let hash = sha256.get(..16).unwrap_or(sha256);
    let wrong = kept && !is_open(key) && !key.contains(hash);
    notes.add_if(wrong, "cache_control", || format!("`{key}` does not hold the hash of its content"));
}

fn hash(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let hash = seen.spec.sha256.as_str();
    let formed = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    notes.add_if(!formed && !is_open(hash), "sha256", || format!("`{hash}` is not a SHA-256"));
}

fn object_region(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let ObjectSpec { bucket, region, .. } = &seen.spec;
    let Some((address, held)) = seen.scope.bucket(bucket) else { return };
    let wrong = held.region != *region && !is_open(region);
    notes.add_if(wrong, "region", || format!("`{address}` is in {}, not in {region}", held.region));
}

fn policy_region(seen: &Policy<'_>, notes: &mut RuleFindings<'_>) {
    let BucketPolicySpec { bucket, region, .. } = &seen.spec;
    let Some((address, held)) = seen.scope.bucket(bucket) else { return };
    let wrong = held.region != *region && !is_open(region);
    notes.add_if(wrong, "region", || format!("`{address}` is in {}, not in {region}", held.region));
}

/// Whether a resource of a statement is in the bucket that this policy is for.
fn is_own(seen: &Policy<'_>, resource: &str) -> bool {
    let own = seen.scope.bucket(&seen.spec.bucket);
    if let Some(to) = resource.starts_with("${").then(|| references(resource)).and_then(|all| all.first().copied()) {
        return own.is_none_or(|(address, _)| address.as_str() == to.address);
    }
    let Some(rest) = resource.strip_prefix("arn:aws:s3:::") else { return false };
    if is_open(rest) && !rest.starts_with(&seen.spec.bucket) {
        return references(rest)
            .first()
            .is_some_and(|to| own.is_none_or(|(address, _)| address.as_str() == to.address));
    }
    let names = [Some(seen.spec.bucket.clone()), own.map(|(_, bucket)| bucket.name)];
    names
        .iter()
        .flatten()
        .any(|name| rest.strip_prefix(name.as_str()).is_some_and(|tail| tail.is_empty() || tail.starts_with('/')))
}

fn other_bucket(seen: &Policy<'_>, notes: &mut RuleFindings<'_>) {
    for (at, statement) in statements(&seen.spec.policy).into_iter().enumerate() {
        for resource in texts(statement, "Resource").into_iter().filter(|resource| !is_own(seen, resource)) {
            let problem = format!("`{resource}` is not in bucket `{}`", seen.spec.bucket);
            notes.add(format!("policy.Statement.{at}.Resource"), problem);
        }
    }
}

fn public(seen: &Policy<'_>, notes: &mut RuleFindings<'_>) {
    // A new bucket blocks public access unless the plan says otherwise.
    let bucket = seen.scope.bucket(&seen.spec.bucket);
    let blocked = bucket.is_some_and(|(_, bucket)| bucket.block_public_access != Some(false));
    let all = statements(&seen.spec.policy).into_iter().enumerate();
    for (at, _) in all.filter(|(_, statement)| blocked && allows_everybody(statement)) {
        notes.add(
            format!("policy.Statement.{at}.Principal"),
            "everyone is allowed, and the bucket blocks public access",
        );
    }
}

fn source(seen: &Policy<'_>, notes: &mut RuleFindings<'_>) {
    for (at, statement) in statements(&seen.spec.policy).into_iter().enumerate() {
        let cdn =
            statement.get("Principal").is_some_and(|who| texts(who, "Service").contains(&"cloudfront.amazonaws.com"));
        let condition = statement.get("Condition").map(|condition| condition.to_string().to_ascii_lowercase());
        let bound = condition.is_some_and(|text| text.contains("aws:sourcearn") || text.contains("aws:sourceaccount"));
        let path = format!("policy.Statement.{at}.Condition");
        notes.add_if(cdn && !bound, path, || "cloudfront.amazonaws.com is allowed without a condition".to_owned());
    }
}

/// The bucket under KMS that this policy lets CloudFront read.
fn read_under_kms(seen: &Policy<'_>) -> Option<(String, Option<String>)> {
    let cdn = |one: &&Value| {
        one.get("Principal").is_some_and(|who| texts(who, "Service").contains(&"cloudfront.amazonaws.com"))
    };
    statements(&seen.spec.policy).into_iter().find(|one| cdn(one))?;
    let (address, bucket) = seen.scope.bucket(&seen.spec.bucket)?;
    let kms = bucket.encryption.as_ref().is_some_and(|by| by.starts_with("aws:kms"));
    kms.then(|| (address.to_string(), bucket.kms_key))
}

fn managed_key(seen: &Policy<'_>, notes: &mut RuleFindings<'_>) {
    let Some((address, key)) = read_under_kms(seen) else { return };
    let managed = key.as_deref().is_none_or(|key| key.ends_with("alias/aws/s3"));
    notes.add_if(managed, "bucket", || format!("`{address}` is under the key aws/s3, and CloudFront is to read it"));
}

fn key_policy(seen: &Policy<'_>, notes: &mut RuleFindings<'_>) {
    let Some((address, Some(key))) = read_under_kms(seen) else { return };
    let statement = serde_json::json!({
        "Sid": "AllowCloudFrontServicePrincipalSSE-KMS", "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"}, "Action": "kms:Decrypt", "Resource": "*",
        "Condition": {"StringEquals": {"AWS:SourceArn": "arn:aws:cloudfront::ACCOUNT:distribution/ID"}},
    });
    let own = !key.ends_with("alias/aws/s3");
    notes.add_if(own, "bucket", || format!("`{address}` is under {key}, whose policy needs: {statement}"));
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const OBJECT: &str = "models.object.model";
        const POLICY: &str = "cdn.bucket-policy.models";
        vec![
            case("S3101-key").set(OBJECT, "/key", json!(format!("{}{}", "a".repeat(64), "x".repeat(1000)))),
            case("S3102-content-type").set(OBJECT, "/content_type", json!("onnx")),
            case("S3103-immutable-key").set(OBJECT, "/key", json!("models/model.onnx")),
            case("S3104-object-hash").set(OBJECT, "/sha256", json!("abc")).remove(OBJECT, "/cache_control"),
            case("S3105-object-region").set(OBJECT, "/region", json!("eu-central-1")),
            case("S3201-policy-other-bucket").set(
                POLICY,
                "/policy/Statement/0/Resource",
                json!("arn:aws:s3:::akidb-models-other/*"),
            ),
            case("S3201-policy-other-bucket").set(
                POLICY,
                "/policy/Statement/0/Resource",
                json!("${models.bucket.replica#arn}/*"),
            ),
            case("S3202-public-policy")
                .set(POLICY, "/policy/Statement/0/Principal", json!("*"))
                .remove(POLICY, "/policy/Statement/0/Condition"),
            case("S3203-cloudfront-without-source").remove(POLICY, "/policy/Statement/0/Condition"),
            case("S3204-policy-region").set(POLICY, "/region", json!("eu-central-1")),
            case("S3205-cloudfront-needs-own-key")
                .set("models.bucket.primary", "/encryption", json!("aws:kms"))
                .also("RP015-encrypted-source")
                .also("RP016-encrypted-destination"),
            case("S3206-cloudfront-key-policy")
                .set("models.bucket.primary", "/encryption", json!("aws:kms"))
                .set("models.bucket.primary", "/kms_key", json!("alias/models"))
                .also("RP015-encrypted-source")
                .also("RP016-encrypted-destination"),
        ]
    }
}
