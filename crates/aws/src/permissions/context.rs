//! On which resources the calls for one kind are: ARNs, as far as names are known before anything is made.

use serde_json::Value;

use crate::resource::{Desired, Kind, has_references};
use crate::route53::bare;

/// One resource with its settings as far as they are literal, and the graph that it is in.
pub struct PolicyContext<'a> {
    /// The settings.
    pub spec: Value,
    /// Twelve digits, or `*`.
    pub account: &'a str,
    /// What the service calls it; `*` before it is made.
    pub id: &'a str,
    /// The graph.
    pub graph: &'a Desired,
}

impl PolicyContext<'_> {
    /// The text of a setting; `*` where it is not known.
    pub fn text(&self, field: &str) -> String {
        self.spec.get(field).and_then(Value::as_str).unwrap_or("*").to_owned()
    }
}

/// Actions that AWS allows on everything or on nothing.
pub fn everything(_: &PolicyContext<'_>) -> Vec<String> {
    vec!["*".to_owned()]
}

/// A bucket.
pub fn bucket(facts: &PolicyContext<'_>) -> Vec<String> {
    vec![format!("arn:aws:s3:::{}", facts.text("name"))]
}

/// All objects of a bucket.
pub fn bucket_objects(facts: &PolicyContext<'_>) -> Vec<String> {
    vec![format!("arn:aws:s3:::{}/*", facts.text("name"))]
}

/// The KMS key of an object's bucket; a policy takes no alias, so that stands for any key of the region.
pub fn object_key(facts: &PolicyContext<'_>) -> Vec<String> {
    let (bucket, region) = (facts.text("bucket"), facts.text("region"));
    let buckets = facts.graph.resources.values().filter(|resource| resource.kind == Kind::Bucket);
    let named = |spec: &&Value| spec.get("name").and_then(Value::as_str) == Some(bucket.as_str());
    let spec = buckets.map(|resource| &resource.spec).find(named);
    let Some(key) = spec.and_then(|spec| spec.get("kms_key")).and_then(Value::as_str) else { return Vec::new() };
    let any = || format!("arn:aws:kms:{region}:{}:key/*", facts.account);
    let own = |id: &str| format!("arn:aws:kms:{region}:{}:key/{id}", facts.account);
    match key {
        arn if arn.starts_with("arn:") && arn.contains(":key/") => vec![arn.to_owned()],
        id if !id.contains([':', '/']) => vec![own(id)],
        _ => vec![any()],
    }
}

/// The bucket that a policy is for.
pub fn bucket_of(facts: &PolicyContext<'_>) -> Vec<String> {
    vec![format!("arn:aws:s3:::{}", facts.text("bucket"))]
}

/// The bucket itself, too: a policy linter else thinks that whoever may write a bucket policy gains what is missing here.
pub fn objects_of(facts: &PolicyContext<'_>) -> Vec<String> {
    vec![format!("arn:aws:s3:::{}", facts.text("bucket")), format!("arn:aws:s3:::{}/*", facts.text("bucket"))]
}

/// The bucket that is replicated.
pub fn source_bucket(facts: &PolicyContext<'_>) -> Vec<String> {
    vec![format!("arn:aws:s3:::{}", facts.text("source"))]
}

/// A role.
pub fn role(facts: &PolicyContext<'_>) -> Vec<String> {
    vec![format!("arn:aws:iam::{}:role/{}", facts.account, facts.text("name"))]
}

/// A function and its versions.
pub fn function(facts: &PolicyContext<'_>) -> Vec<String> {
    let (region, name) = (facts.text("region"), facts.text("name"));
    vec![
        format!("arn:aws:lambda:{region}:{}:function:{name}", facts.account),
        format!("arn:aws:lambda:{region}:{}:function:{name}:*", facts.account),
    ]
}

/// Versions of a function.
pub fn versions(facts: &PolicyContext<'_>) -> Vec<String> {
    let (region, name) = (facts.text("region"), facts.text("function"));
    vec![format!("arn:aws:lambda:{region}:{}:function:{name}:*", facts.account)]
}

/// The web ACL of a distribution, if it has one.
pub fn web_acl(facts: &PolicyContext<'_>) -> Vec<String> {
    let arn = facts.spec.get("web_acl_id").and_then(Value::as_str).filter(|arn| !arn.is_empty());
    arn.map(str::to_owned).into_iter().collect()
}

/// One of a sort in CloudFront, by its ID; before it is made everything of the sort.
pub fn cloudfront(facts: &PolicyContext<'_>, what: &str) -> Vec<String> {
    vec![format!("arn:aws:cloudfront::{}:{what}/{}", facts.account, facts.id)]
}

/// A hosted zone, by its ID; before it is made all of the account.
pub fn zone(facts: &PolicyContext<'_>) -> Vec<String> {
    vec![hosted_zone(facts.id)]
}

/// The hosted zone that record sets are in.
pub fn zone_of_records(facts: &PolicyContext<'_>) -> Vec<String> {
    let id = facts.text("zone_id");
    vec![hosted_zone(if has_references(&Value::from(id.as_str())) { "*" } else { &id })]
}

fn hosted_zone(id: &str) -> String {
    format!("arn:aws:route53:::hostedzone/{}", bare(id))
}

/// A health check, by its ID; before it is made all of the account.
pub fn health_check(facts: &PolicyContext<'_>) -> Vec<String> {
    vec![format!("arn:aws:route53:::healthcheck/{}", facts.id)]
}

/// A distribution.
pub fn distributions(facts: &PolicyContext<'_>) -> Vec<String> {
    cloudfront(facts, "distribution")
}

/// The bucket that takes the access logs: `NAME.s3.amazonaws.com` in the settings.
pub fn log_bucket(facts: &PolicyContext<'_>) -> Vec<String> {
    let host = facts.spec.pointer("/logging/bucket").and_then(Value::as_str).unwrap_or_default();
    host.rsplit_once(".s3.").map(|(name, _)| format!("arn:aws:s3:::{name}")).into_iter().collect()
}

/// A certificate, whose ID is its ARN; before it is made all of the region.
pub fn certificates(facts: &PolicyContext<'_>) -> Vec<String> {
    if facts.id != "*" {
        return vec![facts.id.to_owned()];
    }
    vec![format!("arn:aws:acm:{}:{}:certificate/*", facts.text("region"), facts.account)]
}

/// Roles: whose one is, is known by its tags alone.
pub fn every_role(facts: &PolicyContext<'_>) -> Vec<String> {
    vec![format!("arn:aws:iam::{}:role/*", facts.account)]
}

/// Functions of the region: whose one is, is known by its tags alone.
pub fn every_function(facts: &PolicyContext<'_>) -> Vec<String> {
    vec![format!("arn:aws:lambda:{}:{}:function:*", facts.text("region"), facts.account)]
}

/// Buckets: whose one is, is known by its tags alone.
pub fn every_bucket(_: &PolicyContext<'_>) -> Vec<String> {
    vec!["arn:aws:s3:::*".to_owned()]
}
