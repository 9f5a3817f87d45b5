//! Buckets, the registry as an object, and names that nothing answers to.

use std::collections::BTreeSet;

use super::*;
use crate::desired::{DesiredStack, build};
use crate::plan::{PlanErrors, PlanSettings, parse};
use crate::resource::ArtifactSource;

const BUCKETS: &str = "buckets: {us: {name: akidb-us, region: us-east-1}, eu: {name: akidb-eu, region: eu-central-1}}";

fn built(with: &str) -> Result<DesiredStack, PlanErrors> {
    let head = "version: 1\nstack: s\nmetadata: {name: n, title: t}\ndays:\n- day: 1\n  title: d\n  steps:\n";
    let text = format!("{head}  - {{id: metadata, title: t, kind: metadata, with: {{primary: us-east-1, {with}}}}}\n");
    let plan = parse("plan.yaml", &text, &PlanSettings::default())?;
    build(&plan, &BTreeSet::new())
}

fn document(built: &DesiredStack) -> serde_json::Value {
    let object = &built.desired.resources[&Address::new(AREA, Kind::Object, "registry")];
    let spec: ObjectSpec = object.typed().expect("an object");
    assert_eq!((spec.key.as_str(), spec.region.as_str()), ("registry/registry.json", "us-east-1"));
    match built.artifacts.get(&spec.sha256) {
        Some(ArtifactSource::Memory(bytes)) => serde_json::from_slice(bytes).expect("a document"),
        _ => panic!("the bytes of the registry are kept"),
    }
}

#[test]
fn the_registry_goes_into_the_bucket_of_the_primary() {
    let with = format!(
        "{BUCKETS}, models: {{m: {{version: v7, path: m/v7, dimension: 384}}, old: {{enabled: false}}}}, \
         tenants: {{acme: {{}}}}, collections: {{acme: {{texts: {{model: m}}}}}}"
    );
    let built = built(&with).unwrap_or_else(|bad| panic!("{bad}"));
    let buckets = built.desired.resources.values().filter(|one| one.kind == Kind::Bucket).count();
    assert_eq!(buckets, 2);
    let expected = serde_json::json!({
        "format": 1,
        "models": [
            {"name": "m", "version": "v7", "path": "m/v7", "dimension": 384, "enabled": true},
            {"name": "old", "version": null, "path": null, "dimension": null, "enabled": false},
        ],
        "tenants": [{"name": "acme", "enabled": true}],
        "collections": [{"tenant": "acme", "name": "texts", "model": "m", "dimension": 384}],
    });
    assert_eq!(document(&built), expected);
}

#[test]
fn what_does_not_fit_is_said_where_it_is_written() {
    let elsewhere = "buckets: {eu: {name: akidb-eu, region: eu-central-1}}".to_owned();
    let twice = "buckets: {a: {name: akidb-a, region: us-east-1}, b: {name: akidb-b, region: us-east-1}}".to_owned();
    for (with, said) in [
        (elsewhere, "the primary is in region \"us-east-1\", which has no bucket"),
        (twice, "buckets a and b are both in region us-east-1"),
        (format!("{BUCKETS}, models: {{m: {{dimension: 0}}}}"), "a vector cannot have 0 numbers"),
        (format!("{BUCKETS}, models: {{m: {{path: ../m}}}}"), "invalid path \"../m\""),
        (format!("{BUCKETS}, models: {{\"m/1\": {{}}}}"), "invalid model name \"m/1\""),
        (format!("{BUCKETS}, collections: {{acme: {{texts: {{model: m}}}}}}"), "tenant \"acme\", which is not"),
        (
            format!("{BUCKETS}, tenants: {{acme: {{}}}}, collections: {{acme: {{texts: {{model: m}}}}}}"),
            "collection texts uses model \"m\"",
        ),
    ] {
        let refused = built(&with).err().map(|bad| bad.to_string()).unwrap_or_default();
        assert!(refused.contains(said) && refused.contains("plan.yaml:"), "{with}: {refused}");
    }
}

const PUBLISHER: &str = "{name: pub, task: publish, oidc_provider: \"arn:aws:iam::123456789012:oidc-provider/oidc.example/id/1\", namespace: akidb, service_account: metadata-publisher}";
const FOLLOWER: &str = "{name: fol, task: follow, bucket: eu, oidc_provider: \"arn:aws:iam::123456789012:oidc-provider/oidc.example/id/2\", namespace: akidb, service_account: metadata-follower}";

fn role(built: &DesiredStack, name: &str) -> crate::resource::role::RoleSpec {
    built.desired.resources[&Address::new(AREA, Kind::Role, name)].typed().expect("a role")
}

/// A follower reads its own bucket alone; nobody but one service account takes a role on.
#[test]
fn roles_have_what_their_task_needs() {
    let with = format!("{BUCKETS}, roles: {{publisher: {PUBLISHER}, follower-eu: {FOLLOWER}}}");
    let built = built(&with).unwrap_or_else(|bad| panic!("{bad}"));
    let follower = role(&built, "follower-eu");
    let statements = serde_json::json!([
        {"Sid": "List", "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::akidb-eu"]},
        {"Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::akidb-eu/metadata/*"]},
    ]);
    assert_eq!(follower.inline["snapshots"]["Statement"], statements);
    let condition = serde_json::json!({"StringEquals": {
        "oidc.example/id/2:sub": "system:serviceaccount:akidb:metadata-follower", "oidc.example/id/2:aud": "sts.amazonaws.com",
    }});
    assert_eq!(follower.trust["Statement"][0]["Condition"], condition);
    let publisher = role(&built, "publisher");
    let text = publisher.inline["snapshots"].to_string();
    assert!(text.contains("akidb-us/metadata/*") && text.contains("akidb-eu/metadata/*"), "{text}");
    assert!(text.contains("akidb-us/registry/*") && !text.contains("akidb-eu/registry"), "{text}");
    assert!(!text.contains("s3:*") && publisher.boundary.is_some(), "{text}");
}

#[test]
fn roles_that_do_not_fit_are_refused() {
    let keyed = BUCKETS.replace("name: akidb-eu,", "name: akidb-eu, encryption: \"aws:kms\", kms_key: alias/k,");
    for (buckets, role, said) in [
        (BUCKETS, FOLLOWER.replace("bucket: eu", "bucket: ap"), "bucket \"ap\", which is not in this step"),
        (BUCKETS, FOLLOWER.replace("bucket: eu, ", ""), "does not say which bucket"),
        (BUCKETS, PUBLISHER.replace("task: publish", "task: publish, bucket: eu"), "writes to all buckets"),
        (BUCKETS, FOLLOWER.replace("arn:aws:iam::123456789012:", ""), "not the ARN of an OIDC provider"),
        (BUCKETS, FOLLOWER.replace("metadata-follower", "\"*\""), "\"*\" is not a name of Kubernetes"),
        (keyed.as_str(), FOLLOWER.to_owned(), "has a kms_key"),
    ] {
        let refused =
            built(&format!("{buckets}, roles: {{r: {role}}}")).err().map(|bad| bad.to_string()).unwrap_or_default();
        assert!(refused.contains(said) && refused.contains("plan.yaml:"), "{role}: {refused}");
    }
}
