//! The battery for S3 buckets.

use akidb_edge::provider::ResourceContext;
use akidb_edge::resource::bucket::BucketSpec;
use akidb_edge::resource::{Address, Artifacts, Attributes, Kind, ObservedResource};
use aws_sdk_s3::types as s3;
use serde_json::json;
use testkit::battery::{BatteryCase, STACK, TestAccountWorld};

fn case<'w>(world: &'w TestAccountWorld, name: &str, region: &str) -> BatteryCase<'w> {
    let spec = json!({
        "name": format!("{name}-{}", world.account), "region": region, "versioning": true, "encryption": "AES256",
        "block_public_access": true, "ownership": "BucketOwnerEnforced", "tags": {"team": "edge"},
        "cors": [{"origins": ["https://demo.example.com"], "methods": ["GET"], "headers": ["*"], "max_age_seconds": 60}],
        "lifecycle": [{"id": "old", "prefix": "", "expire_old_versions_days": 30, "abort_uploads_days": 7}],
    });
    BatteryCase { world, kind: Kind::Bucket, address: Address::new("models", Kind::Bucket, name), spec }
}

#[tokio::test]
async fn battery() {
    let world = TestAccountWorld::new(Artifacts::default()).await;
    let case = case(&world, "primary", "us-east-1");
    let mut changed = case.spec.clone();
    changed["tags"] = json!({"team": "core"});
    changed["cors"][0]["max_age_seconds"] = json!(120);
    case.run(Some(changed)).await;
}

#[tokio::test]
async fn battery_in_another_region() {
    let world = TestAccountWorld::new(Artifacts::default()).await;
    case(&world, "replica", "eu-central-1").run(None).await;
}

#[tokio::test]
async fn a_bucket_of_somebody_else_is_refused_and_foreign_tags_survive() {
    let world = TestAccountWorld::new(Artifacts::default()).await;
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

async fn thoroughly(case: &BatteryCase<'_>) -> ObservedResource {
    let none = Attributes::new();
    let subject = ResourceContext {
        stack: STACK,
        address: &case.address,
        token: "t",
        spec: &case.spec,
        id: case.spec["name"].as_str(),
        attributes: &none,
        before: Some(&case.spec),
        former: None,
        thorough: true,
        seen_absent: false,
    };
    case.world.provider(Kind::Bucket).read(&subject).await.expect("read").expect("found")
}

#[tokio::test]
async fn everything_that_others_set_is_seen() {
    let world = TestAccountWorld::new(Artifacts::default()).await;
    let name = format!("seen-{}", world.account);
    let spec = json!({"name": name, "region": "us-east-1"});
    let case =
        BatteryCase { world: &world, kind: Kind::Bucket, address: Address::new("models", Kind::Bucket, "seen"), spec };
    case.create().await.expect("create");
    let others = |found: &ObservedResource| {
        let all = found.extras.iter().filter(|extra| !extra.theirs).map(|extra| extra.path.clone());
        all.collect::<std::collections::BTreeSet<String>>()
    };
    assert_eq!(others(&thoroughly(&case).await), [].into(), "a new bucket has nothing that nobody asked for");
    let client =
        aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&world.sdk).force_path_style(true).build());
    let index = s3::IndexDocument::builder().suffix("index.html").build().expect("an index");
    let site = s3::WebsiteConfiguration::builder().index_document(index).build();
    client.put_bucket_website().bucket(&name).website_configuration(site).send().await.expect("website");
    let fast = s3::AccelerateConfiguration::builder().status(s3::BucketAccelerateStatus::Enabled).build();
    client
        .put_bucket_accelerate_configuration()
        .bucket(&name)
        .accelerate_configuration(fast)
        .send()
        .await
        .expect("put");
    let on = s3::VersioningConfiguration::builder().status(s3::BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(&name).versioning_configuration(on).send().await.expect("versioning");
    let open = s3::PublicAccessBlockConfiguration::builder().block_public_acls(true).block_public_policy(false).build();
    client.put_public_access_block().bucket(&name).public_access_block_configuration(open).send().await.expect("put");
    let to = s3::EventBridgeConfiguration::builder().build();
    let notices = s3::NotificationConfiguration::builder().event_bridge_configuration(to).build();
    let call = client.put_bucket_notification_configuration().bucket(&name);
    call.notification_configuration(notices).send().await.expect("notifications");
    let by = s3::ServerSideEncryptionByDefault::builder().sse_algorithm(s3::ServerSideEncryption::AwsKms).build();
    let by = by.expect("an algorithm");
    let rule = s3::ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by).build();
    let rules = s3::ServerSideEncryptionConfiguration::builder().rules(rule).build().expect("a rule");
    let call = client.put_bucket_encryption().bucket(&name);
    call.server_side_encryption_configuration(rules).send().await.expect("encryption");
    let seen = others(&thoroughly(&case).await);
    let all = ["acceleration", "block_public_access", "encryption", "notifications", "versioning", "website"];
    assert_eq!(seen, all.map(str::to_owned).into());
}

#[tokio::test]
async fn a_moved_bucket_gets_its_new_mark() {
    let world = TestAccountWorld::new(Artifacts::default()).await;
    testkit::moves::moved(case(&world, "moved", "eu-central-1"), "tags.akidb:stack").await;
}
