//! The battery for S3 objects, bucket policies and replication, and uploads in parts.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use akidb_edge::change::compare;
use akidb_edge::provider::ResourceContext;
use akidb_edge::provider::aws::{AwsAccess, Clients, providers};
use akidb_edge::resource::{Address, Artifacts, Attributes, FaultClass, Kind, Owner, sha256_hex};
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use serde_json::{Value, json};
use testkit::battery::{BatteryCase, STACK, TestAccountWorld};

fn s3(world: &TestAccountWorld) -> Client {
    Client::from_conf(aws_sdk_s3::config::Builder::from(&world.sdk).force_path_style(true).build())
}

/// Makes a bucket of this account; `versioned` turns versioning on.
async fn bucket(world: &TestAccountWorld, name: &str, versioned: bool) -> String {
    let name = format!("{name}-{}", world.account);
    s3(world).create_bucket().bucket(&name).send().await.expect("create");
    if versioned {
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        s3(world).put_bucket_versioning().bucket(&name).versioning_configuration(on).send().await.expect("versioning");
    }
    name
}

fn object_case<'w>(
    world: &'w TestAccountWorld,
    bucket: &str,
    key: &str,
    sha256: &str,
    bytes: usize,
) -> BatteryCase<'w> {
    let spec = json!({
        "bucket": bucket, "region": "us-east-1", "key": key, "sha256": sha256, "bytes": bytes,
        "content_type": "application/json", "cache_control": "public, max-age=60", "metadata": {"model": "minilm"},
    });
    BatteryCase { world, kind: Kind::Object, address: Address::new("models", Kind::Object, "thing"), spec }
}

async fn content(world: &TestAccountWorld, bucket: &str, key: &str) -> Vec<u8> {
    let answer = s3(world).get_object().bucket(bucket).key(key).send().await.expect("get");
    answer.body.collect().await.expect("the bytes").to_vec()
}

#[tokio::test]
async fn object_battery() {
    let mut artifacts = Artifacts::default();
    let (one, two) = (artifacts.add_bytes(b"{\"a\":1}".to_vec()), artifacts.add_bytes(b"{\"a\":22}".to_vec()));
    let world = TestAccountWorld::new(artifacts).await;
    let bucket = bucket(&world, "objects", false).await;
    let case = object_case(&world, &bucket, "models/a b+c/config.json", &one, 7);
    let mut changed = case.spec.clone();
    changed["sha256"] = json!(two);
    changed["bytes"] = json!(8);
    changed["content_type"] = json!("text/plain");
    changed["metadata"] = json!({"model": "other"});
    case.run(Some(changed)).await;
}

#[tokio::test]
async fn object_of_somebody_else_is_refused() {
    let mut artifacts = Artifacts::default();
    let sha256 = artifacts.add_bytes(b"ours".to_vec());
    let world = TestAccountWorld::new(artifacts).await;
    let bucket = bucket(&world, "objects", true).await;
    s3(&world).put_object().bucket(&bucket).key("k").body(b"theirs".to_vec().into()).send().await.expect("put");
    object_case(&world, &bucket, "k", &sha256, 4).refuses_foreign().await;
    assert_eq!(content(&world, &bucket, "k").await, b"theirs");
    // The same without the bytes at hand.
    let fault = object_case(&world, &bucket, "k", &sha256_hex(b"else"), 4).create().await.expect_err("foreign");
    assert_eq!(fault.class, FaultClass::Exists, "{fault}");
}

#[tokio::test]
async fn object_comes_back_without_its_bytes() {
    let mut artifacts = Artifacts::default();
    let (one, two) = (artifacts.add_bytes(b"one".to_vec()), artifacts.add_bytes(b"three".to_vec()));
    let world = TestAccountWorld::new(artifacts).await;
    let bucket = bucket(&world, "objects", true).await;
    let key = "models/ä b/x.json";
    let first = object_case(&world, &bucket, key, &one, 3);
    let made = first.create().await.expect("create");
    object_case(&world, &bucket, key, &two, 5).create().await.expect("ours with other content is written over");
    assert_eq!(content(&world, &bucket, key).await, b"three");
    first.delete(&made.id).await.expect("delete");
    // A later run, without the file.
    let later = TestAccountWorld::in_account(world.account.clone(), Artifacts::default()).await;
    let case = object_case(&later, &bucket, key, &one, 3);
    assert_eq!(case.read(None).await.expect("read"), None);
    case.create().await.expect("restored");
    assert_eq!(content(&later, &bucket, key).await, b"one");
    // Only headers change: no bytes needed.
    let found = case.read(None).await.expect("read").expect("found");
    assert_eq!(found.owner, Owner::Ours);
    let mut to = case.spec.clone();
    to["cache_control"] = json!("no-cache");
    to["content_type"] = json!("text/plain");
    to["metadata"] = json!({"model": "renamed"});
    let fields = compare(Kind::Object, &to, Some(&case.spec), &found.spec);
    case.update(&to, &found, &fields).await.expect("headers");
    let found = case.read(None).await.expect("read").expect("found");
    assert!(compare(Kind::Object, &to, Some(&to), &found.spec).is_empty(), "{found:#?}");
    assert_eq!(content(&later, &bucket, key).await, b"one");
    // Content that no version holds.
    let unknown = object_case(&later, &bucket, "models/never", &one, 3).create().await.expect_err("not there");
    assert_eq!(unknown.class, FaultClass::Refused);
    assert!(unknown.message.contains("is not available") && unknown.next_step.is_some(), "{unknown:?}");
}

#[tokio::test]
async fn headers_that_are_given_up_go_and_those_of_others_stay() {
    let mut artifacts = Artifacts::default();
    let sha256 = artifacts.add_bytes(b"one".to_vec());
    let world = TestAccountWorld::new(artifacts).await;
    let bucket = bucket(&world, "objects", false).await;
    let case = object_case(&world, &bucket, "k", &sha256, 3);
    case.create().await.expect("create");
    // Others add metadata and an encoding.
    let head = s3(&world).head_object().bucket(&bucket).key("k").send().await.expect("head");
    let mut metadata = head.metadata.expect("metadata");
    metadata.insert("theirs".to_owned(), "1".to_owned());
    let copy = s3(&world).copy_object().bucket(&bucket).key("k").copy_source(format!("{bucket}/k"));
    let copy = copy.metadata_directive(aws_sdk_s3::types::MetadataDirective::Replace).set_metadata(Some(metadata));
    let copy = copy.content_type("application/json").cache_control("public, max-age=60").content_language("de");
    copy.send().await.expect("copy");
    let found = case.read(None).await.expect("read").expect("found");
    let seen: Vec<(&str, bool)> = found.extras.iter().map(|extra| (extra.path.as_str(), extra.theirs)).collect();
    assert_eq!(seen, [("metadata.theirs", true), ("content_language", false)]);
    let mut to = case.spec.clone();
    to.as_object_mut().expect("a spec").retain(|key, _| key != "metadata" && key != "cache_control");
    let fields = compare(Kind::Object, &to, Some(&case.spec), &found.spec);
    let paths: Vec<&str> = fields.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths, ["cache_control", "metadata"]);
    case.update(&to, &found, &fields).await.expect("update");
    let head = s3(&world).head_object().bucket(&bucket).key("k").send().await.expect("head");
    let metadata = head.metadata.expect("metadata");
    assert_eq!((head.cache_control, head.content_language.as_deref()), (None, Some("de")));
    assert!(metadata.contains_key("theirs") && !metadata.contains_key("model"), "{metadata:?}");
    assert_eq!(content(&world, &bucket, "k").await, b"one");
}

fn policy_case<'w>(world: &'w TestAccountWorld, bucket: &str, action: &str) -> BatteryCase<'w> {
    let spec = json!({"bucket": bucket, "region": "us-east-1", "policy": policy(bucket, action)});
    BatteryCase { world, kind: Kind::BucketPolicy, address: Address::new("models", Kind::BucketPolicy, "cdn"), spec }
}

fn policy(bucket: &str, action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "AkidbEdgeRead", "Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": [action], "Resource": format!("arn:aws:s3:::{bucket}/*"),
        "Condition": {"StringEquals": {"AWS:SourceArn": "arn:aws:cloudfront::123456789012:distribution/E1"}}}]})
}

#[tokio::test]
async fn bucket_policy_battery() {
    let world = TestAccountWorld::new(Artifacts::default()).await;
    let bucket = bucket(&world, "policy", false).await;
    let case = policy_case(&world, &bucket, "s3:GetObject");
    let mut changed = case.spec.clone();
    changed["policy"]["Statement"][0]["Action"] = json!(["s3:GetObject", "s3:ListBucket"]);
    case.run(Some(changed)).await;
}

#[tokio::test]
async fn bucket_policy_of_somebody_else_is_refused() {
    let world = TestAccountWorld::new(Artifacts::default()).await;
    let bucket = bucket(&world, "policy", false).await;
    let theirs = policy(&bucket, "s3:GetObject").to_string();
    s3(&world).put_bucket_policy().bucket(&bucket).policy(theirs).send().await.expect("put");
    policy_case(&world, &bucket, "s3:GetObject").refuses_foreign().await;
}

#[tokio::test]
async fn statements_of_others_stay_in_a_bucket_policy() {
    let world = TestAccountWorld::new(Artifacts::default()).await;
    let bucket = bucket(&world, "policy", false).await;
    let case = policy_case(&world, &bucket, "s3:GetObject");
    let made = case.create().await.expect("create");
    let held = async || {
        let answer = s3(&world).get_bucket_policy().bucket(&bucket).send().await.ok()?.policy?;
        serde_json::from_str::<Value>(&answer).ok()
    };
    let mut policy = held().await.expect("a policy");
    let mut theirs = policy["Statement"][0].clone();
    (theirs["Sid"], theirs["Action"]) = (json!("Theirs"), json!("s3:ListBucket"));
    policy["Statement"].as_array_mut().expect("a list").insert(0, theirs);
    s3(&world).put_bucket_policy().bucket(&bucket).policy(policy.to_string()).send().await.expect("put");
    let found = case.read(Some(&made.id)).await.expect("read").expect("found");
    assert!(compare(Kind::BucketPolicy, &case.spec, Some(&case.spec), &found.spec).is_empty(), "{found:#?}");
    let seen: Vec<(&str, bool)> = found.extras.iter().map(|extra| (extra.path.as_str(), extra.theirs)).collect();
    assert_eq!(seen, [("policy.Statement.Theirs", true)]);
    let mut to = case.spec.clone();
    to["policy"]["Statement"][0]["Action"] = json!(["s3:GetObject", "s3:GetObjectVersion"]);
    let fields = compare(Kind::BucketPolicy, &to, Some(&case.spec), &found.spec);
    case.update(&to, &found, &fields).await.expect("update");
    let policy = held().await.expect("a policy");
    assert_eq!(policy["Statement"][0]["Sid"], json!("Theirs"));
    assert_eq!(policy["Statement"][1], to["policy"]["Statement"][0]);
    // Only ours goes, and the mark with it.
    case.delete(&made.id).await.expect("delete");
    let policy = held().await.expect("a policy");
    assert_eq!((policy["Statement"].as_array().map(Vec::len), policy.get("Id")), (Some(1), None));
    assert_eq!(policy["Statement"][0]["Sid"], json!("Theirs"));
    // Back again, as a rollback does it: theirs leaves room for ours.
    assert_eq!(case.read(None).await.expect("read"), None);
    case.create().await.expect("create beside theirs");
    let policy = held().await.expect("a policy");
    assert_eq!(policy["Statement"].as_array().map(Vec::len), Some(2));
}

fn replication_case<'w>(world: &'w TestAccountWorld, source: &str, to: &[&str]) -> BatteryCase<'w> {
    let rules: Vec<Value> = to
        .iter()
        .map(|to| {
            json!({
        "id": format!("to-{to}"), "prefix": "models/", "destination": to, "enabled": true,
        "replica_modifications": true, "time_control_minutes": 15})
        })
        .collect();
    let role = format!("arn:aws:iam::{}:role/replication", world.account);
    let spec = json!({"source": source, "region": "us-east-1", "role_arn": role, "rules": rules});
    BatteryCase { world, kind: Kind::Replication, address: Address::new("models", Kind::Replication, "out"), spec }
}

#[tokio::test]
async fn replication_battery() {
    let world = TestAccountWorld::new(Artifacts::default()).await;
    let source = bucket(&world, "source", true).await;
    let (one, two) = (bucket(&world, "one", true).await, bucket(&world, "two", true).await);
    let mut case = replication_case(&world, &source, &[&one, &two]);
    // One rule states everything, the other leaves priority and markers to the default.
    case.spec["rules"][0]["priority"] = json!(1);
    case.spec["rules"][0]["delete_markers"] = json!(true);
    let mut changed = case.spec.clone();
    changed["role_arn"] = json!(format!("arn:aws:iam::{}:role/another", world.account));
    changed["rules"][0]["priority"] = json!(7);
    changed["rules"][0]["enabled"] = json!(false);
    changed["rules"][1]["priority"] = json!(9);
    case.run(Some(changed)).await;
}

#[tokio::test]
async fn replication_needs_versioning_and_says_so() {
    let world = TestAccountWorld::new(Artifacts::default()).await;
    let source = bucket(&world, "source", true).await;
    let plain = bucket(&world, "plain", false).await;
    let fault = replication_case(&world, &source, &[&plain]).create().await.expect_err("no versioning");
    assert!(fault.next_step.as_ref().is_some_and(|step| step.contains(&plain)), "{fault:?}");
}

#[tokio::test]
async fn replication_of_somebody_else_is_refused() {
    let world = TestAccountWorld::new(Artifacts::default()).await;
    let source = bucket(&world, "source", true).await;
    let to = bucket(&world, "to", true).await;
    let mut theirs = replication_case(&world, &source, &[&to]);
    theirs.spec["role_arn"] = json!(format!("arn:aws:iam::{}:role/theirs", world.account));
    theirs.create().await.expect("theirs");
    replication_case(&world, &source, &[&to]).refuses_foreign().await;
}

/// Megabytes of the large file.
const LARGE: usize = 40;

/// Bytes that differ from place to place, so that parts in the wrong order are seen.
fn large_file(at: &Path) -> (String, usize) {
    let mut state = 88_172_645_463_325_252_u64;
    let mut bytes = Vec::with_capacity(LARGE << 20);
    while bytes.len() < (LARGE << 20) + 4_321 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    std::fs::write(at, &bytes).expect("write the large file");
    (sha256_hex(&bytes), bytes.len())
}

#[tokio::test]
async fn large_object_arrives_whole_and_in_its_replica() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.onnx");
    let (sha256, size) = large_file(&path);
    let mut artifacts = Artifacts::default();
    artifacts.add_file(&sha256, path, size as u64);
    let world = TestAccountWorld::new(artifacts).await;
    let source = bucket(&world, "source", true).await;
    let to = bucket(&world, "to", true).await;
    replication_case(&world, &source, &[&to]).create().await.expect("replication");
    let case = object_case(&world, &source, "models/minilm/model.onnx", &sha256, size);
    case.create().await.expect("create");
    case.create().await.expect("create again");
    let found = case.read(None).await.expect("read").expect("found");
    assert!(compare(Kind::Object, &case.spec, None, &found.spec).is_empty(), "{found:#?}");
    for bucket in [&source, &to] {
        let bytes = content(&world, bucket, "models/minilm/model.onnx").await;
        assert_eq!((bytes.len(), sha256_hex(&bytes)), (size, sha256.clone()), "{bucket}");
    }
    let versions = s3(&world).list_object_versions().bucket(&source).send().await.expect("list");
    assert_eq!(versions.versions().len(), 1, "what was already there is not sent again");
    assert_nothing_open(&world, &source).await;
}

async fn assert_nothing_open(world: &TestAccountWorld, bucket: &str) {
    let open = s3(world).list_multipart_uploads().bucket(bucket).send().await.expect("list uploads");
    assert!(open.uploads().is_empty(), "{open:?}");
}

/// Passes bytes on to the emulator, and cuts every connection that has carried more than `limit` bytes.
fn cutting_proxy(to: String, limit: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for incoming in listener.incoming().flatten() {
            let to = to.clone();
            std::thread::spawn(move || {
                let Ok(upstream) = TcpStream::connect(to) else { return };
                let (Ok(back), Ok(front)) = (upstream.try_clone(), incoming.try_clone()) else { return };
                std::thread::spawn(move || pass(back, front, usize::MAX));
                pass(incoming, upstream, limit);
            });
        }
    });
    format!("http://{address}")
}

fn pass(mut from: TcpStream, mut to: TcpStream, limit: usize) {
    let (mut buffer, mut carried) = (vec![0; 1 << 16], 0);
    while let Ok(size) = from.read(&mut buffer) {
        carried += size;
        if size == 0 || carried > limit || to.write_all(&buffer[..size]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[tokio::test]
async fn an_upload_that_is_cut_leaves_nothing_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.onnx");
    let (sha256, size) = large_file(&path);
    let mut artifacts = Artifacts::default();
    artifacts.add_file(&sha256, path, size as u64);
    let world = TestAccountWorld::new(Artifacts::default()).await;
    let bucket = bucket(&world, "cut", true).await;
    let case = object_case(&world, &bucket, "model.onnx", &sha256, size);
    // A part has more than 8 MiB: each one is cut in its middle, the small calls get through.
    let host = testkit::local_aws::endpoint().trim_start_matches("http://").to_owned();
    let endpoint = cutting_proxy(host, 5 << 20);
    let sdk = world.sdk.to_builder().endpoint_url(&endpoint).build();
    let sdk = sdk.into_builder().retry_config(aws_config::retry::RetryConfig::disabled()).build();
    let access = AwsAccess { region: Some("us-east-1".into()), endpoint: Some(endpoint), route53_per_second: None };
    let clients = Arc::new(Clients::with_config(sdk, &access));
    let provider = providers(&clients, &Arc::new(artifacts)).of(Kind::Object).expect("objects").clone();
    let none = Attributes::new();
    let subject = ResourceContext {
        stack: STACK,
        address: &case.address,
        token: "t",
        spec: &case.spec,
        id: None,
        attributes: &none,
        before: None,
        former: None,
        thorough: false,
        seen_absent: false,
    };
    let fault = provider.create(&subject).await.expect_err("cut");
    assert_eq!(fault.operation, "UploadPart", "{fault}");
    assert!(matches!(fault.class, FaultClass::Retry | FaultClass::Unreachable), "{fault:?}");
    assert_nothing_open(&world, &bucket).await;
    assert_eq!(case.read(None).await.expect("read"), None);
}

#[tokio::test]
async fn a_file_that_changed_since_it_was_hashed_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x");
    std::fs::write(&path, b"longer than before").expect("write");
    let mut artifacts = Artifacts::default();
    let sha256 = sha256_hex(b"before");
    artifacts.add_file(&sha256, path, 6);
    let world = TestAccountWorld::new(artifacts).await;
    let bucket = bucket(&world, "changed", false).await;
    let fault = object_case(&world, &bucket, "x", &sha256, 6).create().await.expect_err("changed");
    assert!(fault.class == FaultClass::Refused && fault.code == "FileChanged", "{fault}");
}

#[tokio::test]
async fn a_moved_object_and_policy_get_their_new_mark() {
    let mut artifacts = Artifacts::default();
    let sha256 = artifacts.add_bytes(b"one".to_vec());
    let world = TestAccountWorld::new(artifacts).await;
    let bucket = bucket(&world, "moved", false).await;
    testkit::moves::moved(object_case(&world, &bucket, "k", &sha256, 3), "metadata.akidb-stack").await;
    testkit::moves::moved(policy_case(&world, &bucket, "s3:GetObject"), "Id").await;
}
