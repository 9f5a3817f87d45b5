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
    assert_eq!((spec.key.as_str(), spec.region.as_str()), (KEY, "us-east-1"));
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
