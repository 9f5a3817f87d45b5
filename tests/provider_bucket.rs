//! The battery for S3 buckets.

mod support;

use akidb_edge::resource::bucket::BucketSpec;
use akidb_edge::resource::{Address, Artefacts, Kind};
use serde_json::json;
use support::battery::{Case, World};

fn case<'w>(world: &'w World, name: &str, region: &str) -> Case<'w> {
    let spec = json!({
        "name": format!("{name}-{}", world.account), "region": region, "versioning": true, "encryption": "AES256",
        "block_public_access": true, "ownership": "BucketOwnerEnforced", "tags": {"team": "edge"},
        "cors": [{"origins": ["https://demo.example.com"], "methods": ["GET"], "headers": ["*"], "max_age_seconds": 60}],
        "lifecycle": [{"id": "old", "prefix": "", "expire_old_versions_days": 30, "abort_uploads_days": 7}],
    });
    Case { world, kind: Kind::Bucket, address: Address::new("models", Kind::Bucket, name), spec }
}

#[tokio::test]
async fn battery() {
    let world = World::new(Artefacts::default()).await;
    let case = case(&world, "primary", "us-east-1");
    let mut changed = case.spec.clone();
    changed["tags"] = json!({"team": "core"});
    changed["cors"][0]["max_age_seconds"] = json!(120);
    case.run(Some(changed)).await;
}

#[tokio::test]
async fn battery_in_another_region() {
    let world = World::new(Artefacts::default()).await;
    case(&world, "replica", "eu-central-1").run(None).await;
}

#[tokio::test]
async fn a_bucket_of_somebody_else_is_refused_and_foreign_tags_survive() {
    let world = World::new(Artefacts::default()).await;
    let s3 = aws_sdk_s3::Client::from_conf(
        aws_sdk_s3::config::Builder::from(&world.sdk)
            .region(aws_sdk_s3::config::Region::new("eu-central-1"))
            .force_path_style(true)
            .build(),
    );
    let case = case(&world, "taken", "eu-central-1");
    let spec: BucketSpec = serde_json::from_value(case.spec.clone()).expect("a bucket spec");
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuCentral1)
        .build();
    s3.create_bucket().bucket(&spec.name).create_bucket_configuration(place).send().await.expect("create");
    s3.put_object().bucket(&spec.name).key("theirs").send().await.expect("put");
    case.refuses_foreign().await;
}
